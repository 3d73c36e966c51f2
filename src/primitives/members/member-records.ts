import { later } from "../../algorithms/members.js";
import { repliedByMajority } from "../../algorithms/tally.js";
import type { Clock } from "../../clock.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import {
  type Claim,
  claimChange,
  claimIncarnation,
  type MemberRecord,
  type PutWhat,
  putMember,
} from "../../scripts/member-calls.js";
import type { MemberEvent } from "../../scripts/member-event.js";
import type { Registration } from "./member.js";
import { type Known, liveRecordOf, type MemberReads } from "./member-reads.js";

/** What the primaries know about one member. */
export interface KnownMember extends Omit<Known, "merged"> {
  /** The newest; undefined: there is none, or its time has passed. */
  readonly record: MemberRecord | undefined;
  /** One whose time is over, while no primary says so yet. */
  readonly lapsed: MemberRecord | undefined;
  /** Whether it lives; else the record is that of one that left or expired. */
  readonly isLive: boolean;
  /** Whether a primary that answered lacks this record. */
  readonly isStaleSomewhere: boolean;
}

/** The records of single members on the primaries: found, claimed and stored by majorities. */
export class MemberRecords {
  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly reads: MemberReads,
    private readonly clock: Pick<Clock, "monotonicMs">,
  ) {}

  /** The newest record. Throws `no_quorum`. */
  async find(service: string, id: string, from?: "all"): Promise<KnownMember> {
    const { merged, ...known } = await this.reads.records(service, [id], "all", from);
    const [newest] = merged;
    const live = newest ? liveRecordOf(newest) : null;
    return {
      ...known,
      record: live ?? (newest?.state === "lapsed" ? undefined : newest?.record),
      lapsed: newest?.state === "lapsed" && newest.record.expired === null ? newest.record : undefined,
      isLive: live !== null,
      isStaleSomewhere: newest !== undefined && newest.staleAt.length > 0,
    };
  }

  /**
   * The first record of an incarnation above all earlier ones: announced, but not stored yet. Null: another registration of
   * this member came first. Throws `no_quorum`.
   */
  async next(
    service: string,
    id: string,
    { record: known, nextIncarnation }: KnownMember,
    ttlMs: number,
    registration: Registration | null,
    event: MemberEvent,
    nonce: string,
  ): Promise<MemberRecord | null> {
    const record: MemberRecord = {
      id,
      // Above incarnations that are long forgotten, too: hence the clocks of the servers.
      incarnation: Math.max((known?.incarnation ?? 0) + 1, nextIncarnation),
      revision: 1,
      left: false,
      expired: null,
      nonce,
      ttlMs,
      expiresInMs: ttlMs,
      heartbeatAgeMs: 0,
      registered: JSON.stringify(registration),
      status: "up",
      change: "",
      endsInMs: null,
      load: "",
      event,
    };
    // And above registrations that failed, whose record may be on a primary that the next registration does not read.
    const { majority } = this.primaries;
    const isAnnounced = await this.primaries.decide(
      claimIncarnation(this.keys, service, record),
      ({ values }) => repliedByMajority(values, majority),
      { lastWord: ({ values }) => (values.length >= majority ? false : undefined) },
    );
    return isAnnounced ? record : null;
  }

  /** Whether a majority stored this record; false: newer records are in the way. Throws `no_quorum`. */
  async put(service: string, record: MemberRecord, what: PutWhat = "record"): Promise<boolean> {
    const { majority } = this.primaries;
    return this.primaries.decide(
      putMember(this.keys, service, record, what),
      ({ values }) => {
        const stored = values.map(({ superseded }) => superseded === null);
        return repliedByMajority(stored, majority);
      },
      { lastWord: ({ values }) => (values.length >= majority ? false : undefined) },
    );
  }

  /**
   * Stores a change of the newest record, which was read at `readAtMs` by our clock: it is claimed on a majority that has
   * that record, then stored where its claim stands. Null: it is stored. A number: other changes came first, and the next
   * attempt needs a revision above this one. Throws `no_quorum`.
   */
  async change(
    service: string,
    { record: from, isStaleSomewhere }: KnownMember & { readonly record: MemberRecord },
    changed: MemberRecord,
    readAtMs: number,
  ): Promise<number | null> {
    const now = (record: MemberRecord): MemberRecord => {
      const aged = later(record, this.clock.monotonicMs() - readAtMs);
      return { ...aged, expiresInMs: Math.max(1, aged.expiresInMs) };
    };
    if (isStaleSomewhere) await this.put(service, now(from));
    const claims = await this.#claim(service, from, changed);
    if (claims.filter(({ claimed }) => claimed).length < this.primaries.majority)
      return Math.max(...claims.map(({ revision }) => revision));
    const isStored = await this.put(service, now(changed), "change");
    return isStored ? null : changed.revision;
  }

  /** As soon as a majority have claimed it; else from all that answer. */
  async #claim(service: string, from: MemberRecord, changed: MemberRecord): Promise<readonly Claim[]> {
    const { majority } = this.primaries;
    return this.primaries.decide(
      claimChange(this.keys, service, from, changed),
      ({ values }) => (values.filter(({ claimed }) => claimed).length >= majority ? values : undefined),
      { lastWord: this.primaries.ofMajority },
    );
  }
}
