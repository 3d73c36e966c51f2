import { ringIdOf } from "../../algorithms/ring.js";
import type { Clock } from "../../clock.js";
import { BoundedCache } from "../reads/bounded-cache.js";
import { toMember, toRingMember } from "./member.js";
import type { MemberReads } from "./member-reads.js";

/**
 * The ringId of each service that heartbeats come for, as it was a moment ago. A heartbeat never waits for it: it gets what is
 * known, and what is old by then is read anew, one service at a time. After each read this rests for a time that grows with the
 * service, so that the reads cost the same however many members beat: a second is enough for those of small deployments, and
 * 100,000 members take 20 s.
 */
export class RingIds {
  readonly #known: BoundedCache<Known>;
  readonly #due = new Set<string>();
  #isReading = false;

  constructor(
    private readonly reads: Pick<MemberReads, "ids" | "live">,
    private readonly clock: Clock,
  ) {
    this.#known = new BoundedCache(clock, {
      countMax: SERVICES_MAX,
      sizeMax: SERVICES_MAX,
      unusedMsMax: AGE_MS_MAX,
    });
  }

  /** Null: this instance does not know it yet, or has not been able to read it for a minute. */
  recent(service: string): string | null {
    const known = this.#known.get(service);
    const ageMs = known ? this.clock.monotonicMs() - known.readAtMs : Number.POSITIVE_INFINITY;
    if (ageMs > FRESH_MS && this.#due.size < SERVICES_MAX) {
      this.#due.add(service);
      this.#readLater(0);
    }
    return known && ageMs <= AGE_MS_MAX ? known.ringId : null;
  }

  /** This instance has changed the members of a service: what is known is old from now on. */
  changed(service: string): void {
    const known = this.#known.get(service);
    if (known) this.#known.set(service, { ...known, readAtMs: known.readAtMs - FRESH_MS }, 1);
  }

  #readLater(ms: number): void {
    if (this.#isReading) return;
    this.#isReading = true;
    this.clock.after(ms, () => void this.#readNext());
  }

  async #readNext(): Promise<void> {
    let members = 0;
    for (const service of this.#due) {
      this.#due.delete(service);
      members = await this.#read(service).catch(() => 0);
      break;
    }
    this.#isReading = false;
    if (this.#due.size > 0) this.#readLater(Math.max(REST_MS_MIN, members * REST_MS_PER_MEMBER));
  }

  async #read(service: string): Promise<number> {
    const readAtMs = this.clock.monotonicMs();
    const members = await this.reads.live(service, await this.reads.ids(service), "ring");
    this.#known.set(
      service,
      { ringId: ringIdOf(members.flatMap((one) => toRingMember(toMember(one)) ?? [])), readAtMs },
      1,
    );
    return members.length;
  }
}

interface Known {
  readonly ringId: string;
  /** When the read began. */
  readonly readAtMs: number;
}

/** Age from which it is read anew. */
const FRESH_MS = 1_000;
const AGE_MS_MAX = 60_000;
/** So 5,000 members are read a second: some 2 % of a core in each primary, and 3 % here. */
const REST_MS_PER_MEMBER = 0.2;
const REST_MS_MIN = 5;
const SERVICES_MAX = 2_000;
