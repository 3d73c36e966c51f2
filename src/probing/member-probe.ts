import { probeWeight } from "../algorithms/suspicion.js";
import type { Clock, Random } from "../clock.js";
import type { Accusation, Suspicion } from "../primitives/members/suspicions.js";
import type { ProbeOutcome, ProbeResult } from "./probe.js";

/** A member that this instance probes, in turn with others. */
export interface Probed {
  readonly service: string;
  readonly id: string;
  readonly incarnation: number;
  readonly ttlMs: number;
  readonly intervalMs: number;
  /** How many instances take turns. */
  readonly instances: number;
}

export interface MemberProbeDependencies {
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  readonly random: Random;
  /** Makes the probe as soon as this instance has room for one more. */
  readonly look: () => Promise<ProbeResult>;
  readonly report: (accusation: Omit<Accusation, "reporter">) => Promise<Suspicion>;
  readonly seen: (outcome: ProbeOutcome) => void;
}

/**
 * Probes one member, one probe at a time, until it is told to stop. While instances take turns, each waits as many intervals
 * as there are instances, from a random moment on; one that fails looks again after one interval. Enough failures in a row are
 * a report, which is repeated for as long as they go on.
 */
export class MemberProbe {
  #failures = 0;
  #reportsFromMs = Number.NEGATIVE_INFINITY;
  readonly #stopping = new AbortController();

  constructor(
    public probed: Probed,
    private readonly dependencies: MemberProbeDependencies,
  ) {}

  stop(): void {
    this.#stopping.abort();
  }

  async run(): Promise<void> {
    const { clock, random, look, seen } = this.dependencies;
    const { signal } = this.#stopping;
    try {
      await clock.sleep(random() * this.#pauseMs, signal);
      while (!signal.aborted) {
        const { outcome, detail } = await look();
        if (signal.aborted) return;
        seen(outcome);
        if (outcome === "ok") this.#failures = 0;
        else if (outcome === "failed" || outcome === "timeout") await this.#failed(detail);
        await clock.sleep(this.#pauseMs, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  get #pauseMs(): number {
    const { intervalMs, instances } = this.probed;
    return this.#failures > 0 ? intervalMs : intervalMs * instances;
  }

  async #failed(detail: string): Promise<void> {
    const { clock, report } = this.dependencies;
    const { instances } = this.probed;
    this.#failures += 1;
    if (this.#failures < (instances === 1 ? FAILURES_ALONE : FAILURES)) return;
    if (clock.monotonicMs() < this.#reportsFromMs) return;
    try {
      const { windowMs } = await report({ reason: `probe: ${detail}`, weight: probeWeight(instances) });
      // From half its window on it counts as repeated.
      this.#reportsFromMs = clock.monotonicMs() + windowMs / 2;
    } catch {
      // Without a majority, or with too many reports: the next failure tries again.
    }
  }
}

/** In a row. */
const FAILURES = 2;
/** Where no other instance looks as well. */
const FAILURES_ALONE = 3;
