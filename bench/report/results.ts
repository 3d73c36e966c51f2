import type { Contender, Measured, Round } from "../comparison/rounds.js";
import { type Spread, spread } from "../comparison/statistics.js";
import type { Sample } from "../load/closed-loop.js";

/** All that a run has measured: `bench/results/latest.json`. */
export interface Results {
  /** Changes when the format does. */
  readonly format: 1;
  readonly takenAt: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGb: number;
    readonly kernel: string;
    /** Load average over a minute, before the run: what else the machine did. */
    readonly loadBefore: number;
  };
  /** Of programs and packages that took part. */
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: {
    readonly rounds: number;
    readonly turnMs: number;
    readonly before: string | null;
    readonly peers: boolean;
  };
  /** Peers that did not take part, and how to install them. */
  readonly missing: readonly string[];
  readonly areas: readonly AreaResults[];
}

export interface AreaResults {
  readonly name: string;
  readonly about: string;
  readonly settings: readonly string[];
  readonly contenders: readonly ContenderResults[];
  readonly figures: readonly Measured[];
}

/** What a contender did, in its own units: of this machine and this run only. */
export interface ContenderResults {
  readonly id: string;
  readonly label: string;
  readonly metrics: Readonly<Partial<Record<keyof Sample, Spread>>>;
}

export function contenderResults(
  contenders: readonly Contender[],
  rounds: readonly Round[],
): ContenderResults[] {
  return contenders.map(({ id, label }) => {
    const samples = rounds.map((round) => round.get(id) ?? {});
    const metrics = METRICS.flatMap((metric) => {
      const values = samples.flatMap((sample) => sample[metric] ?? []);
      return values.length > 0 ? [[metric, spread(values)] as const] : [];
    });
    return { id, label, metrics: Object.fromEntries(metrics) };
  });
}

const METRICS = [
  "perSecond",
  "p50Ms",
  "p99Ms",
  "p999Ms",
  "cpuMicros",
  "garbageBytes",
  "refused",
  "loadCpu",
] as const;
