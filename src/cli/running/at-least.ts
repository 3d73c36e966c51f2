import { QuorateError } from "../../client/errors.js";
import type { Lease } from "../../client/lease.js";
import { type Clock, sleep } from "../../client/world.js";

/**
 * Gives a lease back, but not before `untilMs`, and returns as soon as nothing has to be done for that any more: a lease that
 * ends then by itself is left alone. `signal` ends the waiting. Throws what kept the lease from being extended.
 */
export async function releaseNotBefore(
  untilMs: number,
  lease: Lease,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && !lease.signal.aborted) {
    const restMs = untilMs - clock.monotonicMs();
    if (restMs <= 0) return lease[Symbol.asyncDispose]();
    const moreMs = lease.remainingMs() - restMs;
    if (moreMs < 0 && (await isExtended(lease, restMs))) return;
    if (moreMs >= 0 && moreMs < NEAR_MS) return;
    // A lease cannot be made shorter; one that cannot be made so long is renewed meanwhile.
    await sleep(clock, Math.min(restMs, PAUSE_MS), signal).catch(() => {});
  }
}

/** False: the service has no leases that are so long. */
async function isExtended(lease: Lease, ms: number): Promise<boolean> {
  try {
    await lease.renew(Math.max(Math.ceil(ms), TTL_MS_MIN));
    return true;
  } catch (error) {
    if (error instanceof QuorateError && error.code === "invalid_request") return false;
    throw error;
  }
}

const NEAR_MS = 1_000;
const PAUSE_MS = 1_000;
/** Of the API. */
const TTL_MS_MIN = 100;
