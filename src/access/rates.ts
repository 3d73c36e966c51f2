import { type BucketSize, take } from "../algorithms/token-bucket.js";
import type { Clock } from "../clock.js";
import type { Limits } from "./grants-schema.js";
import { placeOf } from "./usage.js";

/** A request that was counted, with what the fields of draft-ietf-httpapi-ratelimit-headers say. */
export interface Rate {
  readonly allowed: boolean;
  /** Requests that a window lets through; the burst. */
  readonly quota: number;
  readonly windowS: number;
  /** Requests that would be let through now. */
  readonly remaining: number;
  /** Until `remaining` is the quota again if no request comes. */
  readonly resetS: number;
  /** Until the next request would be let through. */
  readonly retryAfterMs: number;
}

/**
 * Requests a second, by key and namespace: a token bucket each. An instance counts for itself, so that a deployment of
 * three lets through three times as many.
 */
export class Rates {
  /** When each bucket is full again, in ms; a full one is as good as none. The least recently used comes first. */
  readonly #fullAtMs = new Map<string, number>();

  constructor(
    private readonly clock: Clock,
    private readonly bucketsMax = BUCKETS_MAX,
  ) {}

  /** Undefined: there is no such limit. */
  take(keyId: string, namespace: string, { requestsPerSecond, burstSeconds = 1 }: Limits): Rate | undefined {
    if (requestsPerSecond === undefined) return undefined;
    const size: BucketSize = { perSecond: requestsPerSecond, burst: requestsPerSecond * burstSeconds };
    const place = placeOf(keyId, namespace);
    const nowMs = this.clock.monotonicMs();
    const known = this.#fullAtMs.get(place);
    const { fullAtMs, allowed, remaining, retryAfterMs } = take(size, known ?? nowMs, nowMs);
    if (known === undefined) this.#makeRoom(nowMs);
    else this.#fullAtMs.delete(place);
    this.#fullAtMs.set(place, fullAtMs);
    return {
      allowed,
      quota: size.burst,
      windowS: burstSeconds,
      remaining,
      resetS: Math.ceil(Math.max(0, fullAtMs - nowMs) / 1_000),
      retryAfterMs: Math.ceil(retryAfterMs),
    };
  }

  /** Buckets that are kept. */
  get size(): number {
    return this.#fullAtMs.size;
  }

  /** Forgets full buckets, a few at a time. When there is no room, the least recently used goes, full or not. */
  #makeRoom(nowMs: number): void {
    let looks = LOOKS;
    for (const [place, fullAtMs] of this.#fullAtMs) {
      if (looks-- === 0 || (fullAtMs > nowMs && this.#fullAtMs.size < this.bucketsMax)) break;
      this.#fullAtMs.delete(place);
    }
  }
}

/** Some 3 MB. */
const BUCKETS_MAX = 10_000;
const LOOKS = 4;

/** What a client is told of it, in fields of draft-ietf-httpapi-ratelimit-headers-10. */
export function rateLimitFields({
  quota,
  windowS,
  remaining,
  resetS,
}: Rate): Readonly<Record<string, string>> {
  return {
    "ratelimit-policy": `"default";q=${quota};w=${windowS}`,
    ratelimit: `"default";r=${remaining};t=${resetS}`,
  };
}
