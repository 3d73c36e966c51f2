import type { Suspected } from "../../../algorithms/suspicion.js";
import type { Clock } from "../../../clock.js";
import type { Primaries } from "../../../quorum/primaries.js";
import { readGuard } from "../../../scripts/guard-calls.js";
import type { Keys } from "../../../scripts/keys.js";
import type { MemberRecord } from "../../../scripts/member-calls.js";
import type { MemberReads } from "../member-reads.js";

/**
 * Finds members that may be dead, of which nobody can say that they have expired: a guard keeps them, or too few primaries
 * answer. Whoever reads a list finds them suspect there; for those who watch they are looked for.
 */
export class DoubtfulMembers {
  /** When the next large look may begin. */
  #free: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly primaries: Pick<Primaries, "askMajority">,
    private readonly keys: Keys,
    private readonly reads: Pick<MemberReads, "live">,
    private readonly clock: Pick<Clock, "monotonicMs" | "sleep">,
  ) {}

  /**
   * Those among `disputed`, of which a primary says that they have expired, or among `all` while the service is guarded.
   * Throws `no_quorum`.
   */
  async find(
    service: string,
    disputed: readonly string[],
    all: () => readonly string[],
  ): Promise<Map<string, Suspected>> {
    const guards = await this.primaries.askMajority(readGuard(this.keys, service));
    const look = async (ids: readonly string[]) => doubtfulOf(await this.reads.live(service, ids, "ring"));
    return guards.some((guard) => guard && guard.endsInMs > 0)
      ? this.#inTurn(() => look(all()))
      : look(disputed);
  }

  /** Guards begin when much is wrong at once: however many services are watched, the looks at them take a fifth of the time. */
  #inTurn<T>(look: () => Promise<T>): Promise<T> {
    let startedMs = 0;
    const found = this.#free.then(() => {
      startedMs = this.clock.monotonicMs();
      return look();
    });
    this.#free = found.then(
      () => this.clock.sleep(RESTS_PER_LOOK * (this.clock.monotonicMs() - startedMs)),
      () => {},
    );
    return found;
  }
}

export function doubtfulOf(live: readonly MemberRecord[]): Map<string, Suspected> {
  return new Map(live.flatMap(({ id, doubt }) => (doubt ? [[id, SAID[doubt]] as const] : [])));
}

const RESTS_PER_LOOK = 4;
const SAID: Record<NonNullable<MemberRecord["doubt"]>, Suspected> = {
  guarded: {
    why: "no heartbeat for its time to live; kept, since too many fell silent at once",
    episode: "guarded",
  },
  doubtful: {
    why: "no heartbeat for its time to live, according to one primary; too few others answer to decide",
    episode: "doubtful",
  },
};
