import { failure, type QuorateError } from "./errors.js";
import { watchful } from "./watchful.js";
import type { Clock } from "./world.js";

/** What every grant of a lease has. */
export interface Grant {
  readonly leaseId: string;
  readonly ttlMs: number;
  readonly validForMs: number;
  readonly waitedMs: number;
  /** Of a lock or permits. */
  readonly fencingToken?: number;
  /** The token of a term of office. */
  readonly term?: number;
}

/** Until when a grant may be trusted, given when its request was sent; both on the monotonic clock, ms. */
export function trustedUntilMs(
  sentAtMs: number,
  { waitedMs, validForMs }: Pick<Grant, "waitedMs" | "validForMs">,
): number {
  return sentAtMs + waitedMs + validForMs - TIMER_MS;
}

/** Timers fire up to so much late, even where nothing keeps the event loop busy. */
const TIMER_MS = 2;

/** Where a deadline is kept: on the monotonic clock, ms. */
export interface Deadline {
  get(): number;
  set(ms: number): void;
}

/**
 * How long a lease may be trusted. The signal aborts when that is over, at the latest at the deadline. Where a timer could
 * not fire in time, since the event loop was blocked, a look at the signal or at `remainingMs` aborts it.
 */
export class Validity {
  /** Made when it is asked for: much work never looks at it. */
  #controller: AbortController | undefined;
  #cancel: () => void = () => {};
  #over = false;
  #reason: QuorateError | undefined;
  readonly #listeners: (() => void)[] = [];
  /** The last failure to renew: the likely cause of a deadline that passes. */
  lastFailure: unknown;

  constructor(
    private readonly clock: Clock,
    private deadline: Deadline,
  ) {
    this.#watch();
  }

  get signal(): AbortSignal {
    this.remainingMs();
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      watchful(this.#controller.signal, () => void this.remainingMs());
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Why the lease is lost; undefined: it is not, as far as was noticed. */
  get reason(): QuorateError | undefined {
    return this.#reason;
  }

  get deadlineMs(): number {
    return this.deadline.get();
  }

  /** Time for which the lease may still be trusted, ms; 0: it may not. */
  remainingMs(): number {
    if (this.#over) return 0;
    const leftMs = this.deadline.get() - this.clock.monotonicMs();
    if (leftMs > 0) return leftMs;
    this.lose(
      failure("deadline", "The lease was not renewed in time. Stop what it protects.", {}, this.lastFailure),
    );
    return 0;
  }

  /** Throws why the lease is lost. */
  throwIfLost(): void {
    this.remainingMs();
    if (this.#reason) throw this.#reason;
  }

  /** Calls `listener` once when the lease is lost, before the signal aborts; at once where it is lost already. */
  whenLost(listener: () => void): void {
    if (this.#reason) listener();
    else this.#listeners.push(listener);
  }

  /** Moves the deadline, never back; a lease that cannot be trusted any more stays so. */
  extend(deadlineMs: number): void {
    if (this.remainingMs() > 0 && deadlineMs > this.deadline.get()) this.deadline.set(deadlineMs);
  }

  /** Keeps the deadline elsewhere from now on. */
  moveTo(deadline: Deadline): void {
    deadline.set(this.deadline.get());
    this.deadline = deadline;
  }

  lose(reason: QuorateError): void {
    if (this.#over) return;
    this.end();
    this.#reason = reason;
    for (const listener of this.#listeners) listener();
    this.#controller?.abort(reason);
  }

  /** The holder gives the lease back: it is not to be trusted any more, and nobody has to be told. */
  end(): void {
    this.#over = true;
    this.#cancel();
  }

  #watch(): void {
    const leftMs = this.remainingMs();
    if (leftMs > 0) this.#cancel = this.clock.after(leftMs, () => this.#watch());
  }
}

/** A deadline of this thread. */
export function localDeadline(ms: number): Deadline {
  let deadlineMs = ms;
  return {
    get: () => deadlineMs,
    set: (next) => {
      deadlineMs = next;
    },
  };
}
