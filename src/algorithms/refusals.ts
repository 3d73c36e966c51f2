import { mostReported } from "./holds.js";

/** Why one primary refused an acquire. `H`: its description of a hold. */
export type AcquireRefusal<H> =
  /** Another lease is in the way; `ahead` requests wait before this one. */
  | { readonly kind: "held"; readonly ahead: number; readonly hold: H }
  /** The name is free, but `ahead` requests wait before this one. */
  | { readonly kind: "queued"; readonly ahead: number }
  /** The leaseId was released before, or its request was given up: an id is used for one lease only. */
  | { readonly kind: "gone" }
  /** The leaseId belongs to a different request. */
  | { readonly kind: "other" }
  /** The semaphore has another limit. */
  | { readonly kind: "limit"; readonly limit: number }
  /** The primary came back without its data and grants no new lease for this long. */
  | { readonly kind: "quarantined"; readonly forMs: number };

/** Why an acquire was refused. */
export type Refusal<H> =
  | {
      /** Another lease holds the name, or other requests come first. */
      readonly kind: "held";
      /** The hold that the most primaries report; null: none reports one, but other requests come first. */
      readonly hold: H | null;
      /** Whether a majority reports it; otherwise the votes split. */
      readonly certain: boolean;
      /** How many requests wait before this one. */
      readonly ahead: number;
    }
  | Extract<AcquireRefusal<H>, { kind: "gone" | "other" | "limit" }>
  /** Too many primaries came back without their data: no lease is granted before the leases they forgot have ended. */
  | { readonly kind: "quarantined"; readonly primaries: number; readonly forMs: number };

/**
 * Derives one reason from the votes on a failed acquire, of at least a majority. Reasons that no retry can change come
 * first, even if a single primary reports them: a leaseId that is used up, or that belongs to a different request.
 */
export function whyRefused<H extends { readonly digest: string }>(
  votes: readonly (AcquireRefusal<H> | { readonly kind: "granted" })[],
  majority: number,
): Refusal<H> {
  const final = votes.find((vote) => vote.kind === "gone" || vote.kind === "other");
  if (final) return final;
  const limits = votes.filter((vote) => vote.kind === "limit");
  if (limits[0] && limits.length >= majority) return limits[0];
  const held = votes.filter((vote) => vote.kind === "held");
  const queued = votes.filter((vote) => vote.kind === "queued");
  const quarantines = votes.filter((vote) => vote.kind === "quarantined").map(({ forMs }) => forMs);
  if (held.length + queued.length === 0 && quarantines.length > 0)
    return { kind: "quarantined", primaries: quarantines.length, forMs: Math.min(...quarantines) };
  const most = mostReported(held.map(({ hold }) => hold));
  return {
    kind: "held",
    hold: most?.hold ?? null,
    certain: (most?.votes ?? 0) + queued.length >= majority,
    ahead: Math.max(0, ...[...held, ...queued].map(({ ahead }) => ahead)),
  };
}
