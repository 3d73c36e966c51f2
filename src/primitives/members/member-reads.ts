import { GUARD_MS } from "../../algorithms/guard.js";
import { type Electorate, type Merged, mergeMembers } from "../../algorithms/members.js";
import type { Clock } from "../../clock.js";
import { values } from "../../quorum/answers.js";
import type { Primaries } from "../../quorum/primaries.js";
import { scanOn } from "../../quorum/scan.js";
import type { Keys } from "../../scripts/keys.js";
import {
  listMembers,
  MEMBERS_AT_ONCE_MAX,
  type MemberPart,
  type MemberRecord,
} from "../../scripts/member-calls.js";
import { Repairs } from "./read-repairs.js";

/** Members, by what became of them. */
export interface Census {
  readonly live: readonly MemberRecord[];
  /** The tombstones of those that left or expired, as long as they are kept. */
  readonly gone: readonly MemberRecord[];
}

/** What a majority knows about some members. */
export interface Known {
  readonly merged: readonly Merged<MemberRecord>[];
  /** How many of the requested ids this covers, from the first on; at least one. */
  readonly lookedAt: number;
  /** The lowest incarnation for a registration that begins now. */
  readonly nextIncarnation: number;
  /** For how long members are kept whose time is over, ms; 0: they are not. */
  readonly guardEndsInMs: number;
  /** How many primaries did not answer. */
  readonly unanswered: number;
}

/**
 * Quorum reads of members, in parts that keep neither a primary nor this process busy for long. First the ids: the sets
 * of a majority contain every id that was acknowledged before. Then, part by part, the records of these ids, and each part
 * is merged by itself: a member that is alive throughout is in its part, whatever comes and goes meanwhile.
 */
export class MemberReads {
  readonly #repairs: Repairs;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly guardPercent: number,
  ) {
    this.#repairs = new Repairs(keys, clock);
  }

  /** Sorted ids of the members of a service, and of some former members. Throws `no_quorum`. */
  ids(service: string): Promise<string[]> {
    return this.#scan(this.keys.members(service), KEPT_MS_MAX);
  }

  /** Sorted names of the services that have a member, or had one lately. Throws `no_quorum`. */
  services(): Promise<string[]> {
    return this.#scan(this.keys.services);
  }

  /**
   * The records of these ids, or of as many of the first of them as fit. Reads a majority, or all primaries that answer,
   * and repairs primaries that are behind, in the background. Throws `no_quorum`.
   */
  async records(
    service: string,
    ids: readonly string[],
    what: "all" | "ring" = "all",
    from: "majority" | "all" = "majority",
  ): Promise<Known> {
    const startedMs = this.clock.monotonicMs();
    const asked = ids.slice(0, MEMBERS_AT_ONCE_MAX);
    const call = listMembers(this.keys, service, asked, what, this.guardPercent);
    const answers = await this.primaries.decide(call, ({ answers, values, pending }) =>
      values.length >= this.primaries.majority && (from === "majority" || pending === 0)
        ? answers
        : undefined,
    );
    const replies = values(answers);
    // Beyond the shortest reply, the vote of its primary would be missing.
    const lookedAt = Math.min(...replies.map((reply) => reply.lookedAt));
    const electorate = { primaries: this.primaries.all.length, majority: this.primaries.majority };
    const guardEndsInMs = Math.max(...replies.map((reply) => reply.guardEndsInMs));
    const known = merge(replies, new Set(asked.slice(0, lookedAt)), electorate);
    const merged = guardEndsInMs > 0 ? known.map(keptByGuard) : known;
    // The others may know.
    if (from === "majority" && merged.some(isUndecided)) return this.records(service, ids, what, "all");
    if (what === "all") {
      const answered = this.primaries.all.filter((_, index) => answers[index]?.ok);
      for (const { record, staleAt, voids } of merged) {
        for (const index of staleAt) {
          const primary = answered[index];
          // Time that has passed since the read began is not given again.
          if (primary) this.#repairs.add(primary, service, record, startedMs, voids);
        }
      }
    }
    const nextIncarnation = Math.max(...replies.map((reply) => reply.nextIncarnation));
    const unanswered = this.primaries.all.length - replies.length;
    return { merged, lookedAt, nextIncarnation, guardEndsInMs, unanswered };
  }

  /** The members among all these ids, in their order. Throws `no_quorum`. */
  async all(service: string, ids: readonly string[], what: "all" | "ring" = "all"): Promise<Census> {
    const found: { live: MemberRecord[]; gone: MemberRecord[] } = { live: [], gone: [] };
    for (let at = 0; at < ids.length; ) {
      const { merged, lookedAt } = await this.records(service, ids.slice(at, at + MEMBERS_AT_ONCE_MAX), what);
      found.live.push(...liveOf(merged));
      found.gone.push(...goneOf(merged));
      at += lookedAt;
    }
    return found;
  }

  /** Those that live. Throws `no_quorum`. */
  async live(
    service: string,
    ids: readonly string[],
    what: "all" | "ring" = "all",
  ): Promise<readonly MemberRecord[]> {
    return (await this.all(service, ids, what)).live;
  }

  /** The union of the sets of a majority, each read completely on its primary. */
  async #scan(set: string, graceMs = 0): Promise<string[]> {
    let isOver = false;
    const scan = this.primaries.askMajority((primary) => scanOn(primary, set, () => isOver, graceMs));
    const replies = await scan.finally(() => {
      isOver = true;
    });
    return [...new Set(replies.flat())].sort();
  }
}

