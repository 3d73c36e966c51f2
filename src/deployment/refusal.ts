import type { Judgement } from "../algorithms/configuration.js";
import type { ReconcilerLog } from "./dependencies.js";
import type { ObservedPrimary } from "./prober.js";

type Refused = Extract<Judgement, { readonly kind: "refuse" | "outdated" }>;

/** Whether this instance must not use the primaries as they are. */
export class Refusal {
  /** As logged last. */
  #reason: string | null = null;
  #outdated: string | null = null;

  constructor(private readonly log: ReconcilerLog) {}

  /** Why this instance takes no part until a later version replaces it; null: it may. */
  get outdated(): string | null {
    return this.#outdated;
  }

  /** No primary takes part. */
  begin({ kind, reason }: Refused, observed: readonly ObservedPrimary[]): void {
    for (const { primary } of observed) primary.exclude("misconfigured", reason);
    if (this.#reason !== reason) this.log.warn({ reason }, "these primaries cannot be used");
    this.#reason = reason;
    if (kind === "outdated") this.#outdated = reason;
  }

  end(): void {
    this.#reason = null;
  }

  /** A majority is intact in a configuration that this instance knows how to use. */
  endForGood(): void {
    this.end();
    this.#outdated = null;
  }
}
