import { type RingMember, ringIdOf } from "../../algorithms/ring.js";
import type { Clock } from "../../clock.js";
import type { Ids } from "../../ids.js";
import type { ListedRecord } from "../../scripts/skim-calls.js";
import { BoundedCache } from "../reads/bounded-cache.js";
import { SharedReads } from "../reads/shared-reads.js";
import type { Versioned } from "../reads/watch.js";
import { type GoneMember, isGone, toGone } from "./gone-member.js";
import type { Listed, Listings } from "./listings.js";
import { type Member, toMember, toRingMember } from "./member.js";
import { EVERYBODY, filterKey, type MemberFilter, matches, versionOf } from "./member-filter.js";
import type { MemberReads } from "./member-reads.js";
import type { Suspicions } from "./suspicions.js";

export interface MemberPage {
  /** Those that match the filter. */
  readonly members: readonly Member[];
  /** The former members that match it. Missing: they were not asked for. */
  readonly gone?: readonly GoneMember[];
  /** Of all members of the service as they were at the first page, except for the changes that later pages have found. */
  readonly ringId: string;
  /** For the next page; null: this is the last. */
  readonly cursor: string | null;
  /** For how long members are kept, as suspect, whose heartbeats are missing, ms; null: they are not. */
  readonly guardEndsInMs: number | null;
}

/** Its version names all members that match the filter, those of the pages that follow as well. */
export interface FirstPage extends MemberPage, Versioned {}

/**
 * The members of a service, a page at a time. The first page fixes which members the list has: all that were acknowledged
 * before it was requested. The pages that follow read only their own records of these, each by a quorum read. So the
 * members that a reader has collected are those that the `ringId` identifies; if a page finds one of its members changed
 * or gone, the `ringId` differs from then on, and the reader begins again.
 *
 * The ids of the list are kept here for a while. Another instance, or this one later, reads them anew: from there on the
 * list is as it is then, and its `ringId` tells whether that makes a difference.
 */
export class MemberPages {
  readonly #views: SharedReads<View>;
  readonly #firsts: SharedReads<FirstPage>;
  readonly #pages: SharedReads<MemberPage>;
  /** By the nonce that their cursors contain. */
  readonly #kept: BoundedCache<View>;

