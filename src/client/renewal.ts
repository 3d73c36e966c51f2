import { QuorateError } from "./errors.js";
import { ATTEMPT_MS, type CallOptions, type Transport } from "./transport.js";
import { type Grant, trustedUntilMs, type Validity } from "./validity.js";

/** A request about a lease that is held. */
export interface LeaseRequest {
  /** Below /v1. */
  readonly path: string;
  readonly body: object;
}

/** A lease that is to be renewed. */
export interface Renewed {
  readonly transport: Transport;
  readonly validity: Validity;
  /** The renewal. */
  readonly request: LeaseRequest;
}

/** Renews a lease until it is lost, or the returned function is called. */
export type Renewal = (lease: Renewed) => () => void;

/** On the event loop of the caller: a lease is lost when that is blocked for too long. */
export const renewInLoop: Renewal = (lease) => {
  const { transport, validity, request } = lease;
  const { clock, random } = transport.world;
  let cancel = () => {};
  let isOver = false;
  const again = () => {
    if (isOver) return;
    // Three times per time to live, but not all holders at the same moments.
    const pauseMs = (validity.remainingMs() / 3) * (0.8 + 0.4 * random());
    if (!isOver) cancel = clock.after(Math.max(pauseMs, PAUSE_MS_MIN), renew);
  };
  const renew = () => {
    const stop = new AbortController();
    cancel = () => stop.abort();
    // A failure is noted in `validity`: as long as the lease may be trusted, the next attempt may succeed.
    renewOnce(transport, validity, request, { signal: stop.signal }).then(again, again);
  };
  const end = () => {
    isOver = true;
    cancel();
  };
  validity.whenLost(end);
  again();
  return end;
};

/**
 * Renews a lease, trying for as long as it may be trusted and `timeoutMs` allows. Throws what kept it from that, and
 * `lease_lost`.
 */
export async function renewOnce(
  transport: Transport,
  validity: Validity,
  { path, body }: LeaseRequest,
  { timeoutMs = Number.POSITIVE_INFINITY, signal }: CallOptions = {},
): Promise<void> {
  const shares = Math.min(transport.deployment.urls.length, SHARES_MAX) + 1;
  try {
    const grant = await transport.send<Grant>({
      method: "POST",
      path,
      body: () => body,
      deadlineMs: Math.min(validity.deadlineMs, transport.world.clock.monotonicMs() + timeoutMs),
      // So that an instance that hangs leaves time for the others, and one that is slow has the time that there is.
      limitMs: () => Math.max(LIMIT_MS_MIN, Math.min(validity.remainingMs() / shares, ATTEMPT_MS)),
      urgent: true,
      signal,
    });
    validity.extend(trustedUntilMs(grant.sentAtMs, grant.body));
  } catch (error) {
    if (error instanceof QuorateError && (error.code === "lease_lost" || error.code === "lease_mismatch"))
      validity.lose(error);
    else if (!signal?.aborted) validity.lastFailure = error;
    throw error;
  }
}

const PAUSE_MS_MIN = 20;
const LIMIT_MS_MIN = 50;
const SHARES_MAX = 3;
