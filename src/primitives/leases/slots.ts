import type { Clock, Random } from "../../clock.js";
import { agreeing } from "../../quorum/hold-votes.js";
import { type Primaries, type Settled, values } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import { resourceOf } from "../../scripts/resource-kinds.js";
import type { Call } from "../../scripts/scripts.js";
import {
  type FoundSlots,
  findSlots,
  inspectSemaphore,
  type SemaphoreClaim,
  type SemaphoreView,
  type SlotsWanted,
} from "../../scripts/semaphore-calls.js";
import { SharedReads } from "../reads/shared-reads.js";

/** What to ask for. */
export interface ChosenSlots {
  readonly slots: readonly number[];
  /** Others would do as well, should these be gone. */
  readonly hasAlternatives: boolean;
}

/** The slots of a lease, as those say who answered. */
export interface OwnSlots {
  /** Of a majority. */
  readonly sure: readonly number[];
  /** Of any primary. */
  readonly some: readonly number[];
  /** Whether a primary that was not heard may have what makes one of them sure. */
  readonly unclear: boolean;
  readonly limit: number | null;
}

/** Looks for slots of semaphores: free ones, and those of a lease. What is found are candidates; votes decide. */
export class Slots {
  readonly #looks: SharedReads<SemaphoreView[]>;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly random: Random,
    clock: Pick<Clock, "soon">,
  ) {
    this.#looks = new SharedReads(clock, LOOKS_AT_ONCE_MAX);
  }

  /**
   * The lease's own slots first, then free ones, by chance: those who ask at once should not ask for the same. Where too
   * few are free, those that end first. `again`: this request has looked before. Throws `no_quorum`.
   */
  async choose(name: string, wanted: Omit<SlotsWanted, "start">, again: boolean): Promise<ChosenSlots> {
    const { leaseId, limit, permits } = wanted;
    const start = 1 + Math.floor(this.random() * limit);
    const views = await this.#find(name, { ...wanted, start });
    let own: readonly number[] = union(views.map(({ mine }) => mine));
    // Asked for by an instance that noted nothing.
    if (own.length === 0 && !again && views.some(({ used }) => used))
      own = (await this.#seek(name, leaseId)).some;
    const votes = votesOf(views.map(({ free }) => free));
    const free = [...votes]
      .map(([slot, count]) => ({ slot, count, chance: this.random() }))
      .sort((a, b) => b.count - a.count || a.chance - b.chance)
      .map(({ slot }) => slot);
    const ending = union(views.map(({ taken }) => taken));
    const any = Array.from({ length: limit }, (_, i) => i + 1);
    const slots = new Set(own.slice(0, permits));
    for (const few of [free, ending, any])
      for (const slot of few) if (slots.size < permits && slot <= limit) slots.add(slot);
    const isFree = [...slots].every((slot) => votes.get(slot) === views.length);
    const hasAlternatives = (isFree || views.some(({ more }) => more)) && !views.some(({ above }) => above);
    return { slots: [...slots], hasAlternatives };
  }

  /** Throws `no_quorum`. */
  async ofLease(name: string, leaseId: string): Promise<OwnSlots> {
    const views = await this.#find(name, { leaseId, fingerprint: null, limit: 0, permits: 0, start: 1 });
    const noted = this.#count(views.map(({ limit, mine }) => ({ limit, slots: mine })));
    if (noted.sure.length > 0 && noted.sure.length === noted.some.length) return noted;
    return this.#seek(name, leaseId);
  }

  /** Every slot with its holder; described are those behind a slot. Throws `no_quorum`. */
  async look(name: string, page: { described: number; after: number }): Promise<SemaphoreView[]> {
    const call = inspectSemaphore(this.keys, placesOf(name), page);
    // Waits for those who disagree with the first: what one of them lacks is still taken on the others.
    return this.#looks.read(`${name} ${page.described} ${page.after}`, () =>
      this.#ask(call, (view) => view.leases.map(({ leaseId, slots }) => `${leaseId} ${slots}`).join()),
    );
  }

  /** Looks at every slot, as instances of an earlier version note nothing: at most once at a time, for all who do. */
  async #seek(name: string, leaseId: string): Promise<OwnSlots> {
    const views = await this.look(name, { described: 0, after: 0 });
    return this.#count(
      views.map(({ limit, leases }) => ({
        limit,
        slots: leases.find((lease) => lease.leaseId === leaseId)?.slots ?? [],
      })),
    );
  }

  #find(name: string, wanted: SlotsWanted): Promise<FoundSlots[]> {
    return this.#ask(findSlots(this.keys, placesOf(name), wanted), ({ mine }) => mine.join());
  }

  /** What they say of whom a majority say the same, else what all say. */
  async #ask<T>(call: Call<T>, tell: (view: T) => string): Promise<T[]> {
    const { majority } = this.primaries;
    const settled: Settled<T> = (sofar) => agreeing(values(sofar).map(tell), majority);
    const views = values(await this.primaries.ask(call, settled));
    if (views.length < majority) throw this.primaries.noQuorum();
    return views;
  }

  #count(views: readonly { readonly limit: number | null; readonly slots: readonly number[] }[]): OwnSlots {
    const { majority, all } = this.primaries;
    const votes = votesOf(views.map(({ slots }) => slots));
    const unheard = all.length - views.length;
    return {
      sure: [...votes].flatMap(([slot, count]) => (count >= majority ? [slot] : [])),
      some: [...votes.keys()],
      unclear: [...votes.values()].some((count) => count < majority && count + unheard >= majority),
      limit: views.find(({ limit }) => limit !== null)?.limit ?? null,
    };
  }
}

export const lineOf = (name: string) => `semaphore/${name}`;
export const slotsOf = (name: string) => resourceOf("permit", `${name}/`);

const placesOf = (name: string): SemaphoreClaim => ({ name, queue: lineOf(name), slots: slotsOf(name) });

const union = (lists: readonly (readonly number[])[]) => [...new Set(lists.flat())];

/** On how many of the lists each is. */
function votesOf(lists: readonly (readonly number[])[]): Map<number, number> {
  const votes = new Map<number, number>();
  for (const slot of lists.flat()) votes.set(slot, (votes.get(slot) ?? 0) + 1);
  return votes;
}

/** Semaphores of which every slot is looked at, at a time: some ms of each primary's time each. */
const LOOKS_AT_ONCE_MAX = 64;
