/**
 * Overload: pairs of acquire and release, each of its own lock, are sent at a fixed rate, whatever the responses, from a
 * separate process. First the sustainable rate is measured (64 clients that wait for their responses), then multiples of
 * it are offered in turn, round by round, while holders renew leases and a probe requests /livez.
 *   nice npx tsx bench/studies/overload.ts [--times 0.5,1,2,3] [--seconds 5] [--rounds 2] [--holders 50] [--connections 4000] [--sustainable 4000]
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Crowd } from "../../test/helpers/open-loop.js";
import { startPrimaries } from "../../test/helpers/primaries.js";
import { median, quantile } from "../comparison/statistics.js";
import { type InstanceProcess, startInstanceProcess } from "../machine/process.js";
import { serverVersion } from "../machine/servers.js";

const { values } = parseArgs({
  options: {
    times: { type: "string", default: "0.5,1,2,3" },
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "2" },
    connections: { type: "string", default: "4000" },
    holders: { type: "string", default: "50" },
    sustainable: { type: "string" },
    profile: { type: "string" },
  },
});
process.env.TEST_REDIS = "process";
const ACQUIRE = '{"ttlMs":10000}';
/** Time to live of the lease of a holder that renews every second. */
const HELD_MS = 3_000;
const PATIENCE_MS = 60_000;

/** Outcome of one rate. */
interface Offered {
  readonly times: number;
  readonly pairsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly shed: number;
  /** Responses that are neither a success nor `overloaded`. */
  readonly other: number;
  /** Renewals of holders that failed for good, and their total number. */
  readonly lost: number;
  readonly renewals: number;
  readonly livezMsMax: number;
  readonly residentMbMax: number;
  /** From the end of the offered load to the last response. */
  readonly drainedMs: number;
  readonly connections: number;
}

await using primaries = await startPrimaries(3, { args: ["--appendfsync", "no"] });
const node = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];
const env = { REDIS_URLS: primaries.urls.join(",") };
await using service = await startInstanceProcess(env, node);
print(
  `Node ${process.versions.node}; three ${await serverVersion()}, appendfsync no; one instance, its defaults`,
);
await closedLoop(service, 64, 1_000);
const sustainable = Number(values.sustainable ?? (await closedLoop(service, 64, 3_000)));
print(`sustainable: ${sustainable.toFixed(0)} pairs/s (64 clients, each waits for its answers)`);
const all: Offered[] = [];
const times = values.times.split(",").map(Number);
for (let round = 0; round < Number(values.rounds); round++) {
  for (const one of round % 2 === 0 ? times : times.toReversed()) {
    const offered = await offer(service, one, one * sustainable, Number(values.seconds) * 1_000);
    all.push(offered);
    print(toLine(offered));
    await sleep(500);
  }
}
const best = Math.max(...times.map((one) => goodput(one)));
for (const one of times)
  print(
    `${one} x: goodput ${goodput(one).toFixed(0)} pairs/s, ${((100 * goodput(one)) / best).toFixed(0)} % of the best`,
  );

function goodput(one: number): number {
  return median(all.filter((offered) => offered.times === one).map(({ pairsPerSecond }) => pairsPerSecond));
}

/** Pairs per second of this many clients, each of which waits for its responses. */
async function closedLoop({ url }: InstanceProcess, clients: number, ms: number): Promise<number> {
  const crowd = new Crowd(url);
  const endMs = performance.now() + ms;
  let pairs = 0;
  const client = async (id: number) => {
    for (let turn = 0; performance.now() < endMs; turn++) {
      const path = `/v1/locks/closed-${id}-${turn % 100}`;
      const acquired = await crowd.call("POST", `${path}/acquire`, ACQUIRE);
      if (acquired?.status !== 200) throw new Error(`a closed loop was refused: ${acquired?.body}`);
      await crowd.call("POST", `${path}/release`, toRelease(acquired.body));
      pairs += 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, id) => client(id)));
  crowd.hangUp();
  return (pairs * 1_000) / ms;
}

