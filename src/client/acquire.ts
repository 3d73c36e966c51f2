import { wasSent } from "./attempt.js";
import { QuorateError } from "./errors.js";
import { Lease, type LeaseKind, release } from "./lease.js";
import { ATTEMPT_MS, type CallOptions, TIMEOUT_MS, type Transport } from "./transport.js";
import type { Grant } from "./validity.js";

/**
 * Acquires a lease under a `leaseId` of its own, so that a request whose answer was lost can be repeated. Waits for
 * `waitMs`, which may be longer than what one request can wait. When it throws, nothing stays behind.
 */
export async function acquire<G extends Grant>(
  transport: Transport,
  kind: LeaseKind,
  { waitMs = 0, ...fields }: { readonly waitMs?: number | undefined },
  { timeoutMs = TIMEOUT_MS, signal }: CallOptions,
): Promise<Lease<G>> {
  signal?.throwIfAborted();
  const { clock, leaseId: newLeaseId } = transport.world;
  const leaseId = newLeaseId();
  const waitUntilMs = clock.monotonicMs() + waitMs;
  const leftMs = () => Math.max(0, Math.floor(waitUntilMs - clock.monotonicMs()));
  let isUncertain = false;
  try {
    const { body, sentAtMs } = await transport.send<G>({
      method: "POST",
      path: kind.acquire,
      body: () => ({ ...kind.body, ...fields, leaseId, waitMs: Math.min(leftMs(), WAIT_MS_MAX) }),
      answerHas: "validForMs",
      deadlineMs: waitUntilMs + timeoutMs,
      limitMs: () => (leftMs() > SLICE_MS ? SLICE_MS : leftMs() + ATTEMPT_MS),
      onFailure: (error) => {
        isUncertain ||= !hasNoEffect(error);
      },
      signal,
    });
    isUncertain = true;
    const lease = new Lease<G>(transport, kind, body, sentAtMs);
    // The answer may have come so late that nothing is left.
    lease.throwIfLost();
    return lease;
  } catch (error) {
    // What was asked for may be granted yet. Nobody waits for this: if it fails, the lease ends by itself.
    if (isUncertain) void release(transport, kind, leaseId).catch(() => {});
    throw error;
  }
}

/** Whether an attempt that ended so holds nothing, and never will. */
function hasNoEffect(error: unknown): boolean {
  return error instanceof QuorateError && (REFUSALS.has(error.code) || !wasSent(error));
}

/** What one request can wait at most. */
const WAIT_MS_MAX = 25_000;
/**
 * A longer wait is cut after this time, and goes on with another request under the same leaseId: it keeps its place in the
 * queue, which an answer `held` would end.
 */
const SLICE_MS = 20_000;

/** Answers to an acquire after which nothing is held or under way. */
const REFUSALS: ReadonlySet<string> = new Set([
  ...["held", "lease_mismatch", "limit_mismatch", "too_many", "quota_exceeded", "rate_limited", "overloaded"],
  ...["invalid_request", "unauthenticated", "forbidden", "not_found", "authentication_unavailable"],
]);
