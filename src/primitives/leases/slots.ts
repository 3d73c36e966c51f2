import type { Clock, Random } from "../../clock.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import {
  type FoundSlots,
  findSlots,
  inspectSemaphore,
  type SemaphoreView,
  type SlotsWanted,
} from "../../scripts/semaphore-calls.js";
import { SharedReads } from "../reads/shared-reads.js";

/** The slots of a lease, as reported by the primaries that answered. */
export interface OwnSlots {
  /** Reported by a majority. */
  readonly sure: readonly number[];
  /** Reported by any primary. */
  readonly some: readonly number[];
  /** Whether a primary that did not answer may hold the vote that makes one of them sure. */
  readonly unclear: boolean;
  readonly limit: number | null;
}

/** Finds slots of semaphores: free ones, and those of a lease. The results are candidates; votes decide. */
export class Slots {
  readonly #looks: SharedReads<readonly SemaphoreView[]>;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly random: Random,
    clock: Pick<Clock, "soon">,
  ) {
    this.#looks = new SharedReads(clock, LOOKS_AT_ONCE_MAX);
  }

  /**
   * The lease's own slots first, then free ones, in random order: simultaneous requests should not ask for the same
   * slots. If too few are free, those that end first. `hasAlternatives`: others would serve as well if these are taken.
   * `again`: this request has searched before. Throws `no_quorum`.
   */
  async choose(
    name: string,
    wanted: Omit<SlotsWanted, "start">,
    again: boolean,
  ): Promise<{ slots: readonly number[]; hasAlternatives: boolean }> {
    const { leaseId, limit, permits } = wanted;
    const start = 1 + Math.floor(this.random() * limit);
    const views = await this.#find(name, { ...wanted, start });
    let own: readonly number[] = union(views.map(({ mine }) => mine));
    // The slots were requested through an instance that did not note them.
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

  /** The slots of a lease. Throws `no_quorum`. */
  async ofLease(name: string, leaseId: string): Promise<OwnSlots> {
    const views = await this.#find(name, { leaseId, fingerprint: null, limit: 0, permits: 0, start: 1 });
    const noted = this.#count(views.map(({ limit, mine }) => ({ limit, slots: mine })));
    if (noted.sure.length > 0 && noted.sure.length === noted.some.length) return noted;
    return this.#seek(name, leaseId);
  }

  /** Every slot with its holder; only holders behind a given slot are described. Throws `no_quorum`. */
  async look(name: string, page: { described: number; after: number }): Promise<readonly SemaphoreView[]> {
    const call = inspectSemaphore(this.keys, name, page);
    // Waits for primaries that disagree with the first: a slot that one of them lacks is still taken on the others.
    return this.#looks.read(`${name} ${page.described} ${page.after}`, () =>
      this.primaries.askAgreeing(call, (view) =>
        view.leases.map(({ leaseId, slots }) => `${leaseId} ${slots}`).join(),
      ),
    );
  }

  /** Scans every slot, as instances of an earlier version note nothing: one scan at a time, shared by all callers. */
  async #seek(name: string, leaseId: string): Promise<OwnSlots> {
    const views = await this.look(name, { described: 0, after: 0 });
    return this.#count(
      views.map(({ limit, leases }) => ({
        limit,
        slots: leases.find((lease) => lease.leaseId === leaseId)?.slots ?? [],
      })),
    );
  }

  #find(name: string, wanted: SlotsWanted): Promise<readonly FoundSlots[]> {
    const call = findSlots(this.keys, name, wanted);
    return this.primaries.askAgreeing(call, ({ mine }) => mine.join());
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

const union = (lists: readonly (readonly number[])[]) => [...new Set(lists.flat())];

/** For each slot, on how many of the lists it is. */
function votesOf(lists: readonly (readonly number[])[]): Map<number, number> {
  const votes = new Map<number, number>();
  for (const slot of lists.flat()) votes.set(slot, (votes.get(slot) ?? 0) + 1);
  return votes;
}

/** Maximum number of semaphores scanned at a time, each taking some ms of every primary's time. */
const LOOKS_AT_ONCE_MAX = 64;
