import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { expect, test } from "vitest";
import { PortMetrics } from "../../src/workers/port-metrics.js";

/** The metrics of one worker. */
function worker() {
  const registers = [new Registry()];
  return {
    requests: new Counter({ name: "requests", help: "R", labelNames: ["route"], registers }),
    ms: new Histogram({ name: "ms", help: "M", buckets: [1, 10], registers }),
    waiting: new Gauge({ name: "waiting", help: "W", registers }),
    version: new Gauge({ name: "version", help: "V", aggregator: "max", registers }),
    up: new Gauge({ name: "up", help: "U", aggregator: "min", registers }),
    snapshot: () => (registers[0] as Registry).getMetricsAsJSON(),
  };
}

const lines = async (metrics: PortMetrics) =>
  (await metrics.text([])).split("\n").filter((line) => line !== "" && !line.startsWith("#"));

async function twoWorkers() {
  const port = new PortMetrics();
  const [one, other] = [worker(), worker()];
  one.requests.inc({ route: "a" }, 3);
  other.requests.inc({ route: "a" }, 4);
  other.requests.inc({ route: "b" }, 1);
  for (const [each, value] of [
    [one, 2],
    [other, 5],
  ] as const) {
    each.ms.observe(value);
    each.waiting.set(value);
    each.version.set(value);
    each.up.set(value);
  }
  port.update(1, await one.snapshot());
  port.update(2, await other.snapshot());
  return { port, one, other };
}

test("counters, histograms and numbers of things are added; versions are the highest, states the worst", async () => {
  const { port } = await twoWorkers();
  expect(await lines(port)).toEqual([
    'requests{route="a"} 7',
    'requests{route="b"} 1',
    'ms_bucket{le="1"} 0',
    'ms_bucket{le="10"} 2',
    'ms_bucket{le="+Inf"} 2',
    "ms_sum 7",
    "ms_count 2",
    "waiting 7",
    "version 5",
    "up 2",
  ]);
});

test("no total falls when a worker ends, and its successor counts on top; its gauges are gone", async () => {
  const { port } = await twoWorkers();
  port.end(2);
  const expected = ['requests{route="a"} 7', 'requests{route="b"} 1', "ms_count 2", "waiting 2", "version 2"];
  expect(await lines(port)).toEqual(expect.arrayContaining(expected));
  const successor = worker();
  successor.requests.inc({ route: "b" }, 10);
  port.update(2, await successor.snapshot());
  expect(await lines(port)).toEqual(
    expect.arrayContaining(['requests{route="a"} 7', 'requests{route="b"} 11']),
  );
  port.end(2);
  port.end(1);
  expect(await lines(port)).toEqual(
    expect.arrayContaining(['requests{route="a"} 7', 'requests{route="b"} 11']),
  );
});

test("a worker that ended before it ever answered has counted nothing", async () => {
  const { port } = await twoWorkers();
  port.end(3);
  expect(await lines(port)).toContain('requests{route="a"} 7');
});
