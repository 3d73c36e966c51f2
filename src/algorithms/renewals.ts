import { latestOf } from "./holds.js";

/** Why one primary did not extend a lease. */
export type RenewRefusal =
  /** The lease is not held here, and no other lease has had any of its names since. */
  | { readonly kind: "missing" }
  | { readonly kind: "released" }
  /** An operator broke it. */
  | { readonly kind: "broken"; readonly reason: string }
  /** Another lease has, or had, one of its names; that lease's counter. */
  | { readonly kind: "taken"; readonly counter: number }
  /**
   * The lease is not held here, and the counters up to one above its token are forgotten; no other lease is known
   * since.
   */
  | { readonly kind: "forgotten" }
  /** The lease is held here, by a later grant. */
  | { readonly kind: "regranted" }
  /** The lease has more names, or fewer. */
  | { readonly kind: "other" };

/** One primary's reply to a renewal. `R`: what the lease was acquired with. */
export type RenewalVote<R> = ({ readonly kind: "extended" } & R) | RenewRefusal;

/** What is known of why a lease is no longer held. */
export interface Lost {
  readonly kind: "lost";
  readonly why:
    | { readonly kind: "expired" }
    | { readonly kind: "released" }
    | { readonly kind: "broken"; readonly reason: string }
    /** Another lease has or had one of its names; the highest counter that was seen. */
    | { readonly kind: "taken"; readonly counter: number }
    /** A cold start forgot it after it was granted; no lease is known to have had one of its names since. */
    | { readonly kind: "restarted" };
}

export type RenewalVerdict<R> =
  /** `latest`: with the latest revision of the metadata. `acks`: primaries that have extended it so far. */
  | { readonly kind: "extended"; readonly latest: R; readonly acks: number }
  | Lost
  /** The lease has more names, or fewer. */
  | { readonly kind: "other" };

/**
 * The verdict of a majority that extended the lease, or of a majority that refused; undefined: neither exists yet.
 * `beforeColdStart`: whether the lease was granted before the last cold start.
 */
export function judgeRenewal<R extends { readonly revision: string }>(
  votes: readonly RenewalVote<R>[],
  majority: number,
  beforeColdStart: boolean,
): RenewalVerdict<R> | undefined {
  const extended = votes.filter((vote) => vote.kind === "extended");
  // A metadata change that a majority acknowledged is in at least one reply of any majority, but not always the first.
  if (extended.length >= majority)
    return { kind: "extended", latest: latestOf(extended), acks: extended.length };
  const refusals = votes.filter((vote) => vote.kind !== "extended");
  if (refusals.length < majority) return undefined;
  return otherNames(refusals) ?? { kind: "lost", why: whyLost(refusals, beforeColdStart) };
}

/** A primary that knows other names for the lease is believed, even where no majority refuses. */
export function otherNames(votes: readonly { readonly kind: string }[]): { kind: "other" } | undefined {
  return votes.some(({ kind }) => kind === "other") ? { kind: "other" } : undefined;
}

/** The most specific cause known: an operator's reason, a release, another lease, a cold start; else its time ran out. */
function whyLost(refusals: readonly RenewRefusal[], beforeColdStart: boolean): Lost["why"] {
  const broken = refusals.find((vote) => vote.kind === "broken");
  if (broken) return broken;
  if (refusals.some(({ kind }) => kind === "released")) return { kind: "released" };
  const counters = refusals.flatMap((vote) => (vote.kind === "taken" ? [vote.counter] : []));
  if (counters.length > 0) return { kind: "taken", counter: Math.max(...counters) };
  // Counters are also forgotten with age; then all that is known is that the lease has ended.
  const forgotten = refusals.some(({ kind }) => kind === "forgotten");
  return { kind: beforeColdStart && forgotten ? "restarted" : "expired" };
}
