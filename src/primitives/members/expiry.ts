import type { Clock, Random } from "../../clock.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Primary } from "../../redis/primary.js";
import { type ExpiredMember, expireMembers } from "../../scripts/expiry-calls.js";
import type { Keys } from "../../scripts/keys.js";
import type { MemberRecord } from "../../scripts/member-calls.js";
import type { Guards } from "./guards.js";
import type { MemberReads } from "./member-reads.js";

/** Told of members that expire. */
export interface ExpiryObserver {
  /** A primary has turned members whose deadline has passed there into tombstones. */
  marked?(primary: Primary, members: number): void;
  /**
   * A majority say that this incarnation has expired. At least once, by any of the instances: the same incarnation may be
   * told again, here or elsewhere.
   */
  expired?(service: string, record: MemberRecord): void;
}

/**
 * Finds members that expire, whether or not anybody reads them: every instance asks every primary a few times a second for
 * those whose deadline has passed there. No instance leads: each member is turned into a tombstone once on each primary,
 * whoever asks, and the deadline of no other primary counts there. That of a majority is the decision.
 */
export class Expiry {
  #closed = false;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly reads: Pick<MemberReads, "records">,
    private readonly guards: Pick<Guards, "begin">,
    /** Above this share of a service its members are not taken for dead together, percent. */
    private readonly guardPercent: number,
    private readonly observer: ExpiryObserver | undefined,
  ) {}

  /** Until `close`. */
  start(): void {
    for (const primary of this.primaries.all) void this.#sweep(primary);
  }

  close(): void {
    this.#closed = true;
  }

  async #sweep(primary: Primary): Promise<void> {
    while (!this.#closed) {
      const dueInMs = await this.#part(primary).catch(() => null);
      const pauseMs = Math.min(dueInMs ?? PAUSE_MS_MAX, PAUSE_MS_MAX) * (0.5 + this.random() / 2);
      await this.clock.sleep(Math.max(pauseMs, PAUSE_MS_MIN));
    }
  }

  /** When the next part is due. */
  async #part(primary: Primary): Promise<number | null> {
    const { nextInMs, expired, toGuard } = await primary.run(expireMembers(this.keys, this.guardPercent));
    for (const service of toGuard) await this.guards.begin(service);
    if (expired.length === 0) return nextInMs;
    this.observer?.marked?.(primary, expired.length);
    for (const [service, ids] of byService(expired)) await this.#tell(service, ids);
    return nextInMs;
  }

  /** Reads what all say, which also brings the decision to those that lack it. */
  async #tell(service: string, ids: readonly string[]): Promise<void> {
    const { merged } = await this.reads.records(service, ids, "all", "all");
    for (const { state, record } of merged)
      if (state === "expired") this.observer?.expired?.(service, record);
  }
}

function byService(expired: readonly ExpiredMember[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { service, id } of expired) found.set(service, [...(found.get(service) ?? []), id]);
  return found;
}

/** Found within a quarter of a second on average, however many instances there are; a call takes some 10 us where nothing is due. */
const PAUSE_MS_MAX = 400;
const PAUSE_MS_MIN = 20;
