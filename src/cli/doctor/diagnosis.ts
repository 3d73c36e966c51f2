import { findingsOfClocks } from "./clocks.js";
import type { Examined } from "./examination.js";
import { type Findings, ordered } from "./finding.js";
import { findingsOfInstances } from "./instances.js";
import { findingsOfPrimaries } from "./primaries.js";

/** All that is wrong, the worst first, without the kinds that are ignored. */
export function diagnose(examined: readonly Examined[], ignored: readonly string[]): Findings {
  const { findings, notes } = findingsOfPrimaries(examined);
  const all = [...findingsOfInstances(examined), ...findings, ...findingsOfClocks(examined)];
  return { findings: ordered(all).filter(({ id }) => !ignored.includes(id)), notes };
}
