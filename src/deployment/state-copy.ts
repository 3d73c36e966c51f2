import { PrimaryFailure, reasonOf } from "../redis/failures.js";
import { type StateSummary, summarizeState } from "../scripts/configuration-calls.js";
import type { Keys } from "../scripts/keys.js";
import { announceIncarnation } from "../scripts/member-calls.js";
import { type CopyEnd, runOn } from "./copy-end.js";
import { SECTIONS, type Section } from "./sections.js";

/**
 * Copies to `target` what `sources` have, section by section, and the highest incarnation of a member. Copying twice, or
 * two copies at once, does no harm. Rejects with `PrimaryFailure` when one of them changed meanwhile; the message names the
 * section. Returns the floor to begin with.
 */
export async function copyState(
  sources: readonly CopyEnd[],
  target: CopyEnd,
  keys: Keys,
  sections: readonly Section[] = SECTIONS,
): Promise<number> {
  const isSource = sources.some(({ primary }) => primary === target.primary);
  for (const section of sections) await within(section, () => section.clean?.(target, keys, isSource));
  const { floor } = await highestOf(sources, keys);
  for (const source of sources.filter(({ primary }) => primary !== target.primary)) {
    for (const section of sections) await within(section, () => section.copy?.(source, target, keys, floor));
  }
  // Read once more, after the counters: a rotation meanwhile may have moved names from those into its floor. This also
  // shows that no source has lost its data since, which the pages, read by plain commands, would not show.
  const last = await highestOf(sources, keys);
  await runOn(target, announceIncarnation(keys, last.incarnation));
  return last.floor;
}

/**
 * Time until all leases that any of these primaries voted for have ended, by the slowest of their clocks, ms. Each has
 * its lease high-water mark, a time by its own wall clock. A clock that was set back must not make others wait longer than
 * any lease can last.
 */
export async function leasesEndInMs(ends: readonly CopyEnd[], keys: Keys, ttlMaxMs: number): Promise<number> {
  const { leasesEndInMs: latest } = await highestOf(ends, keys);
  const ms = Math.min(latest, ttlMaxMs + HIGH_WATER_MARK_AHEAD_MS);
  // Primaries' clocks may differ in speed by 1 %, and expiry has a precision of a ms.
  return ms > 0 ? ms * 1.01 + 2 : 0;
}

async function within({ name }: Section, work: () => Promise<void> | undefined): Promise<void> {
  try {
    await work();
  } catch (error) {
    const message = `copying ${name}: ${reasonOf(error)}`;
    if (error instanceof PrimaryFailure) throw new PrimaryFailure(error.kind, message, { cause: error });
    throw new Error(message, { cause: error });
  }
}

/** The highest of what any of them has. */
async function highestOf(sources: readonly CopyEnd[], keys: Keys) {
  const summaries = await Promise.all(sources.map((source) => runOn(source, summarizeState(keys))));
  const highest = (of: keyof StateSummary) => Math.max(0, ...summaries.map((summary) => summary[of]));
  return {
    floor: highest("floor"),
    incarnation: highest("incarnation"),
    leasesEndInMs: highest("leasesEndInMs"),
  };
}

/** By how much a mark may lie beyond the end of the last lease (prelude.lua, `mark_lease`). */
const HIGH_WATER_MARK_AHEAD_MS = 1_000;
