import { LiveSet } from "../algorithms/live-set.js";
import type { Clock } from "../clock.js";
import type { Principal } from "./key-ring.js";
import { placeOf, Usage } from "./usage.js";

/** What a key may have so many of that live. */
export type Quoted = "leases" | "members";

/** Room for one more, while it is not known yet whether there will be one. */
export interface Reservation {
  /** It came to be: it lives for `ttlMs`, unless it is extended or ended. */
  take(id: string, ttlMs: number): void;
  /** To be called in any case, in the end. */
  close(): void;
}

/**
 * Live leases and members by key and namespace, as this instance has granted and extended them: one counts until its end is
 * seen here, or its time to live is over. What other instances do is not seen, so that each instance has the quota for
 * itself. Only those of keys with a quota take memory.
 */
export class Quotas {
  readonly #live: Readonly<Record<Quoted, LiveSet>>;
  readonly #pending = new Usage<Quoted>();

  constructor(
    private readonly clock: Pick<Clock, "monotonicMs">,
    liveMax = LIVE_MAX,
  ) {
    this.#live = { leases: new LiveSet(liveMax), members: new LiveSet(liveMax) };
  }

  /** `id`: if it is known already; one that lives needs no more room. Undefined: the quota is used up. */
  reserve(
    { id: keyId, limits }: Principal,
    namespace: string,
    what: Quoted,
    id?: string,
  ): Reservation | undefined {
    const max = limits[what];
    if (max === undefined) return UNLIMITED;
    const nowMs = this.clock.monotonicMs();
    const live = this.#live[what];
    const isKnown = id !== undefined && live.has(uniqueId(namespace, id), nowMs);
    const room = max - live.count(placeOf(keyId, namespace), nowMs);
    const close = this.#pending.enter(keyId, namespace, what, isKnown ? undefined : room);
    if (!close) return undefined;
    return { take: (id, ttlMs) => this.#put(keyId, namespace, what, id, ttlMs), close };
  }

  /** One lives for `ttlMs` from now at least. It counts for the key that extended it last. */
  extend({ id: keyId, limits }: Principal, namespace: string, what: Quoted, id: string, ttlMs: number): void {
    if (limits[what] !== undefined) this.#put(keyId, namespace, what, id, ttlMs);
  }

  /** It has ended, whichever key ended it. */
  end(namespace: string, what: Quoted, id: string): void {
    this.#live[what].remove(uniqueId(namespace, id));
  }

  /** Entries that are kept. */
  get size(): number {
    return this.#live.leases.size + this.#live.members.size + this.#pending.size;
  }

  #put(keyId: string, namespace: string, what: Quoted, id: string, ttlMs: number): void {
    const nowMs = this.clock.monotonicMs();
    this.#live[what].put(uniqueId(namespace, id), placeOf(keyId, namespace), nowMs + ttlMs, nowMs);
  }
}

const uniqueId = (namespace: string, id: string): string => `${namespace} ${id}`;

const UNLIMITED: Reservation = Object.freeze({ take: () => {}, close: () => {} });

/** Of leases and of members; some 70 MB. Beyond that they are not counted, so that no key uses up the quota of another. */
const LIVE_MAX = 200_000;
