import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../../src/clock.js";

/** Time that passes only when a test says so. */
export class FakeClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly task: () => void }>();

  readonly monotonicMs = (): number => this.#nowMs;
  readonly wallMicros = (): number => this.#nowMs * 1000;

  readonly after = (ms: number, task: () => void): (() => void) => {
    const timer = { atMs: this.#nowMs + ms, task };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  /** Tasks of `soon` that are still to run. */
  #soon = 0;
  readonly soon = (task: () => void): void => {
    this.#soon += 1;
    setImmediate(() => {
      this.#soon -= 1;
      task();
    });
  };

  readonly sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const abort = () => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = this.after(ms, () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      });
      signal?.addEventListener("abort", abort);
    });

  /** Timers that have not fired: none once nothing waits. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets `ms` pass: every timer in its turn, and whatever follows from it at once. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      do await settled();
      while (this.#soon > 0);
      const due = [...this.#timers]
        .filter(({ atMs }) => atMs <= untilMs)
        .sort((one, other) => one.atMs - other.atMs)[0];
      if (!due) break;
      this.#timers.delete(due);
      this.#nowMs = due.atMs;
      due.task();
    }
    this.#nowMs = untilMs;
  }
}

/** When all promises that could go on without time passing have done so. */
export async function settled(): Promise<void> {
  await turn();
}
