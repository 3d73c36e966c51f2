import { buildRing, type RingMember } from "../../algorithms/ring.js";
import type { Clock } from "../../clock.js";
import type { Ids } from "../../ids.js";
import type { MemberRecord } from "../../scripts/member-calls.js";
import { SharedReads } from "../reads/shared-reads.js";
import { type Member, toMember } from "./member.js";
import { liveOf, type MemberReads } from "./member-reads.js";

export interface MemberPage {
  readonly members: readonly Member[];
  /** Of all members, as they were at the first page, but for what the pages since have found changed. */
  readonly ringId: string;
  /** For the next page; null: this is the last. */
  readonly cursor: string | null;
}

/**
 * The members of a service, a page at a time. The first page fixes which members the list has: all that were acknowledged
 * before it was asked for. Of these the pages that follow read only their own records, each a quorum read. So the members
 * that a reader has collected are those that the `ringId` names; when a page finds one of its own changed or gone, the
 * `ringId` is another from then on, and the reader begins again.
 *
 * What was fixed is kept here for a while. Another instance, or this one later, reads the ids anew: then the list from
 * there on is as it is now, and its `ringId` tells whether that makes a difference.
 */
export class MemberPages {
  readonly #views: SharedReads<View>;
  readonly #pages: SharedReads<MemberPage>;
  /** By the nonce that cursors have in them, the one used last at the end. */
  readonly #kept = new Map<string, View>();

  constructor(
    private readonly reads: MemberReads,
    private readonly clock: Clock,
    private readonly ids: Pick<Ids, "nonce">,
  ) {
    this.#views = new SharedReads(clock, READS_AT_ONCE_MAX);
    this.#pages = new SharedReads(clock, READS_AT_ONCE_MAX);
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
    const ring = await this.#ring(service, view, ids.slice(0, lookedAt), records);
    const last = ids[lookedAt - 1];
    const isLast = lookedAt >= ids.length || last === undefined;
    if (!isLast) this.#keep(view);
    return {
      members: records.map(toMember),
      ringId: buildRing([...ring.values()]).ringId,
      cursor: isLast ? null : `${view.nonce}${SEPARATOR}${last}`,
    };
  }

  async #view(service: string): Promise<View> {
    const readAtMs = this.clock.monotonicMs();
    const ids = await this.reads.ids(service);
    return { nonce: this.ids.nonce(), service, ids, ring: null, readAtMs };
  }

  /** The live ones of the first ids: as many as make a page, and how many ids that took. */
  async #records(
    service: string,
    ids: readonly string[],
    limit: number,
  ): Promise<{ records: MemberRecord[]; lookedAt: number }> {
    const records: MemberRecord[] = [];
    let lookedAt = 0;
    let bytes = 0;
    while (lookedAt < ids.length) {
      // More than are missing: some may be tombstones.
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

  /** What the ring is made of, with what this page found. */
  async #ring(
    service: string,
    view: View,
    looked: readonly string[],
    records: readonly MemberRecord[],
  ): Promise<ReadonlyMap<string, RingMember>> {
    const isWhole = looked.length === view.ids.length;
    if (view.ring === null && !isWhole) {
      const rest = view.ids.filter((id) => id > (looked.at(-1) ?? "") || id < (looked[0] ?? ""));
      const others = await this.reads.live(service, rest, "ring");
      view.ring ??= new Map(others.map((record) => [record.id, toRingMember(record)]));
    }
    const ring = view.ring ?? new Map<string, RingMember>();
    for (const id of looked) ring.delete(id);
    for (const record of records) ring.set(record.id, toRingMember(record));
    return ring;
  }

  #keptView(service: string, nonce: string | null): View | undefined {
    const view = nonce === null ? undefined : this.#kept.get(nonce);
    const isFresh = view && this.clock.monotonicMs() - view.readAtMs <= KEPT_MS_MAX;
    return isFresh && view.service === service ? view : undefined;
  }

  /** The oldest go when there are too many: then their pages begin with a new view. */
  #keep(view: View): void {
    this.#kept.delete(view.nonce);
    this.#kept.set(view.nonce, view);
    let ids = 0;
    for (const one of this.#kept.values()) ids += one.ids.length;
    for (const [nonce, oldest] of this.#kept) {
      const isOld = this.clock.monotonicMs() - oldest.readAtMs > KEPT_MS_MAX;
      if (!isOld && this.#kept.size <= KEPT_MAX && (ids <= KEPT_IDS_MAX || oldest === view)) break;
      this.#kept.delete(nonce);
      ids -= oldest.ids.length;
    }
  }
}

/** The members of a service at the first page. */
interface View {
  readonly nonce: string;
  readonly service: string;
  readonly ids: readonly string[];
  /** Null: not read yet. */
  ring: Map<string, RingMember> | null;
  readonly readAtMs: number;
}

function toRingMember(record: MemberRecord): RingMember {
  const { weight, zone } = JSON.parse(record.registered) as { weight: number; zone: string | null };
  return { id: record.id, weight, zone: zone ?? undefined };
}

/** What a member takes in an answer, about. */
function bytesOf({ id, registered }: MemberRecord): number {
  return Buffer.byteLength(registered) + id.length + MEMBER_BYTES;
}

/** `{nonce}.{id}`: the nonce of a view has no dot. */
function parseCursor(cursor: string | null): { nonce: string | null; after: string | null } {
  if (cursor === null) return { nonce: null, after: null };
  const at = cursor.indexOf(SEPARATOR);
  return { nonce: cursor.slice(0, at), after: cursor.slice(at + 1) };
}

/** Place of the first id behind this one. */
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
/** Bytes of the members of a page: a page has less than 1 MB. */
const PAGE_BYTES_MAX = 1_000_000;
/** Names and numbers of a member in JSON. */
const MEMBER_BYTES = 180;
/** Ids that are asked for at once, at least. */
const PART_MIN = 50;
const READS_AT_ONCE_MAX = 4;
/** As long as somebody may think about one page. */
const KEPT_MS_MAX = 30_000;
const KEPT_MAX = 64;
/** Some 20 MB. */
const KEPT_IDS_MAX = 100_000;
