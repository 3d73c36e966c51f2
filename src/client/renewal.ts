import { QuorateError } from "./errors.js";
import { ATTEMPT_MS, type Transport } from "./transport.js";
import { type Grant, trustedUntilMs, type Validity } from "./validity.js";
import { sleep } from "./world.js";

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
  const stop = new AbortController();
  const end = () => stop.abort();
  lease.validity.signal.addEventListener("abort", end, { once: true });
  void renewUntil(stop.signal, lease);
  return end;
};

async function renewUntil(stop: AbortSignal, { transport, validity, request }: Renewed): Promise<void> {
  const { clock, random } = transport.world;
  while (!stop.aborted) {
    // Three times per time to live, but not all holders at the same moments.
    const pauseMs = (validity.remainingMs() / 3) * (0.8 + 0.4 * random());
    try {
      await sleep(clock, Math.max(pauseMs, PAUSE_MS_MIN), stop);
      await renewOnce(transport, validity, request, stop);
    } catch {
      // Stopped, or noted in `validity`: as long as the lease may be trusted, the next attempt may succeed.
    }
  }
}

/** Renews a lease, trying for as long as it may be trusted. Throws what kept it from that, and `lease_lost`. */
export async function renewOnce(
  transport: Transport,
  validity: Validity,
  { path, body }: LeaseRequest,
  signal?: AbortSignal,
): Promise<void> {
  try {
    const grant = await transport.send<Grant>({
      method: "POST",
      path,
      body: () => body,
      deadlineMs: validity.deadlineMs,
      // So that an instance that hangs leaves time for the others.
      limitMs: () => Math.max(LIMIT_MS_MIN, Math.min(validity.remainingMs() / 4, ATTEMPT_MS)),
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
