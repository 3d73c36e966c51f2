/**
 * A fleet of many members at one instance and three primaries: how long it takes to register them, the memory that they take in
 * the service and in each primary, lists of a service, and, while all of them heartbeat in batches, lists again and how soon a
 * watcher is told of a member that died.
 *   npx tsx bench/studies/fleet.ts [--services 100] [--members 1000] [--connections 64] [--rate 10000] [--seconds 20]
 *     [--listpack 512] [--profile directory]
 */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { Crowd } from "../../test/helpers/open-loop.js";
import { startPrimaries } from "../../test/helpers/primaries.js";
import { untilReady } from "../machine/deployment.js";
import { Watched } from "../machine/primaries.js";
import { startInstanceProcess } from "../machine/process.js";

const { values } = parseArgs({
  options: {
    services: { type: "string", default: "100" },
    members: { type: "string", default: "1000" },
    connections: { type: "string", default: "64" },
    rate: { type: "string", default: "10000" },
    seconds: { type: "string", default: "20" },
    listpack: { type: "string", default: "512" },
    profile: { type: "string" },
  },
});
process.env.TEST_REDIS = "process";
const SERVICES = Number(values.services);
const MEMBERS = Number(values.members);
const BATCH = 1_000;
const PRIMARIES = 3;
/** Longer than it takes to register all: nobody heartbeats before. */
const TTL_MS = 300_000;
/** So few that no guard begins. */
const MORTALS = Math.max(1, Math.min(20, Math.floor(MEMBERS / 50)));
const MORTAL_TTL_MS = 3_000;
const LISTS = 100;
const BATCHES_MAX = 20;

// As docs/operating.md recommends.
const settings = ["--appendonly", "no", "--hash-max-listpack-value", values.listpack];
await using primaries = await startPrimaries(PRIMARIES, { args: settings });
const node = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];
await using service = await startInstanceProcess(
  { REDIS_URLS: primaries.urls.join(","), QUORATE_COMMAND_TIMEOUT_MS: "1000" },
  node,
);
await untilReady(service.url);
using watched = new Watched(primaries.urls);
const crowd = new Crowd(service.url);

await told("at first", async () => {});
const bodies = await told("registered", async () => inBatches(await registered()));
await told("lists", () => lists("nobody heartbeats"));
let beating = true;
await told(`at ${values.rate} heartbeats a second`, async () => {
  const beats = heartbeats();
  await sleep(Number(values.seconds) * 1_000);
  await lists("all heartbeat");
  await deaths();
  beating = false;
  await beats;
});
crowd.hangUp();

interface Beat {
  readonly service: string;
  readonly id: string;
  readonly incarnation: number;
}

async function registered(): Promise<Beat[]> {
  const beats: Beat[] = [];
  const startMs = performance.now();
  let next = 0;
  const client = async () => {
    for (let at = next++; at < SERVICES * MEMBERS; at = next++)
      beats.push(await register(`service-${at % SERVICES}`, `member-${Math.floor(at / SERVICES)}`, TTL_MS));
  };
  await Promise.all(Array.from({ length: Number(values.connections) }, client));
  const seconds = (performance.now() - startMs) / 1_000;
  print(
    `${beats.length} members registered in ${seconds.toFixed(1)} s, by ${values.connections} connections`,
  );
  return beats;
}

async function register(service: string, id: string, ttlMs: number): Promise<Beat> {
  const body = {
    address: "http://10.20.30.40:9000",
    ttlMs,
    zone: "eu-1a",
    tags: ["http"],
    metadata: { version: "1.42.0" },
  };
  const path = `/v1/services/${service}/members/${id}`;
  const answer = await crowd.call("PUT", path, JSON.stringify(body));
  if (answer?.status !== 201) throw new Error(`it was not registered: ${answer?.status} ${answer?.body}`);
  return { service, id, incarnation: JSON.parse(answer.body).incarnation };
}

function inBatches(beats: readonly Beat[]): string[] {
  const bodies: string[] = [];
  for (let at = 0; at < beats.length; at += BATCH)
    bodies.push(JSON.stringify({ beats: beats.slice(at, at + BATCH) }));
  return bodies;
}

async function heartbeats(): Promise<void> {
  const startMs = performance.now();
  const underWay = new Set<Promise<void>>();
  for (let sent = 0; beating; sent++) {
    await sleep(Math.max(0, startMs + (sent * BATCH * 1_000) / Number(values.rate) - performance.now()));
    // A busy machine is behind, and should not be more and more so.
    while (underWay.size >= BATCHES_MAX) await Promise.race(underWay);
    const one = send(bodies[sent % bodies.length] as string).finally(() => underWay.delete(one));
    underWay.add(one);
  }
  await Promise.all(underWay);
}

