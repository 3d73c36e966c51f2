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

/** What a majority knows about some members. */
export interface Known {
  readonly merged: readonly Merged<MemberRecord>[];
  /** How many of the requested ids this covers, from the first on; at least one. */
  readonly lookedAt: number;
  /** The lowest incarnation for a registration that begins now. */
  readonly nextIncarnation: number;
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
  ) {
    this.#repairs = new Repairs(keys, clock);
  }

  /** Sorted ids of the members of a service, and of some former members. Throws `no_quorum`. */
  ids(service: string): Promise<string[]> {
    return this.#scan(this.keys.members(service));
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
    const call = listMembers(this.keys, service, asked, what);
    const answers = await this.primaries.decide(call, ({ answers, values, pending }) =>
      values.length >= this.primaries.majority && (from === "majority" || pending === 0)
        ? answers
        : undefined,
    );
    const replies = values(answers);
    // Beyond the shortest reply, the vote of its primary would be missing.
    const lookedAt = Math.min(...replies.map((reply) => reply.lookedAt));
    const electorate = { primaries: this.primaries.all.length, majority: this.primaries.majority };
    const merged = merge(replies, new Set(asked.slice(0, lookedAt)), electorate);
    // The others may know.
    if (from === "majority" && merged.some(({ state }) => state === "doubtful"))
      return this.records(service, ids, what, "all");
    if (what === "all") {
      const answered = this.primaries.all.filter((_, index) => answers[index]?.ok);
      for (const { record, staleAt, voids } of merged) {
        for (const index of staleAt) {
          const primary = answered[index];
          // The remaining time, never more: time that has passed since the read began is not given again.
          if (primary) this.#repairs.add(primary, service, record, startedMs + record.expiresInMs, voids);
        }
      }
    }
    const nextIncarnation = Math.max(...replies.map((reply) => reply.nextIncarnation));
    return { merged, lookedAt, nextIncarnation, unanswered: this.primaries.all.length - replies.length };
  }

  /** The live members among all these ids, in their order. Throws `no_quorum`. */
  async live(service: string, ids: readonly string[], what: "all" | "ring" = "all"): Promise<MemberRecord[]> {
    const found: MemberRecord[] = [];
    for (let at = 0; at < ids.length; ) {
      const { merged, lookedAt } = await this.records(service, ids.slice(at, at + MEMBERS_AT_ONCE_MAX), what);
      found.push(...liveOf(merged));
      at += lookedAt;
    }
    return found;
  }

  /** The union of the sets of a majority, each read completely on its primary. */
  async #scan(set: string): Promise<string[]> {
    let isOver = false;
    const scan = this.primaries.askMajority((primary) => scanOn(primary, set, () => isOver));
    const replies = await scan.finally(() => {
      isOver = true;
    });
    return [...new Set(replies.flat())].sort();
  }
}

/** The live members, in the order of their ids. */
export function liveOf(merged: readonly Merged<MemberRecord>[]): MemberRecord[] {
  return merged.flatMap((one) => liveRecordOf(one) ?? []).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The record of a member that lives; null: it does not. */
export function liveRecordOf({ state, record }: Merged<MemberRecord>): MemberRecord | null {
  if (state === "doubtful") return { ...record, isDoubtful: true };
  return state === "live" ? record : null;
}

function merge(
  replies: readonly MemberPart[],
  ids: ReadonlySet<string>,
  electorate: Electorate,
): Merged<MemberRecord>[] {
  return mergeMembers(
    replies.map((reply) => reply.members.filter(({ id }) => ids.has(id))),
    electorate,
    (newest, other) => ({
      ...newest,
      expiresInMs: Math.max(newest.expiresInMs, other.expiresInMs),
      heartbeatAgeMs: Math.min(newest.heartbeatAgeMs, other.heartbeatAgeMs),
      reported: newest.reported === true || other.reported === true,
    }),
  );
}
