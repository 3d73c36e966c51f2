import type { Clock } from "../../clock.js";
import type { Handoff } from "../../redis/notifications.js";
import type { Claim } from "../../scripts/lease-calls.js";

/** How a wait ended. `handoff`: a majority granted the lease; `retry`: another attempt is worthwhile. */
export type WaitOutcome = "retry" | "handoff" | "timed_out" | "disconnected";

/** The part of an AbortSignal that a wait needs. */
export interface Departure {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** A grant by one primary that no acquire requested at that moment. */
interface HandoffVote {
  readonly counter: number;
  /** The earliest moment at which it was granted, by our monotonic clock, ms. */
  readonly sinceMs: number;
}

/**
 * One request in the queues of its names: it sleeps until primaries or the clock give it a reason to act.
 *
 * It counts the grants that primaries handed off to it after its last attempt. Attempts have odd numbers; a handoff after
 * attempt 1 carries the number 2. So no reply to an earlier attempt, and no cleanup after one, is ever mistaken for a
 * later handoff.
 */
export class Waiter {
  #nudged = false;
  #wakeUp: (() => void) | null = null;
  /** The number that a handoff carries after the last attempt. */
  #handoffNumber = 0;
  /** The latest vote of each primary, all of them in one configuration. */
  readonly #handoffs = new Map<number, HandoffVote>();
  #configuration = "";
  /** Primaries that notified it since the last attempt. */
  readonly #notifiers = new Set<number>();
  readonly #voting: Promise<unknown>[] = [];

  constructor(
    readonly claim: Claim,
    readonly ticket: number,
    /** Distinguishes the request from others for the same lease. */
    readonly nonce: string,
    private readonly majority: number,
    private readonly clock: Pick<Clock, "after" | "monotonicMs">,
  ) {}

  /** Whether one primary can grant the claim on its own: a single name, exclusively. */
  get acceptsHandoff(): boolean {
    const { mode, resources, limit } = this.claim;
    return mode === "exclusive" && resources.length === 1 && limit === null;
  }

  /** The number that a handoff carries after the last attempt. */
  get handoffNumber(): number {
    return this.#handoffNumber;
  }

  /** The grants handed off since the last attempt. */
  get votes(): readonly HandoffVote[] {
    return [...this.#handoffs.values()];
  }

  /** Begins the next attempt: no earlier vote counts any more. */
  begin(): { nonce: string; attemptNumber: number } {
    this.#handoffNumber += 2;
    this.#handoffs.clear();
    return { nonce: this.nonce, attemptNumber: this.#handoffNumber - 1 };
  }

  decided(voting: readonly Promise<unknown>[]): void {
    voting.forEach((vote, primary) => {
      this.#voting[primary] = this.answered(primary).then(() => vote);
    });
  }

  /** Resolves when no attempt is pending at the primary: a message sent before that could overtake the attempt. */
  async answered(primary: number): Promise<unknown> {
    return this.#voting[primary];
  }

  /** A primary reports that the waiter may try. It waits for a majority: the release may not have reached the others. */
  notified(primary: number): void {
    this.#notifiers.add(primary);
    if (this.#notifiers.size >= this.majority) this.nudge();
    else if (this.#notifiers.size === 1) this.clock.after(STRAGGLER_MS, () => this.nudge());
  }

  /** A primary reports that it has granted the lease. */
  handedOff(primary: number, handoff: Handoff, sinceMs: number): void {
    const { attemptNumber, counter, configurationEpoch } = handoff;
    // One that belongs to an earlier attempt was found by the next attempt, or will be.
    if (attemptNumber !== this.#handoffNumber) return;
    // Votes of two configurations must not be mixed. The epoch ends with the id of the primary.
    const configuration = configurationEpoch.slice(0, configurationEpoch.lastIndexOf(":"));
    if (configuration !== this.#configuration) this.#handoffs.clear();
    this.#configuration = configuration;
    this.#handoffs.set(primary, { counter, sinceMs });
    if (this.#isHandedOff) this.#wakeUp?.();
    else if (this.#handoffs.size === 1)
      this.clock.after(HANDOFF_STRAGGLER_MS, () => attemptNumber === this.#handoffNumber && this.nudge());
  }

  get #isHandedOff(): boolean {
    return this.#handoffs.size >= this.majority;
  }

  /** Ends the wait: another attempt is worthwhile. */
  nudge(): void {
    this.#notifiers.clear();
    this.#nudged = true;
    this.#wakeUp?.();
  }

  /** Sleeps until a nudge, a majority of handoffs, the signal, or `deadlineMs` of the monotonic clock. */
  async sleep(deadlineMs: number, signal?: Departure): Promise<WaitOutcome> {
    if (!this.#nudged && !this.#isHandedOff && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const end = () => {
          cancel();
          signal?.removeEventListener("abort", end);
          this.#wakeUp = null;
          resolve();
        };
        const cancel = this.clock.after(Math.max(0, deadlineMs - this.clock.monotonicMs()), end);
        signal?.addEventListener("abort", end);
        this.#wakeUp = end;
      });
    }
    this.#nudged = false;
    if (signal?.aborted) return "disconnected";
    if (this.#isHandedOff) return "handoff";
    return this.clock.monotonicMs() >= deadlineMs ? "timed_out" : "retry";
  }
}

/** The primaries notify of one release within a millisecond of each other, or not at all. */
export const STRAGGLER_MS = 5;
/** A grant by one primary is worth waiting for the disks of the others. */
const HANDOFF_STRAGGLER_MS = 20;