/**
 * A member whose heartbeats are missing; not one that was to end by now whatever they do, nor one of which there are only
 * tombstones: a primary that has got a copy of them is no vote, and brings nobody back.
 */
function keptByGuard(one: Merged<MemberRecord>): Merged<MemberRecord> {
  const { state, record } = one;
  const hasEnded = record.endsInMs !== null && record.endsInMs <= 0;
  return state === "lapsed" && record.expired === null && !hasEnded ? { ...one, state: "guarded" } : one;
}

/** Whether those that were not heard may have it live: some have tombstones of one that expired, and they are no majority. */
function isUndecided({ state, record }: Merged<MemberRecord>): boolean {
  return state === "doubtful" || (state === "lapsed" && record.expired !== null);
}

/** The live members, in the order of their ids. */
export function liveOf(merged: readonly Merged<MemberRecord>[]): MemberRecord[] {
  return merged.flatMap((one) => liveRecordOf(one) ?? []).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The tombstones, in the order of their ids: of those that left or expired, and of whom nothing else is known any more. */
export function goneOf(merged: readonly Merged<MemberRecord>[]): MemberRecord[] {
  const isGone = ({ state, record }: Merged<MemberRecord>) =>
    state === "left" || state === "expired" || (state === "lapsed" && record.expired !== null);
  return merged.flatMap((one) => (isGone(one) ? one.record : [])).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The record of a member that lives; null: it does not. */
export function liveRecordOf({ state, record, latest }: Merged<MemberRecord>): MemberRecord | null {
  const { expiresInMs, heartbeatAgeMs } = record;
  // A primary that has missed changes has it for longer than one that has made them, maybe: a change is not undone by that.
  const told =
    latest.revision > record.revision ? { ...latest, expired: null, expiresInMs, heartbeatAgeMs } : record;
  if (state === "doubtful" || state === "guarded") return { ...told, doubt: state };
  return state === "live" ? told : null;
}

function merge(
  replies: readonly MemberPart[],
  ids: ReadonlySet<string>,
  electorate: Electorate,
): Merged<MemberRecord>[] {
  return mergeMembers(
    replies.map((reply) => reply.members.filter(({ id }) => ids.has(id))),
    electorate,
    (newest, other) => {
      const [later, earlier] =
        newest.heartbeatAgeMs <= other.heartbeatAgeMs ? [newest, other] : [other, newest];
      return {
        ...newest,
        expiresInMs: Math.max(newest.expiresInMs, other.expiresInMs),
        heartbeatAgeMs: later.heartbeatAgeMs,
        // A primary that got the record by a repair has no load until the next heartbeat.
        load: later.load || earlier.load,
        reported: newest.reported === true || other.reported === true,
      };
    },
  );
}

/** As long as a guard may keep a member after its deadline, and some. */
const KEPT_MS_MAX = GUARD_MS + 5_000;
