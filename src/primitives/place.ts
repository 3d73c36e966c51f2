import { shuttingDown } from "../errors.js";
import type { Claim } from "../redis/lease-calls.js";
import type { Handed } from "../redis/wakes.js";

/**
 * How a wait ended: it is worth to ask again; a majority have handed on what it waits for; the time is over; the client
 * has gone.
 */
export type Turn = "try" | "handed" | "late" | "gone";

/** How a request got its lease: its last attempt was granted, or a majority handed on what it offered after that one. */
export type Granted = "asked" | "handed";

/** What a place needs of the room that it is in. */
export interface Room {
  readonly majority: number;
  readonly stopped: boolean;
  isFirst(place: Place): boolean;
  refused(place: Place): void;
  after(ms: number, task: () => void): () => void;
  monotonicMs(): number;
}

/** A grant by one primary that nobody asked for just then. */
export interface HandedVote {
  readonly counter: number;
  /** When it was granted at the earliest, by our monotonic clock. */
  readonly sinceMs: number;
}

/**
 * One request's place in the lines of what it wants. Its attempts have the odd turns; what it offers to be handed on
 * after one that was refused has the even turn that follows. So whatever is said of an attempt that is over, or done to
 * clean up after it, never means what was handed on since.
 */
export class Place {
  #offered = 0;
  #nudged = false;
  #wake: (() => void) | null = null;
  #configuration = "";
  readonly #handed = new Map<number, HandedVote>();
  readonly #callers = new Set<number>();
  readonly #voting: Promise<unknown>[] = [];

  constructor(
    readonly claim: Claim,
    readonly ticket: number,
    /** Tells the request from others for the same lease. */
    readonly nonce: string,
    private readonly room: Room,
  ) {}

  /** Whether a primary can grant it what it wants by itself: one name, for it alone. */
  get handedOn(): boolean {
    const { mode, resources, limit } = this.claim;
    return mode === "exclusive" && resources.length === 1 && limit === null;
  }

  /** The next attempt. Nothing that was handed on before counts any more. */
  begin(): { nonce: string; turn: number } {
    this.#offered += 2;
    this.#handed.clear();
    return { nonce: this.nonce, turn: this.#offered - 1 };
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
  get votes(): readonly HandedVote[] {
    return [...this.#handed.values()];
  }

  /** A primary says that it is its turn to ask. One that hurries to the others would be there before the release. */
  called(primary: number): void {
    this.#callers.add(primary);
    if (this.#callers.size >= this.room.majority) this.nudge();
    else if (this.#callers.size === 1) this.room.after(STRAGGLER_MS, () => this.nudge());
  }

  /** A primary says that it has granted it what it waits for. */
  handed(primary: number, { turn, counter, stamp }: Handed, sinceMs: number): void {
    // Of an attempt that was over when it was granted: the next one found it, or will.
    if (turn !== this.#offered) return;
    // Votes of two configurations must not be mixed. Behind it stands the id of the primary.
    const configuration = stamp.slice(0, stamp.lastIndexOf(":"));
    if (configuration !== this.#configuration) this.#handed.clear();
    this.#configuration = configuration;
    this.#handed.set(primary, { counter, sinceMs });
    if (this.#isHanded) this.#wake?.();
    else if (this.#handed.size === 1)
      this.room.after(HANDED_STRAGGLER_MS, () => turn === this.#offered && this.nudge());
  }

  get #isHanded(): boolean {
    return this.#handed.size >= this.room.majority;
  }

  /** It should ask again. */
  nudge(): void {
    this.#callers.clear();
    this.#nudged = true;
    this.#wake?.();
  }

  /** It should ask again in `ms`, if it is first here then. */
  nudgeIn(ms: number): () => void {
    return this.room.after(ms, () => this.room.isFirst(this) && this.nudge());
  }

  /**
   * Sleeps until it is worth to ask again: when it is nudged, or `hintMs` from now if it is first then; at the latest at
   * `deadlineMs`. Throws `shutting_down`.
   */
  async turn(deadlineMs: number, hintMs: number, signal?: AbortSignal): Promise<Turn> {
    const { room } = this;
    room.refused(this);
    if (!this.#nudged && !this.#isHanded && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const end = () => {
          for (const cancel of timers) cancel();
          signal?.removeEventListener("abort", end);
          this.#wake = null;
          resolve();
        };
        const timers = [room.after(Math.max(0, deadlineMs - room.monotonicMs()), end)];
        if (hintMs < POLL_MS) timers.push(this.nudgeIn(hintMs));
        signal?.addEventListener("abort", end);
        this.#wake = end;
      });
    }
    this.#nudged = false;
    if (room.stopped) throw shuttingDown();
    if (signal?.aborted) return "gone";
    if (this.#isHanded) return "handed";
    return room.monotonicMs() >= deadlineMs ? "late" : "try";
  }
}

/** Those who are first in a line are looked after so often, should a message have been lost. */
export const POLL_MS = 800;
/** Of a release the primaries tell within a millisecond of each other, or not at all. */
export const STRAGGLER_MS = 5;
/** What one has granted already is worth to wait for the disks of the others. */
const HANDED_STRAGGLER_MS = 20;
