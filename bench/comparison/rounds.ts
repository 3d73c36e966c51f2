import type { Sample } from "../load/closed-loop.js";
import { type Spread, spread } from "./statistics.js";

/** One of those that take turns in a comparison. */
export interface Contender {
  /** Short and unique within its comparison. */
  readonly id: string;
  readonly label: string;
  /** One turn of about `ms`. */
  turn(ms: number): Promise<Sample>;
}

/** The samples of one round, by the ids of the contenders. */
export type Round = ReadonlyMap<string, Sample>;

/** What a report is about: a ratio of contenders within one round. */
export interface Figure {
  readonly label: string;
  /** What the ratio should be at least or at most. A goal is shown, and never a verdict. */
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number };
  /** Of a figure that is no ratio. */
  readonly unit?: "bytes" | "ms" | "%";
  of(sample: (id: string) => Sample): number;
}

/** A figure with its values of all rounds. */
export interface Measured extends Spread {
  readonly label: string;
  readonly goal: Figure["goal"] | null;
  readonly unit: Figure["unit"] | null;
}

/**
 * Lets all contenders take turns, after a warm-up each, and then so often as there are rounds. The first one changes with
 * the round, so that a drift of the machine within a round cancels out.
 */
export async function takeTurns(
  contenders: readonly Contender[],
  { rounds, turnMs }: { readonly rounds: number; readonly turnMs: number },
  progress: (text: string) => void = () => {},
): Promise<Round[]> {
  for (const { label, turn } of contenders) {
    progress(`warm-up: ${label}`);
    await turn(Math.min(2 * turnMs, WARM_UP_MS));
  }
  const all: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    const samples = new Map<string, Sample>();
    for (const { id, label, turn } of orderOf(contenders, round)) {
      progress(`round ${round + 1} of ${rounds}: ${label}`);
      samples.set(id, await turn(turnMs));
    }
    all.push(samples);
  }
  return all;
}

/** The contenders in the order of a round: A B C, then B C A, then C A B. */
export function orderOf<T>(contenders: readonly T[], round: number): readonly T[] {
  const first = round % Math.max(1, contenders.length);
  return [...contenders.slice(first), ...contenders.slice(0, first)];
}

/** The figures whose contenders all took part. */
export function measure(figures: readonly Figure[], rounds: readonly Round[]): Measured[] {
  return figures.flatMap((figure) => {
    try {
      const values = rounds.map((round) => figure.of((id) => sampleOf(round, id)));
      return [
        { label: figure.label, goal: figure.goal ?? null, unit: figure.unit ?? null, ...spread(values) },
      ];
    } catch (error) {
      if (error instanceof Absent) return [];
      throw error;
    }
  });
}

class Absent extends Error {}

function sampleOf(round: Round, id: string): Sample {
  const sample = round.get(id);
  if (!sample) throw new Absent(id);
  return sample;
}

/** Metrics of a sample that figures are made of. */
export type Metric = Exclude<keyof Sample, "loadCpu" | "refused">;

/** How many times as much of `metric` one contender has as another. */
export function times(
  label: string,
  metric: Metric,
  [of, to]: readonly [string, string],
  goal?: Figure["goal"],
): Figure {
  return {
    label,
    ...(goal && { goal }),
    of: (sample) => (sample(of)[metric] ?? Number.NaN) / (sample(to)[metric] ?? Number.NaN),
  };
}

/** Enough for the compiler of the runtime to have seen each path some thousand times. */
const WARM_UP_MS = 2_000;
