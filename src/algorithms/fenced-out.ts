import { type Configuration, type Entry, entryOf, type Observation } from "./configuration.js";

/**
 * The configuration after `current` in which the absent are fenced out: whatever they have kept, they are readmitted with a copy
 * of what the others have. Null: all that are left out already, or nobody is absent.
 */
export function withoutAbsent(
  current: Configuration,
  observed: readonly Observation[],
  nonce: string,
): Configuration | null {
  const version = current.version + 1;
  const there = new Set(observed.map((one) => entryOf(current, one)?.id));
  const isAbsent = (entry: Entry) => !there.has(entry.id) && !isFencedOut(entry);
  if (!current.primaries.some(isAbsent)) return null;
  const primaries = current.primaries.map((entry) =>
    isAbsent(entry) ? { ...entry, runId: FENCED_OUT, admitted: version } : entry,
  );
  return { ...current, version, nonce, coldQuarantine: null, primaries };
}

export const isFencedOut = ({ runId }: Entry): boolean => runId === FENCED_OUT;

/** In place of a `run_id`: no server has it. */
const FENCED_OUT = "fenced out";

/** How many primaries a configuration fences out, if the epochs of its members begin with this; else 0. */
export function fencedOutIn(current: Configuration | null, epoch: string): number {
  if (!current || `${current.version}:${current.nonce}` !== epoch) return 0;
  return current.primaries.filter(isFencedOut).length;
}
