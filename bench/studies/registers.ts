/**
 * Registers, beside etcd's key-value store where that is installed:
 * - alone: a write and a read in process, by one client, against a PING to all primaries that a majority have answered;
 * - gap: the longest time without a write by 64 clients when a primary is killed, and when the leader of etcd is;
 * - many: memory of many registers, and lists of 1,000 of them.
 *   npx tsx bench/studies/registers.ts [--parts alone,gap,many] [--times 2000] [--registers 100000] [--seconds 6]
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { Namespace } from "../../src/namespace.js";
import { inNamespace } from "../../src/primitives/namespaced.js";
import { startPrimaries } from "../../test/helpers/primaries.js";
import { quantile } from "../comparison/statistics.js";
import { call, hangUp, send } from "../load/client.js";
import { untilReady } from "../machine/deployment.js";
import { Watched } from "../machine/primaries.js";
import { startInstanceProcess } from "../machine/process.js";
import { startEtcd } from "../peers/etcd.js";
import { startInstance } from "./instance.js";

const { values } = parseArgs({
  options: {
    parts: { type: "string", default: "alone,gap,many" },
    times: { type: "string", default: "2000" },
    registers: { type: "string", default: "100000" },
    seconds: { type: "string", default: "6" },
  },
});
process.env.TEST_REDIS = "process";
const CLIENTS = 64;
/** Times, or ms. */
const WARM_UP = 500;
const PAGES = 50;
const VALUE = "a value of some thirty characters";
const PARTS: Readonly<Record<string, () => Promise<void>>> = { alone, gap, many };

for (const part of values.parts.split(",")) await PARTS[part]?.();
process.exit(0);

async function alone(): Promise<void> {
  for (const persistence of [
    ["--appendonly", "no"],
    ["--appendfsync", "always"],
  ]) {
    await using primaries = await startPrimaries(3, { args: persistence });
    const service = await startInstance(primaries.urls);
    const { registers } = inNamespace(Namespace.default, service);
    const connections = primaries.urls.map((url) => new Redis(url));
    const steps = {
      ping: () => majority(connections.map((redis) => redis.ping())),
      write: () => registers.put("one", { json: JSON.stringify(VALUE), ttlMs: null }, {}),
      read: () => registers.get("one"),
    };
    const tookMs: Record<string, number[]> = { ping: [], write: [], read: [] };
    // In turn, so that what else the machine does meets all alike.
    for (let i = -WARM_UP; i < Number(values.times); i++)
      for (const [name, step] of Object.entries(steps)) {
        const startMs = performance.now();
        await step();
        if (i >= 0) tookMs[name]?.push(performance.now() - startMs);
      }
    for (const redis of connections) redis.disconnect();
    service.close();
    const [ping, write, read] = ["ping", "write", "read"].map((name) => quantile(tookMs[name] ?? [], 0.5));
    print(
      `alone, ${persistence.join(" ").replaceAll("--", "")}: p50 of a PING on a majority ${ms(ping)}, of a write ${ms(write)} (${ratio(write, ping)}), of a read ${ms(read)} (${ratio(read, ping)})`,
    );
  }
}

async function gap(): Promise<void> {
  await using primaries = await startPrimaries(3, { args: ["--appendfsync", "always"] });
  await using service = await startInstanceProcess({ REDIS_URLS: primaries.urls.join(",") });
  await untilReady(service.url);
  await interrupted(
    "a primary is killed, appendfsync always",
    [service.url],
    (key) => ({ path: `/v1/registers/${key}`, body: { value: VALUE }, method: "PUT" }),
    async () => {
      await primaries.all[0]?.kill();
      return [service.url];
    },
  );
  await using etcd = await startEtcd();
  if (!etcd) return print("etcd is not installed: apt-get install etcd-server");
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  await interrupted(
    `the leader of etcd ${etcd.version} is killed, its defaults`,
    etcd.urls,
    (key) => ({ path: "/v3/kv/put", body: { key: base64(key), value: base64(VALUE) }, method: "POST" }),
    () => etcd.killLeader(),
  );
}

