import { guardFor } from "../../algorithms/guard.js";
import type { Primaries } from "../../quorum/primaries.js";
import { beginGuard, readGuard } from "../../scripts/guard-calls.js";
import type { Keys } from "../../scripts/keys.js";

export interface GuardObserver {
  /** More of a service would have expired than is likely: its members are kept for so long. */
  guarded?(service: string, forMs: number): void;
}

/**
 * Guards against mass expiry. A primary on which too many members of a service fall silent together holds back their
 * tombstones and asks for a guard; while there is one on a majority, no majority can say that any of them has expired.
 */
export class Guards {
  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly observer: GuardObserver = {},
  ) {}

  /** By the service: each primary asks for it at about the same time. */
  readonly #beginning = new Map<string, Promise<void>>();

  /** Brings the guard that there is to the primaries that lack it; where there is none, a new one to all. Throws `no_quorum`. */
  begin(service: string): Promise<void> {
    const known = this.#beginning.get(service);
    if (known) return known;
    const begun = this.#begin(service).finally(() => this.#beginning.delete(service));
    this.#beginning.set(service, begun);
    return begun;
  }

  async #begin(service: string): Promise<void> {
    const { primaries, keys } = this;
    const known = await primaries.askAll(readGuard(keys, service));
    const guard = guardFor(known);
    await primaries.askMajority(beginGuard(keys, service, guard));
    if (known.every((one) => one === null)) this.observer.guarded?.(service, guard.endsInMs);
  }
}
