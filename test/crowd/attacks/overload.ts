import { setTimeout as sleep } from "node:timers/promises";
import { type Attack, unless } from "../attack.js";
import { Client } from "../client.js";
import { type Figures, most, quantile } from "../figures.js";
import { peakMb, residentMb } from "../instance.js";

export const overload: Attack = {
  name: "overload",
  about:
    "0.5, 1, 2 and 3 times as many pairs of acquire and release come as can be done, whatever becomes of those before",
  /** So many may be without an answer at a time, on connections that are there before, as those of proxies are. */
  clients: 2_000,
  clientsInTests: 2_000,
  seconds: 10,
  secondsInTests: 3,
  overloads: true,
  async run({ urls: [url = ""], pids: [pid = 0], clients, seconds, pairsPerSecond }) {
    const sustainable =
      pairsPerSecond || (await pairs(url, 64, Math.min(3_000, seconds * 700))).perSecondMost;
    const figures: Figures = { "sustainable pairs/s": sustainable };
    // The levels above are what fails.
    for (const times of seconds < 5 ? [1, 3] : LEVELS) {
      const level = await offer(url, sustainable * times, seconds, clients);
      for (const [name, value] of Object.entries(level)) figures[`${times} x: ${name}`] = value;
      figures[`${times} x: memory MB`] = residentMb(pid);
      await sleep(500);
    }
    figures["memory at most MB"] = peakMb(pid);
    return figures;
  },
  broken: (figures, slack) => {
    const of = (times: number, name: string) => figures[`${times} x: ${name}`] ?? 0;
    const best = Math.max(...LEVELS.map((times) => of(times, "goodput pairs/s")));
    return [
      ...[2, 3]
        .filter((times) => of(times, "offered pairs/s") > 0)
        .flatMap((times) =>
          unless(
            [
              of(times, "goodput pairs/s") >=
                (GOODPUT_MIN * Math.min(best, of(times, "offered pairs/s"))) / slack,
              `at ${times} x only ${Math.round(of(times, "goodput pairs/s"))} pairs/s of ${Math.round(best)} were done`,
            ],
            [
              of(times, "p99 ms") <= P99_MS_MAX * slack,
              `at ${times} x p99 of what was granted is ${Math.round(of(times, "p99 ms"))} ms`,
            ],
            [
              of(times, "drained ms") <= DRAINED_MS_MAX * slack,
              `at ${times} x it took ${Math.round(of(times, "drained ms"))} ms to drain`,
            ],
          ),
        ),
      ...unless([
        (figures["memory at most MB"] ?? 0) <= MEMORY_MB_MAX,
        `memory grew to ${Math.round(figures["memory at most MB"] ?? 0)} MB`,
      ]),
    ];
  },
};

export interface Pace {
  readonly perSecond: number;
  /** In the best quarter of a second: what else the machine does at times must not pass for what is sustainable. */
  readonly perSecondMost: number;
  /** Of acquires. */
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
}

/** Pairs of acquire and release by so many clients, each of which waits for its answers. */
export async function pairs(url: string, clients: number, ms: number): Promise<Pace> {
  const client = new Client(url);
  const acquiredMs: number[] = [];
  const doneMs: number[] = [];
  let failed = 0;
  const startMs = performance.now();
  const warmMs = startMs + ms / 4;
  const work = async (place: number) => {
    for (let i = 0; performance.now() < startMs + ms; i++) {
      const path = `/v1/locks/pair-${process.pid}-${place}-${i % 100}`;
      const acquired = await client.post(`${path}/acquire`, { ttlMs: 10_000 });
      if (acquired.status !== 200) {
        failed += 1;
        continue;
      }
      await client.post(`${path}/release`, { leaseId: JSON.parse(acquired.body).leaseId });
      if (performance.now() < warmMs) continue;
      acquiredMs.push(acquired.ms);
      doneMs.push(performance.now());
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, place) => work(place)));
  client.close();
  const perSecond = (1000 * doneMs.length) / (performance.now() - warmMs);
  const windows = new Map<number, number>();
  for (const at of doneMs) {
    const window = Math.floor((at - warmMs) / WINDOW_MS);
    windows.set(window, (windows.get(window) ?? 0) + 1);
  }
  const perSecondMost = (most([...windows.values()]) * 1000) / WINDOW_MS;
  const [p50, p99] = [0.5, 0.99].map((q) => quantile(acquiredMs, q)) as [number, number];
  return { perSecond, perSecondMost, p50, p99, failed };
}

async function offer(url: string, perSecond: number, seconds: number, pendingMax: number): Promise<Figures> {
  const client = new Client(url, 120_000);
  await client.warm(pendingMax);
  const acquiredMs: number[] = [];
  const counts = { done: 0, shed: 0, failed: 0, notSent: 0 };
  let pending = 0;
  let sent = 0;
  let idle: () => void = () => {};
  const one = async (turn: number) => {
    pending += 1;
    const path = `/v1/locks/offered-${process.pid}-${turn}`;
    const acquired = await client.post(`${path}/acquire`, { ttlMs: 20_000 });
    if (acquired.status === 200) {
      acquiredMs.push(acquired.ms);
      const released = await client.post(`${path}/release`, { leaseId: JSON.parse(acquired.body).leaseId });
      // What was offered in time and comes too late is of no use to anybody.
      if (released.status === 200 && performance.now() < endMs) counts.done += 1;
      else if (released.status !== 200) counts.failed += 1;
    } else if (acquired.status === 503) counts.shed += 1;
    else counts.failed += 1;
    pending -= 1;
    if (pending === 0) idle();
  };
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  for (let nowMs = startMs; nowMs < endMs; nowMs = performance.now()) {
    const due = Math.floor(((nowMs - startMs) * perSecond) / 1000);
    for (; sent < due; sent++) {
      if (pending >= pendingMax) counts.notSent += 1;
      else void one(sent);
    }
    await sleep(2);
  }
  const offeredMs = performance.now();
  if (pending > 0) await Promise.race([new Promise<void>((resolve) => (idle = resolve)), sleep(90_000)]);
  const drainedMs = performance.now() - offeredMs;
  const resets = client.resets + client.refused;
  client.close();
  return {
    "offered pairs/s": perSecond,
    "goodput pairs/s": counts.done / seconds,
    "p50 ms": quantile(acquiredMs, 0.5),
    "p99 ms": quantile(acquiredMs, 0.99),
    shed: counts.shed,
    failed: counts.failed,
    "not sent": counts.notSent,
    resets,
    "drained ms": drainedMs,
  };
}

const LEVELS = [0.5, 1, 2, 3];
const WINDOW_MS = 250;
const GOODPUT_MIN = 0.8;
const P99_MS_MAX = 500;
const DRAINED_MS_MAX = 1_000;
const MEMORY_MB_MAX = 600;
