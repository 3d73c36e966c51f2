import type { Clock, Random } from "../clock.js";
import { CoordinationError } from "../errors.js";
import { madeHere } from "../ids.js";
import type { Primaries } from "../quorum/primaries.js";
import type { Hold } from "../scripts/hold.js";
import type { Keys } from "../scripts/keys.js";
import { type SemaphoreView, setLimit } from "../scripts/semaphore-calls.js";
import { lost } from "./leases/lease-failures.js";
import {
  fingerprintOf,
  type Grant,
  type Held,
  type Holder,
  type LeaseRequest,
  toHolder,
  type Wanted,
} from "./leases/lease-terms.js";
import type { Leases } from "./leases/leases.js";
import { lineOf, Slots, slotsOf } from "./leases/slots.js";

/** Some permits of a semaphore, as their holder sees them. */
export interface Permits extends Grant {
  readonly name: string;
  readonly permits: number;
  /**
   * The slots that the permits are for, from 1 to `limit`. The token is above all earlier ones of each of these: who
   * guards something by tokens keeps the newest of each slot, since holders of different slots stand side by side.
   */
  readonly slots: readonly number[];
  readonly limit: number;
  readonly metadata: unknown;
}

export interface PermitRequest extends LeaseRequest {
  readonly name: string;
  /** How many there are in all: everybody names the same. */
  readonly limit: number;
  readonly permits: number;
  readonly metadata?: unknown;
}

export type PermitsAcquired = { readonly kind: "acquired"; readonly lease: Permits } | Held;

export interface SemaphoreState {
  /** Null where nobody holds a permit, and nobody did until lately. */
  readonly limit: number | null;
  /** Permits that are held. */
  readonly held: number;
  /** One page of those who hold them, in the order of their first slots. */
  readonly holders: readonly (Omit<Holder, "mode"> & { readonly permits: number })[];
  /** Where the page ended; null: there are no more. */
  readonly cursor: number | null;
  readonly waiting: number;
}

/**
 * Semaphores: `limit` slots, each of them a lock. So there are never more permits than slots, whatever fails; to count
 * votes in place of slots would let more in.
 */
export class Semaphores {
  readonly #slots: Slots;

  constructor(
    private readonly leases: Leases,
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    random: Random,
    clock: Clock,
    private readonly settings: { readonly ttlMaxMs: number },
  ) {
    this.#slots = new Slots(primaries, keys, random, clock);
  }

