import type { Keys } from "./keys.js";
import { type Primary, PrimaryFailure } from "./primary.js";
import { type Call, type SetPart, scanSet } from "./scripts.js";

/**
 * All that a set of deadlines has on one primary, read in parts. Whatever is in it from the beginning to the end is
 * found; what comes or goes meanwhile may be. Rejects with `PrimaryFailure`, also where the primary became another, which
 * a part alone would not tell. `isOver`: whether the rest is of no use to anybody any more.
 */
export async function scanOn(
  primary: Primary,
  keys: Keys,
  set: string,
  isOver: () => boolean = () => false,
): Promise<string[]> {
  const { era, stamp } = primary;
  if (era === null || stamp === null) throw new PrimaryFailure("not_sent", "it takes no part");
  return scanBy((call) => primary.runAs(era, stamp, call), keys, set, isOver);
}

/** The same, of whatever runs the calls. */
export async function scanBy(
  run: (call: Call<SetPart>) => Promise<SetPart>,
  keys: Keys,
  set: string,
  isOver: () => boolean = () => false,
): Promise<string[]> {
  // Redis may tell the same one twice.
  const found = new Set<string>();
  for (let from: string | null = "0"; from !== null; ) {
    if (isOver()) throw new PrimaryFailure("not_sent", "the rest was not needed");
    const part: SetPart = await run(scanSet(keys, set, from));
    for (const one of part.found) found.add(one);
    from = part.next;
  }
  return [...found];
}
