import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { Contention } from "../../src/http/contention.js";
import type { MetricsSnapshot } from "../../src/http/metrics.js";
import type { Waiter } from "../../src/primitives/queue/waiter.js";
import type { MetricsPrefix } from "../../src/setting-values.js";
import { PortMetrics } from "../../src/workers/port-metrics.js";
import { FakeClock } from "../helpers/fake-clock.js";
import { Pair } from "../helpers/pair.js";
import { freshName, until } from "../helpers/service.js";

const PREFIXES: readonly MetricsPrefix[] = [
  { namespace: "default", prefix: "orders-" },
  { namespace: "default", prefix: "orders-eu-" },
  { namespace: "team-a", prefix: "" },
];

function contention(prefixes = PREFIXES) {
  const clock = new FakeClock();
  const registry = new Registry();
  const seen = new Contention(prefixes, clock, registry);
  const text = async () => {
    seen.scrape();
    return (await registry.metrics()).split("\n").filter((line) => !line.startsWith("#"));
  };
  const snapshot = async (): Promise<MetricsSnapshot> => {
    seen.scrape();
    return registry.getMetricsAsJSON();
  };
  return { seen, clock, text, snapshot };
}

/** A request that waits for one name. */
const waiter = (queue: string) => ({ claim: { queues: [queue] } }) as unknown as Waiter;

const labels = (kind: string, namespace: string, prefix: string) =>
  `kind="${kind}",namespace="${namespace}",prefix="${prefix}"`;

test("a name counts under the most specific prefix of its namespace, any other name under none", async () => {
  const { seen, text } = contention();
  for (const queue of [
    "lock/orders-1",
    "lock/orders-2",
    "lock/orders-eu-1",
    "semaphore/orders-1",
    "election/other",
    "lock/~team-a~orders-1",
    "lock/~team-b~orders-1",
    "lock/~team-a",
  ])
    seen.answered([queue], "held");
  const held = (await text()).filter((line) => /requests_total.*held.* [1-9]/.test(line)).sort();
  expect(held).toEqual(
    [
      [labels("locks", "default", "orders-"), 2],
      [labels("locks", "default", "orders-eu-"), 1],
      [labels("semaphores", "default", "orders-"), 1],
      [labels("elections", "", ""), 1],
      [labels("locks", "team-a", ""), 1],
      [labels("locks", "", ""), 2],
    ]
      .map(([names, count]) => `quorate_lease_requests_total{${names},outcome="held"} ${count}`)
      .sort(),
  );
});

test("what waits, for how long, and how it ended", async () => {
  const { seen, clock, text } = contention();
  const [first, second] = [waiter("lock/orders-1"), waiter("lock/orders-2")];
  seen.joined(first);
  await clock.advance(2_000);
  seen.joined(second);
  await clock.advance(1_000);
  const names = labels("locks", "default", "orders-");
  expect(await text()).toEqual(
    expect.arrayContaining([
      `quorate_lease_waiting{${names}} 2`,
      `quorate_lease_longest_wait_seconds{${names}} 3`,
    ]),
  );
  seen.left(first, true);
  expect(await text()).toContain(`quorate_lease_longest_wait_seconds{${names}} 1`);
  seen.left(second, false);
  expect(await text()).toEqual(
    expect.arrayContaining([
      `quorate_lease_waiting{${names}} 0`,
      `quorate_lease_longest_wait_seconds{${names}} 0`,
      `quorate_lease_queue_seconds_sum{${names},outcome="granted"} 3`,
      `quorate_lease_queue_seconds_sum{${names},outcome="refused"} 1`,
    ]),
  );
});

test("holders of configured prefixes count until they end or expire", async () => {
  const { seen, clock, text } = contention();
  const holders = async () => (await text()).filter((line) => line.startsWith("quorate_lease_holders"));
  const line = (count: number) => [
    `quorate_lease_holders{${labels("locks", "default", "orders-")}} ${count}`,
  ];
  seen.holds(["lock/orders-1"], "one", 10_000);
  seen.holds(["lock/orders-2"], "two", 10_000);
  seen.holds(["lock/other"], "three", 10_000);
  expect(await holders()).toEqual(line(2));
  seen.ended("one");
  await clock.advance(9_000);
  seen.holds(["lock/orders-2"], "two", 10_000);
  await clock.advance(9_000);
  expect(await holders()).toEqual(line(1));
  await clock.advance(2_000);
  expect(await holders()).toEqual(line(0));
});

