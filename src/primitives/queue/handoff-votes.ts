import type { Handoff } from "../../redis/notifications.js";

/** A grant by one primary that no acquire requested at that moment. */
export interface HandoffVote {
  readonly counter: number;
  /** The earliest moment at which it was granted, by our monotonic clock, ms. */
  readonly sinceMs: number;
}

/**
 * The grants that primaries handed off to one waiter after its last attempt. Attempts have odd numbers; a handoff after
 * attempt 1 carries the number 2. So no reply to an earlier attempt, and no cleanup after one, is ever mistaken for a
 * later handoff.
 */
export class HandoffVotes {
  #attemptNumber = 0;
  #configuration = "";
  readonly #votes = new Map<number, HandoffVote>();

  constructor(private readonly majority: number) {}

  /** The number that a handoff carries after the last attempt. */
  get attemptNumber(): number {
    return this.#attemptNumber;
  }

  /** The latest vote of each primary. */
  get votes(): readonly HandoffVote[] {
    return [...this.#votes.values()];
  }

  get isMajority(): boolean {
    return this.#votes.size >= this.majority;
  }

  /** Begins the next attempt and returns its number. No earlier vote counts any more. */
  nextAttempt(): number {
    this.#attemptNumber += 2;
    this.#votes.clear();
    return this.#attemptNumber - 1;
  }

  /** False: the handoff belongs to an earlier attempt. The next attempt found it, or will. */
  add(primary: number, handoff: Handoff, sinceMs: number): boolean {
    if (handoff.attemptNumber !== this.#attemptNumber) return false;
    // Votes of two configurations must not be mixed. The epoch ends with the id of the primary.
    const configuration = handoff.configurationEpoch.slice(0, handoff.configurationEpoch.lastIndexOf(":"));
    if (configuration !== this.#configuration) this.#votes.clear();
    this.#configuration = configuration;
    this.#votes.set(primary, { counter: handoff.counter, sinceMs });
    return true;
  }
}
