import type { Scheduler } from "./scheduler.js";

/** One direction between two machines: a FIFO channel. Messages arrive in order, possibly late; while it is closed they wait. */
export class FifoChannel {
  #closed = false;
  #lastMs = Number.NEGATIVE_INFINITY;
  readonly #arriving: (() => void)[] = [];

  constructor(private readonly scheduler: Scheduler) {}

  send(delayMs: number, arrive: () => void): void {
    const atMs = Math.max(this.scheduler.nowMs() + delayMs, this.#lastMs);
    this.#lastMs = atMs;
    this.scheduler.at(atMs, () => {
      this.#arriving.push(arrive);
      this.#deliver();
    });
  }

  /** From now on nothing arrives. */
  close(): void {
    this.#closed = true;
  }

  /** What waited arrives, in its order. */
  open(): void {
    if (!this.#closed) return;
    this.#closed = false;
    this.scheduler.after(0, () => this.#deliver());
  }

  #deliver(): void {
    while (!this.#closed) {
      const arrive = this.#arriving.shift();
      if (!arrive) return;
      arrive();
    }
  }

  get isClosed(): boolean {
    return this.#closed;
  }
}
