import type { Clock, Random } from "../clock.js";
import type { Ids } from "../ids.js";
import type { Keys } from "../scripts/keys.js";

export interface ReconcilerSettings {
  readonly ttlMaxMs: number;
  /** Age at which a primary's counters are rotated, ms; and the number at which they are, `COUNTERS_MAX` by default. */
  readonly rotateAfterMs: number;
  readonly countersMax?: number;
  /** The primaries are the embedded default: they persist nothing, and the JavaScript one has no `run_id`. */
  readonly embedded: boolean;
  /** The latest protocol that this instance knows, `PROTOCOL` by default. */
  readonly protocol?: number;
}

export interface ReconcilerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface ReconcilerDependencies {
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly settings: ReconcilerSettings;
  readonly log: ReconcilerLog;
  /** This instance uses another configuration from now on. */
  readonly onAdopted?: ((version: number) => void) | undefined;
}
