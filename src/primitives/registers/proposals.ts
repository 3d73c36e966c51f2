import { type Ballot, NO_BALLOT } from "../../algorithms/ballot.js";
import {
  type Copy,
  fateOf,
  KEYED_MAX,
  type Keyed,
  keptKeyed,
  latestOf,
  longestLeftMs,
  nextVersion,
  type Version,
  type Write,
} from "../../algorithms/register.js";
import { toText, toVersion } from "../../algorithms/register-text.js";
import type { Promised } from "../../quorum/register-rounds.js";
import type { Proposal } from "../../scripts/register-calls.js";
import { outcomeUnknown } from "./register-failures.js";

/** A register as a change or a read finds it. */
export interface State {
  /** Null: nothing is known of it. Its `json` is null where it was deleted. */
  readonly version: Version | null;
  /** Time until it ends, ms; null: it does not. */
  readonly leftMs: number | null;
}

/** When a change finds a register, by the primaries' clocks. */
export interface Moment {
  /** The time of the version is over. */
  readonly isOver: boolean;
  /** By the latest of them, ms since 1970. */
  readonly nowMs: number;
  /** By the earliest. */
  readonly earliestMs: number;
}

/** What a change makes of a register. `told`: what a repetition with the same idempotency key is told; no spaces. */
export type Decision<R> =
  | { readonly kind: "keep"; readonly result: R }
  | ({ readonly kind: "write"; readonly result: R; readonly told: string } & Write)
  /** This very version. Its change must know by what it finds whether it was made before. */
  | {
      readonly kind: "replace";
      readonly version: Version;
      readonly leftMs: number | null;
      readonly result: R;
    };

export type Changed<R> =
  /** `state`: as it is now; it was kept, or replaced. */
  | { readonly kind: "kept"; readonly state: State; readonly result: R }
  | { readonly kind: "written"; readonly number: number; readonly etag: Ballot; readonly result: R }
  /** A change with this idempotency key was made before. */
  | { readonly kind: "repeated"; readonly number: number; readonly etag: Ballot; readonly told: string }
  /** Another change was made under this key. */
  | { readonly kind: "key_mismatch" };

/** What a change has proposed so far. */
export interface Proposed<R> {
  /** The ballot of its first proposal, under which it makes the others, too. */
  readonly etag: Ballot;
  /** The etags of the versions that it was to follow; null: nothing. */
  readonly bases: readonly (Ballot | null)[];
  /** By the number of the version. */
  readonly results: ReadonlyMap<number, R>;
}

/** What the promises of a majority tell of a register. */
export interface Found {
  readonly copies: readonly (Copy | null)[];
  readonly latest: Copy | null;
  readonly state: State;
  /** The highest of the floors of these primaries. */
  readonly floor: Ballot;
  /** The earliest and the latest of their clocks, ms since 1970. */
  readonly earliestMs: number;
  readonly latestMs: number;
}

export function foundIn(promises: readonly Promised[]): Found {
  const copies = promises.map(({ copy }) => copy);
  const latest = latestOf(copies);
  const clocks = promises.map(({ nowMs }) => nowMs);
  return {
    copies,
    latest,
    state: stateOf(copies, latest),
    floor: promises.reduce((highest, { floor }) => (floor > highest ? floor : highest), NO_BALLOT),
    earliestMs: Math.min(...clocks),
    latestMs: Math.max(...clocks),
  };
}

export function stateOf(copies: readonly (Copy | null)[], latest: Copy | null): State {
  if (!latest) return { version: null, leftMs: null };
  const version = toVersion(latest.text, latest.etag, latest.isLive);
  return { version, leftMs: leftAfter(longestLeftMs(copies, latest), 0) };
}

/** Time left once `ms` have passed. */
export const leftAfter = (leftMs: number | null, ms: number): number | null =>
  leftMs === null ? null : Math.max(0, leftMs - ms);

/** What a change that was proposed before has become; null: nothing yet. Throws `outcome_unknown`. */
export function appliedIn<R>(proposed: Proposed<R>, { state, floor }: Found): Changed<R> | null {
  const fate = fateOf(proposed, state.version, floor);
  if (fate.kind === "not_applied") return null;
  const result = fate.kind === "applied" ? proposed.results.get(fate.number) : undefined;
  if (fate.kind === "unknown" || result === undefined) throw outcomeUnknown();
  return { kind: "written", number: fate.number, etag: proposed.etag, result };
}

/** The change that was made before under this key; null: there is none. */
export function repeatedIn({ key, body }: Keyed, { version }: State): Changed<never> | null {
  const known = version?.keyed.find((one) => one.key === key);
  if (!known) return null;
  if (known.body !== body) return { kind: "key_mismatch" };
  const { number, etag, told } = known;
  return { kind: "repeated", number, etag, told };
}

/** Whether the register remembers as many keyed changes as it can. */
export function isFull({ state, earliestMs }: Found): boolean {
  return keptKeyed(state.version?.keyed ?? [], earliestMs).length >= KEYED_MAX;
}

/** What is to be proposed. */
export function versionFor(
  { json, ttlMs, told }: Write & { readonly told: string },
  { state, earliestMs, latestMs }: Found,
  etag: Ballot,
  keyed: Keyed | null,
): { readonly version: Version; readonly proposal: Proposal } {
  const base = state.version && { ...state.version, keyed: keptKeyed(state.version.keyed, earliestMs) };
  const version = nextVersion(base, { json, etag, keyed: keyed && { ...keyed, told, atMs: latestMs } });
  return { version, proposal: proposalOf(version, ttlMs) };
}

/** The end of a version whose time is over. */
export function tombstoneOf({ version }: State, etag: Ballot): Proposal {
  return proposalOf(nextVersion(version, { json: null, etag, keyed: null }), null);
}

export function proposalOf(version: Version, leftMs: number | null): Proposal {
  // What has an intent is not removed, even if nothing is there.
  const isLive = version.json !== null || version.intent !== undefined;
  return { etag: version.etag, leftMs, isLive, text: toText(version) };
}

export function proposing<R>(
  before: Proposed<R> | null,
  version: Version,
  { state }: Found,
  result: R,
): Proposed<R> {
  return {
    etag: version.etag,
    bases: [...(before?.bases ?? []), state.version?.number ? state.version.etag : null],
    results: new Map([...(before?.results ?? []), [version.number, result]]),
  };
}