/** The longest time in which no client had a write acknowledged, before and after `harm`, which returns what is left. */
async function interrupted(
  what: string,
  urls: readonly string[],
  write: (key: string) => { path: string; body: unknown; method: string },
  harm: () => Promise<readonly string[]>,
): Promise<void> {
  let left = urls;
  let isOver = false;
  const acknowledgedMs: number[] = [];
  const client = async (index: number) => {
    while (!isOver) {
      const { path, body, method } = write(`gap-${index}`);
      const answer = await send(left[index % left.length] ?? "", path, body, method).catch(() => null);
      if (answer?.status === 200 || answer?.status === 201) acknowledgedMs.push(performance.now());
      else await sleep(1);
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(index)));
  const halfMs = (Number(values.seconds) * 1_000) / 2;
  await sleep(WARM_UP);
  const beganMs = performance.now();
  await sleep(halfMs);
  const harmedMs = performance.now();
  left = await harm();
  await sleep(halfMs);
  const endMs = performance.now();
  isOver = true;
  await clients;
  hangUp();
  const longest = (fromMs: number, toMs: number) => {
    const times = [fromMs, ...acknowledgedMs.filter((at) => at > fromMs && at < toMs), toMs];
    return Math.max(...times.slice(1).map((at, i) => at - (times[i] as number)));
  };
  print(
    `gap: ${what}: no write for ${ms(longest(harmedMs, endMs))} at most after that, ${ms(longest(beganMs, harmedMs))} before; ${acknowledgedMs.length} writes by ${CLIENTS} clients`,
  );
}

async function many(): Promise<void> {
  await using primaries = await startPrimaries(3, { args: ["--appendonly", "no"] });
  await using service = await startInstanceProcess({
    REDIS_URLS: primaries.urls.join(","),
    QUORATE_COMMAND_TIMEOUT_MS: "1000",
  });
  await untilReady(service.url);
  const count = Number(values.registers);
  const used = () => Promise.all(primaries.urls.map(usedBytes));
  const before = await used();
  const { residentMb: idleMb } = await service.usage();
  const startMs = performance.now();
  let next = 0;
  const client = async () => {
    for (let at = next++; at < count; at = next++)
      await call(service.url, `/v1/registers/many-${String(at).padStart(7, "0")}`, { value: VALUE }, "PUT");
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const seconds = (performance.now() - startMs) / 1_000;
  const after = await used();
  const { residentMb } = await service.usage();
  const each = after.map((bytes, i) => ((bytes - (before[i] ?? 0)) / count).toFixed(0));
  print(
    `many: ${count} registers with values of ${VALUE.length} characters in ${seconds.toFixed(1)} s; ${each.join(", ")} bytes each in the primaries; service ${idleMb.toFixed(0)} -> ${residentMb.toFixed(0)} MB resident`,
  );
  using watched = new Watched(primaries.urls);
  const usage = async () => [(await service.usage()).cpuMs, (await watched.calls()).cpuMicros / 1_000];
  const [ofService = 0, ofPrimaries = 0] = await usage();
  const tookMs: number[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES; page++) {
    const from: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const listMs = performance.now();
    const list: { registers: unknown[]; cursor: string | null } = await call(
      service.url,
      `/v1/registers?prefix=many-&limit=1000${from}`,
    );
    tookMs.push(performance.now() - listMs);
    cursor = list.cursor;
  }
  const [serviceMs = 0, primariesMs = 0] = await usage();
  hangUp();
  print(
    `many: a page of 1,000 with their values in ${ms(quantile(tookMs, 0.5))} at the median, ${ms(quantile(tookMs, 0.99))} at p99, over HTTP; ${ms((serviceMs - ofService) / PAGES)} of the service, ${ms((primariesMs - ofPrimaries) / PAGES / primaries.urls.length)} of each primary`,
  );
}

async function usedBytes(url: string): Promise<number> {
  const redis = new Redis(url);
  const memory = await redis.info("memory");
  redis.disconnect();
  return Number(/used_memory:(\d+)/.exec(memory)?.[1]);
}

/** Resolves when a majority have answered. */
function majority(asked: readonly Promise<unknown>[]): Promise<void> {
  let missing = Math.floor(asked.length / 2) + 1;
  return new Promise((resolve) => {
    for (const one of asked)
      one.then(
        () => {
          missing -= 1;
          if (missing === 0) resolve();
        },
        () => {},
      );
  });
}

function ms(value = Number.NaN): string {
  return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

function ratio(of = Number.NaN, to = Number.NaN): string {
  return `${(of / to).toFixed(1)} x`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
