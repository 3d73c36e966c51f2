import { Counter, type CounterConfiguration, Histogram, type HistogramConfiguration } from "prom-client";

// Metrics that every request changes. `prom-client` finds the series of each observation by hashing its labels, some
// 0.8 us; here the caller keeps its series, which are plain numbers until a scrape reads them.

type Labels<L extends string> = Readonly<Record<L, string | number>>;

/** One series of a counter. */
export class Tally {
  count = 0;
}

/** One series of a histogram. */
export class Distribution {
  sum = 0;
  /** How many observations lie at most at each bound, and above all others; not cumulative. */
  readonly counts: number[];

  constructor(private readonly bounds: readonly number[]) {
    this.counts = new Array(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at++;
    (counts[at] as number)++;
    this.sum += value;
  }
}

/** A counter whose series the callers keep. */
export class SeriesCounter<L extends string> extends Counter<L> {
  readonly #series: { readonly labels: Labels<L>; readonly tally: Tally }[] = [];

  constructor(configuration: Omit<CounterConfiguration<L>, "collect">) {
    super({ ...configuration, collect: () => this.#tell() });
  }

  /** A new series: to be asked for once for these labels. It is told from the first scrape on. */
  series(labels: Labels<L>): Tally {
    const tally = new Tally();
    this.#series.push({ labels, tally });
    return tally;
  }

  #tell(): void {
    this.reset();
    for (const { labels, tally } of this.#series) this.inc(labels, tally.count);
  }
}

/** A histogram whose series the callers keep. */
export class SeriesHistogram<L extends string> extends Histogram<L> {
  readonly #series: { readonly labels: Labels<L>; readonly distribution: Distribution }[] = [];
  readonly #about: { readonly name: string; readonly help: string };
  readonly #bounds: readonly number[];

  constructor(configuration: HistogramConfiguration<L> & { readonly buckets: number[] }) {
    super(configuration);
    const { name, help, buckets } = configuration;
    this.#about = { name, help };
    this.#bounds = buckets;
  }

  /** A new series: to be asked for once for these labels. It is told from the first scrape on. */
  series(labels: Labels<L>): Distribution {
    const distribution = new Distribution(this.#bounds);
    this.#series.push({ labels, distribution });
    return distribution;
  }

  /** What a registry and `get` read; prom-client's types do not mention it. */
  async getForPromString() {
    const values = this.#series.flatMap(({ labels, distribution }) => this.#told(labels, distribution));
    return { ...this.#about, type: "histogram", aggregator: "sum", values };
  }

  #told(sharedLabels: Labels<L>, { counts, sum }: Distribution) {
    const { name } = this.#about;
    let count = 0;
    const buckets = counts.map((own, at) => {
      count += own;
      const labels = { le: this.#bounds[at] ?? "+Inf" };
      return { labels, sharedLabels, value: count, metricName: `${name}_bucket` };
    });
    return [
      ...buckets,
      { labels: {}, sharedLabels, value: sum, metricName: `${name}_sum` },
      { labels: {}, sharedLabels, value: count, metricName: `${name}_count` },
    ];
  }
}
