import type { Clock } from "../../clock.js";
import type { Primary } from "../../redis/primary.js";
import type { Keys } from "../../scripts/keys.js";
import { type MemberRecord, putMember } from "../../scripts/member-calls.js";

/**
 * Gives members to primaries that lack them, in the background and a few at a time: a read of thousands that finds all of
 * them stale must not ask a primary thousands of things at once. What finds no place is dropped: the next read finds it.
 */
export class Repairs {
  readonly #waiting = new Map<string, Repair>();
  #underWay = 0;

  constructor(
    private readonly keys: Keys,
    private readonly clock: Clock,
  ) {}

  /** `endsMs`: when the record ends, by our clock. A repair gives the time that is left, never more. */
  add(primary: Primary, service: string, record: MemberRecord, endsMs: number): void {
    const key = `${primary.address}/${service}/${record.id}`;
    if (this.#waiting.size >= WAITING_MAX && !this.#waiting.has(key)) return;
    this.#waiting.set(key, { primary, service, record, endsMs });
    this.#go();
  }

  #go(): void {
    for (const [key, repair] of this.#waiting) {
      if (this.#underWay >= UNDER_WAY_MAX) return;
      this.#waiting.delete(key);
      const { primary, service, record } = repair;
      const expiresInMs = Math.floor(repair.endsMs - this.clock.monotonicMs());
      if (expiresInMs <= 0) continue;
      this.#underWay += 1;
      const done = () => {
        this.#underWay -= 1;
        this.#go();
      };
      primary.run(putMember(this.keys, service, { ...record, expiresInMs })).then(done, done);
    }
  }
}

interface Repair {
  readonly primary: Primary;
  readonly service: string;
  readonly record: MemberRecord;
  readonly endsMs: number;
}

/** Some tenths of a millisecond of a primary's time. */
const UNDER_WAY_MAX = 16;
/** A few MB at most. */
const WAITING_MAX = 1_000;
