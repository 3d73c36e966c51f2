import { AggregatorRegistry } from "prom-client";
import type { MetricsSnapshot } from "../http/metrics.js";

/**
 * The metrics of a port, from those of its workers: each by the aggregation that it declares. What ended workers have
 * counted stays in the totals, since Prometheus takes a total that falls for a restart.
 */
export class PortMetrics {
  readonly #latest = new Map<number, MetricsSnapshot>();
  #ended: MetricsSnapshot = [];

  update(worker: number, metrics: MetricsSnapshot): void {
    this.#latest.set(worker, metrics);
  }

  /** The worker's gauges end with it, its totals do not. */
  end(worker: number): void {
    const totals = (this.#latest.get(worker) ?? []).filter(({ type }) => TOTALS.has(String(type)));
    this.#latest.delete(worker);
    if (totals.length > 0) this.#ended = aggregated([this.#ended, totals]).snapshot;
  }

  /** In Prometheus' text format. `more`: metrics that no worker has. */
  text(more: MetricsSnapshot): Promise<string> {
    return aggregated([...this.#latest.values(), this.#ended, more]).text();
  }
}

function aggregated(all: MetricsSnapshot[]) {
  const registry = AggregatorRegistry.aggregate(all);
  return {
    // What an aggregated registry contains are the plain metrics themselves.
    snapshot: registry.getMetricsAsArray() as unknown as MetricsSnapshot,
    text: () => registry.metrics(),
  };
}

const TOTALS: ReadonlySet<string> = new Set(["counter", "histogram"]);
