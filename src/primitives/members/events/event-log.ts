import type { Clock } from "../../../clock.js";
import type { StoredEvent } from "../../../scripts/event-calls.js";

/** One thing that watchers of a service are told. */
export type Message =
  | {
      readonly kind: StoredEvent["kind"];
      readonly event: StoredEvent;
      /** Who began with a snapshot knows it from there. */
      readonly isKnown: boolean;
      /** Where somebody is who was told this and all before. */
      readonly position: string | null;
    }
  | { readonly kind: "ring-changed"; readonly ringId: string };

/**
 * The latest messages of one service, once for all who watch it: each watcher only knows where in it it is. A watcher that is
 * too slow finds its place gone.
 */
export class EventLog {
  #messages: Message[] = [];
  /** The number of the first message that is kept. */
  #first = 0;
  #waiting = new Set<() => void>();

  constructor(private readonly clock: Clock) {}

  /** The number of the next message. */
  get end(): number {
    return this.#first + this.#messages.length;
  }

  push(message: Message): void {
    this.#messages.push(message);
    if (this.#messages.length > MESSAGES_MAX) {
      this.#messages.splice(0, MESSAGES_DROPPED);
      this.#first += MESSAGES_DROPPED;
    }
    this.wake();
  }

  /** Messages from this number on, at most `most`; null: they are kept no more. */
  from(at: number, most: number): readonly Message[] | null {
    if (at < this.#first) return null;
    return this.#messages.slice(at - this.#first, at - this.#first + most);
  }

  /** Resolves when `wake` is called, at the deadline, or when the signal aborts. */
  wait(deadlineMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        this.#waiting.delete(end);
        cancel();
        signal.removeEventListener("abort", end);
        resolve();
      };
      const cancel = this.clock.after(Math.max(0, deadlineMs - this.clock.monotonicMs()), end);
      this.#waiting.add(end);
      signal.addEventListener("abort", end);
      if (signal.aborted) end();
    });
  }

  /** A few in each turn of the event loop: thousands of watchers in one turn would stall everything else. */
  wake(): void {
    const all = [...this.#waiting];
    this.#waiting = new Set();
    const some = (from: number) => {
      for (const end of all.slice(from, from + WOKEN_AT_ONCE_MAX)) end();
      if (from + WOKEN_AT_ONCE_MAX < all.length) this.clock.soon(() => some(from + WOKEN_AT_ONCE_MAX));
    };
    some(0);
  }
}

/** As much as a watcher may be behind. */
const MESSAGES_MAX = 2_000;
const MESSAGES_DROPPED = 500;
/** A millisecond or two of work. */
const WOKEN_AT_ONCE_MAX = 64;
