import { type Ballot, ballotAbove, floorOf, roundOf } from "../../algorithms/ballot.js";
import type { Clock } from "../../clock.js";
import type { Ids } from "../../ids.js";

/**
 * The ballots of an instance, each used once. They begin with the wall clock, so that the first one is nearly always above all
 * that others used for the same register before; nothing but the number of tries rests on that clock. Source: Kulkarni et al.,
 * "Logical Physical Clocks" (hybrid logical clocks).
 */
export class Ballots {
  #latest = 0;

  constructor(
    private readonly clock: Pick<Clock, "wallMicros">,
    private readonly ids: Pick<Ids, "hexNonce">,
  ) {}

  /**
   * Above all that this instance has made or seen. `attempt`: of one change. One that others came before is ahead of those that
   * they make in the next milliseconds: they learn of it first, and meanwhile it is made.
   */
  next(attempt = 0): Ballot {
    const ms = this.clock.wallMicros() / 1_000 + attempt * AHEAD_MS;
    const wall = Math.floor(ms * ROUNDS_PER_MS);
    this.#latest = Math.max(this.#latest + 1, Math.min(wall, WALL_MAX));
    return ballotAbove(floorOf(this.#latest - 1), this.ids.hexNonce());
  }

  /** A primary has promised this ballot. */
  saw(ballot: Ballot | null): void {
    const round = ballot === null ? 0 : roundOf(ballot);
    if (round <= SEEN_MAX) this.#latest = Math.max(this.#latest, round);
  }
}

/** More ballots than this in a millisecond run ahead of the clock, as do those of other instances once they saw them. */
const ROUNDS_PER_MS = 16;
/** Longer than a round trip. */
const AHEAD_MS = 50;
/** A clock that is set to the end of time must not use up all rounds. */
const WALL_MAX = 2 ** 46;
/** Nor may one ballot that was never made by the rules. */
const SEEN_MAX = 2 ** 47;
