import { later } from "../../algorithms/members.js";
import type { Clock } from "../../clock.js";
import type { Primary } from "../../redis/primary.js";
import type { Keys } from "../../scripts/keys.js";
import { type MemberRecord, putMember } from "../../scripts/member-calls.js";

/**
 * Writes members to primaries that lack them, in the background and a few at a time: a read that finds thousands of stale
 * records must not send a primary thousands of calls at once. Repairs beyond the bound are dropped: the next read finds
 * them again.
 */
export class Repairs {
  readonly #waiting = new Map<string, Repair>();
  #underWay = 0;

  constructor(
    private readonly keys: Keys,
    private readonly clock: Clock,
  ) {}

  /**
   * `readAtMs`: when the record was as it is, by our clock. A repair gives the remaining time, never more. `voids`: the record is a
   * majority's, and replaces a tombstone of an earlier revision that expired.
   */
  add(primary: Primary, service: string, record: MemberRecord, readAtMs: number, voids = false): void {
    const key = `${primary.address}/${service}/${record.id}`;
    if (this.#waiting.size >= WAITING_MAX && !this.#waiting.has(key)) return;
    this.#waiting.set(key, { primary, service, record, readAtMs, voids });
    this.#go();
  }

  #go(): void {
    for (const [key, repair] of this.#waiting) {
      if (this.#underWay >= UNDER_WAY_MAX) return;
      this.#waiting.delete(key);
      const { primary, service, voids } = repair;
      const record = later(repair.record, this.clock.monotonicMs() - repair.readAtMs);
      if (record.expiresInMs <= 0) continue;
      this.#underWay += 1;
      const done = () => {
        this.#underWay -= 1;
        this.#go();
      };
      primary.run(putMember(this.keys, service, record, voids ? "majority's" : "record")).then(done, done);
    }
  }
}

interface Repair {
  readonly primary: Primary;
  readonly service: string;
  readonly record: MemberRecord;
  readonly readAtMs: number;
  readonly voids: boolean;
}

/** Some tenths of a millisecond of a primary's time. */
const UNDER_WAY_MAX = 16;
/** A few MB at most. */
const WAITING_MAX = 1_000;