async function send(body: string): Promise<void> {
  const answer = await crowd.call("POST", "/v1/heartbeats", body);
  if (answer?.status !== 200 || answer.body.includes('"failed"'))
    throw new Error(`heartbeats failed: ${answer?.status} ${answer?.body.slice(0, 300)}`);
}

/** Each service in turn, with a pause: what a view keeps for 250 ms does not answer. */
async function lists(when: string): Promise<void> {
  const tookMs: number[] = [];
  for (let i = 0; i < LISTS; i++) {
    const startMs = performance.now();
    const answer = await crowd.call("GET", `/v1/services/service-${i % SERVICES}/members?limit=1000`);
    tookMs.push(performance.now() - startMs);
    if (answer?.status !== 200) throw new Error(`no list: ${answer?.status} ${answer?.body.slice(0, 300)}`);
    await sleep(20);
  }
  print(`a list of ${MEMBERS} members, while ${when}: ${spread(tookMs)}`);
}

/** Members whose heartbeats end: from the last one until a watcher of their service is told, less their time to live. */
async function deaths(): Promise<void> {
  const lateMs: number[] = [];
  const lastBeats = new Map<string, number>();
  const socket = connect(Number(new URL(service.url).port), "127.0.0.1");
  socket.write("GET /v1/services/service-0/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  let synced = false;
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
    const end = text.lastIndexOf("\n\n");
    if (end < 0) return;
    for (const event of text.slice(0, end).split("\n\n")) {
      if (event.includes("event: synced")) synced = true;
      const id = event.includes("event: expired") ? /"id":"(mortal-\d+)"/.exec(event)?.[1] : undefined;
      if (id !== undefined) lateMs.push(performance.now() - (lastBeats.get(id) ?? 0) - MORTAL_TTL_MS);
    }
    text = text.slice(end + 2);
  });
  while (!synced) await sleep(10);
  const mortals = await Promise.all(
    Array.from({ length: MORTALS }, (_, i) => register("service-0", `mortal-${i}`, MORTAL_TTL_MS)),
  );
  for (let i = 0; i < MORTALS; i++) {
    await sleep(100);
    // One after the other, so that each falls into another moment of the instance's rounds.
    const { service, id, incarnation } = mortals[i] as Beat;
    await crowd.call(
      "POST",
      `/v1/services/${service}/members/${id}/heartbeat`,
      JSON.stringify({ incarnation }),
    );
    lastBeats.set(id, performance.now());
  }
  const deadlineMs = performance.now() + MORTAL_TTL_MS + 20_000;
  while (lateMs.length < MORTALS && performance.now() < deadlineMs) await sleep(10);
  socket.destroy();
  print(
    `${lateMs.length} of ${MORTALS} deaths seen by a watcher; after their time to live of ${MORTAL_TTL_MS} ms it took ${spread(lateMs)}`,
  );
}

/** What it was like meanwhile: memory, and processor time as a share of a core. */
async function told<T>(what: string, work: () => Promise<T>): Promise<T> {
  const before = [await service.usage(), await watched.calls()] as const;
  const startMs = performance.now();
  const result = await work();
  const ms = performance.now() - startMs;
  const after = [await service.usage(), await watched.calls()] as const;
  const cores = (after[0].cpuMs - before[0].cpuMs) / ms;
  const ofPrimary = (after[1].cpuMicros - before[1].cpuMicros) / 1_000 / PRIMARIES / ms;
  const memory = await Promise.all(primaries.urls.map(usedMb));
  print(
    `${what}: service ${after[0].residentMb.toFixed(0)} MB resident, ${cores.toFixed(2)} of a core; each primary ${memory.map((mb) => mb.toFixed(0)).join(", ")} MB, ${ofPrimary.toFixed(2)} of a core`,
  );
  return result;
}

async function usedMb(url: string): Promise<number> {
  const redis = new Redis(url);
  const memory = await redis.info("memory");
  redis.disconnect();
  return Number(/used_memory:(\d+)/.exec(memory)?.[1]) / 1e6;
}

function spread(ms: readonly number[]): string {
  const sorted = [...ms].sort((one, other) => one - other);
  const at = (share: number) => (sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN).toFixed(1);
  return `${at(0.5)} ms at the median, ${at(0.99)} ms at p99, ${at(1)} ms at most`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
