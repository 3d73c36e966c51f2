import { type Merged, mergeMembers } from "../algorithms/members.js";
import type { Clock } from "../clock.js";
import { CoordinationError } from "../errors.js";
import type { Ids } from "../ids.js";
import type { Keys } from "../redis/keys.js";
import { type Answers, allAnswered, type Primaries, type Settled, values } from "../redis/primaries.js";
import {
  announceIncarnation,
  type HeartbeatVote,
  heartbeat,
  listMembers,
  listServices,
  type MemberRecord,
  putMember,
} from "../redis/scripts.js";

/** What a member says of itself. */
export interface Registration {
  readonly address: string;
  /** Its share of the ring and of picks beside the others'; 0: none. */
  readonly weight: number;
  readonly zone: string | null;
  readonly tags: string[];
  readonly metadata: unknown;
}

export interface Member extends Registration {
  readonly id: string;
  readonly status: "up";
  /** Raised by each registration. */
  readonly incarnation: number;
  /** Raised by each change within one incarnation. */
  readonly revision: number;
  readonly ttlMs: number;
  readonly lastHeartbeatAgeMs: number;
}

/** What a heartbeat found. */
export interface Pulse {
  readonly incarnation: number;
  readonly revision: number;
  readonly ttlMs: number;
}

/** Instances of services, kept alive by heartbeats: TTL keys on a majority of the primaries. */
export class Membership {
  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly settings: { readonly ttlMaxMs: number },
  ) {}

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

  /** The live members, in the order of their ids. Throws `no_quorum`. */
  async list(service: string): Promise<Member[]> {
    const { merged } = await this.#read(service);
    return merged
      .filter(({ record }) => !record.left)
      .map(({ record }) => toMember(record))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Throws `unknown_member` and `no_quorum`. */
  async get(service: string, id: string): Promise<Member> {
    const { record } = await this.#find(service, id);
    if (!record || record.left) throw unknownMember(service, id);
    return toMember(record);
  }

  /** Names of the services that have a member, or had one lately. Throws `no_quorum`. */
  async services(): Promise<string[]> {
    const replies = await this.primaries.askMajority(listServices(this.keys));
    return [...new Set(replies.flat())].sort();
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
    const { merged, ...known } = await this.#read(service, id, settled);
    return { record: merged[0]?.record, ...known };
  }

  /** Reads a majority unless told otherwise, and in the background repairs those of them that are behind. */
  async #read(
    service: string,
    id?: string,
    settled?: Settled<unknown>,
  ): Promise<{ merged: Merged<MemberRecord>[] } & Omit<Known, "record">> {
    const startedMs = this.clock.monotonicMs();
    const answers = await this.primaries.ask(listMembers(this.keys, service, id), settled);
    const replies = values(answers);
    if (replies.length < this.primaries.majority) throw this.primaries.noQuorum();
    const merged = mergeMembers(
      replies.map((reply) => reply.members),
      (a, b) => ({
        ...(a.expiresInMs >= b.expiresInMs ? a : b),
        heartbeatAgeMs: Math.min(a.heartbeatAgeMs, b.heartbeatAgeMs),
      }),
    );
    const answered = this.primaries.all.filter((_, place) => answers[place]?.ok);
    for (const { record, staleAt } of merged) {
      // The remaining time, never more: what passed since the read began is not given again.
      const expiresInMs = Math.floor(record.expiresInMs - (this.clock.monotonicMs() - startedMs));
      if (expiresInMs <= 0) continue;
      for (const place of staleAt) {
        answered[place]?.run(putMember(this.keys, service, { ...record, expiresInMs })).catch(() => {});
      }
    }
    const nextIncarnation = Math.max(...replies.map((reply) => reply.nextIncarnation));
    return { merged, nextIncarnation, unanswered: this.primaries.all.length - replies.length };
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

function toMember(record: MemberRecord): Member {
  const { address, weight, zone, tags, metadata } = JSON.parse(record.registered) as Registration;
  return {
    id: record.id,
    address,
    weight,
    zone,
    tags,
    metadata,
    status: "up",
    incarnation: record.incarnation,
    revision: record.revision,
    ttlMs: record.ttlMs,
    lastHeartbeatAgeMs: Math.max(0, record.heartbeatAgeMs),
  };
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

const REGISTER_ATTEMPTS_MAX = 8;
const TOMBSTONE_MARGIN_MS = 60_000;
