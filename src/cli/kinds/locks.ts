import { segment } from "../names.js";
import type { Cell } from "../output.js";
import { read } from "../pages.js";
import type { ListedLock, Lock } from "../types.js";
import { HOLDING, holding, NO_LABEL } from "./cells.js";
import type { Kind } from "./kind.js";

export const locks: Kind<Lock> = {
  read: (transport, name) => read(transport, `/locks/${segment(name)}`),
  head: ["name", "mode", "owner", ...HOLDING, "token", "waiting"],
  rows: (lock) => {
    const { name, mode, fencingToken, waiting } = lock;
    if (mode === null) return [[name, "free", null, null, null, null, waiting]];
    return heldRows({ name, mode, holders: lock.holders }).map((row) => [...row, fencingToken, waiting]);
  },
};

/** Of a lock in a list of those that are held. */
export const HELD_HEAD = ["name", "mode", "owner", ...HOLDING];

/** A line for each holder. */
export function heldRows({ name, mode, holders }: ListedLock): Cell[][] {
  return holders.map((holder) => [name, mode, holder.owner ?? NO_LABEL, ...holding(holder)]);
}