  constructor(
    private readonly reads: Pick<MemberReads, "ids" | "all">,
    private readonly listings: Pick<Listings, "parts">,
    private readonly suspicions: Pick<Suspicions, "judge">,
    private readonly clock: Clock,
    private readonly ids: Pick<Ids, "nonce">,
  ) {
    this.#views = new SharedReads(clock, READS_AT_ONCE_MAX);
    this.#firsts = new SharedReads(clock, READS_AT_ONCE_MAX);
    this.#pages = new SharedReads(clock, READS_AT_ONCE_MAX);
    this.#kept = new BoundedCache(clock, {
      countMax: KEPT_MAX,
      sizeMax: KEPT_IDS_MAX,
      unusedMsMax: KEPT_MS_MAX,
    });
  }

  /** How many lists are kept between their pages now. */
  get kept(): number {
    return this.#kept.count;
  }

  /** Throws `no_quorum`. */
  page(service: string, cursor: string | null, limit: number, filter = EVERYBODY): Promise<MemberPage> {
    if (cursor === null) return this.first(service, limit, filter);
    const key = `${service} ${limit} ${cursor} ${filterKey(filter)}`;
    return this.#pages.read(key, () => this.#next(service, cursor, limit, filter));
  }

  /** The page that a list begins with. Concurrent callers get the same object. Throws `no_quorum`. */
  first(service: string, limit: number, filter = EVERYBODY): Promise<FirstPage> {
    const key = `${service} ${limit} ${filterKey(filter)}`;
    return this.#firsts.read(key, () => this.#first(service, limit, filter));
  }

  async #first(service: string, limit: number, filter: MemberFilter): Promise<FirstPage> {
    const view = await this.#viewNow(service);
    const part = await this.#part(service, view.ids, limit, filter);
    // What is left out of these records cannot be told from a tag.
    const what = filter.tag === undefined ? "ring" : "all";
    const rest = await this.reads.all(service, view.ids.slice(part.lookedAt), what);
    const others = await this.suspicions.judge(service, rest.live);
    view.ring ??= ringMembersOf(others);
    const live = [...part.members, ...others.filter((member) => matches(member, filter))];
    const former = filter.includeGone ? rest.gone.map(toGone) : [];
    const gone = [...(part.gone ?? []), ...former.filter((member) => matches(member, filter))];
    const version = versionOf([...live, ...gone]);
    return { ...(await this.#pageOf(service, view, view.ids, part)), version };
  }

  async #next(service: string, cursor: string, limit: number, filter: MemberFilter): Promise<MemberPage> {
    const { nonce, after } = parseCursor(cursor);
    const view = this.#keptView(service, nonce) ?? (await this.#viewNow(service));
    const ids = view.ids.slice(firstAfter(view.ids, after));
    return this.#pageOf(service, view, ids, await this.#part(service, ids, limit, filter));
  }

  /** `ids`: those of the view from which the part was read. */
  async #pageOf(service: string, view: View, ids: readonly string[], part: Part): Promise<MemberPage> {
    const { members, gone, lookedAt, live, guardEndsInMs } = part;
    const ringId = await this.#ringId(service, view, ids.slice(0, lookedAt), live);
    const last = ids[lookedAt - 1];
    const isLast = lookedAt >= ids.length || last === undefined;
    if (!isLast) this.#keep(view);
    const cursor = isLast ? null : `${view.nonce}${SEPARATOR}${last}`;
    return { members, ...(gone && { gone }), ringId, cursor, guardEndsInMs: guardEndsInMs || null };
  }

  #viewNow(service: string): Promise<View> {
    return this.#views.read(service, () => this.#view(service));
  }

  async #view(service: string): Promise<View> {
    const readAtMs = this.clock.monotonicMs();
    const ids = await this.reads.ids(service);
    return { nonce: this.ids.nonce(), service, ids, ring: null, ringId: null, readAtMs };
  }

  /** The matching members of the first ids: as many as fill a page. */
  async #part(service: string, ids: readonly string[], limit: number, filter: MemberFilter): Promise<Part> {
    const [members, gone, live]: [Member[], GoneMember[], Member[]] = [[], [], []];
    const found = { members, ...(filter.includeGone && { gone }), live };
    const count = () => members.length + gone.length;
    let lookedAt = 0;
    let bytes = 0;
    let guardEndsInMs = 0;
    // More than the page lacks: some may be tombstones. And who matches is known only then.
    const wanted = () =>
      filter === EVERYBODY ? Math.max(limit - count(), PART_MIN) : Number.POSITIVE_INFINITY;
    for await (const part of this.listings.parts(service, ids, wanted)) {
      guardEndsInMs = Math.max(guardEndsInMs, part.guardEndsInMs);
      for (const [record, member] of await this.#seen(service, part, filter)) {
        if (matches(member, filter)) {
          bytes += bytesOf(record);
          const isFull = count() === limit || (bytes > PAGE_BYTES_MAX && count() > 0);
          if (isFull) return { ...found, lookedAt: lookedAt + part.ids.indexOf(record.id), guardEndsInMs };
          if (isGone(member)) gone.push(member);
          else members.push(member);
        }
        if (!isGone(member)) live.push(member);
      }
      lookedAt += part.lookedAt;
    }
    return { ...found, lookedAt, guardEndsInMs };
  }

  /** Those that the filter may match, in the order of their ids. */
  async #seen(
    service: string,
    { live, gone: former }: Listed,
    filter: MemberFilter,
  ): Promise<readonly (readonly [ListedRecord, Member | GoneMember])[]> {
    const judged = await this.suspicions.judge(service, live);
    const seen = live.map((record, at) => [record, judged[at] as Member] as const);
    if (!filter.includeGone) return seen;
    const gone = former.map((record) => [record, toGone(record)] as const);
    return [...seen, ...gone].sort(([one], [other]) => (one.id < other.id ? -1 : 1));
  }

  /** Names the ring of all members of the list, with what this page found. A hash of all of them, made anew only after a change. */
  async #ringId(
    service: string,
    view: View,
    looked: readonly string[],
    live: readonly Member[],
  ): Promise<string> {
    if (view.ring === null) {
      const rest = view.ids.filter((id) => id > (looked.at(-1) ?? "") || id < (looked[0] ?? ""));
      const { live: others } = await this.reads.all(service, rest, "ring");
      view.ring ??= ringMembersOf(others.map(toMember));
    }
    const found = ringMembersOf(live);
    for (const id of looked) {
      const [known, now] = [view.ring.get(id), found.get(id)];
      if (known?.weight === now?.weight && known?.zone === now?.zone) continue;
      view.ringId = null;
      if (now) view.ring.set(id, now);
      else view.ring.delete(id);
    }
    view.ringId ??= ringIdOf([...view.ring.values()]);
    return view.ringId;
  }

  #keptView(service: string, nonce: string): View | undefined {
    const view = this.#kept.get(nonce);
    const isFresh = view && this.clock.monotonicMs() - view.readAtMs <= KEPT_MS_MAX;
    return isFresh && view.service === service ? view : undefined;
  }

  /** A view that is larger than the cache displaces all others. */
  #keep(view: View): void {
    this.#kept.set(view.nonce, view, Math.min(view.ids.length, KEPT_IDS_MAX));
  }
}

