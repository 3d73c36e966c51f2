/**
 * Duration of the readmission of an empty primary, and its cost for other requests; or of the cold start after all have restarted
 * with their data, during which nothing is granted.
 *   npx tsx bench/studies/readmission.ts [--lost one|all] [--counters 100000] [--registers 0] [--clients 16] [--seconds 5]
 */
import { parseArgs } from "node:util";
import { Namespace } from "../../src/namespace.js";
import { inNamespace } from "../../src/primitives/namespaced.js";
import { startPrimaries, type TestPrimary } from "../../test/helpers/primaries.js";
import { quantile } from "../comparison/statistics.js";
import { startInstance } from "./instance.js";

const { values } = parseArgs({
  options: {
    lost: { type: "string", default: "one" },
    counters: { type: "string", default: "100000" },
    registers: { type: "string", default: "0" },
    clients: { type: "string", default: "16" },
    seconds: { type: "string", default: "5" },
  },
});
process.env.TEST_REDIS ??= "process";
const VALUE = JSON.stringify("a value of some thirty characters");

const allAreLost = values.lost === "all";
await using servers = await startPrimaries(3, { args: ["--appendonly", allAreLost ? "yes" : "no"] });
const instance = await startInstance(servers.urls);
const { registers } = inNamespace(Namespace.default, instance);
await many(values.counters, (at) => useOnce(`counter-${at}`));
await many(values.registers, (at) => registers.put(`register-${at}`, { json: VALUE, ttlMs: null }, {}));
print(`${values.counters} names used, ${values.registers} registers written`);

const latencies: { atMs: number; ms: number }[] = [];
let failures = 0;
let going = true;
const clients = Array.from({ length: Number(values.clients) }, async (_, client) => {
  for (let i = 0; going; i++) {
    const startMs = performance.now();
    try {
      await useOnce(`client-${client}-${i % 50}`, () =>
        latencies.push({ atMs: startMs, ms: performance.now() - startMs }),
      );
    } catch {
      failures += 1;
      // Where no majority is there it fails at once.
      await pass(1);
    }
  }
});
const seconds = Number(values.seconds);
await pass(seconds * 1000);
const before = p99(0, performance.now());

const last = servers.all[2] as TestPrimary;
const watched = instance.primaries.all[2];
const incarnation = watched?.incarnation;
const lostMs = performance.now();
if (allAreLost) await Promise.all(servers.all.map((server) => server.kill()));
await (allAreLost ? Promise.all(servers.all.map((server) => server.start())) : last.startEmpty());
const backMs = performance.now();
while (!watched?.up || watched.incarnation === incarnation) await pass(5);
const readmittedMs = performance.now();
const during = p99(lostMs, readmittedMs);
await pass(1000);
going = false;
await Promise.all(clients);
instance.close();

print(`readmitted ${Math.round(readmittedMs - backMs)} ms after its return`);
print(`quarantine left then: ${watched.status.quarantineMs} ms`);
if (!allAreLost)
  print(
    `p99 of acquire: ${before.toFixed(2)} ms before, ${during.toFixed(2)} ms from its loss to its readmission: ${(during / before).toFixed(2)} times`,
  );
print(`failed requests: ${failures} of ${latencies.length + failures}`);

async function many(total: string, each: (at: number) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < Number(total); at += 500)
    await Promise.all(Array.from({ length: 500 }, (_, nth) => each(at + nth)));
}

async function useOnce(name: string, acquired: () => void = () => {}): Promise<void> {
  const outcome = await instance.locks.acquire({ names: [name], ttlMs: 2_000 });
  acquired();
  if (outcome.kind === "acquired") await instance.locks.release([name], outcome.lease.leaseId);
}

function p99(fromMs: number, toMs: number): number {
  return quantile(
    latencies.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).map(({ ms }) => ms),
    0.99,
  );
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
