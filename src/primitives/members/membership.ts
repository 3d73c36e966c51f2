import type { Clock } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import type { Ids } from "../../ids.js";
import { type Answers, allAnswered, type Primaries, type Settled, values } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import {
  announceIncarnation,
  type HeartbeatVote,
  heartbeat,
  type MemberRecord,
  putMember,
} from "../../scripts/member-calls.js";
import { SharedReads } from "../reads/shared-reads.js";
import { type Member, type Registration, toMember } from "./member.js";
import { type MemberPage, MemberPages } from "./member-pages.js";
import { MemberReads } from "./member-reads.js";
import { type ServicePage, ServicePages } from "./service-pages.js";

export type { Member, Registration } from "./member.js";

/** What a heartbeat found. */
export interface Pulse {
  readonly incarnation: number;
  readonly revision: number;
  readonly ttlMs: number;
}

/** Instances of services, kept alive by heartbeats: TTL keys on a majority of the primaries. */
export class Membership {
  readonly #reads: MemberReads;
  readonly #lists: SharedReads<Member[]>;
  readonly #pages: MemberPages;
  readonly #services: ServicePages;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    clock: Clock,
    private readonly ids: Ids,
    private readonly settings: { readonly ttlMaxMs: number },
  ) {
    this.#reads = new MemberReads(primaries, keys, clock);
    this.#lists = new SharedReads(clock, LISTS_AT_ONCE_MAX);
    this.#pages = new MemberPages(this.#reads, clock, ids);
    this.#services = new ServicePages(this.#reads, primaries, keys, clock);
  }

  /** Begins a new incarnation of the member. Throws `superseded` and `no_quorum`. */
  async register(
    service: string,
    id: string,
    ttlMs: number,
    registration: Registration,
  ): Promise<{ member: Member; isNew: boolean }> {
    for (let attempt = 0; attempt < REGISTER_ATTEMPTS_MAX; attempt++) {
      const known = await this.#find(service, id);
      const record = await this.#next(id, known, ttlMs, registration);
      if (await this.#put(service, record)) {
        return { member: toMember(record), isNew: !known.record || known.record.left };
      }
    }
    throw new CoordinationError(
      "superseded",
      `Other registrations of member ${id} came first ${REGISTER_ATTEMPTS_MAX} times in a row. If two processes use one id, give each its own.`,
    );
  }

  /** Without `incarnation` for whichever is registered. Throws `unknown_member`, `superseded` and `no_quorum`. */
  async heartbeat(service: string, id: string, incarnation?: number): Promise<Pulse> {
    const { majority } = this.primaries;
    const answers = await this.primaries.ask(
      heartbeat(this.keys, [{ service, id, incarnation }]),
      (sofar) => pulseOf(firstOf(sofar), majority) !== null,
    );
    const votes = firstOf(answers);
    if (votes.length < majority) throw this.primaries.noQuorum();
    return pulseOf(votes, majority) ?? (await this.#revive(service, id, incarnation));
  }

  /** Whether the member was registered until now. Throws `no_quorum`. */
  async leave(service: string, id: string): Promise<boolean> {
    for (;;) {
      let known = await this.#find(service, id);
      // One that does not answer may have it still, from a heartbeat that reached nobody else.
      if (!known.record) known = await this.#find(service, id, allAnswered);
      const { record, unanswered } = known;
      if (record ? record.left : unanswered === 0) return false;
      const leaving = record ?? (await this.#next(id, known, this.settings.ttlMaxMs, null));
      // The tombstone outlives every live record of this incarnation that a primary may still have.
      const expiresInMs = leaving.ttlMs + TOMBSTONE_MARGIN_MS;
      if (await this.#put(service, { ...leaving, left: true, expiresInMs })) return record !== undefined;
    }
  }

  /** All live members, in the order of their ids. Throws `no_quorum`. */
  list(service: string): Promise<Member[]> {
    return this.#lists.read(service, async () => {
      const ids = await this.#reads.ids(service);
      return (await this.#reads.live(service, ids)).map(toMember);
    });
  }

  /** Some of them, after those of the page that this is the cursor of. Throws `no_quorum`. */
  page(service: string, cursor: string | null, limit: number): Promise<MemberPage> {
    return this.#pages.page(service, cursor, limit);
  }

  /** Throws `unknown_member` and `no_quorum`. */
  async get(service: string, id: string): Promise<Member> {
    const { record } = await this.#find(service, id);
    if (!record || record.left) throw unknownMember(service, id);
    return toMember(record);
  }

  /** Services that have members, by name, after `cursor`, and how many members each has. Throws `no_quorum`. */
  services(cursor: string | null, limit: number): Promise<ServicePage> {
    return this.#services.page(cursor, limit);
  }

  /** Puts a member back that some primaries lack, when it is still alive on others. */
  async #revive(service: string, id: string, incarnation: number | undefined): Promise<Pulse> {
    const { record } = await this.#find(service, id);
    if (record && incarnation !== undefined && record.incarnation > incarnation) throw superseded(id);
    if (!record || record.left || record.incarnation < (incarnation ?? 0)) throw unknownMember(service, id);
    if (!(await this.#put(service, { ...record, expiresInMs: record.ttlMs, heartbeatAgeMs: 0 }))) {
      throw superseded(id);
    }
    return record;
  }

  /** The first record of an incarnation above all earlier ones; it is announced, and not yet stored. */
  async #next(
    id: string,
    { record: known, nextIncarnation }: Known,
    ttlMs: number,
    registration: Registration | null,
  ): Promise<MemberRecord> {
    // Above those long forgotten as well: hence the servers' clock.
    const incarnation = Math.max((known?.incarnation ?? 0) + 1, nextIncarnation);
    // And those that failed, of which a primary may have a record that nobody who registers next is told of.
    await this.primaries.askMajority(announceIncarnation(this.keys, incarnation));
    return {
      id,
      incarnation,
      revision: 1,
      left: false,
      nonce: this.ids.nonce(),
      ttlMs,
      expiresInMs: ttlMs,
      heartbeatAgeMs: 0,
      registered: JSON.stringify(registration),
    };
  }

  async #find(service: string, id: string, settled?: Settled<unknown>): Promise<Known> {
    const { merged, ...known } = await this.#reads.records(service, [id], "all", settled);
    return { record: merged[0]?.record, ...known };
  }

  /** Whether a majority store this record; false when others are in the way. Throws `no_quorum`. */
  async #put(service: string, record: MemberRecord): Promise<boolean> {
    const { majority } = this.primaries;
    const stored = (answers: Answers<{ superseded: number | null }>) =>
      values(answers).filter((answer) => answer.superseded === null).length;
    const answers = await this.primaries.ask(
      putMember(this.keys, service, record),
      (sofar) => stored(sofar) >= majority || values(sofar).length - stored(sofar) >= majority,
    );
    if (stored(answers) >= majority) return true;
    if (values(answers).length < majority) throw this.primaries.noQuorum();
    return false;
  }
}

