import { type ClockReading, earliestMs } from "../../algorithms/validity.js";
import type { Answers } from "../../quorum/answers.js";

/** The latest reading of each primary's clock, used to date the contents of its messages. */
export class PrimaryClocks {
  readonly #readings: (ClockReading | undefined)[] = [];

  /** Records the clock readings in the answers to a call that was sent at `askedMs`. */
  read(askedMs: number, answers: Answers<{ readonly serverMicros: number }>): void {
    answers.forEach((answer, primary) => {
      if (answer?.ok) this.#readings[primary] = { askedMs, serverMicros: answer.value.serverMicros };
    });
  }

  /** The earliest moment, by our monotonic clock, at which the primary's clock can have shown that; infinite: unknown. */
  earliestMs(primary: number, serverMicros: number): number {
    const reading = this.#readings[primary];
    return reading ? earliestMs(reading, serverMicros) : Number.POSITIVE_INFINITY;
  }
}
