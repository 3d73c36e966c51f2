import { majorityOf } from "../../algorithms/tally.js";

/** How long the primaries took to answer since it was asked last. */
export class PrimaryDelays {
  readonly #byAddress: ReadonlyMap<string, { sumMs: number; count: number }>;

  constructor(addresses: readonly string[]) {
    this.#byAddress = new Map(addresses.map((address) => [address, { sumMs: 0, count: 0 }]));
  }

  add(address: string, ms: number): void {
    const primary = this.#byAddress.get(address);
    if (!primary) return;
    primary.sumMs += ms;
    primary.count += 1;
  }

  /**
   * The mean of the slowest one that a majority needs, ms: a minority that is slow or away decides nothing, and holds
   * nobody up. Null where fewer were asked.
   */
  take(): number | null {
    const meansMs: number[] = [];
    for (const primary of this.#byAddress.values()) {
      if (primary.count > 0) meansMs.push(primary.sumMs / primary.count);
      primary.sumMs = 0;
      primary.count = 0;
    }
    meansMs.sort((one, other) => one - other);
    return meansMs[majorityOf(this.#byAddress.size) - 1] ?? null;
  }
}
