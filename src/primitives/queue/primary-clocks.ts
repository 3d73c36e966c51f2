import { type ClockReading, earliestMs } from "../../algorithms/validity.js";
import type { Answers } from "../../quorum/primaries.js";

/** The latest reading of each primary's clock: it dates what a message says. */
export class PrimaryClocks {
  readonly #readings: (ClockReading | undefined)[] = [];

  /** Notes what the answers of a call that was sent at `askedMs` show. */
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
