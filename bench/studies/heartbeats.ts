/**
 * Heartbeats in batches: first at a fixed rate, then as many as are answered; and what each costs the service and the primaries,
 * in us of their own processor time, which says more than the rate where the machine has fewer cores than processes.
 *   nice npx tsx bench/studies/heartbeats.ts [--services 100] [--members 100] [--batch 1000] [--rate 10000] [--seconds 5]
 *     [--connections 4] [--load] [--profile directory]
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Crowd } from "../../test/helpers/open-loop.js";
import { startPrimaries } from "../../test/helpers/primaries.js";
import { untilReady } from "../machine/deployment.js";
import { Watched } from "../machine/primaries.js";
import { startInstanceProcess } from "../machine/process.js";

const { values } = parseArgs({
  options: {
    services: { type: "string", default: "100" },
    members: { type: "string", default: "100" },
    batch: { type: "string", default: "1000" },
    rate: { type: "string", default: "10000" },
    seconds: { type: "string", default: "5" },
    connections: { type: "string", default: "4" },
    load: { type: "boolean", default: false },
    profile: { type: "string" },
  },
});
process.env.TEST_REDIS = "process";
const BATCH = Number(values.batch);
const MS = Number(values.seconds) * 1_000;
const PRIMARIES = 3;
let count = 0;

await using primaries = await startPrimaries(PRIMARIES, { args: ["--appendonly", "no"] });
const node = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];
await using service = await startInstanceProcess(
  { REDIS_URLS: primaries.urls.join(","), QUORATE_COMMAND_TIMEOUT_MS: "1000" },
  node,
);
await untilReady(service.url);
using watched = new Watched(primaries.urls);
const crowd = new Crowd(service.url);

const beats = await registered();
const bodies = inBatches(beats);
await answered(async () => {
  for (const body of bodies) await send(body);
}, "warm");
await answered(atRate(Number(values.rate)), `at ${values.rate} a second`);
await answered(asManyAsPossible, `${values.connections} connections without a pause`);
crowd.hangUp();

interface Beat {
  readonly service: string;
  readonly id: string;
  readonly incarnation: number;
}

async function registered(): Promise<Beat[]> {
  const all = Array.from({ length: Number(values.services) }, (_, service) =>
    Array.from({ length: Number(values.members) }, (_, id) => ({
      service: `service-${service}`,
      id: `member-${id}`,
    })),
  ).flat();
  const beats: Beat[] = [];
  let next = 0;
  const client = async () => {
    for (let one = all[next++]; one; one = all[next++]) {
      const path = `/v1/services/${one.service}/members/${one.id}`;
      const answer = await crowd.call("PUT", path, '{"address":"10.0.0.1:9000","ttlMs":600000}');
      if (answer?.status !== 201) throw new Error(`it was not registered: ${answer?.body}`);
      beats.push({ ...one, incarnation: JSON.parse(answer.body).incarnation });
    }
  };
  await Promise.all(Array.from({ length: 32 }, client));
  // As an agent has them that looks after processes of many services.
  return beats.sort((one, other) => (one.id < other.id ? -1 : one.id > other.id ? 1 : 0));
}

function inBatches(beats: readonly Beat[]): string[] {
  const load = { cpu: 0.42, memory: 0.61, inFlight: 12, custom: { queued: 3 } };
  const bodies: string[] = [];
  for (let at = 0; at < beats.length; at += BATCH) {
    const batch = beats.slice(at, at + BATCH);
    bodies.push(JSON.stringify({ beats: values.load ? batch.map((one) => ({ ...one, load })) : batch }));
  }
  return bodies;
}

async function send(body: string): Promise<void> {
  const answer = await crowd.call("POST", "/v1/heartbeats", body);
  if (answer?.status !== 200 || answer.body.includes('"failed"'))
    throw new Error(`heartbeats failed: ${answer?.status} ${answer?.body.slice(0, 300)}`);
}

function atRate(rate: number): () => Promise<void> {
  return async () => {
    const startMs = performance.now();
    const underWay: Promise<void>[] = [];
    for (let sent = 0; performance.now() - startMs < MS; sent += BATCH) {
      await sleep(Math.max(0, startMs + (sent * 1_000) / rate - performance.now()));
      underWay.push(send(bodies[(sent / BATCH) % bodies.length] as string));
      count += BATCH;
    }
    await Promise.all(underWay);
  };
}

async function asManyAsPossible(): Promise<void> {
  const endMs = performance.now() + MS;
  let next = 0;
  const client = async () => {
    while (performance.now() < endMs) {
      await send(bodies[next++ % bodies.length] as string);
      count += BATCH;
    }
  };
  await Promise.all(Array.from({ length: Number(values.connections) }, client));
}

async function answered(work: () => Promise<void>, what: string): Promise<void> {
  count = 0;
  const before = [await service.usage(), await watched.calls()] as const;
  const startMs = performance.now();
  await work();
  const ms = performance.now() - startMs;
  const after = [await service.usage(), await watched.calls()] as const;
  if (count === 0) return;
  const ofService = after[0].cpuMs - before[0].cpuMs;
  const ofPrimary = (after[1].cpuMicros - before[1].cpuMicros) / 1_000 / PRIMARIES;
  const line = [
    `${what}: ${((count * 1_000) / ms).toFixed(0)} heartbeats/s`,
    `service ${(ofService / ms).toFixed(2)} of a core, ${((ofService * 1_000) / count).toFixed(1)} us each`,
    `each primary ${(ofPrimary / ms).toFixed(2)} of a core, ${((ofPrimary * 1_000) / count).toFixed(1)} us each`,
  ];
  process.stdout.write(`${line.join("; ")}\n`);
}
