import { PrimaryFailure, reasonOf } from "../redis/failures.js";
import type { Primary } from "../redis/primary.js";
import type { ReconcilerLog } from "./dependencies.js";

/** What keeps primaries from being readmitted, as far as is known. Each obstacle is logged once. */
export class Obstacles {
  readonly #known = new Map<Primary, string>();

  constructor(private readonly log: ReconcilerLog) {}

  has(primary: Primary): boolean {
    return this.#known.has(primary);
  }

  /** Records a failure, unless the primary has just changed: then its next observation shows more. */
  note(primary: Primary, error: unknown): void {
    if (error instanceof PrimaryFailure && (error.kind === "stale_epoch" || error.kind === "not_sent"))
      return;
    const reason = reasonOf(error);
    if (this.#known.get(primary) !== reason)
      this.log.warn({ primary: primary.address, reason }, "readmission is interrupted");
    this.#known.set(primary, reason);
    this.exclude(primary);
  }

  clear(primary: Primary): void {
    this.#known.delete(primary);
  }

  /** The primary takes no part until it is readmitted. */
  exclude(primary: Primary): void {
    const obstacle = this.#known.get(primary);
    primary.exclude("readmitting", obstacle ? `${READMITTING}; but ${obstacle}` : READMITTING);
  }
}

const READMITTING = "it restarted, or was a replica: what it may have forgotten is copied to it";
