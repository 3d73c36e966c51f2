import { Counter, Histogram, Registry } from "prom-client";
import { expect, test } from "vitest";
import { SeriesCounter, SeriesHistogram } from "../../src/http/series.js";

// What a scrape reads is what prom-client's own metrics would have said of the same observations.

const about = { name: "x_seconds", help: "Time, with \\ and\nlines" };
const buckets = [0.001, 0.01, 0.1, 1];
const labelNames = ["method", "route"];
const observed = [
  [{ method: "GET", route: '/a"b' }, [0.0001, 0.001, 0.0010001, 0.5, 1, 7]],
  [{ method: "POST", route: "/c" }, [0.02]],
] as const;

test("a histogram of series reads as prom-client's, as text and as JSON, at each scrape anew", async () => {
  const [own, theirs] = [new Registry(), new Registry()];
  const series = new SeriesHistogram({ ...about, labelNames, buckets, registers: [own] });
  const plain = new Histogram({ ...about, labelNames, buckets, registers: [theirs] });
  expect(await own.metrics()).toBe(await theirs.metrics());
  for (const [labels, values] of observed) {
    const distribution = series.series(labels);
    for (const value of values) {
      distribution.observe(value);
      plain.observe(labels, value);
      expect(await own.metrics()).toBe(await theirs.metrics());
    }
  }
  const json = async (registry: Registry) => JSON.parse(JSON.stringify(await registry.getMetricsAsJSON()));
  // Theirs has exemplars as well, of which there are none.
  expect(await json(theirs)).toMatchObject(await json(own));
  expect(await json(own)).toHaveLength(1);
});

test("a counter of series reads as prom-client's, at each scrape anew", async () => {
  const [own, theirs] = [new Registry(), new Registry()];
  const series = new SeriesCounter({ ...about, labelNames, registers: [own] });
  const plain = new Counter({ ...about, labelNames, registers: [theirs] });
  for (const [labels] of observed) {
    const tally = series.series(labels);
    for (let i = 0; i < 3; i++) {
      tally.count++;
      plain.inc(labels);
      expect(await own.metrics()).toBe(await theirs.metrics());
    }
  }
});
