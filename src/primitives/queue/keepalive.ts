import type { Clock } from "../../clock.js";
import { allAnswered, type Primaries, values } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import { ALIVE_MS, KEEPALIVE_MS, POLL_MS } from "../../scripts/liveness.js";
import { keepWaiting } from "../../scripts/queue-calls.js";
import type { PrimaryClocks } from "./primary-clocks.js";
import type { Waiter } from "./waiter.js";

/** What the keepalive must know of the waiters of this instance. */
export interface Waiters {
  /** False: nobody waits here any more. */
  any(): boolean;
  /** Those that nobody of this instance stands before in any queue. */
  first(): readonly Waiter[];
  /** Nudges the waiter in `ms` if it is first then; 0: now. */
  nudgeFirstIn(waiter: Waiter, ms: number): void;
}

/** While somebody waits here: tells the primaries that this instance lives, and checks whether a notification was lost. */
export class Keepalive {
  #running = false;

  constructor(
    private readonly waiters: Waiters,
    private readonly primaries: Primaries,
    private readonly clocks: PrimaryClocks,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly instance: string,
  ) {}

  /** Runs for as long as somebody waits; starting it again changes nothing. */
  start(): void {
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let beat = 1; this.waiters.any(); beat++) {
      await this.clock.sleep(KEEPALIVE_MS);
      if (!this.waiters.any()) break;
      const first = (beat * KEEPALIVE_MS) % POLL_MS === 0 ? this.waiters.first() : [];
      const checked = first.filter(({ acceptsHandoff }) => acceptsHandoff);
      // At least one call: it also says that this instance lives.
      for (let at = 0; at === 0 || at < checked.length; at += CHECKED_AT_ONCE)
        void this.#check(checked.slice(at, at + CHECKED_AT_ONCE));
      // Several names, permits and readers: no primary can tell on its own whether they are free.
      for (const waiter of first) if (!waiter.acceptsHandoff) waiter.nudge();
    }
    this.#running = false;
  }

  /** Nudges those whose name a majority say is free, or will be before the next check. */
  async #check(waiters: readonly Waiter[]): Promise<void> {
    const waiting = waiters.map(({ claim: { leaseId, resources } }) => ({
      leaseId,
      resource: resources[0] as string,
    }));
    const call = keepWaiting(this.keys, this.instance, ALIVE_MS, waiting);
    const askedMs = this.clock.monotonicMs();
    const answers = await this.primaries.ask(call, allAnswered);
    this.clocks.read(askedMs, answers);
    const views = values(answers);
    waiters.forEach((waiter, at) => {
      const endsInMs = views.map((view) => view.endsInMs[at] as number).sort((one, other) => one - other);
      // Without a majority of answers it asks, and finds out that there is no quorum.
      const majorityMs = endsInMs[this.primaries.majority - 1] ?? 0;
      if (majorityMs <= 0) this.waiters.nudgeFirstIn(waiter, 0);
      else if (majorityMs < POLL_MS) this.waiters.nudgeFirstIn(waiter, majorityMs + 1);
    });
  }
}

/** Queues that a primary checks in one script: some tenths of a millisecond. */
const CHECKED_AT_ONCE = 100;
