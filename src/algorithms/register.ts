import type { Ballot } from "./ballot.js";
import type { Intent } from "./intent.js";

/**
 * Registers by CASPaxos: what one primary stores of a register, what several copies say together, and what a change makes of
 * it. Pure; algorithms/register-text.ts has the stored format. Source: Rystsov, "CASPaxos: Replicated State Machines
 * without logs".
 */

/** One version of a register: live, or the tombstone of one that was deleted. */
export interface Version {
  /**
   * Grows by one with each change; begins at 1 again once nothing is left of a register that was deleted. 0: there was nothing
   * when an intent was noted.
   */
  readonly number: number;
  /** The ballot that first proposed the change: it names this version, and never comes again. */
  readonly etag: Ballot;
  /** The value as JSON; null: it was deleted, or has expired. */
  readonly json: string | null;
  /** The changes before this one, the latest first, by `codeOf` of their etags, joined; at most `CHANGES_KEPT - 1`. */
  readonly earlier: string;
  /** Changes with an idempotency key, the latest first; at most `KEYED_MAX`. */
  readonly keyed: readonly KeyedChange[];
  /** What a transaction of several registers is about to do with this version. */
  readonly intent?: Intent | undefined;
}

/** A change that is applied once, however often it is asked for. */
export interface KeyedChange {
  /** Digest of the idempotency key. */
  readonly key: string;
  /** Digest of what was asked for. */
  readonly body: string;
  /** What it made. */
  readonly number: number;
  readonly etag: Ballot;
  /** When, in ms since 1970 by the latest of the primaries' clocks. */
  readonly atMs: number;
  /** What else its caller was told, such as the value of a counter. */
  readonly told: string;
}

/** What one primary has accepted of a register. */
export interface Copy {
  readonly accepted: Ballot;
  /** The highest ballot that it promised. */
  readonly promised: Ballot;
  readonly etag: Ballot;
  /** Time until the version ends by this primary's clock, ms; null: it does not end. Zero or less: it has ended. */
  readonly leftMs: number | null;
  readonly isLive: boolean;
  /** Whether it was copied here from another primary: it counts for what is latest, but is no vote for it. */
  readonly isCopied: boolean;
  /** The version as it is stored. */
  readonly text: string;
}

/** The copy that was accepted under the highest ballot; null: there is none. */
export function latestOf(copies: readonly (Copy | null)[]): Copy | null {
  let latest: Copy | null = null;
  for (const copy of copies) if (copy && (!latest || copy.accepted > latest.accepted)) latest = copy;
  return latest;
}

/** Whether both have the same version, or none. A change that was tried again has one etag, and may have made two versions. */
export const isSameVersion = (one: Copy | null | undefined, other: Copy | null | undefined): boolean =>
  one?.etag === other?.etag && one?.text === other?.text;

/** Whether a majority of the primaries have accepted exactly this, so that it is decided; null: nothing at all. */
export function isDecided(copies: readonly (Copy | null)[], latest: Copy | null, majority: number): boolean {
  let same = 0;
  for (const copy of copies)
    if (!copy?.isCopied && (copy?.accepted ?? null) === (latest?.accepted ?? null)) same += 1;
  return same >= majority;
}

/** Whether a majority say, each by its own clock, that the time of this version is over. */
export function hasEnded(copies: readonly (Copy | null)[], latest: Copy, majority: number): boolean {
  if (!latest.isLive) return false;
  const ended = copies.filter(
    (copy) => copy?.etag === latest.etag && copy.leftMs !== null && copy.leftMs <= 0,
  );
  return ended.length >= majority;
}

/** The longest time that any copy of this version has left, ms; null: it does not end. */
export function longestLeftMs(copies: readonly (Copy | null)[], latest: Copy): number | null {
  let longest = latest.leftMs;
  for (const copy of copies)
    if (copy?.etag === latest.etag && copy.leftMs !== null && longest !== null)
      longest = Math.max(longest, copy.leftMs);
  return longest;
}

/** What a change makes of a register. */
export interface Write {
  /** The value as JSON; null: it deletes. */
  readonly json: string | null;
  /** Time after which it ends, ms; null: it does not end. */
  readonly ttlMs: number | null;
}

