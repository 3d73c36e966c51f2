import type { Clock } from "../../clock.js";
import { Few } from "../../quorum/few.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import { MEMBERS_AT_ONCE_MAX, type MemberRecord } from "../../scripts/member-calls.js";
import { FIELD, type ListedRecord, type Skimmed, skimMembers } from "../../scripts/skim-calls.js";
import { goneOf, liveOf, type MemberReads } from "./member-reads.js";

/** Members as lists show them, by what became of them, each in the order of their ids. */
export interface Listed {
  readonly live: readonly ListedRecord[];
  /** The tombstones of those that left or expired, as long as they are kept. */
  readonly gone: readonly MemberRecord[];
}

/** Some members as lists show them. */
export interface ListedPart extends Listed {
  /** How many of the requested ids this covers, from the first on; at least one. */
  readonly lookedAt: number;
  /** For how long members are kept whose time is over, ms; 0: they are not. */
  readonly guardEndsInMs: number;
}

/**
 * Reads of members for lists. Nearly all members are the same on all primaries, so one primary of a majority tells all about
 * them, and the others only what shows that they have the same: a revision that two have is one content. Whoever is not
 * live and the same on all of the majority is read with the whole record of each primary, as any other member.
 */
export class Listings {
  readonly #few: Few;

  constructor(
    primaries: Primaries,
    private readonly keys: Keys,
    clock: Clock,
    private readonly reads: Pick<MemberReads, "records">,
  ) {
    this.#few = new Few(primaries, clock);
  }

  /** The members among these ids, or among as many of the first of them as fit. Throws `no_quorum`. */
  async part(service: string, ids: readonly string[]): Promise<ListedPart> {
    const skimmed = await this.#few.ask((nth) =>
      skimMembers(this.keys, service, ids, nth === 0 ? "all" : "same"),
    );
    if (skimmed === null) return this.#whole(service, ids);
    const lookedAt = Math.min(...skimmed.map((one) => one.lookedAt));
    const { live, unlike } = compared(skimmed, ids.slice(0, lookedAt));
    if (unlike.length === 0) return { live, gone: [], lookedAt, guardEndsInMs: 0 };
    const rest = await this.#whole(service, unlike);
    // Those behind the last of them that was looked at are told next time.
    const last = unlike[rest.lookedAt];
    const isTold = ({ id }: ListedRecord) => last === undefined || id < last;
    return {
      live: [...live.filter(isTold), ...rest.live].sort(byId),
      gone: rest.gone,
      lookedAt: last === undefined ? lookedAt : ids.indexOf(last),
      guardEndsInMs: rest.guardEndsInMs,
    };
  }

  /**
   * The members among these ids, which are sorted, part by part. While one is worked on the next is asked for already, where
   * `wanted` is more than the ids of the first: how many ids are of use.
   */
  async *parts(
    service: string,
    ids: readonly string[],
    wanted: () => number = () => MEMBERS_AT_ONCE_MAX,
  ): AsyncGenerator<ListedPart & { readonly ids: readonly string[] }, void> {
    const ask = (at: number, count: number): Asked => {
      const some = ids.slice(at, at + Math.min(count, MEMBERS_AT_ONCE_MAX));
      const part = this.part(service, some);
      // Nobody may come to want it.
      part.catch(() => {});
      return { at, ids: some, part };
    };
    let asked: Asked | null = null;
    for (let at = 0; at < ids.length; ) {
      const now: Asked = asked?.at === at ? asked : ask(at, wanted());
      const next = at + now.ids.length;
      const part = await now.part;
      asked = null;
      const more = wanted() - now.ids.length;
      if (part.lookedAt === now.ids.length && next < ids.length && more > 0) asked = ask(next, more);
      at += part.lookedAt;
      yield { ...part, ids: now.ids };
    }
  }

  /** The members among all these ids. Throws `no_quorum`. */
  async all(service: string, ids: readonly string[]): Promise<Listed> {
    const found: { live: ListedRecord[]; gone: MemberRecord[] } = { live: [], gone: [] };
    for await (const { live, gone } of this.parts(service, ids, () => Number.POSITIVE_INFINITY)) {
      found.live.push(...live);
      found.gone.push(...gone);
    }
    return found;
  }

  async #whole(service: string, ids: readonly string[]): Promise<ListedPart> {
    const { merged, lookedAt, guardEndsInMs } = await this.reads.records(service, ids);
    return { live: liveOf(merged), gone: goneOf(merged), lookedAt, guardEndsInMs };
  }
}

interface Asked {
  readonly at: number;
  readonly ids: readonly string[];
  readonly part: Promise<ListedPart>;
}

/** `live`: those that are live and the same on all. `unlike`: the others, but for those that none of them has. */
function compared(
  skimmed: readonly Skimmed[],
  ids: readonly string[],
): { readonly live: readonly ListedRecord[]; readonly unlike: readonly string[] } {
  const [first, ...others] = skimmed as [Skimmed, ...Skimmed[]];
  const live: ListedRecord[] = [];
  const unlike: string[] = [];
  ids.forEach((id, index) => {
    const same = others.every((other) => isSame(first, other, index));
    if (same && isLive(first, index)) live.push(listed(id, index, first, others));
    else if (!same || field(first, index, "incarnation") !== "") unlike.push(id);
  });
  return { live, unlike };
}

function field({ fields, width }: Skimmed, index: number, name: keyof typeof FIELD): string {
  return fields[index * width + FIELD[name]] as string;
}

function isSame(one: Skimmed, other: Skimmed, index: number): boolean {
  return (
    field(one, index, "incarnation") === field(other, index, "incarnation") &&
    field(one, index, "revision") === field(other, index, "revision") &&
    isLive(one, index) === isLive(other, index)
  );
}

/** One that an earlier version has stored has no deadline of its own: it is read in whole. */
function isLive(skimmed: Skimmed, index: number): boolean {
  return field(skimmed, index, "left") === "0" && Number(field(skimmed, index, "deadline")) > skimmed.nowMs;
}

/** The latest heartbeat that any of them has had, and the load of that. */
function listed(id: string, index: number, first: Skimmed, others: readonly Skimmed[]): ListedRecord {
  const ageIn = (one: Skimmed) => one.nowMs - Number(field(one, index, "heartbeat"));
  let heartbeatAgeMs = ageIn(first);
  let load = field(first, index, "load");
  let reported = field(first, index, "reported") === "1";
  for (const other of others) {
    const ageMs = ageIn(other);
    const its = field(other, index, "load");
    load = ageMs < heartbeatAgeMs ? its || load : load || its;
    heartbeatAgeMs = Math.min(heartbeatAgeMs, ageMs);
    reported ||= field(other, index, "reported") === "1";
  }
  const ends = field(first, index, "ends");
  return {
    id,
    incarnation: Number(field(first, index, "incarnation")),
    revision: Number(field(first, index, "revision")),
    ttlMs: Number(field(first, index, "ttl")),
    heartbeatAgeMs,
    registered: field(first, index, "registered"),
    status: (field(first, index, "status") || "up") as ListedRecord["status"],
    endsInMs: ends === "" ? null : Number(ends) - first.nowMs,
    load,
    reported,
  };
}

const byId = (one: ListedRecord, other: ListedRecord) => (one.id < other.id ? -1 : 1);
