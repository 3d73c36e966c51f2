import { Fifo, type Linked } from "../algorithms/fifo.js";
import type { Clock } from "../clock.js";

/**
 * Runs tasks a while after they were given, unless they are taken back before: who asked only as many as needed asks the others
 * where these take long. One timer watches the oldest task. Source: Dean and Barroso, "The Tail at Scale" (hedged requests).
 */
export class Hedge {
  readonly #waiting = new Fifo<Hedged>();
  #isWatching = false;

  constructor(private readonly clock: Pick<Clock, "after" | "monotonicMs">) {}

  /** Whatever it returns is to be taken back once it is not needed any more. */
  give(task: () => void): Hedged {
    const hedged: Hedged = { task, dueMs: this.clock.monotonicMs() + HEDGE_MS, before: null, after: null };
    this.#waiting.push(hedged);
    if (!this.#isWatching) this.#watch(HEDGE_MS);
    return hedged;
  }

  takeBack(hedged: Hedged): void {
    if (!hedged.task) return;
    hedged.task = null;
    this.#waiting.remove(hedged);
  }

  #watch(ms: number): void {
    this.#isWatching = true;
    this.clock.after(ms, () => {
      const nowMs = this.clock.monotonicMs();
      for (;;) {
        const { first } = this.#waiting;
        this.#isWatching = first !== null;
        if (!first) return;
        if (first.dueMs > nowMs) return this.#watch(Math.ceil(first.dueMs - nowMs));
        const { task } = first;
        this.takeBack(first);
        task?.();
      }
    });
  }
}

/** A task that waits. */
export interface Hedged extends Linked<Hedged> {
  readonly dueMs: number;
  /** Null: it was run, or taken back. */
  task: (() => void) | null;
}

/** Longer than nearly all calls take, and no wait that matters while a primary hangs. */
const HEDGE_MS = 20;
