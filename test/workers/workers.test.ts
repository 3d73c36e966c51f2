import { describe, expect, test } from "vitest";
import { readConfig } from "../../src/config.js";
import { toLogger } from "../../src/log.js";
import type { Order, Report } from "../../src/workers/messages.js";
import type { WorkerProcess } from "../../src/workers/worker-process.js";
import { Workers } from "../../src/workers/workers.js";
import { FakeClock, settled } from "../helpers/fake-clock.js";

/** A worker that does what a test says. */
class FakeProcess implements WorkerProcess {
  readonly orders: Order[] = [];
  ended = false;
  connected = true;
  #report = (_: Report): void => {};
  #end = (_: number | NodeJS.Signals): void => {};
  constructor(readonly pid: number) {}

  send = (order: Order) => void this.orders.push(order);
  onReport = (listener: (report: Report) => void) => {
    this.#report = listener;
  };
  onEnd = (listener: (how: number | NodeJS.Signals) => void) => {
    this.#end = listener;
  };
  disconnect = () => {
    this.connected = false;
  };
  kill = () => this.end("SIGKILL");

  report(report: Report): void {
    this.#report(report);
  }
  listen(): void {
    this.report({ kind: "ready" });
    this.report({ kind: "listening", port: 8080 });
  }
  end(how: number | NodeJS.Signals): void {
    if (this.ended) return;
    this.ended = true;
    this.#end(how);
  }
}

function setUp(count = 2) {
  const clock = new FakeClock();
  const forked: FakeProcess[] = [];
  const logged: string[] = [];
  const log = toLogger("info", { write: (line) => void logged.push(line) });
  const fork = () => {
    const process = new FakeProcess(forked.length + 1);
    forked.push(process);
    return process;
  };
  const redis = { urls: ["redis://a:1"], embedded: true };
  const workers = new Workers(count, { config: readConfig({}), redis }, { fork, clock, log });
  let code: number | undefined;
  void workers.ended.then((ended) => {
    code = ended;
  });
  workers.start();
  return {
    clock,
    workers,
    forked,
    at: (index: number) => forked[index] as FakeProcess,
    lines: () => logged.map((line) => JSON.parse(line)),
    code: async () => {
      await settled();
      return code;
    },
  };
}

function serving(count = 2) {
  const all = setUp(count);
  for (const process of all.forked) process.listen();
  return all;
}

describe("at the start", () => {
  test("each worker gets its number, and the same settings and primaries", () => {
    const { forked } = serving();
    const assignments = forked.map(({ orders }) => orders[0]);
    expect(assignments).toMatchObject([1, 2].map((worker) => ({ kind: "start", assignment: { worker } })));
    expect(assignments[0]).toMatchObject({
      assignment: { redis: { urls: ["redis://a:1"], embedded: true } },
    });
  });

  test("one that cannot listen ends all, is told once, and nothing is started again", async () => {
    const { at, code, lines, clock, forked } = setUp();
    at(0).report({ kind: "ready" });
    at(0).report({ kind: "failed", reason: "Cannot listen" });
    at(1).report({ kind: "failed", reason: "Cannot listen" });
    at(0).end(1);
    expect(await code()).toBe(1);
    expect(lines().map(({ level, msg }) => [level, msg])).toEqual([["fatal", "Cannot listen"]]);
    await clock.advance(60_000);
    expect(forked).toHaveLength(2);
    expect(at(1).ended).toBe(true);
  });

  test("one that just ends ends all, too", async () => {
    const { at, code, lines } = setUp();
    at(0).listen();
    at(1).end("SIGABRT");
    expect(await code()).toBe(1);
    expect(lines()[0].msg).toContain("worker 2 ended while the service was starting (SIGABRT)");
    expect(at(0).ended).toBe(true);
  });
});

describe("while they serve", () => {
  test("a crash loop backs off, and a worker that was healthy for a minute is restarted soon again", async () => {
    const { at, clock, forked, lines, code } = serving();
    for (let i = 0; i < 10; i++) {
      at(forked.length - 1).end(1);
      await clock.advance(10_000);
      expect(forked).toHaveLength(3 + i);
      if (i % 2 === 0) at(forked.length - 1).listen();
      else at(forked.length - 1).report({ kind: "ready" });
    }
    const delays = () =>
      lines().flatMap(({ msg, delayMs }) => (msg.startsWith("a worker has ended") ? [delayMs] : []));
    expect(delays()).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
    at(forked.length - 1).listen();
    await clock.advance(60_000);
    at(forked.length - 1).end(1);
    expect(delays().at(-1)).toBe(100);
    expect(await code()).toBeUndefined();
    expect(at(0).ended).toBe(false);
  });

  test("the successor has the number of the worker that ended", async () => {
    const { at, clock } = serving();
    at(0).end("SIGSEGV");
    await clock.advance(100);
    at(2).report({ kind: "ready" });
    expect(at(2).orders[0]).toMatchObject({ kind: "start", assignment: { worker: 1 } });
  });

  test("one that cannot be restarted is logged and tried again, and the service goes on", async () => {
    const { at, clock, forked, lines, code } = serving();
    at(0).end(1);
    await clock.advance(100);
    at(2).report({ kind: "failed", reason: "Cannot listen" });
    at(2).end(1);
    expect(lines().find(({ msg }) => msg === "Cannot listen")).toMatchObject({ level: "error", worker: 1 });
    await clock.advance(200);
    expect(forked).toHaveLength(4);
    expect(await code()).toBeUndefined();
  });
});