/** An idempotency key, with what was asked for under it, as digests. */
export type Keyed = Pick<KeyedChange, "key" | "body">;

/** The version that `change` makes of `base`; null: there is no register. `etag`: the ballot that first proposed this change. */
export function nextVersion(
  base: Version | null,
  change: {
    readonly json: string | null;
    readonly etag: Ballot;
    readonly keyed: (Keyed & { readonly told: string; readonly atMs: number }) | null;
  },
): Version {
  const { json, etag, keyed } = change;
  const number = (base?.number ?? 0) + 1;
  const earlier =
    base && base.number > 0
      ? (codeOf(base.etag) + base.earlier).slice(0, (CHANGES_KEPT - 1) * CODE_LENGTH)
      : "";
  const before = base?.keyed ?? NONE;
  return {
    number,
    etag,
    json,
    earlier,
    keyed: keyed ? [{ ...keyed, number, etag }, ...before] : before,
  };
}

/** What became of a change that was proposed before. */
export type Fate =
  /** It was applied, and made the version of this number. */
  | { readonly kind: "applied"; readonly number: number }
  /** It was not, and never will be as it was proposed. */
  | { readonly kind: "not_applied" }
  /** What is known of the register does not reach back to it. */
  | { readonly kind: "unknown" };

/**
 * What became of a change that was proposed under `etag`, now that `latest` is the latest version. `bases`: the etags of the
 * versions that it was to follow, one for each try; null: nothing. `floor`: the highest of those primaries that told of
 * `latest`: where it is below the change, nothing of the change can have been removed.
 */
export function fateOf(
  { etag, bases }: { readonly etag: Ballot; readonly bases: readonly (Ballot | null)[] },
  latest: Version | null,
  floor: Ballot,
): Fate {
  if (latest) {
    if (latest.etag === etag) return { kind: "applied", number: latest.number };
    const place = placeOf(etag, latest.earlier);
    if (place >= 0) return { kind: "applied", number: latest.number - 1 - place };
    // What it was to follow is there, and it is not.
    const follows = (base: Ballot | null) =>
      base !== null && (latest.etag === base || placeOf(base, latest.earlier) >= 0);
    if (bases.some(follows)) return { kind: "not_applied" };
  }
  // Whatever happened to the register since it began is known, and it did not begin after a removal of this change.
  const isWhole = latest === null || latest.earlier.length === Math.max(0, latest.number - 1) * CODE_LENGTH;
  const isFirst = bases.every((base) => base === null);
  return isFirst && isWhole && floor < etag ? { kind: "not_applied" } : { kind: "unknown" };
}

/** The part of an etag that no other has, in `CODE_LENGTH` characters. */
const codeOf = (etag: Ballot): string => Buffer.from(etag.slice(-NONCE_DIGITS), "hex").toString("base64url");

/** Where a change stands among the earlier ones; -1: it does not. */
function placeOf(etag: Ballot, earlier: string): number {
  const code = codeOf(etag);
  for (let at = earlier.indexOf(code); at >= 0; at = earlier.indexOf(code, at + 1))
    if (at % CODE_LENGTH === 0) return at / CODE_LENGTH;
  return -1;
}

/**
 * The keyed changes that are to be kept when another is made. Each is kept for `KEYED_MS`, by the earliest clock of the
 * primaries that were asked.
 */
export function keptKeyed(keyed: readonly KeyedChange[], earliestMs: number): readonly KeyedChange[] {
  return keyed.filter(({ atMs }) => earliestMs - atMs < KEYED_MS);
}

/** Until when what is left of a register must stay, since it remembers keyed changes, ms since 1970; 0: it remembers none. */
export function rememberedUntilMs(keyed: readonly KeyedChange[]): number {
  return keyed.reduce((until, { atMs }) => Math.max(until, atMs + KEYED_MS), 0);
}

const NONCE_DIGITS = 24;
const CODE_LENGTH = 16;

const NONE: readonly never[] = Object.freeze([]);

/** The changes of a register that its versions know of. */
export const CHANGES_KEPT = 64;
/** The changes with an idempotency key that a register remembers, and for how long, ms. */
export const KEYED_MAX = 64;
export const KEYED_MS = 600_000;
