import { fullJitterMs } from "../../algorithms/backoff.js";
import type { Clock, Random } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import type { Ids } from "../../ids.js";
import type { MemberRecord } from "../../scripts/member-calls.js";
import type { MemberEvent } from "../../scripts/member-event.js";
import { KeyQueues } from "../registers/key-queues.js";
import { type Member, type Registration, toMember } from "./member.js";
import { superseded, unknownMember, versionMismatch } from "./member-failures.js";
import type { MemberRecords } from "./member-records.js";

/** What is to be changed of a member; what is missing stays as it is. */
export interface MemberChange {
  readonly weight?: number | undefined;
  readonly zone?: string | null | undefined;
  readonly tags?: string[] | undefined;
  readonly metadata?: unknown;
  readonly status?: "up" | "draining" | undefined;
  /** Of draining: time after which the member is removed, ms. Missing: it stays until it leaves or expires. */
  readonly drainMs?: number | undefined;
}

/** Which member is meant. */
export interface ChangeOf {
  /** Of the process that this was registered for, and of no later one. */
  readonly incarnation?: number | undefined;
  /** Whether this version may be changed; missing: whichever is stored. */
  readonly isExpected?: ((version: Pick<Member, "incarnation" | "revision">) => boolean) | undefined;
}

/**
 * Changes of live members. Each raises the revision, and none is lost to another that began from the same one. Those of one
 * member are made here one after the other; with those of other instances, attempts alternate.
 */
export class MemberChanges {
  readonly #queues = new KeyQueues(WAITING_MAX, changedByOthers);

  constructor(
    private readonly records: MemberRecords,
    private readonly clock: Pick<Clock, "monotonicMs" | "after" | "sleep">,
    private readonly random: Random,
    private readonly ids: Pick<Ids, "nonce">,
  ) {}

  /** Throws `unknown_member`, `superseded`, `version_mismatch` and `no_quorum`. */
  update(service: string, id: string, change: MemberChange, of: ChangeOf = {}): Promise<Member> {
    return this.#change({ service, id, ...of, apply: (record) => changed(record, change) });
  }

  /** Keeps the place of a member whose process has ended. Throws `unknown_member`, `superseded` and `no_quorum`. */
  restart(service: string, id: string, graceMs: number, incarnation?: number): Promise<Member> {
    const apply = (record: MemberRecord): MemberRecord => ({
      ...record,
      // One that drains gets no work before its next registration.
      status: record.status === "draining" ? "draining" : "restarting",
      expiresInMs: graceMs,
      endsInMs: graceMs,
      event: { kind: "updated", why: `restarts: its place is kept for ${graceMs} ms` },
    });
    return this.#change({ service, id, incarnation, apply });
  }

  /**
   * A heartbeat of a member that some say has expired: under a new revision it lives on a majority that do not, or nowhere.
   * Throws `unknown_member`, `superseded` and `no_quorum`.
   */
  outlive(service: string, id: string, incarnation?: number): Promise<Member> {
    const apply = (record: MemberRecord): MemberRecord => ({
      ...record,
      expiresInMs: record.ttlMs,
      heartbeatAgeMs: 0,
      event: OUTLIVED,
    });
    const failure = () => unknownMember(service, id);
    return this.#change({ service, id, incarnation, apply, attemptsMax: OUTLIVE_ATTEMPTS_MAX, failure });
  }

  /** When its turn has come. Throws `overloaded` where that takes too long. */
  async #change(wanted: Wanted): Promise<Member> {
    const waiting = new AbortController();
    const cancel = this.clock.after(WAIT_MS_MAX, () => waiting.abort(changedByOthers()));
    const attempts = () => {
      cancel();
      return this.#attempts(wanted);
    };
    return this.#queues.run(`${wanted.service}/${wanted.id}`, attempts, waiting).finally(cancel);
  }

  async #attempts(wanted: Wanted): Promise<Member> {
    const { service, id, incarnation, isExpected = () => true, apply } = wanted;
    const { attemptsMax = CHANGE_ATTEMPTS_MAX, failure = changedByOthers } = wanted;
    const change = this.ids.nonce();
    let above = 0;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if (attempt > 0)
        await this.clock.sleep(fullJitterMs(attempt, PAUSE_MS.base, PAUSE_MS.cap, this.random()));
      const readAtMs = this.clock.monotonicMs();
      const known = await this.records.find(service, id);
      const { record } = known;
      if (record && incarnation !== undefined && record.incarnation > incarnation) throw superseded(id);
      if (!record || !known.isLive || record.incarnation < (incarnation ?? 0))
        throw unknownMember(service, id);
      // An earlier attempt may have reached a minority, and be what was read.
      if (record.change !== change && !isExpected(record)) throw versionMismatch(id, toMember(record));
      const revision = Math.max(record.revision, above) + 1;
      const next = { ...apply(record), revision, change };
      const refused = await this.records.change(service, { ...known, record }, next, readAtMs);
      if (refused === null) return toMember(next);
      above = Math.max(above, refused);
    }
    throw failure();
  }
}

/** A change of one member, and how often it is tried. */
interface Wanted extends ChangeOf {
  readonly service: string;
  readonly id: string;
  /** The record as it is to be, but for its revision. */
  readonly apply: (record: MemberRecord) => MemberRecord;
  readonly attemptsMax?: number;
  /** When all attempts have failed. */
  readonly failure?: () => CoordinationError;
}

function changedByOthers(): CoordinationError {
  return new CoordinationError(
    "overloaded",
    "Too many others change this member at the same time, and this change was not made. Try again.",
    { help: { retryAfterMs: 200 } },
  );
}

function changed(record: MemberRecord, { status, drainMs, ...said }: MemberChange): MemberRecord {
  const known = JSON.parse(record.registered) as Registration;
  const { address, weight = known.weight, zone = known.zone, tags = known.tags } = { ...known, ...said };
  const metadata = said.metadata === undefined ? known.metadata : said.metadata;
  return {
    ...record,
    // In the order in which a registration has them: a primary finds weight and zone by it.
    registered: JSON.stringify({ address, weight, zone, tags, metadata, probe: known.probe }),
    ...(status !== undefined && { status, endsInMs: drainMs ?? null }),
    // Its heartbeats decide again, not the end of its grace, nor that of its drain.
    ...(status !== undefined &&
      record.endsInMs !== null && {
        expiresInMs: Math.max(record.expiresInMs, record.ttlMs - record.heartbeatAgeMs),
      }),
    event: eventOf({ ...said, ...(status !== undefined && { status }) }, drainMs),
  };
}

function eventOf(change: MemberChange, drainMs: number | undefined): MemberEvent {
  const what = Object.keys(change).join(", ");
  if (change.status !== "draining") return { kind: "updated", why: `changed: ${what}` };
  const until = drainMs === undefined ? "" : ` for ${drainMs} ms at most`;
  return { kind: "draining", why: `drains${until}; changed: ${what}` };
}

const OUTLIVED: MemberEvent = {
  kind: "updated",
  why: "its heartbeats arrived, though some took it for expired",
};
/** Each is lost only to a change of this member by another instance at the same moment. */
const CHANGE_ATTEMPTS_MAX = 12;
/** An attempt takes some ms. Doubled each time. */
const PAUSE_MS = { base: 4, cap: 100 };
/** Of one member. */
const WAITING_MAX = 64;
/** While primaries answer, 64 changes take less. */
const WAIT_MS_MAX = 2_000;
/** Another change may have come first; those that say that it has expired go on saying so. */
const OUTLIVE_ATTEMPTS_MAX = 2;