async function offer(instance: InstanceProcess, times: number, rate: number, ms: number): Promise<Offered> {
  const crowd = new Crowd(instance.url);
  const timesMs: number[] = [];
  let [pairs, shed, other, underWay, sent] = [0, 0, 0, 0, 0];
  await crowd.open(Number(values.connections));
  const startMs = performance.now();
  const pair = (name: number) => {
    const path = `/v1/locks/crowd-${times}-${name % 50_000}-${name}`;
    const acquiredMs = performance.now();
    underWay += 1;
    crowd.send("POST", `${path}/acquire`, ACQUIRE, (acquired) => {
      const releasedMs = performance.now();
      if (acquired?.status !== 200) {
        underWay -= 1;
        if (acquired?.body.includes('"overloaded"')) shed += 1;
        else other += 1;
        return;
      }
      timesMs.push(releasedMs - acquiredMs);
      crowd.send("POST", `${path}/release`, toRelease(acquired.body), (released) => {
        underWay -= 1;
        if (released?.status !== 200) {
          other += 1;
          return;
        }
        const endMs = performance.now();
        timesMs.push(endMs - releasedMs);
        if (endMs - startMs <= ms) pairs += 1;
      });
    });
  };
  await using aside = await besides(instance);
  const before = performance.now();
  for (let passedMs = 0; passedMs < ms; passedMs = performance.now() - before) {
    for (const due = (passedMs * rate) / 1_000; sent < due; sent++) pair(sent);
    await sleep(1);
  }
  const endMs = performance.now();
  while (underWay > 0 && performance.now() - endMs < PATIENCE_MS) await sleep(5);
  const drainedMs = performance.now() - endMs;
  const { connections } = crowd;
  crowd.hangUp();
  return {
    times,
    pairsPerSecond: (pairs * 1_000) / ms,
    p50Ms: quantile(timesMs, 0.5),
    p99Ms: quantile(timesMs, 0.99),
    shed,
    other,
    ...aside.seen,
    drainedMs,
    connections,
  };
}

type Aside = Pick<Offered, "lost" | "renewals" | "livezMsMax" | "residentMbMax">;

/** Bystanders of the crowd: holders that renew every third of their TTL, and a probe. */
async function besides(instance: InstanceProcess): Promise<AsyncDisposable & { readonly seen: Aside }> {
  const crowd = new Crowd(instance.url);
  const seen = { lost: 0, renewals: 0, livezMsMax: 0, residentMbMax: 0 };
  let over = false;
  const holder = async (id: number) => {
    const path = `/v1/locks/held-${id}`;
    const acquired = await crowd.call("POST", `${path}/acquire`, `{"ttlMs":${HELD_MS}}`);
    const { leaseId, fencingToken } = JSON.parse(acquired?.body ?? "{}");
    await sleep(Math.random() * (HELD_MS / 3));
    while (!over) {
      const body = JSON.stringify({ leaseId, fencingToken, ttlMs: HELD_MS });
      const renewed = await crowd.call("POST", `${path}/renew`, body);
      seen.renewals += 1;
      if (renewed?.status !== 200) seen.lost += 1;
      await sleep(HELD_MS / 3);
    }
    await crowd.call("POST", `${path}/release`, JSON.stringify({ leaseId }));
  };
  const probe = async () => {
    while (!over) {
      const askedMs = performance.now();
      await crowd.call("GET", "/livez");
      seen.livezMsMax = Math.max(seen.livezMsMax, performance.now() - askedMs);
      seen.residentMbMax = Math.max(seen.residentMbMax, (await instance.usage()).residentMb);
      await sleep(50);
    }
  };
  const holders = Array.from({ length: Number(values.holders) }, (_, id) => holder(id));
  const probing = probe();
  await sleep(100);
  return {
    seen,
    [Symbol.asyncDispose]: async () => {
      over = true;
      await Promise.all([...holders, probing]);
      crowd.hangUp();
    },
  };
}

function toRelease(acquired: string): string {
  return `{"leaseId":"${/"leaseId":"([^"]+)"/.exec(acquired)?.[1]}"}`;
}

function toLine(offered: Offered): string {
  const { times, pairsPerSecond, p50Ms, p99Ms, shed, other, lost, renewals } = offered;
  const { livezMsMax, residentMbMax, drainedMs, connections } = offered;
  return [
    `${times} x: ${pairsPerSecond.toFixed(0)} pairs/s`,
    `p50 ${p50Ms.toFixed(0)} ms`,
    `p99 ${p99Ms.toFixed(0)} ms`,
    `shed ${shed}`,
    `other ${other}`,
    `renewals lost ${lost} of ${renewals}`,
    `/livez at most ${livezMsMax.toFixed(0)} ms`,
    `${residentMbMax.toFixed(0)} MB`,
    `drained in ${drainedMs.toFixed(0)} ms`,
    `${connections} connections`,
  ].join(", ");
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