/** What the primaries know of one member. */
interface Known {
  readonly record: MemberRecord | undefined;
  /** The lowest for a registration that begins now. */
  readonly nextIncarnation: number;
  /** How many primaries were not heard. */
  readonly unanswered: number;
}

/** The renewal that a majority agree on, if no primary knows better: a later incarnation, or a tombstone of this one. */
function pulseOf(votes: readonly HeartbeatVote[], majority: number): Pulse | null {
  const newest = Math.max(0, ...votes.map((vote) => (vote.kind === "missing" ? 0 : vote.incarnation)));
  const current = votes.filter((vote) => vote.kind !== "missing" && vote.incarnation === newest);
  const renewed = current.filter((vote) => vote.kind === "renewed");
  return renewed.length >= majority && renewed.length === current.length ? (renewed[0] ?? null) : null;
}

/** The votes on the only heartbeat of each call. */
function firstOf(answers: Answers<HeartbeatVote[]>): HeartbeatVote[] {
  return values(answers).flatMap((votes) => votes.slice(0, 1));
}

function unknownMember(service: string, id: string): CoordinationError {
  return new CoordinationError(
    "unknown_member",
    `Service ${service} has no member ${id}: it expired, left, or was never registered. Register it again (PUT).`,
  );
}

function superseded(id: string): CoordinationError {
  return new CoordinationError(
    "superseded",
    `A later registration of member ${id} exists: another process has taken this id. Register again, or stop.`,
  );
}

/** Whole services that are read at once, each in parts. */
const LISTS_AT_ONCE_MAX = 4;
const REGISTER_ATTEMPTS_MAX = 8;
const TOMBSTONE_MARGIN_MS = 60_000;
