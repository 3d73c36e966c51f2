import { summarizeState } from "../scripts/configuration-calls.js";
import type { Keys } from "../scripts/keys.js";
import { type CopyEnd, runOn } from "./copy-end.js";

/**
 * Time until all leases that any of these primaries voted for have ended, by the slowest of their clocks, ms. Each has
 * its lease high-water mark, a time by its own wall clock. A clock that was set back must not make others wait longer than
 * any lease can last.
 */
export async function leasesEndInMs(ends: readonly CopyEnd[], keys: Keys, ttlMaxMs: number): Promise<number> {
  const summaries = await Promise.all(ends.map((end) => runOn(end, summarizeState(keys))));
  const latest = Math.max(...summaries.map((summary) => summary.leasesEndInMs));
  return withDrift(Math.min(latest, ttlMaxMs + HIGH_WATER_MARK_AHEAD_MS));
}

/** Primaries' clocks may differ in speed by 1 %, and expiry has a precision of a ms. */
function withDrift(ms: number): number {
  return ms > 0 ? ms * 1.01 + 2 : 0;
}

/** By how much a mark may lie beyond the end of the last lease (prelude.lua, `mark_lease`). */
const HIGH_WATER_MARK_AHEAD_MS = 1_000;
