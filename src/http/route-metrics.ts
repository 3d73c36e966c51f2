import type { Distribution, Tally } from "./series.js";

/** Counts the requests of one route. */
export class RouteMetrics {
  readonly #byMethod = new Map<
    string,
    { readonly durations: Distribution; readonly counts: Map<number | string, Tally> }
  >();

  constructor(
    private readonly durationsOf: (method: string) => Distribution,
    private readonly countOf: (method: string, status: number, code: string) => Tally,
  ) {}

  /** `code`: of the problem, if the answer is one. */
  answered(method: string, status: number, code: string | undefined, ms: number): void {
    const { durations, counts } = keptIn(this.#byMethod, method, () => ({
      durations: this.durationsOf(method),
      counts: new Map(),
    }));
    durations.observe(ms / 1000);
    // A code has one status.
    keptIn(counts, code ?? status, () => this.countOf(method, status, code ?? "")).count++;
  }
}

/** The value of a key, made when it is first asked for. */
export function keptIn<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