  /** Takes the permits, or tells that they are not to be had. Throws as `Leases.acquire` does. */
  async acquire(request: PermitRequest): Promise<PermitsAcquired> {
    const { name, limit, permits, metadata } = request;
    const stored: Stored = { permits, limit, metadata: metadata ?? null };
    let again = false;
    const outcome = await this.leases.acquire(
      { ...request, metadata: JSON.stringify(stored) },
      async (leaseId) => {
        const fingerprint = fingerprintFor(request.leaseId, name, permits);
        const { slots, hasAlternatives } = await this.#slots.choose(
          name,
          { leaseId, fingerprint, limit, permits },
          again,
        );
        again = true;
        return { ...wantedOf(name, limit, permits, slots, request.leaseId), hasAlternatives };
      },
    );
    if (outcome.kind === "held") {
      const { holder } = outcome;
      return { ...outcome, holder: holder && { ...holder, metadata: (holder.metadata as Stored).metadata } };
    }
    return {
      kind: "acquired",
      lease: {
        ...outcome.grant,
        name,
        permits,
        slots: slotsIn(outcome.wanted),
        limit,
        metadata: metadata ?? null,
      },
    };
  }

  /** Throws `lease_lost` and `no_quorum`. */
  async renew(request: {
    readonly name: string;
    readonly leaseId: string;
    readonly ttlMs: number;
    readonly fencingToken?: number | undefined;
  }): Promise<Permits> {
    const { name, leaseId } = request;
    const { sure: slots, unclear, limit } = await this.#slots.ofLease(name, leaseId);
    // Who was not heard may have what makes it a majority.
    if (unclear) throw this.primaries.noQuorum();
    if (slots.length === 0 || limit === null) throw lost(await this.leases.ending(leaseId), 0);
    const wanted = wantedOf(name, limit, slots.length, slots, leaseId);
    const { grant, metadata } = await this.leases.renew(wanted, request).catch((error) => {
      // Some of its slots were lost: all or none.
      if (error instanceof CoordinationError && error.code === "lease_mismatch")
        throw lost({ kind: "expired" }, 0);
      throw error;
    });
    return { ...grant, name, slots: slotsIn(wanted), ...(JSON.parse(metadata) as Stored) };
  }

  /** Whether any permit was held until now. Throws `no_quorum`. */
  async release(name: string, leaseId: string): Promise<boolean> {
    const { some: slots } = await this.#slots.ofLease(name, leaseId);
    // A lock's counter tells that it was released. Nobody knows which slots the permits were: so a tombstone tells it.
    const isTold = slots.length > 0 || !madeHere(leaseId);
    return this.leases.votes.release({ ...wantedOf(name, 0, 0, slots, leaseId), leaseId }, isTold);
  }

  /** Who holds it; of the holders those whose first slot lies behind `after`. Throws `no_quorum`. */
  async inspect(name: string, page: HoldersPage = { most: HOLDERS_MAX, after: 0 }): Promise<SemaphoreState> {
    const views = await this.#slots.look(name, { described: page.most, after: page.after });
    const byLease = heldSlots(views, this.primaries.majority);
    const behind = [...byLease].filter(([, [first = 0]]) => first > page.after);
    const told = behind.slice(0, page.most);
    return {
      limit: views.find((view) => view.limit !== null)?.limit ?? null,
      held: [...byLease.values()].reduce((sum, slots) => sum + slots.length, 0),
      holders: told.flatMap(([leaseId, slots]) => {
        const hold = holdOf(views, leaseId);
        if (!hold) return [];
        const { mode: _, ...holder } = toHolder(hold);
        return [{ ...holder, metadata: (holder.metadata as Stored).metadata, permits: slots.length }];
      }),
      cursor: told.length < behind.length ? (told.at(-1)?.[1][0] ?? null) : null,
      waiting: Math.max(...views.map((view) => view.waiting)),
    };
  }

  /** Changes the limit. One that is lowered begins when the permits above it have ended. Throws `no_quorum`. */
  async setLimit(name: string, limit: number): Promise<void> {
    await this.primaries.askMajority(setLimit(this.keys, name, limit, this.settings.ttlMaxMs + 60_000));
  }
}

/** Which holders are told. */
export interface HoldersPage {
  readonly most: number;
  /** A slot, where the page before ended; 0: from the first on. */
  readonly after: number;
}

/** What a hold's metadata are for a permit. */
interface Stored {
  readonly permits: number;
  readonly limit: number;
  readonly metadata: unknown;
}

const fingerprintFor = (leaseId: string | undefined, name: string, permits: number) =>
  fingerprintOf(leaseId, `semaphore/${name} ${permits}`);
const slotsIn = ({ resources }: Wanted) =>
  resources.map((one) => Number(one.slice(one.lastIndexOf("/") + 1)));

function wantedOf(
  name: string,
  limit: number,
  permits: number,
  slots: readonly number[],
  leaseId: string | undefined,
): Wanted {
  return {
    mode: "exclusive",
    resources: slots.toSorted((a, b) => a - b).map((slot) => slotsOf(name) + slot),
    queues: [lineOf(name)],
    fingerprint: fingerprintFor(leaseId, name, permits),
    limit: { semaphore: name, permits: limit },
  };
}

/** The slots that a majority say a lease has, by its leaseId, in their order. */
function heldSlots(views: readonly SemaphoreView[], majority: number): Map<string, number[]> {
  const votes = new Map<string, number>();
  for (const { leaseId, slots } of views.flatMap(({ leases }) => leases))
    for (const slot of slots) votes.set(`${slot} ${leaseId}`, (votes.get(`${slot} ${leaseId}`) ?? 0) + 1);
  const held = [...votes]
    .filter(([, count]) => count >= majority)
    .map(([text]) => text.split(" ") as [string, string])
    .map(([slot, leaseId]) => ({ slot: Number(slot), leaseId }))
    .sort((a, b) => a.slot - b.slot);
  const byLease = new Map<string, number[]>();
  for (const { slot, leaseId } of held) byLease.set(leaseId, [...(byLease.get(leaseId) ?? []), slot]);
  return byLease;
}

function holdOf(views: readonly SemaphoreView[], leaseId: string): Hold | undefined {
  const holds = views.map(({ leases }) => leases.find((lease) => lease.leaseId === leaseId)?.hold);
  return holds.find((hold) => hold != null);
}

/** Holders that are told at once, each with up to 2 KB of metadata. */
export const HOLDERS_MAX = 100;
