import type { Clock, Random } from "../clock.js";
import { CoordinationError } from "../errors.js";
import { madeHere } from "../ids.js";
import type { Primaries } from "../quorum/primaries.js";
import type { Hold } from "../scripts/hold.js";
import type { Keys } from "../scripts/keys.js";
import { queueOf, type SemaphoreView, setLimit, slotsOf } from "../scripts/semaphore-calls.js";
import { lost } from "./leases/lease-failures.js";
import {
  fingerprintOf,
  type Grant,
  type Held,
  type Holder,
  type LeaseRequest,
  type RenewRequest,
  toHolder,
  type Wanted,
} from "./leases/lease-terms.js";
import type { Leases } from "./leases/leases.js";
import { Slots } from "./leases/slots.js";

/** Some permits of a semaphore, as seen by their holder. */
export interface Permits extends Grant {
  readonly name: string;
  readonly permits: number;
  /**
   * The slots of the permits, from 1 to `limit`. The token is above all earlier tokens of each of these slots. A
   * resource guarded by tokens must keep the newest token per slot, since holders of different slots coexist.
   */
  readonly slots: readonly number[];
  readonly limit: number;
  readonly metadata: unknown;
}

export interface PermitRequest extends LeaseRequest {
  readonly name: string;
  /** The total number of permits: every request names the same. */
  readonly limit: number;
  readonly permits: number;
  readonly metadata?: unknown;
}

export type PermitsAcquired = { readonly kind: "acquired"; readonly lease: Permits } | Held;

export interface SemaphoreState {
  /** Null if nobody holds a permit, and nobody did until recently. */
  readonly limit: number | null;
  /** Permits that are held. */
  readonly held: number;
  /** One page of the holders, in the order of their first slots. */
  readonly holders: readonly (Omit<Holder, "mode"> & { readonly permits: number })[];
  /** Where the page ended; null: there are no more. */
  readonly cursor: number | null;
  readonly waiting: number;
}

/**
 * Semaphores: `limit` slots, each of them a lock. So there are never more permits than slots, whatever fails; counting
 * votes instead of slots would admit more holders.
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

  /** Acquires the permits, or reports that they are not available. Throws as `Leases.acquire` does. */
  async acquire(request: PermitRequest): Promise<PermitsAcquired> {
    const { name, limit, permits, metadata } = request;
    const stored: Stored = { permits, limit, metadata: metadata ?? null };
    let again = false;
    const outcome = await this.leases.acquire(
      { ...request, metadata: JSON.stringify(stored) },
      async (leaseId) => {
        const fingerprint = fingerprintFor(request.leaseId, name, permits);
        const slotsWanted = { leaseId, fingerprint, limit, permits };
        const { slots, hasAlternatives } = await this.#slots.choose(name, slotsWanted, again);
        again = true;
        return { ...wantedOf(name, limit, permits, slots, request.leaseId), hasAlternatives };
      },
    );
    if (outcome.kind === "held") {
      const { holder } = outcome;
      return { ...outcome, holder: holder && { ...holder, metadata: (holder.metadata as Stored).metadata } };
    }
    return { kind: "acquired", lease: { ...outcome.grant, name, slots: slotsIn(outcome.wanted), ...stored } };
  }

  /** Throws `lease_lost` and `no_quorum`. */
  async renew(request: RenewRequest & { readonly name: string }): Promise<Permits> {
    const { name, leaseId } = request;
    const { sure: slots, unclear, limit } = await this.#slots.ofLease(name, leaseId);
    // A primary that did not answer may hold the vote that completes a majority.
    if (unclear) throw this.primaries.noQuorum();
    if (slots.length === 0 || limit === null) throw lost(await this.leases.votes.ending(leaseId), 0);
    const wanted = wantedOf(name, limit, slots.length, slots, leaseId);
    const { grant, metadata } = await this.leases.renew(wanted, request).catch((error) => {
      // Some of its slots were lost; permits are kept all or none.
      if (error instanceof CoordinationError && error.code === "lease_mismatch")
        throw lost({ kind: "expired" }, 0);
      throw error;
    });
    return { ...grant, name, slots: slotsIn(wanted), ...(JSON.parse(metadata) as Stored) };
  }

  /** Returns whether any permit was held until now. Throws `no_quorum`. */
  async release(name: string, leaseId: string): Promise<boolean> {
    const { some: slots } = await this.#slots.ofLease(name, leaseId);
    // A lock's counter shows that it was released. Here nobody knows which slots the permits had, so a tombstone shows
    // it.
    const isTold = slots.length > 0 || !madeHere(leaseId);
    return this.leases.release(wantedOf(name, 0, 0, slots, leaseId), leaseId, isTold);
  }

  /** The semaphore's state, with the holders whose first slot is above `after`. Throws `no_quorum`. */
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

  /** Changes the limit. A lowered limit takes effect when the permits above it have ended. Throws `no_quorum`. */
  async setLimit(name: string, limit: number): Promise<void> {
    await this.primaries.askMajority(setLimit(this.keys, name, limit, this.settings.ttlMaxMs + 60_000));
  }
}

/** Which holders to return. */
export interface HoldersPage {
  readonly most: number;
  /** The slot where the previous page ended; 0: from the first slot. */
  readonly after: number;
}

/** Format of a permit's metadata in its hold. */
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
    queues: [queueOf(name)],
    fingerprint: fingerprintFor(leaseId, name, permits),
    limit: { semaphore: name, permits: limit },
  };
}

/** The slots that each lease holds by a majority's votes, by leaseId, in ascending order. */
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

/** Maximum number of holders per page, each with up to 2 KB of metadata. */
export const HOLDERS_MAX = 100;
