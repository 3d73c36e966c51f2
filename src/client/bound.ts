/// <reference lib="esnext.disposable" preserve="true" />
import { failure } from "./errors.js";
import type { Lease } from "./lease.js";
import type { MemberOptions, Membership } from "./membership.js";
import type { LockOptions, PermitOptions, Quorate } from "./quorate.js";
import type { Renewal } from "./renewal.js";
import type { BoundHeld, BoundLeases, LeaseMember, Lease as LockGrant, Permits } from "./types.js";
import { trustedUntilMs, type Validity } from "./validity.js";

/**
 * A member of a service whose heartbeats keep leases: one request for all of them, where each would be renewed by itself. Give
 * leases a `ttlMs` of at least the member's.
 *
 * @example
 * await using member = await BindingMember.join(quorate, "search", { id: "search-1", address: "10.0.0.1:9000" });
 * await member.withLock("shard-7", { ttlMs: 15_000 }, (lease) => serve(7, { signal: lease.signal }));
 */
export class BindingMember implements AsyncDisposable {
  private constructor(
    private readonly quorate: Quorate,
    private readonly service: string,
    /** The member itself: to drain it, for instance. */
    readonly membership: Membership,
    private readonly bound: Bound,
  ) {}

  /** As `join` of the client does. */
  static async join(quorate: Quorate, service: string, options: MemberOptions): Promise<BindingMember> {
    const bound = new Bound();
    const membership = await quorate.join(service, {
      ...options,
      onPulse: (answer) => {
        const { body, sentAtMs } = answer;
        if (body.leases) bound.told(body.leases, sentAtMs);
        options.onPulse?.(answer);
      },
    });
    return new BindingMember(quorate, service, membership, bound);
  }

  /** Acquires a lock, or several at once, as the client does; heartbeats keep the lease until it is released or lost. */
  async acquireLock(name: string | readonly string[], options: LockOptions): Promise<Lease<LockGrant>> {
    const lease = await this.quorate.acquireLock(name, { ...options, keep: false, member: this.#proof });
    lease.keep(this.bound.renewal);
    return lease;
  }

  /** Does `work` while it holds a lock, or several, and releases them then. */
  async withLock<T>(
    name: string | readonly string[],
    options: LockOptions,
    work: (lease: Lease<LockGrant>) => Promise<T> | T,
  ): Promise<T> {
    const lease = await this.acquireLock(name, options);
    try {
      return await work(lease);
    } finally {
      await lease[Symbol.asyncDispose]();
    }
  }

  /** Acquires permits of a semaphore in the same way. */
  async acquirePermits(name: string, options: PermitOptions): Promise<Lease<Permits>> {
    const lease = await this.quorate.acquirePermits(name, { ...options, keep: false, member: this.#proof });
    lease.keep(this.bound.renewal);
    return lease;
  }

  /** Leaves. The leases end in their time, unless they are released. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.membership[Symbol.asyncDispose]();
  }

  get #proof(): LeaseMember {
    const { id, incarnation, memberKey } = this.membership.member;
    return { service: this.service, id, incarnation, memberKey };
  }
}

/** The leases that heartbeats keep, as their process knows them. */
class Bound {
  readonly #leases = new Map<Validity, string>();

  /** Instead of renewing a lease by itself. */
  readonly renewal: Renewal = ({ validity, request: { path, body } }) => {
    // `/locks/orders-42/renew`, or with names in the body.
    const [, kind, name = ""] = path.split("/");
    const { names = [decodeURIComponent(name)], fencingToken } = body as Told;
    this.#leases.set(validity, keyOf({ kind, names, fencingToken } as Told));
    const end = () => this.#leases.delete(validity);
    validity.whenLost(end);
    return end;
  };

  /** Takes over what a heartbeat that was sent at `sentAtMs` has told. A lease that it does not tell of ends in its time. */
  told({ held, lost }: BoundLeases, sentAtMs: number): void {
    for (const lease of held) {
      const alike = this.#alike(lease);
      const told = held.filter((other) => keyOf(other) === keyOf(lease));
      // Readers of one lock may have one token: nobody knows which of them are told, nor which is valid for how long.
      if (alike.length > told.length) continue;
      const validForMs = Math.min(...told.map((one) => one.validForMs));
      for (const validity of alike) validity.extend(trustedUntilMs(sentAtMs, { waitedMs: 0, validForMs }));
    }
    for (const lease of lost) {
      const [one, other] = this.#alike(lease);
      const reason = failure("lease_lost", "A heartbeat found that the lease has ended.", {
        lost: lease.lost,
      });
      if (one && !other) one.lose(reason);
    }
  }

  #alike(lease: Told): Validity[] {
    const key = keyOf(lease);
    return [...this.#leases].flatMap(([validity, own]) => (own === key ? validity : []));
  }
}

type Told = Pick<BoundHeld, "kind" | "names" | "fencingToken">;

const keyOf = ({ kind, names, fencingToken }: Told) => [kind, fencingToken, ...names.toSorted()].join();