test("the series of several workers add up, and the longest wait is that of one of them", async () => {
  const port = new PortMetrics();
  for (const [worker, sinceMs] of [
    [1, 1_000],
    [2, 4_000],
  ] as const) {
    const { seen, clock, snapshot } = contention();
    seen.joined(waiter("lock/orders-1"));
    seen.holds(["lock/orders-1"], "lease", 60_000);
    await clock.advance(sinceMs);
    port.update(worker, await snapshot());
  }
  const lines = (await port.text([])).split("\n");
  const names = labels("locks", "default", "orders-");
  expect(lines).toEqual(
    expect.arrayContaining([
      `quorate_lease_waiting{${names}} 2`,
      `quorate_lease_holders{${names}} 2`,
      `quorate_lease_longest_wait_seconds{${names}} 4`,
    ]),
  );
});

test("a flood of names makes no series, and no more leases are kept than the bound", async () => {
  const { seen, text } = contention();
  for (let i = 0; i < 300_000; i++) {
    seen.answered([`lock/name-${i}`], "granted");
    seen.answered([`lock/~namespace-${i}~name`], "granted");
    seen.holds([`lock/orders-${i}`], `lease-${i}`, 60_000);
  }
  const lines = await text();
  expect(lines.length).toBeLessThan(70);
  expect(lines).toContain(`quorate_lease_holders{${labels("locks", "default", "orders-")}} 100000`);
});

const pair = new Pair({ env: { QUORATE_METRICS_PREFIXES: "hot-,team-a/" } });

test("a request that waits is seen, and so is its lease until it is released", async () => {
  const name = freshName("hot");
  const path = `/v1/locks/${name}`;
  const metric = async (metric: string, more = "") => {
    const response = await pair.one.service.app.request("/metrics");
    const lines = (await response.text()).split("\n");
    const start = `quorate_lease_${metric}{${labels("locks", "default", "hot-")}${more}} `;
    return Number(lines.find((line) => line.startsWith(start))?.slice(start.length));
  };
  const { body: held } = await pair.one.call("POST", `${path}/acquire`, { ttlMs: 20_000 });
  expect(await metric("holders")).toBe(1);
  const waiting = pair.one.call("POST", `${path}/acquire`, { ttlMs: 20_000, waitMs: 20_000 });
  await until(async () => (await metric("waiting")) === 1, "it is in the queue");
  expect(await metric("longest_wait_seconds")).toBeGreaterThan(0);
  await pair.one.call("POST", `${path}/release`, { leaseId: held.leaseId });
  const { body: granted } = await waiting;
  expect([await metric("waiting"), await metric("holders")]).toEqual([0, 1]);
  expect(await metric("queue_seconds_count", ',outcome="granted"')).toBe(1);
  await pair.one.call("POST", `${path}/acquire`, { ttlMs: 20_000 });
  expect(await metric("requests_total", ',outcome="held"')).toBe(1);
  expect(await metric("requests_total", ',outcome="granted"')).toBe(2);
  await pair.one.call("POST", `${path}/release`, { leaseId: granted.leaseId });
  expect(await metric("holders")).toBe(0);
});

test.each([
  ["semaphores", "acquire", "release", { limit: 2 }],
  ["elections", "campaign", "resign", {}],
])("%s are counted as well, by their names in any namespace", async (kind, begin, end, more) => {
  const path = `/v1/namespaces/team-a/${kind}/${freshName()}`;
  const holders = async () => {
    const text = await (await pair.one.service.app.request("/metrics")).text();
    return text
      .split("\n")
      .find((line) => line.startsWith(`quorate_lease_holders{${labels(kind, "team-a", "")}}`));
  };
  const { body } = await pair.one.call("POST", `${path}/${begin}`, { ttlMs: 20_000, ...more });
  expect(await holders()).toMatch(/ 1$/);
  await pair.one.call("POST", `${path}/${end}`, { leaseId: body.leaseId });
  expect(await holders()).toMatch(/ 0$/);
});
