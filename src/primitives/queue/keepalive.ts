import type { Clock } from "../../clock.js";
import { values } from "../../quorum/answers.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import { ALIVE_MS, KEEPALIVE_MS, POLL_MS } from "../../scripts/liveness.js";
import { keepWaiting } from "../../scripts/queue-calls.js";
import type { LocalQueues } from "./local-queues.js";
import type { PrimaryClocks } from "./primary-clocks.js";
import type { Waiter } from "./waiter.js";

/**
 * While requests wait here: tells the primaries that this instance is alive, and checks whether a notification was
 * lost.
 */
export class Keepalive {
  #running = false;
  #stopped = false;

  constructor(
    private readonly queues: LocalQueues,
    private readonly primaries: Primaries,
    private readonly clocks: PrimaryClocks,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly instance: string,
  ) {}

  /** Runs for as long as requests wait; starting it again changes nothing. */
  start(): void {
    if (!this.#running) void this.#run();
  }

  stop(): void {
    this.#stopped = true;
  }

  get #isNeeded(): boolean {
    return !this.queues.isEmpty && !this.#stopped;
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let beat = 1; this.#isNeeded; beat++) {
      await this.clock.sleep(KEEPALIVE_MS);
      if (!this.#isNeeded) break;
      const first = (beat * KEEPALIVE_MS) % POLL_MS === 0 ? this.queues.first() : [];
      const checked = first.filter(({ acceptsHandoff }) => acceptsHandoff);
      // At least one call: it also reports that this instance is alive.
      for (let at = 0; at === 0 || at < checked.length; at += CHECKED_AT_ONCE)
        void this.#check(checked.slice(at, at + CHECKED_AT_ONCE));
      // Several names, permits and readers: no primary can tell on its own whether they are free.
      for (const waiter of first) if (!waiter.acceptsHandoff) waiter.nudge();
    }
    this.#running = false;
  }

  /** Nudges the waiters whose name is free according to a majority, or will be before the next check. */
  async #check(waiters: readonly Waiter[]): Promise<void> {
    const waiting = waiters.map(({ claim: { leaseId, resources } }) => ({
      leaseId,
      resource: resources[0] as string,
    }));
    const call = keepWaiting(this.keys, this.instance, ALIVE_MS, waiting);
    const askedMs = this.clock.monotonicMs();
    const answers = await this.primaries.decide(call, (heard) =>
      heard.pending === 0 ? heard.answers : undefined,
    );
    this.clocks.read(askedMs, answers);
    const views = values(answers);
    waiters.forEach((waiter, at) => {
      const endsInMs = views.map((view) => view.endsInMs[at] as number).sort((one, other) => one - other);
      // Without a majority of answers the waiter makes an attempt, and finds out that there is no quorum.
      const majorityMs = endsInMs[this.primaries.majority - 1] ?? 0;
      if (majorityMs <= 0) this.queues.nudgeFirstIn(waiter, 0);
      else if (majorityMs < POLL_MS) this.queues.nudgeFirstIn(waiter, majorityMs + 1);
    });
  }
}

/** Queues that a primary checks in one script, which takes some tenths of a millisecond. */
const CHECKED_AT_ONCE = 100;
