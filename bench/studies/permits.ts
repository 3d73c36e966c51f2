/**
 * Semaphores: the cost of an attempt on a primary at different limits, 200 concurrent acquires of a full semaphore, and
 * many waiters for the permits of a full semaphore, each of which releases at once.
 *   npx tsx bench/studies/permits.ts [--limits 10,100,1000] [--at-once 200] [--waiters 1000]
 */
import { parseArgs } from "node:util";
import type { Service } from "../../src/service.js";
import { minus, Watched } from "../machine/primaries.js";
import { serverVersion, withServers } from "../machine/servers.js";
import { startInstance } from "./instance.js";

const { values } = parseArgs({
  options: {
    limits: { type: "string", default: "10,100,1000" },
    "at-once": { type: "string", default: "200" },
    waiters: { type: "string", default: "1000" },
  },
});
const PAIRS = 20;
const ROUNDS = 6;
const TTL_MS = 300_000;

await withServers(async (urls) => {
  print(
    `Node ${process.versions.node}; three ${await serverVersion()}, no persistence; one instance in this process`,
  );
  const prefix = "bench:";
  const service = await startInstance(urls, { prefix });
  // Sequential measurements should not fail on a busy machine.
  const patient = await startInstance(urls, { prefix, env: { QUORATE_COMMAND_TIMEOUT_MS: "1000" } });
  using watched = new Watched(urls);
  try {
    for (const limit of values.limits.split(",").map(Number)) await costs(patient, watched, limit);
    const limit = Number(values.limits.split(",").at(-1));
    await atOnce(service, patient, limit, Number(values["at-once"]));
    await waiting(patient, limit, Number(values.waiters));
  } finally {
    service.close();
    patient.close();
  }
});

/** Takes this many permits, at most a hundred per lease. */
async function fill(service: Service, name: string, limit: number, count = limit): Promise<string[]> {
  const leases: string[] = [];
  for (let left = count; left > 0; ) {
    const permits = Math.min(100, left);
    leases.push(await take(service, { name, limit, permits }));
    left -= permits;
  }
  return leases;
}

async function take(
  { semaphores }: Service,
  request: { name: string; limit: number; permits?: number; waitMs?: number },
): Promise<string> {
  const outcome = await semaphores.acquire({ permits: 1, ttlMs: TTL_MS, ...request });
  if (outcome.kind === "held") throw new Error(`${request.name} is full`);
  return outcome.lease.leaseId;
}

async function costs(service: Service, watched: Watched, limit: number): Promise<void> {
  const name = `costs-${limit}`;
  const { semaphores } = service;
  const pair = async () => {
    const leaseId = await take(service, { name, limit });
    await semaphores.release(name, leaseId);
  };
  const tell = async (what: string, once: () => Promise<void>) => {
    const [micros, ms] = await measured(service, watched, once);
    print(
      `limit ${limit}, ${what}: ${micros.toFixed(0)} us of each primary's processor, ${ms.toFixed(2)} ms`,
    );
  };
  for (let i = 0; i < 20; i++) await pair();
  await tell("empty, an acquire and a release", pair);
  const leases = await fill(service, name, limit, limit - 1);
  await tell("one permit free, an acquire and a release", pair);
  leases.push(await take(service, { name, limit }));
  const refused = async () => void (await semaphores.acquire({ name, limit, permits: 1, ttlMs: 1_000 }));
  await tell("full, a refusal", refused);
  const [leaseId] = leases as [string];
  const renewal = async () => void (await semaphores.renew({ name, leaseId, ttlMs: TTL_MS }));
  await tell(`full, a renewal of ${Math.min(100, limit - 1)} permits`, renewal);
  await tell("full, a look at it", async () => void (await semaphores.inspect(name)));
}

/** The least disturbed of several measurements: us of processor time per primary, and ms. */
async function measured(
  service: Service,
  watched: Watched,
  once: () => Promise<void>,
): Promise<[number, number]> {
  const all: [number, number][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = await watched.calls();
    const startMs = performance.now();
    for (let i = 0; i < PAIRS; i++) await once();
    const ms = performance.now() - startMs;
    const { cpuMicros } = minus(await watched.calls(), before);
    all.push([cpuMicros / PAIRS / service.primaries.all.length, ms / PAIRS]);
  }
  return [Math.min(...all.map(([micros]) => micros)), Math.min(...all.map(([, ms]) => ms))];
}

async function atOnce(service: Service, patient: Service, limit: number, count: number): Promise<void> {
  const name = "at-once";
  await fill(patient, name, limit);
  const startMs = performance.now();
  const outcomes = await Promise.allSettled(
    Array.from({ length: count }, () =>
      service.semaphores.acquire({ name, limit, permits: 1, ttlMs: 10_000 }),
    ),
  );
  const ms = performance.now() - startMs;
  const told = outcomes.map((one) =>
    one.status === "fulfilled" ? one.value.kind : ((one.reason as { code?: string }).code ?? "error"),
  );
  const counts = [...new Set(told)].map((one) => `${told.filter((other) => other === one).length} ${one}`);
  const up = service.primaries.all.filter((primary) => primary.up).length;
  print(
    `${count} acquires at once on a full one of ${limit}: ${counts.join(", ")} in ${ms.toFixed(0)} ms; ${up} primaries up`,
  );
  while (!service.primaries.all.every((primary) => primary.up)) await new Promise((r) => setTimeout(r, 20));
}

async function waiting(service: Service, limit: number, count: number): Promise<void> {
  const name = "waiting";
  const leases = await fill(service, name, limit, limit - 1);
  const last = await take(service, { name, limit });
  const served: number[] = [];
  const failed: string[] = [];
  const wait = async (place: number): Promise<void> => {
    try {
      const leaseId = await take(service, { name, limit, waitMs: 120_000 });
      served.push(place);
      await service.semaphores.release(name, leaseId);
    } catch (error) {
      failed.push(String((error as { code?: string }).code ?? error));
    }
  };
  const all: Promise<void>[] = [];
  const joiningMs = performance.now();
  for (let place = 0; place < count; place++) {
    all.push(wait(place));
    while (service.waiting.size + failed.length <= place) await new Promise((r) => setTimeout(r, 1));
  }
  const startMs = performance.now();
  await service.semaphores.release(name, last);
  await Promise.all(all);
  const ms = performance.now() - startMs;
  const inOrder = served.every((place, turn) => place === turn);
  print(
    `${count} waiters on a full one of ${limit}, joined in ${((startMs - joiningMs) / 1000).toFixed(1)} s: ${served.length} served ${inOrder ? "in order" : "OUT OF ORDER"}, ${failed.length} failed (${[...new Set(failed)].join()}), ${(ms / count).toFixed(2)} ms each`,
  );
  await take(service, { name, limit });
  const several = leases.shift() as string;
  const eager = Array.from({ length: 100 }, () => take(service, { name, limit, waitMs: 60_000 }));
  while (service.waiting.size < 100) await new Promise((r) => setTimeout(r, 5));
  const releasedMs = performance.now();
  await service.semaphores.release(name, several);
  await Promise.all(eager);
  print(
    `one release of 100 permits lets in 100 that wait for one each in ${(performance.now() - releasedMs).toFixed(0)} ms`,
  );
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
