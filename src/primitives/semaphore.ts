import type { Random } from "../clock.js";
import { CoordinationError } from "../errors.js";
import { madeHere } from "../ids.js";
import { heldOn, type Lost } from "../redis/hold-votes.js";
import type { Keys } from "../redis/keys.js";
import { type Hold, inspectSemaphore, type SemaphoreView, setLimit } from "../redis/lease-calls.js";
import { type Primaries, values } from "../redis/primaries.js";
import { lost } from "./lease-failures.js";
import {
  type Grant,
  type Held,
  type Holder,
  type LeaseRequest,
  purposeOf,
  toHolder,
  type Wanted,
} from "./lease-terms.js";
import type { Leases } from "./leases.js";

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
  readonly held: number;
  readonly holders: readonly (Omit<Holder, "mode"> & { readonly permits: number })[];
  readonly waiting: number;
}

/**
 * Semaphores: `limit` slots, each of them a lock. So there are never more permits than slots, whatever fails; to count
 * votes in place of slots would let more in.
 */
export class Semaphores {
  constructor(
    private readonly leases: Leases,
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly random: Random,
    private readonly settings: { readonly ttlMaxMs: number },
  ) {}

  /** Takes the permits, or tells that they are not to be had. Throws as `Leases.acquire` does. */
  async acquire(request: PermitRequest): Promise<PermitsAcquired> {
    const { name, limit, permits, metadata } = request;
    const stored: Stored = { permits, limit, metadata: metadata ?? null };
    const outcome = await this.leases.acquire(
      { ...request, metadata: JSON.stringify(stored) },
      async (leaseId) => {
        const views = await this.#views(name, { leaseId, holds: false });
        const slots = this.#choose(views, limit, permits);
        const wanted = wantedOf(name, limit, permits, slots, request.leaseId);
        // Where they were free, and are not any more, others may be.
        return { ...wanted, others: slots.every((slot) => takers(views, slot) === 0) };
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
    const views = await this.#views(name, { leaseId, holds: false });
    const { majority, all } = this.primaries;
    const votes = (slot: number) => views.filter((view) => mine([view]).includes(slot)).length;
    const slots = mine(views).filter((slot) => votes(slot) >= majority);
    // Who was not heard may have what makes it a majority.
    const unheard = all.length - views.length;
    if (mine(views).some((slot) => votes(slot) < majority && votes(slot) + unheard >= majority))
      throw this.primaries.noQuorum();
    const limit = views.find((view) => view.limit !== null)?.limit;
    if (slots.length === 0 || limit === null || limit === undefined)
      throw lost(await this.#whyLost(name, leaseId), 0);
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
    const slots = mine(await this.#views(name, { leaseId, holds: false }));
    // A lock's counter tells that it was released. Nobody knows which slots the permits were: so a tombstone tells it.
    const isTold = slots.length > 0 || !madeHere(leaseId);
    return this.leases.votes.release({ ...wantedOf(name, 0, 0, slots, leaseId), leaseId }, isTold);
  }

  /** Throws `no_quorum`. */
  async inspect(name: string): Promise<SemaphoreState> {
    const views = await this.#views(name, { leaseId: "", holds: true });
    const { majority } = this.primaries;
    const bySlot = new Map<number, (readonly Hold[])[]>();
    for (const { slot, hold } of views.flatMap(({ slots }) => slots))
      if (hold) bySlot.set(slot, [...(bySlot.get(slot) ?? []), [hold]]);
    const byLease = new Map<string, Hold[]>();
    for (const holds of bySlot.values())
      for (const hold of heldOn(majority, holds))
        byLease.set(hold.digest, [...(byLease.get(hold.digest) ?? []), hold]);
    const holders = [...byLease.values()].map((holds) => {
      const { mode: _, ...holder } = toHolder(holds[0] as Hold);
      return { ...holder, metadata: (holder.metadata as Stored).metadata, permits: holds.length };
    });
    return {
      limit: views.find((view) => view.limit !== null)?.limit ?? null,
      held: holders.reduce((sum, { permits }) => sum + permits, 0),
      holders,
      waiting: Math.max(...views.map((view) => view.waiting)),
    };
  }

  /** Changes the limit. One that is lowered begins when the permits above it have ended. Throws `no_quorum`. */
  async setLimit(name: string, limit: number): Promise<void> {
    await this.primaries.askMajority(setLimit(this.keys, name, limit, this.settings.ttlMaxMs + 60_000));
  }

  /** What is known of why nothing of it is held any more. */
  async #whyLost(name: string, leaseId: string): Promise<Lost["why"]> {
    // No lease has a token as low as that, so this renews nothing; and whoever has the slot now, came later.
    const renewal = { ...wantedOf(name, 0, 1, [1], leaseId), leaseId, token: 0, ttlMs: 1 };
    const outcome = await this.leases.votes.renew(renewal);
    return outcome.kind === "lost" && outcome.why.kind !== "taken" ? outcome.why : { kind: "expired" };
  }

  async #views(
    name: string,
    options: { readonly leaseId: string; readonly holds: boolean },
  ): Promise<SemaphoreView[]> {
    const semaphore = { name, line: lineOf(name), slots: slotsOf(name) };
    const { majority } = this.primaries;
    // Waits for those who disagree with the first: what one of them lacks is still taken on the others.
    const answers = await this.primaries.ask(inspectSemaphore(this.keys, semaphore, options), (sofar) => {
      const seen = values(sofar).map(({ slots }) => slots.map(({ slot, mine }) => `${slot}${mine}`).join());
      return seen.some((one) => seen.filter((other) => other === one).length >= majority);
    });
    const views = values(answers);
    if (views.length < majority) throw this.primaries.noQuorum();
    return views;
  }

  /** Its own slots first, then free ones, by chance: those who ask at once should not ask for the same. */
  #choose(views: readonly SemaphoreView[], limit: number, permits: number): number[] {
    const own = new Set(mine(views));
    const all = Array.from({ length: limit }, (_, i) => {
      const slot = i + 1;
      return { slot, rank: own.has(slot) ? -1 : takers(views, slot), chance: this.random() };
    });
    return all
      .sort((a, b) => a.rank - b.rank || a.chance - b.chance)
      .slice(0, permits)
      .map(({ slot }) => slot);
  }
}

/** What a hold's metadata are for a permit. */
interface Stored {
  readonly permits: number;
  readonly limit: number;
  readonly metadata: unknown;
}

const lineOf = (name: string) => `semaphore/${name}`;
const slotsOf = (name: string) => `permit/${name}/`;
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
    lines: [lineOf(name)],
    purpose: purposeOf(leaseId, `semaphore/${name} ${permits}`),
    limit: { semaphore: name, permits: limit },
  };
}

/** Slots that the lease which was asked for has on some primary. */
function mine(views: readonly SemaphoreView[]): number[] {
  const slots = views.flatMap((view) => view.slots.flatMap((one) => (one.mine ? [one.slot] : [])));
  return [...new Set(slots)];
}

/** On how many primaries a slot is taken. */
function takers(views: readonly SemaphoreView[], slot: number): number {
  return views.filter((view) => view.slots.some((one) => one.slot === slot)).length;
}
