import { CoordinationError } from "../../errors.js";
import type { Handoff } from "../../redis/notifications.js";
import type { Claim } from "../../scripts/lease-calls.js";

/**
 * How a wait ended: it is worth to ask again; a majority have handed on what it waits for; the time is over; the client
 * has gone.
 */
export type WaitOutcome = "try" | "handed" | "late" | "gone";

/** How a request got its lease: its last attempt was granted, or a majority handed on what it offered after that one. */
export type Granted = "asked" | "handed";

/** What a place needs of the room that it is in. */
export interface WaitQueueView {
  readonly majority: number;
  readonly stopped: boolean;
  isFirst(place: QueueEntry): boolean;
  refused(place: QueueEntry): void;
  after(ms: number, task: () => void): () => void;
  monotonicMs(): number;
}

/** A grant by one primary that nobody asked for just then. */
export interface HandoffVote {
  readonly counter: number;
  /** When it was granted at the earliest, by our monotonic clock. */
  readonly sinceMs: number;
}

/**
 * One request's place in the lines of what it wants. Its attempts have the odd turns; what it offers to be handed on
 * after one that was refused has the even turn that follows. So whatever is said of an attempt that is over, or done to
 * clean up after it, never means what was handed on since.
 */
export class QueueEntry {
  #offered = 0;
  #nudged = false;
  #wakeUp: (() => void) | null = null;
  #configuration = "";
  readonly #handoffs = new Map<number, HandoffVote>();
  readonly #notifiers = new Set<number>();
  readonly #voting: Promise<unknown>[] = [];

  constructor(
    readonly claim: Claim,
    readonly ticket: number,
    /** Tells the request from others for the same lease. */
    readonly nonce: string,
    private readonly waitQueue: WaitQueueView,
  ) {}

  /** Whether a primary can grant it what it wants by itself: one name, for it alone. */
  get acceptsHandoff(): boolean {
    const { mode, resources, limit } = this.claim;
    return mode === "exclusive" && resources.length === 1 && limit === null;
  }

  /** The next attempt. Nothing that was handed on before counts any more. */
  begin(): { nonce: string; attemptNumber: number } {
    this.#offered += 2;
    this.#handoffs.clear();
    return { nonce: this.nonce, attemptNumber: this.#offered - 1 };
  }

  /** The turn of what is handed on after the last attempt. */
  get offered(): number {
    return this.#offered;
  }

  decided(voting: readonly Promise<unknown>[]): void {
    voting.forEach((vote, primary) => {
      this.#voting[primary] = this.answered(primary).then(() => vote);
    });
  }

  /** Resolves when no attempt asks the primary any more: what came behind one could be overtaken by it. */
  async answered(primary: number): Promise<unknown> {
    return this.#voting[primary];
  }

  /** What primaries have handed on since the last attempt. */
  get votes(): readonly HandoffVote[] {
    return [...this.#handoffs.values()];
  }

  /** A primary says that it is its turn to ask. One that hurries to the others would be there before the release. */
  notified(primary: number): void {
    this.#notifiers.add(primary);
    if (this.#notifiers.size >= this.waitQueue.majority) this.nudge();
    else if (this.#notifiers.size === 1) this.waitQueue.after(STRAGGLER_MS, () => this.nudge());
  }

  /** A primary says that it has granted it what it waits for. */
  handedOff(primary: number, { attemptNumber, counter, configurationEpoch }: Handoff, sinceMs: number): void {
    // Of an attempt that was over when it was granted: the next one found it, or will.
    if (attemptNumber !== this.#offered) return;
    // Votes of two configurations must not be mixed. Behind it stands the id of the primary.
    const configuration = configurationEpoch.slice(0, configurationEpoch.lastIndexOf(":"));
    if (configuration !== this.#configuration) this.#handoffs.clear();
    this.#configuration = configuration;
    this.#handoffs.set(primary, { counter, sinceMs });
    if (this.#isHandedOff) this.#wakeUp?.();
    else if (this.#handoffs.size === 1)
      this.waitQueue.after(HANDOFF_STRAGGLER_MS, () => attemptNumber === this.#offered && this.nudge());
  }

  get #isHandedOff(): boolean {
    return this.#handoffs.size >= this.waitQueue.majority;
  }

  /** It should ask again. */
  nudge(): void {
    this.#notifiers.clear();
    this.#nudged = true;
    this.#wakeUp?.();
  }

  /** It should ask again in `ms`, if it is first here then. */
  nudgeIn(ms: number): () => void {
    return this.waitQueue.after(ms, () => this.waitQueue.isFirst(this) && this.nudge());
  }

  /**
   * Sleeps until it is worth to ask again: when it is nudged, or `hintMs` from now if it is first then; at the latest at
   * `deadlineMs`. Throws `shutting_down`.
   */
  async wait(deadlineMs: number, hintMs: number, signal?: AbortSignal): Promise<WaitOutcome> {
    const { waitQueue } = this;
    waitQueue.refused(this);
    if (!this.#nudged && !this.#isHandedOff && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const end = () => {
          for (const cancel of timers) cancel();
          signal?.removeEventListener("abort", end);
          this.#wakeUp = null;
          resolve();
        };
        const timers = [waitQueue.after(Math.max(0, deadlineMs - waitQueue.monotonicMs()), end)];
        if (hintMs < POLL_MS) timers.push(this.nudgeIn(hintMs));
        signal?.addEventListener("abort", end);
        this.#wakeUp = end;
      });
    }
    this.#nudged = false;
    if (waitQueue.stopped)
      throw new CoordinationError("shutting_down", "This instance is stopping. Use another.");
    if (signal?.aborted) return "gone";
    if (this.#isHandedOff) return "handed";
    return waitQueue.monotonicMs() >= deadlineMs ? "late" : "try";
  }
}

/** Those who are first in a line are looked after so often, should a message have been lost. */
export const POLL_MS = 800;
/** Of a release the primaries tell within a millisecond of each other, or not at all. */
export const STRAGGLER_MS = 5;
/** What one has granted already is worth to wait for the disks of the others. */
const HANDOFF_STRAGGLER_MS = 20;
