import { acquire } from "./acquire.js";
import { type LeadOptions, lead, observe, proclaim } from "./elections.js";
import { lockKind, permitsKind, termKind } from "./kinds.js";
import type { Lease, LeaseKind } from "./lease.js";
import type { WatchedMembers } from "./member-state.js";
import { type MemberOptions, Membership } from "./membership.js";
import { type PickOptions, pick } from "./picks.js";
import { type Renewal, renewInLoop } from "./renewal.js";
import { type RingOptions, ServiceRing } from "./ring.js";
import { type CallOptions, type Deployment, Transport } from "./transport.js";
import type {
  AcquirePermitsRequest,
  AcquireRequest,
  Election,
  Lease as LockGrant,
  Permits,
  Picked,
  Term,
} from "./types.js";
import type { Grant } from "./validity.js";
import { type WatchOptions, watch } from "./watch.js";
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
export type PermitOptions = Omit<AcquirePermitsRequest, "leaseId"> & LeaseOptions;

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

  /** Acquires permits of a semaphore. Throws `held` where there were not enough within `waitMs`. */
  acquirePermits(name: string, options: PermitOptions): Promise<Lease<Permits>> {
    return this.#acquire(permitsKind(name), options);
  }

  /** Does `work` while it holds permits of a semaphore: see `withLock`. */
  withPermits<T>(
    name: string,
    options: PermitOptions,
    work: (lease: Lease<Permits>) => Promise<T> | T,
  ): Promise<T> {
    return during(this.acquirePermits(name, { ...options, keep: true }), work);
  }

  /**
   * Campaigns in an election, and does `onElected` whenever it leads, until that ends by itself or the signal aborts.
   *
   * @example
   * await quorate.lead("billing", {
   *   ttlMs: 10_000,
   *   onElected: async (term, stop) => {
   *     while (!stop.aborted) await sendInvoices({ signal: stop, fencingToken: term.fencingToken });
   *   },
   * });
   */
  lead<T>(name: string, options: LeadOptions<T>): Promise<T | undefined> {
    return lead(this.#transport, this.#renewal, termKind(name), options);
  }

  /** Replaces the value of the leader. Throws `lease_lost` where the term is over. */
  async proclaim(term: Lease<Term>, value: unknown, options: CallOptions = {}): Promise<void> {
    await proclaim(this.#transport, term, value, options);
  }

  /**
   * Who leads: now, and whenever leader, term or value change. It goes on after failures, until the signal aborts.
   *
   * @example
   * for await (const { leader } of quorate.observe("billing")) console.log(leader?.candidate);
   */
  observe(name: string, options: CallOptions = {}): AsyncGenerator<Election, never, void> {
    return observe(this.#transport, name, options);
  }

  /**
   * Registers a member of a service, and keeps it alive until it leaves.
   *
   * @example
   * await using member = await quorate.join("search", { id: "search-1", address: "10.0.0.1:9000" });
   */
  join(service: string, options: MemberOptions): Promise<Membership> {
    return Membership.join(this.#transport, service, options);
  }

  /**
   * Which member of a service owns a key: computed here, so that a look-up sends nothing.
   *
   * @example
   * using ring = await quorate.ring("search");
   * ring.owner("user:42")?.address;
   */
  ring(service: string, options: RingOptions = {}): Promise<ServiceRing> {
    return ServiceRing.open(this.#transport, service, options);
  }

  /**
   * Members of a service to send work to, and others to try next.
   *
   * @example
   * const { members: [worker], alternatives } = await quorate.pick("search", { strategy: "least-load" });
   */
  pick(service: string, options: PickOptions): Promise<Picked> {
    return pick(this.#transport, service, options);
  }

  /**
   * The members of a service: now, and whenever one comes, goes or changes, with what happened. It goes on after failures,
   * until the signal aborts.
   *
   * @example
   * for await (const { members } of quorate.watch("search", { status: "up" })) balance(members);
   */
  watch(service: string, options: WatchOptions = {}): AsyncGenerator<WatchedMembers, never, void> {
    return watch(this.#transport, service, options);
  }

  async #acquire<G extends Grant>(
    kind: LeaseKind,
    { keep, timeoutMs, signal, ...fields }: LeaseOptions & { readonly waitMs?: number | undefined },
  ): Promise<Lease<G>> {
    const lease = await acquire<G>(this.#transport, kind, fields, { timeoutMs, signal });
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

export type { LeadOptions } from "./elections.js";
export { type ErrorCode, QuorateError, type QuorateErrorOf } from "./errors.js";
export type { Lease } from "./lease.js";
export type { MemberEvent, WatchedMember, WatchedMembers } from "./member-state.js";
export type { DrainOptions, LeaveOptions, MemberOptions, Membership } from "./membership.js";
export type { PickOptions } from "./picks.js";
export type { Renewal } from "./renewal.js";
export type { RingOptions, ServiceRing } from "./ring.js";
export type { CallOptions, Deployment } from "./transport.js";
export type { Election, Lease as LockGrant, LoadReport, Member, Permits, Picked, Term } from "./types.js";
export type { Grant } from "./validity.js";
export type { WatchOptions } from "./watch.js";
export type { Clock, World } from "./world.js";