/** The members of a service at the first page. */
interface View {
  readonly nonce: string;
  readonly service: string;
  readonly ids: readonly string[];
  /** Null: not read yet. */
  ring: Map<string, RingMember> | null;
  /** Null: to be made from `ring`. */
  ringId: string | null;
  readonly readAtMs: number;
}

/** What was read for a page. */
interface Part {
  /** Those that match the filter. */
  readonly members: readonly Member[];
  /** Former members that match it; missing: they were not asked for. */
  readonly gone?: readonly GoneMember[];
  /** All that live among the ids that were looked at. */
  readonly live: readonly Member[];
  readonly lookedAt: number;
  /** 0: there is no guard. */
  readonly guardEndsInMs: number;
}

/** Those that have a place in the ring, by their ids. */
function ringMembersOf(members: readonly Member[]): Map<string, RingMember> {
  const placed = members.flatMap((member) => toRingMember(member) ?? []);
  return new Map(placed.map((member) => [member.id, member]));
}

/** Approximate size of a member in an answer. */
function bytesOf({ id, registered, load }: ListedRecord): number {
  return Buffer.byteLength(registered) + Buffer.byteLength(load) + id.length + MEMBER_BYTES;
}

/** `{nonce}.{id}`: the nonce of a view has no dot. */
function parseCursor(cursor: string): { nonce: string; after: string } {
  const at = cursor.indexOf(SEPARATOR);
  return { nonce: cursor.slice(0, at), after: cursor.slice(at + 1) };
}

/** Index of the first id after this one. */
function firstAfter(ids: readonly string[], after: string): number {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] as string) > after) high = middle;
    else low = middle + 1;
  }
  return low;
}

const SEPARATOR = ".";
/** Bytes of the members of a page: a page stays below 1 MB. */
const PAGE_BYTES_MAX = 1_000_000;
/** Names and numbers of a member in JSON. */
const MEMBER_BYTES = 180;
/** Fewest ids per read. */
const PART_MIN = 50;
const READS_AT_ONCE_MAX = 4;
/** How long a reader may take between two pages. */
const KEPT_MS_MAX = 30_000;
const KEPT_MAX = 64;
/** Some 20 MB. */
const KEPT_IDS_MAX = 100_000;
