/**
 * A token bucket as one number (the generic cell rate algorithm, ITU-T I.371): the time at which the bucket will be full
 * again. It starts full, a request takes one token, and tokens come back at a constant rate.
 */
export interface BucketSize {
  readonly perSecond: number;
  /** The most tokens that a bucket holds: a burst of so many requests is let through. */
  readonly burst: number;
}

export interface Taken {
  readonly allowed: boolean;
  /** When the bucket is full again, in the ms of `nowMs`: what to keep until the next request. */
  readonly fullAtMs: number;
  /** Whole tokens that are left. */
  readonly remaining: number;
  /** Until the next token comes, in ms; 0: there is one. */
  readonly retryAfterMs: number;
}

/** Takes one token if there is one. `fullAtMs`: of the last call; in the past for a bucket that is full. */
export function take({ perSecond, burst }: BucketSize, fullAtMs: number, nowMs: number): Taken {
  const tokenMs = 1_000 / perSecond;
  const capacityMs = burst * tokenMs;
  const nextMs = Math.max(fullAtMs, nowMs) + tokenMs;
  const allowed = nextMs - nowMs <= capacityMs + ROUNDING_MS;
  const keptMs = allowed ? nextMs : fullAtMs;
  const missingMs = Math.max(0, keptMs - nowMs);
  return {
    allowed,
    fullAtMs: keptMs,
    remaining: Math.max(0, Math.floor((capacityMs - missingMs + ROUNDING_MS) / tokenMs)),
    retryAfterMs: Math.max(0, missingMs + tokenMs - capacityMs - ROUNDING_MS),
  };
}

/** Sums of fractions of a ms are not exact: a bucket must not lose its last token to that. */
const ROUNDING_MS = 1e-6;
