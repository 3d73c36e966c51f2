/**
 * Memory of an instance under a flood of names, ids and keys that are never seen again: its heap after garbage collection,
 * before the flood, after each quarter of it, and when all that expires has expired.
 *   npx tsx bench/studies/flood.ts [--count 1000000] [--floods keys,names,members] [--parallel 64]
 *
 * The key of the requests has limits of every kind, and the names have metrics of their own, so that everything that is kept by
 * key, namespace, name or id is kept.
 */
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Access } from "../../src/access/access.js";
import { Audit } from "../../src/access/audit.js";
import { digestOf } from "../../src/access/key-ring.js";
import { systemClock } from "../../src/clock.js";
import { startPrimaries } from "../../test/helpers/primaries.js";
import { startInstance } from "./instance.js";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "1000000" },
    floods: { type: "string", default: "keys,names,members" },
    parallel: { type: "string", default: "64" },
  },
});
const COUNT = Number(values.count);
const PARALLEL = Number(values.parallel);
const TTL_MS = 60_000;
process.env.TEST_REDIS = "process";
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const KEY = "quorate_of-the-flood";
const MANY = 1_000_000;
const keysFile = JSON.stringify({
  keys: [
    {
      id: "flood",
      sha256: [digestOf(KEY)],
      grants: [{ namespace: "*", kinds: ["*"], names: ["*"], actions: ["read", "use"] }],
      limits: { requestsPerSecond: MANY, waiting: MANY, streams: MANY, leases: MANY, members: MANY },
    },
  ],
});
const log = { info: () => {}, error: () => {} };
const files = { signature: async () => "", read: async () => keysFile };
const access = new Access({ keysFile: "keys.json" }, { clock: systemClock, log, files });
await access.start();

await using primaries = await startPrimaries(3, { args: ["--appendfsync", "no"] });
const service = await startInstance(primaries.urls, {
  env: { QUORATE_METRICS_PREFIXES: "name-", QUORATE_COMMAND_TIMEOUT_MS: "1000" },
  world: { access, audit: new Audit({ write: () => true }, systemClock, log) },
});

/** One request of a flood, by its number. */
const FLOODS: Record<string, (i: number) => Request> = {
  keys: (i) => asked("GET", `/v1/locks/name-${i}`, undefined, `quorate_guess-${i}`),
  names: (i) =>
    asked("POST", `/v1/namespaces/namespace-${i}/locks/name-${i}/acquire`, {
      ttlMs: TTL_MS,
      leaseId: `a-lease-of-the-flood-${i}`,
    }),
  members: (i) =>
    asked("PUT", `/v1/services/name-${i}/members/id-${i}`, { address: `host-${i}:9000`, ttlMs: TTL_MS }),
};

function asked(method: string, path: string, body?: object, key = KEY): Request {
  const text = body && JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${key}`,
    "x-request-id": `request-${path.length}-${path.slice(-20).replaceAll("/", ".")}`,
    ...(text !== undefined && { "content-type": "application/json", "content-length": String(text.length) }),
  };
  return new Request(`http://localhost${path}`, {
    method,
    headers,
    ...(text !== undefined && { body: text }),
  });
}

for (const name of values.floods.split(",")) {
  const flood = FLOODS[name];
  if (!flood) throw new Error(`there is no flood ${name}`);
  const before = heapMb();
  const figures: string[] = [];
  const statuses = new Map<number, number>();
  const startMs = systemClock.monotonicMs();
  for (let quarter = 0; quarter < 4; quarter++) {
    let next = (quarter * COUNT) / 4;
    const end = ((quarter + 1) * COUNT) / 4;
    const send = async () => {
      while (next < end) {
        const { status, body } = await service.app.fetch(flood(next++));
        await body?.cancel();
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, send));
    figures.push(heapMb().toFixed(1));
  }
  const perSecond = (COUNT * 1000) / (systemClock.monotonicMs() - startMs);
  await systemClock.sleep(TTL_MS + 2_000);
  print(
    `${name}: ${COUNT} requests, ${perSecond.toFixed(0)}/s, ${[...statuses].map(([status, count]) => `${count} x ${status}`).join(", ")}; heap ${before.toFixed(1)} MB, by quarters ${figures.join(", ")} MB, ${TTL_MS / 1000} s later ${heapMb().toFixed(1)} MB`,
  );
}
print(
  `the answer to a scrape: ${(await (await service.app.request("/metrics", { headers: { authorization: `Bearer ${KEY}` } })).text()).length} bytes`,
);
service.close();
access.close();

/** What is in use after garbage collection, outside of the heap as well. */
function heapMb(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 2 ** 20;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
