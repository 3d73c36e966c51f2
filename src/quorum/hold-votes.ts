import type { Hold, RenewVote } from "../scripts/lease-calls.js";

/** What is known of why a lease is not held any more. */
export interface Lost {
  readonly kind: "lost";
  readonly why:
    | { readonly kind: "expired" }
    | { readonly kind: "released" }
    | { readonly kind: "broken"; readonly reason: string }
    /** Another lease has or had a name; the highest counter that was seen. */
    | { readonly kind: "taken"; readonly counter: number }
    /** All began anew since it was granted, and forgot it; nobody is known to have had a name since. */
    | { readonly kind: "restarted" };
}

/** Whether as many as `majority` of the texts are the same. */
export function agreeing(texts: readonly string[], majority: number): boolean {
  return texts.some((text) => texts.filter((other) => other === text).length >= majority);
}

/** The holds that as many as `majority` of the primaries name, each with the latest of its metadata. */
export function heldOn(majority: number, primaries: readonly (readonly Hold[])[]): Hold[] {
  const byDigest = new Map<string, Hold[]>();
  for (const hold of primaries.flat())
    byDigest.set(hold.digest, [...(byDigest.get(hold.digest) ?? []), hold]);
  return [...byDigest.values()]
    .filter((holds) => holds.length >= majority)
    .map((holds) => holds.reduce((latest, hold) => (hold.revision > latest.revision ? hold : latest)));
}

/**
 * What is most to be said of them: an operator's reason, a release, another lease, a cold start; else its time ran out.
 * `before`: whether the lease was granted before the last cold start.
 */
export function whyLost(votes: readonly RenewVote[], before: boolean): Lost["why"] {
  const broken = votes.find((vote) => vote.kind === "broken");
  if (broken) return broken;
  if (votes.some(({ kind }) => kind === "released")) return { kind: "released" };
  const counters = votes.flatMap((vote) => (vote.kind === "taken" ? [vote.counter] : []));
  if (counters.length > 0) return { kind: "taken", counter: Math.max(...counters) };
  // Counters are also forgotten with age, after which nobody knows more than that the lease is over.
  return { kind: before && votes.some(({ kind }) => kind === "forgotten") ? "restarted" : "expired" };
}

/** The hold that the most primaries name. */
export function mostNamed(holds: readonly Hold[]): { hold: Hold; votes: number } | undefined {
  const votes = (hold: Hold) => holds.filter((other) => other.digest === hold.digest).length;
  return holds
    .map((hold) => ({ hold, votes: votes(hold) }))
    .reduce<{ hold: Hold; votes: number } | undefined>(
      (best, one) => (best && best.votes >= one.votes ? best : one),
      undefined,
    );
}
