import { type Differing, differingCopies } from "../../algorithms/copies.js";
import { later } from "../../algorithms/members.js";
import type { Clock, Random } from "../../clock.js";
import type { Question } from "../../quorum/answers.js";
import type { Primaries } from "../../quorum/primaries.js";
import { scanOn } from "../../quorum/scan.js";
import type { Keys } from "../../scripts/keys.js";
import {
  listMembers,
  MEMBERS_AT_ONCE_MAX,
  type MemberRecord,
  putMember,
} from "../../scripts/member-calls.js";
import type { Comparison, Pass } from "./anti-entropy.js";

/** Compares the members of all services, and the tombstones of those that left. */
export class MemberCopies implements Comparison {
  readonly kind = "members";

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  async run(pass: Pass): Promise<void> {
    for (const service of await this.#scan(this.keys.services)) {
      const ids = await this.#scan(this.keys.members(service));
      for (let at = 0; at < ids.length; ) {
        const part = await this.#read(service, ids.slice(at, at + MEMBERS_AT_ONCE_MAX));
        at += part.lookedAt;
        if (part.differing.length > 0) await this.#confirm(service, part.differing, pass);
        await pass.pause(PART_PAUSE_MS * (0.5 + this.random()));
      }
    }
  }

  /** What is under way to a primary looks like a difference: only what is found twice is one. */
  async #confirm(service: string, before: readonly Differing<MemberRecord>[], pass: Pass): Promise<void> {
    await pass.pause(CONFIRM_MS);
    const seen = new Set(before.map(textOf));
    const ids = [...new Set(before.map(({ id }) => id))];
    for (let at = 0; at < ids.length; ) {
      const readAtMs = this.clock.monotonicMs();
      const part = await this.#read(service, ids.slice(at));
      at += part.lookedAt;
      for (const one of part.differing.filter((found) => seen.has(textOf(found)))) {
        const primary = this.primaries.all[one.place];
        if (primary) pass.found(primary, one.difference, await this.#repair(service, one, readAtMs));
      }
    }
  }

  /** Copies with the time that is left, never more. */
  async #repair(
    service: string,
    { place, expected, isRepairable }: Differing<MemberRecord>,
    readAtMs: number,
  ): Promise<boolean> {
    const record = later(expected, this.clock.monotonicMs() - readAtMs);
    if (!isRepairable || record.expiresInMs <= 0) return false;
    const put = this.primaries.all[place]?.run(putMember(this.keys, service, record));
    return put === undefined
      ? false
      : put.then(
          ({ superseded }) => superseded === null,
          () => false,
        );
  }

  async #read(service: string, ids: readonly string[]) {
    const parts = await this.#askAll(listMembers(this.keys, service, ids));
    // Beyond the shortest reply, the copy of its primary would be missing.
    const lookedAt = Math.min(...parts.flatMap((part) => part?.lookedAt ?? []));
    const looked = new Set(ids.slice(0, lookedAt));
    const replies = parts.map((part) => part?.members.filter(({ id }) => looked.has(id)) ?? null);
    const differing = differingCopies(replies, this.primaries.majority, contentOf, ENDS_SOON_MS);
    return { lookedAt, differing };
  }

  /** What is in the set of any primary. */
  async #scan(set: string): Promise<string[]> {
    const found = await this.#askAll((primary) => scanOn(primary, set));
    return [...new Set(found.flatMap((one) => one ?? []))].sort();
  }

  /** The values of all primaries by their places; null: it did not answer. Throws `no_quorum`. */
  async #askAll<T>(question: Question<T>): Promise<(T | null)[]> {
    const answers = await this.primaries.decide(question, ({ answers, pending, replied }) =>
      pending === 0 && replied >= this.primaries.majority ? answers : undefined,
    );
    return answers.map((answer) => (answer?.ok ? answer.value : null));
  }
}

/** All that the same version of a record has in common everywhere. */
function contentOf({ nonce, change, ttlMs, status, registered }: MemberRecord): string {
  return `${nonce} ${change} ${ttlMs} ${status} ${registered}`;
}

function textOf({ id, place, difference, expected }: Differing<MemberRecord>): string {
  return `${id} ${place} ${difference} ${expected.incarnation} ${expected.revision} ${expected.left} ${expected.nonce}`;
}

/** On average; a part keeps a primary busy for some 3 ms. */
const PART_PAUSE_MS = 100;
const CONFIRM_MS = 500;
/** What ends meanwhile needs no copy. */
const ENDS_SOON_MS = 1_000;
