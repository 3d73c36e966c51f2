import { type Call, scriptCall } from "./scripts.js";

/** One part of a result that is read in several. */
export interface Parts<T> {
  /** Where the next part begins; null: this was the last. */
  readonly next: string | null;
  readonly found: readonly T[];
}

/**
 * Reads a part of a set of deadlines: names of services, ids of members, or leaseIds of readers. `graceMs`: those whose
 * deadline passed no longer ago than this are read as well.
 */
export function scanSet(set: string, from: string, graceMs = 0): Call<Parts<string>> {
  return scriptCall("scan-set", [set], [from, SCANNED_AT_ONCE, graceMs, WHOLE_MAX], (reply) => {
    const [next, text] = reply as [string, string];
    return { next: next === "0" ? null : next, found: text === "" ? [] : text.split("\n") };
  });
}

/** Elements per part, of up to 128 characters each: a millisecond of a primary's time. */
const SCANNED_AT_ONCE = 500;
/** Elements of a set that is read as one part: half a millisecond. */
const WHOLE_MAX = 1_000;
