import { type RingMember, ringIdOf } from "../../algorithms/ring.js";
import type { Clock } from "../../clock.js";
import type { Ids } from "../../ids.js";
import type { MemberRecord } from "../../scripts/member-calls.js";
import { BoundedCache } from "../reads/bounded-cache.js";
import { SharedReads } from "../reads/shared-reads.js";
import { type Member, type Registration, toMember, toRingMember } from "./member.js";
import { liveOf, type MemberReads } from "./member-reads.js";

export interface MemberPage {
  readonly members: readonly Member[];
  /** Of all members as they were at the first page, except for the changes that later pages have found. */
  readonly ringId: string;
  /** For the next page; null: this is the last. */
  readonly cursor: string | null;
}

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
  readonly #pages: SharedReads<MemberPage>;
  /** By the nonce that their cursors contain. */
  readonly #kept: BoundedCache<View>;

  constructor(
    private readonly reads: Pick<MemberReads, "ids" | "records" | "live">,
    private readonly clock: Clock,
    private readonly ids: Pick<Ids, "nonce">,
  ) {
    this.#views = new SharedReads(clock, READS_AT_ONCE_MAX);
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
  page(service: string, cursor: string | null, limit: number): Promise<MemberPage> {
    return this.#pages.read(`${service} ${limit} ${cursor ?? ""}`, () => this.#read(service, cursor, limit));
  }

  async #read(service: string, cursor: string | null, limit: number): Promise<MemberPage> {
    const { nonce, after } = parseCursor(cursor);
    const view =
      this.#keptView(service, nonce) ?? (await this.#views.read(service, () => this.#view(service)));
    const ids = after === null ? view.ids : view.ids.slice(firstAfter(view.ids, after));
    const { records, lookedAt } = await this.#records(service, ids, limit);
    const ringId = await this.#ringId(service, view, ids.slice(0, lookedAt), records);
    const last = ids[lookedAt - 1];
    const isLast = lookedAt >= ids.length || last === undefined;
    if (!isLast) this.#keep(view);
    return {
      members: records.map(toMember),
      ringId,
      cursor: isLast ? null : `${view.nonce}${SEPARATOR}${last}`,
    };
  }

  async #view(service: string): Promise<View> {
    const readAtMs = this.clock.monotonicMs();
    const ids = await this.reads.ids(service);
    return { nonce: this.ids.nonce(), service, ids, ring: null, ringId: null, readAtMs };
  }

  /** The live members of the first ids: as many as fill a page, and how many ids were read for that. */
  async #records(
    service: string,
    ids: readonly string[],
    limit: number,
  ): Promise<{ records: MemberRecord[]; lookedAt: number }> {
    const records: MemberRecord[] = [];
    let lookedAt = 0;
    let bytes = 0;
    while (lookedAt < ids.length) {
      // More than the page lacks: some may be tombstones.
      const wanted = Math.max(limit - records.length, PART_MIN);
      const part = ids.slice(lookedAt, lookedAt + wanted);
      const known = await this.reads.records(service, part);
      for (const record of liveOf(known.merged)) {
        bytes += bytesOf(record);
        if (records.length === limit || (bytes > PAGE_BYTES_MAX && records.length > 0)) {
          return { records, lookedAt: lookedAt + part.indexOf(record.id) };
        }
        records.push(record);
      }
      lookedAt += known.lookedAt;
    }
    return { records, lookedAt };
  }

  /** Names the ring of all members of the list, with what this page found. A hash of all of them, made anew only after a change. */
  async #ringId(
    service: string,
    view: View,
    looked: readonly string[],
    records: readonly MemberRecord[],
  ): Promise<string> {
    if (view.ring === null && looked.length < view.ids.length) {
      const rest = view.ids.filter((id) => id > (looked.at(-1) ?? "") || id < (looked[0] ?? ""));
      const others = await this.reads.live(service, rest, "ring");
      view.ring ??= new Map(others.map((record) => [record.id, ringMemberOf(record)]));
    }
    view.ring ??= new Map();
    const found = new Map(records.map((record) => [record.id, ringMemberOf(record)]));
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

  #keptView(service: string, nonce: string | null): View | undefined {
    const view = nonce === null ? undefined : this.#kept.get(nonce);
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

/** What the ring needs of a record. */
export function ringMemberOf({ id, registered }: MemberRecord): RingMember {
  return toRingMember({ ...(JSON.parse(registered) as Registration), id });
}

/** Approximate size of a member in an answer. */
function bytesOf({ id, registered }: MemberRecord): number {
  return Buffer.byteLength(registered) + id.length + MEMBER_BYTES;
}

/** `{nonce}.{id}`: the nonce of a view has no dot. */
function parseCursor(cursor: string | null): { nonce: string | null; after: string | null } {
  if (cursor === null) return { nonce: null, after: null };
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
