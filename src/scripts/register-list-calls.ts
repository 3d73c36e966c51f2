import type { Copy } from "../algorithms/register.js";
import type { Keys } from "./keys.js";
import { type Call, scriptCall } from "./scripts.js";
import { copyIn } from "./stored-register.js";

/** What one primary has accepted of the registers in a part of a list. */
export interface ListedCopies {
  /** By name, in byte order of the names. */
  readonly copies: ReadonlyMap<string, Copy>;
  /** The last name that was looked at; null: all were. */
  readonly upTo: string | null;
}

/** Which part of a list. */
export interface ListPart {
  /** Where to begin, as ZRANGEBYLEX has it. */
  readonly from: string;
  /** What all names begin with. */
  readonly beginning: string;
  readonly most: number;
}

/** `what`: of their versions: the texts, nothing, or the SHA-1 of each in place of its text. */
export function listRegisters(
  keys: Keys,
  { from, beginning, most }: ListPart,
  what: "texts" | "heads" | "digests" = "texts",
): Call<ListedCopies> {
  const args = [keys.register(""), from, beginning, most, PART_BYTES_MAX, what];
  return scriptCall("list-registers", [keys.registers], args, (reply) => {
    const [now, upTo, ...listed] = reply as [string, string, ...string[]];
    const nowMs = Number(now);
    const copies = new Map<string, Copy>();
    for (let at = 0; at + 1 < listed.length; at += 2)
      copies.set(listed[at] as string, copyIn(listed[at + 1] as string, nowMs));
    return { copies, upTo: upTo === "" ? null : upTo };
  });
}

/** Names in a part at most, and bytes after which it ends: some 2 ms of a primary's time. */
export const PART_NAMES_MAX = 1_000;
const PART_BYTES_MAX = 256 * 1024;
