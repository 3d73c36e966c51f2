import { acquire, type CallOptions } from "./acquire.js";
import { lockKind } from "./kinds.js";
import type { Lease, LeaseKind } from "./lease.js";
import { type Renewal, renewInLoop } from "./renewal.js";
import { type Deployment, Transport } from "./transport.js";
import type { AcquireRequest, Lease as LockGrant } from "./types.js";
import type { Grant } from "./validity.js";
import { systemWorld, type World } from "./world.js";

export interface QuorateOptions extends Deployment {
  /** Sends the requests; the `fetch` of the platform unless given. */
  readonly fetch?: typeof fetch | undefined;
  /** What renews leases; the event loop of the caller unless given. See `quorate/client/worker`. */
  readonly renewal?: Renewal | undefined;
}

export interface LeaseOptions extends CallOptions {
  /** Whether the lease is renewed until it is released or lost. */
  readonly keep?: boolean | undefined;
}

export type LockOptions = Omit<AcquireRequest, "leaseId"> & LeaseOptions;

/**
 * A client of Quorate. It asks the instance that answered last, and the next one when that fails.
 *
 * @example
 * const quorate = new Quorate({ urls: ["http://127.0.0.1:8080"] });
 * await quorate.withLock("orders-42", { ttlMs: 10_000, waitMs: 5_000 }, async (lease) => {
 *   await ship(42, { signal: lease.signal, fencingToken: lease.fencingToken });
 * });
 */
export class Quorate {
  readonly #transport: Transport;
  readonly #renewal: Renewal;

  /** `world`: time, chance and the network, for tests. */
  constructor({ fetch, renewal, ...deployment }: QuorateOptions, world: World = systemWorld) {
    this.#transport = new Transport(deployment, fetch ? { ...world, fetch } : world);
    this.#renewal = renewal ?? renewInLoop;
  }

  /**
   * Acquires a lock, or several at once: all or none, under one lease. Throws `held` where it did not get them within
   * `waitMs`.
   *
   * @example
   * await using lease = await quorate.acquireLock("orders-42", { ttlMs: 10_000, keep: true });
   */
  acquireLock(name: string | readonly string[], options: LockOptions): Promise<Lease<LockGrant>> {
    return this.#acquire(lockKind(name), options);
  }

  /**
   * Does `work` while it holds a lock, or several. The lease is renewed until the work is over; then it is released. When it
   * is lost, `lease.signal` aborts, and the work should end. Returns or throws what the work does.
   */
  withLock<T>(
    name: string | readonly string[],
    options: LockOptions,
    work: (lease: Lease<LockGrant>) => Promise<T> | T,
  ): Promise<T> {
    return during(this.acquireLock(name, { ...options, keep: true }), work);
  }

  async #acquire<G extends Grant>(
    kind: LeaseKind<G>,
    { keep, timeoutMs, signal, ...fields }: LeaseOptions & { readonly waitMs?: number | undefined },
  ): Promise<Lease<G>> {
    const lease = await acquire(this.#transport, kind, fields, { timeoutMs, signal });
    if (keep) lease.keep(this.#renewal);
    return lease;
  }
}

async function during<G extends Grant, T>(
  acquired: Promise<Lease<G>>,
  work: (lease: Lease<G>) => Promise<T> | T,
): Promise<T> {
  const lease = await acquired;
  try {
    return await work(lease);
  } finally {
    await lease[Symbol.asyncDispose]();
  }
}

export type { CallOptions } from "./acquire.js";
export { type ErrorCode, QuorateError, type QuorateErrorOf } from "./errors.js";
export type { Lease } from "./lease.js";
export type { Renewal } from "./renewal.js";
export type { Grant } from "./validity.js";
export type { Clock, World } from "./world.js";
