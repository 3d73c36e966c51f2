import { DIFFERENCES, type Difference } from "../../algorithms/copies.js";
import { repliedByMajority } from "../../algorithms/tally.js";
import type { Clock, Random } from "../../clock.js";
import type { Ids } from "../../ids.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Primary } from "../../redis/primary.js";
import type { Keys } from "../../scripts/keys.js";
import { takeTurn } from "../../scripts/turn-calls.js";

/** Compares the copies of one kind of records, part by part. */
export interface Comparison {
  /** Names it in metrics. */
  readonly kind: string;
  /** Compares all there is. Awaits `pass.pause` between parts. Throws `no_quorum`. */
  run(pass: Pass): Promise<void>;
}

/** What a comparison tells of one pass, and how it is slowed down. */
export interface Pass {
  /** A primary's copy differs, twice in a row. `isRepaired`: it got the right one. */
  found(primary: Primary, difference: Difference, isRepaired: boolean): void;
  /** Lets others have the primaries for a while. Throws where the pass is to end. */
  pause(ms: number): Promise<void>;
}

/** What a comparison found at one primary in the last pass of this instance. */
export interface Found extends Readonly<Record<Difference, number>> {
  readonly repaired: number;
  /** When the pass ended, on the monotonic clock. */
  readonly atMs: number;
}

export interface AntiEntropyObserver {
  differs(primary: Primary, kind: string, difference: Difference): void;
  repaired(primary: Primary, kind: string): void;
  compared(outcome: "complete" | "interrupted"): void;
}

/**
 * Compares what the primaries store, all the time, slowly, and repairs what differs: also what nobody reads. Instances take
 * turns, so that their number makes no difference. Nothing relies on it.
 */
export class AntiEntropy {
  readonly #found = new Map<Primary, Found>();
  #nonce: string | undefined;
  #closed = false;

  constructor(
    private readonly primaries: Primaries,
    private readonly comparisons: readonly Comparison[],
    private readonly dependencies: {
      readonly keys: Keys;
      readonly clock: Clock;
      readonly random: Random;
      readonly ids: Pick<Ids, "nonce">;
    },
    private readonly intervalMs: number,
    private readonly observer: AntiEntropyObserver | undefined,
  ) {
    void this.#keepOn();
  }

  /** Null: this instance has not ended a pass yet. */
  foundAt(primary: Primary): Found | null {
    return this.#found.get(primary) ?? null;
  }

  close(): void {
    this.#closed = true;
  }

  async #keepOn(): Promise<void> {
    const { clock, random } = this.dependencies;
    let waitMs = this.intervalMs / 4;
    while (!this.#closed) {
      await clock.sleep(waitMs);
      // Instances that started together must not go on looking together.
      waitMs = this.intervalMs * (0.75 + random() / 2);
      if (this.#closed) return;
      const outcome = await this.#turn();
      if (outcome) this.observer?.compared(outcome);
    }
  }

  /** One pass, if it is the turn of this instance. */
  async #turn(): Promise<"complete" | "interrupted" | null> {
    try {
      if (!(await this.#take())) return null;
    } catch {
      // No quorum: others know what to do.
      return null;
    }
    const counts = new Map(this.primaries.all.map((primary) => [primary, none()]));
    try {
      for (const comparison of this.comparisons) await comparison.run(this.#pass(comparison.kind, counts));
    } catch {
      return "interrupted";
    }
    const atMs = this.dependencies.clock.monotonicMs();
    for (const [primary, count] of counts) this.#found.set(primary, { ...count, atMs });
    return "complete";
  }

  #pass(kind: string, counts: ReadonlyMap<Primary, Counts>): Pass {
    const { clock } = this.dependencies;
    let takenAtMs = clock.monotonicMs();
    return {
      found: (primary, difference, isRepaired) => {
        const count = counts.get(primary);
        if (count) count[difference] += 1;
        this.observer?.differs(primary, kind, difference);
        if (!isRepaired) return;
        if (count) count.repaired += 1;
        this.observer?.repaired(primary, kind);
      },
      pause: async (ms) => {
        await clock.sleep(ms);
        if (this.#closed) throw new Error("this instance is closed");
        if (clock.monotonicMs() - takenAtMs < this.intervalMs / 2) return;
        takenAtMs = clock.monotonicMs();
        await this.#take();
      },
    };
  }

  /** Whether a majority say that it is this instance's turn. Throws `no_quorum`. */
  #take(): Promise<boolean> {
    const { keys, ids } = this.dependencies;
    const { majority } = this.primaries;
    this.#nonce ??= ids.nonce();
    return this.primaries.decide(
      takeTurn(keys, "anti-entropy", this.#nonce, this.intervalMs),
      ({ values }) => repliedByMajority(values, majority),
      { lastWord: ({ values }) => (values.length >= majority ? false : undefined) },
    );
  }
}

type Counts = Record<Difference | "repaired", number>;

function none(): Counts {
  const zeros = DIFFERENCES.map((difference) => [difference, 0]);
  return { ...(Object.fromEntries(zeros) as Record<Difference, number>), repaired: 0 };
}
