import { type Merged, mergeMembers } from "../../algorithms/members.js";
import type { Clock } from "../../clock.js";
import { type Primaries, type Settled, values } from "../../quorum/primaries.js";
import { scanOn } from "../../quorum/scan.js";
import type { Keys } from "../../scripts/keys.js";
import {
  listMembers,
  MEMBERS_AT_ONCE_MAX,
  type MemberPart,
  type MemberRecord,
} from "../../scripts/member-calls.js";
import { Repairs } from "./read-repairs.js";

/** What a majority know of some members. */
export interface Known {
  readonly merged: readonly Merged<MemberRecord>[];
  /** How many of the ids that were asked for this is of, from the first on; one at least. */
  readonly lookedAt: number;
  /** The lowest for a registration that begins now. */
  readonly nextIncarnation: number;
  /** How many primaries were not heard. */
  readonly unanswered: number;
}

/**
 * Quorum reads of members, in parts that neither a primary nor this process is busy with for long. First the ids: the sets
 * of a majority have every id that was acknowledged before. Then, part by part, the records of these ids, each part
 * judged by itself: a member that lives from the beginning to the end is in its part, whatever comes and goes meanwhile.
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

  /** Ids of the members of a service, in their order, and of some that are none any more. Throws `no_quorum`. */
  ids(service: string): Promise<string[]> {
    return this.#scan(this.keys.members(service));
  }

  /** Names of the services that have a member, or had one lately, in their order. Throws `no_quorum`. */
  services(): Promise<string[]> {
    return this.#scan(this.keys.services);
  }

  /**
   * The records of these ids, or of the first of them, as many as fit. Reads a majority unless told otherwise, and in the
   * background repairs those of them that are behind. Throws `no_quorum`.
   */
  async records(
    service: string,
    ids: readonly string[],
    what: "all" | "ring" = "all",
    settled?: Settled<unknown>,
  ): Promise<Known> {
    const startedMs = this.clock.monotonicMs();
    const asked = ids.slice(0, MEMBERS_AT_ONCE_MAX);
    const answers = await this.primaries.ask(listMembers(this.keys, service, asked, what), settled);
    const replies = values(answers);
    if (replies.length < this.primaries.majority) throw this.primaries.noQuorum();
    // What one primary has not looked at yet would lack its vote.
    const lookedAt = Math.min(...replies.map((reply) => reply.lookedAt));
    const merged = merge(replies, new Set(asked.slice(0, lookedAt)));
    if (what === "all") {
      const answered = this.primaries.all.filter((_, index) => answers[index]?.ok);
      for (const { record, staleAt } of merged) {
        for (const index of staleAt) {
          const primary = answered[index];
          // The remaining time, never more: what passed since the read began is not given again.
          if (primary) this.#repairs.add(primary, service, record, startedMs + record.expiresInMs);
        }
      }
    }
    const nextIncarnation = Math.max(...replies.map((reply) => reply.nextIncarnation));
    return { merged, lookedAt, nextIncarnation, unanswered: this.primaries.all.length - replies.length };
  }

  /** The live ones of all these ids, in their order. Throws `no_quorum`. */
  async live(service: string, ids: readonly string[], what: "all" | "ring" = "all"): Promise<MemberRecord[]> {
    const found: MemberRecord[] = [];
    for (let at = 0; at < ids.length; ) {
      const { merged, lookedAt } = await this.records(service, ids.slice(at, at + MEMBERS_AT_ONCE_MAX), what);
      found.push(...liveOf(merged));
      at += lookedAt;
    }
    return found;
  }

  /** What the sets of a majority have, each read as a whole on one primary. */
  async #scan(set: string): Promise<string[]> {
    let isOver = false;
    const scan = this.primaries.askMajority((primary) => scanOn(primary, set, () => isOver));
    const replies = await scan.finally(() => {
      isOver = true;
    });
    return [...new Set(replies.flat())].sort();
  }
}

/** Those that are alive, in the order of their ids. */
export function liveOf(merged: readonly Merged<MemberRecord>[]): MemberRecord[] {
  return merged
    .map(({ record }) => record)
    .filter((record) => !record.left)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

function merge(replies: readonly MemberPart[], ids: ReadonlySet<string>): Merged<MemberRecord>[] {
  return mergeMembers(
    replies.map((reply) => reply.members.filter(({ id }) => ids.has(id))),
    (a, b) => ({
      ...(a.expiresInMs >= b.expiresInMs ? a : b),
      heartbeatAgeMs: Math.min(a.heartbeatAgeMs, b.heartbeatAgeMs),
    }),
  );
}
