import { type Aggregator, Counter, Gauge, Histogram, type Registry } from "prom-client";
import { SeriesCounter, SeriesHistogram } from "./series.js";

// Metrics in tables, by name: `{ quorate_requests_total: counter(["route"], "Requests") }`.

/** Makes a metric under its name. */
type Make<M> = (name: string, registers: Registry[]) => M;

export function counter<L extends string>(labelNames: L[], help: string): Make<Counter<L>> {
  return (name, registers) => new Counter({ name, help, labelNames, registers });
}

/** `aggregator`: how several workers' values become that of their port. */
export function gauge<L extends string>(
  labelNames: L[],
  help: string,
  aggregator: Aggregator = "sum",
): Make<Gauge<L>> {
  return (name, registers) => new Gauge({ name, help, labelNames, aggregator, registers });
}

export function histogram<L extends string>(
  labelNames: L[],
  help: string,
  buckets: number[],
): Make<Histogram<L>> {
  return (name, registers) => new Histogram({ name, help, labelNames, buckets, registers });
}

export function seriesCounter<L extends string>(labelNames: L[], help: string): Make<SeriesCounter<L>> {
  return (name, registers) => new SeriesCounter({ name, help, labelNames, registers });
}

export function seriesHistogram<L extends string>(
  labelNames: L[],
  help: string,
  buckets: number[],
): Make<SeriesHistogram<L>> {
  return (name, registers) => new SeriesHistogram({ name, help, labelNames, buckets, registers });
}

/** The metrics of a table, by name. */
export function made<T extends Record<string, Make<unknown>>>(table: T, registry: Registry) {
  const metrics = Object.entries(table).map(([name, make]) => [name, make(name, [registry])]);
  return Object.fromEntries(metrics) as { readonly [Name in keyof T]: ReturnType<T[Name]> };
}
