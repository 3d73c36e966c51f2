/// <reference lib="esnext.disposable" preserve="true" />
import { type LeaseRequest, type Renewal, renewOnce } from "./renewal.js";
import type { CallOptions, Transport } from "./transport.js";
import { type Grant, localDeadline, trustedUntilMs, Validity } from "./validity.js";

/** How leases of one kind are asked for: locks, permits, terms. */
export interface LeaseKind {
  /** Paths below /v1. */
  readonly acquire: string;
  readonly renew: string;
  readonly release: string;
  /** What each of these requests has beside its own fields. */
  readonly body?: object;
  /** The name of the token in grants and renewals. */
  readonly token: "fencingToken" | "term";
}

/**
 * Something held: a lock, permits, a term of office. Stop what it protects when `signal` aborts, and send `fencingToken`
 * with every write, so that the storage can refuse a holder that did not notice.
 */
export class Lease<G extends Grant = Grant> implements AsyncDisposable {
  readonly #validity: Validity;
  #stopRenewing: () => void = () => {};

  constructor(
    private readonly transport: Transport,
    private readonly kind: LeaseKind,
    /** The answer of the service. */
    readonly grant: G,
    sentAtMs: number,
  ) {
    const deadline = localDeadline(trustedUntilMs(sentAtMs, grant));
    this.#validity = new Validity(transport.world.clock, deadline);
  }

  get leaseId(): string {
    return this.grant.leaseId;
  }

  /** Only grows from one holder of a name to the next. */
  get fencingToken(): number {
    return (this.grant.fencingToken ?? this.grant.term) as number;
  }

  /**
   * Aborts when the lease is lost, at the latest when it cannot be trusted any longer, and not when it is released. Its
   * reason is a `QuorateError`: `lease_lost`, which says why, or `deadline`. A look at `aborted` tells the truth also while
   * the event loop is blocked.
   */
  get signal(): AbortSignal {
    return this.#validity.signal;
  }

  /** Time for which the lease may be trusted unless it is renewed, ms; 0: it may not. */
  remainingMs(): number {
    return this.#validity.remainingMs();
  }

  /**
   * Extends the lease to `ttlMs` from now; never shortens it. Tries for as long as the lease may be trusted, unless
   * `timeoutMs` is shorter. Throws `lease_lost`, or what kept it from renewing in time.
   */
  async renew(ttlMs = this.grant.ttlMs, options: CallOptions = {}): Promise<void> {
    this.#validity.throwIfLost();
    await renewOnce(this.transport, this.#validity, this.#renewal(ttlMs), options);
  }

  /** Throws the reason of `signal` where that has aborted. */
  throwIfLost(): void {
    this.#validity.throwIfLost();
  }

  /** Renews the lease from now on, until it is released or lost. */
  keep(renewal: Renewal): void {
    this.#stopRenewing();
    const { transport } = this;
    this.#stopRenewing = renewal({
      transport,
      validity: this.#validity,
      request: this.#renewal(this.grant.ttlMs),
    });
  }

  /** Gives the lease back. False: it was not held any more. Throws where no instance confirmed it: then it ends by itself. */
  async release(options: CallOptions = {}): Promise<boolean> {
    this.#stopRenewing();
    this.#validity.end();
    return release(this.transport, this.kind, this.leaseId, options);
  }

  /** Releases the lease, and does not throw where that fails: it ends by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    const remainingMs = this.remainingMs();
    const timeoutMs = Math.max(RELEASE_MS_MIN, Math.min(remainingMs, RELEASE_MS));
    const released = this.release({ timeoutMs }).catch(() => {});
    // A lease that cannot be trusted any more is released for the sake of others: there is nothing to wait for.
    if (remainingMs > 0) await released;
  }

  #renewal(ttlMs: number): LeaseRequest {
    const { renew, body, token } = this.kind;
    return { path: renew, body: { ...body, leaseId: this.leaseId, ttlMs, [token]: this.fencingToken } };
  }
}

/** Ends a lease, and any attempt to acquire it that is still under way. Whether it was held until now. */
export async function release(
  transport: Transport,
  { release: path, body }: LeaseKind,
  leaseId: string,
  { timeoutMs = RELEASE_MS, signal }: CallOptions = {},
): Promise<boolean> {
  const answer = await transport.send<{ readonly released?: boolean; readonly resigned?: boolean }>({
    method: "POST",
    path,
    body: () => ({ ...body, leaseId }),
    ...transport.limits({ timeoutMs, signal }),
  });
  return answer.body.released ?? answer.body.resigned ?? false;
}

const RELEASE_MS = 5_000;
const RELEASE_MS_MIN = 1_000;