describe("an order to stop", () => {
  test("reaches all; the end is that of the last one, with 0 if all have drained", async () => {
    const { at, workers, code } = serving();
    workers.stop("SIGTERM");
    for (const each of [at(0), at(1)])
      expect(each.orders.at(-1)).toEqual({ kind: "stop", signal: "SIGTERM" });
    at(0).end(0);
    expect(await code()).toBeUndefined();
    at(1).end(0);
    expect(await code()).toBe(0);
  });

  test("is followed by the parent giving up the port before each worker closes it, and nobody waits for its counts", async () => {
    const { at, workers } = serving();
    workers.stop("SIGTERM");
    expect(at(0).connected).toBe(true);
    at(0).report({ kind: "closing" });
    expect([at(0).connected, at(1).connected]).toEqual([false, true]);
    at(1).report({ kind: "scrape", id: 1 });
    const collect = at(1).orders.findLast(({ kind }) => kind === "collect") as { id: number };
    at(1).report({ kind: "collected", id: collect.id, metrics: [] });
    await settled();
    expect(at(1).orders.at(-1)).toMatchObject({ kind: "scraped", id: 1 });
  });

  test("ends with 1 if one was killed meanwhile", async () => {
    const { at, workers, code } = serving();
    workers.stop("SIGTERM");
    at(0).end("SIGKILL");
    at(1).end(0);
    expect(await code()).toBe(1);
  });

  test("does not wait for a worker that would have been restarted, and restarts none", async () => {
    const { at, workers, code, clock, forked } = serving();
    at(0).end(1);
    workers.stop("SIGTERM");
    at(1).end(0);
    expect(await code()).toBe(0);
    await clock.advance(60_000);
    expect(forked).toHaveLength(2);
  });

  test("ends a worker that was too young to hear it", async () => {
    const { at, workers, code } = setUp();
    workers.stop("SIGTERM");
    at(0).report({ kind: "ready" });
    at(1).report({ kind: "ready" });
    expect([at(0).ended, at(1).ended]).toEqual([true, true]);
    expect(await code()).toBe(0);
  });
});

describe("a scrape", () => {
  const counted = (value: number) => [
    { name: "n", help: "N", type: "counter", aggregator: "sum", values: [{ value, labels: {} }] },
  ];
  /** What worker `index` answers to the latest order to collect. */
  const collected = (process: FakeProcess, value: number) => {
    const order = process.orders.findLast(({ kind }) => kind === "collect") as { id: number };
    process.report({ kind: "collected", id: order.id, metrics: counted(value) as never });
  };
  const answerOf = (process: FakeProcess) => process.orders.find(({ kind }) => kind === "scraped");

  test("is answered when all have answered, with their sum", async () => {
    const { at } = serving();
    at(1).report({ kind: "scrape", id: 7 });
    collected(at(0), 3);
    await settled();
    expect(answerOf(at(1))).toBeUndefined();
    collected(at(1), 4);
    await settled();
    expect(answerOf(at(1))).toMatchObject({ id: 7, text: expect.stringContaining("\nn 7\n") });
  });

  test("waits a second for one that does not answer, whose last answer then stands", async () => {
    const { at, clock } = serving();
    await clock.advance(1_000);
    collected(at(0), 3);
    collected(at(1), 4);
    at(1).report({ kind: "scrape", id: 7 });
    collected(at(1), 5);
    await clock.advance(999);
    expect(answerOf(at(1))).toBeUndefined();
    await clock.advance(1);
    expect(answerOf(at(1))).toMatchObject({ text: expect.stringContaining("\nn 8\n") });
  });

  test("does not wait for one that ends meanwhile", async () => {
    const { at } = serving();
    at(1).report({ kind: "scrape", id: 7 });
    collected(at(1), 5);
    at(0).end("SIGKILL");
    await settled();
    expect(answerOf(at(1))).toMatchObject({ text: expect.stringContaining("\nn 5\n") });
    expect(answerOf(at(1))).toMatchObject({ text: expect.stringContaining("\nquorate_workers 1\n") });
  });
});
