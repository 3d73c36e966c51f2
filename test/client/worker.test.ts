import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type * as Client from "../../src/client/quorate.js";
import type * as InWorker from "../../src/client/worker.js";
import { builtMain } from "../helpers/built.js";
import { ownPrefix } from "../helpers/names.js";
import { type ServiceProcess, startProcess } from "../helpers/process.js";
import { freshName, PATIENT } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";

// A worker is started from a file of JavaScript. The service is another process: this one is blocked.

let service: ServiceProcess;
let url: string;
let client: typeof Client;
let inWorker: typeof InWorker;
beforeAll(async () => {
  const { urls } = await sharedPrimaries();
  service = startProcess({ REDIS_URLS: urls.join(","), QUORATE_KEY_PREFIX: ownPrefix(), ...PATIENT });
  url = await service.listening;
  const load = async (file: string) =>
    import(pathToFileURL(join(dirname(await builtMain()), "client", file)).href);
  client = (await load("quorate.js")) as typeof Client;
  inWorker = (await load("worker.js")) as typeof InWorker;
});
afterAll(() => service[Symbol.asyncDispose]());

/** Long enough for a machine that is slow at times: a renewal has two thirds of it to succeed. */
const TTL_MS = 5_000;

const acquire = (options: Partial<Client.QuorateOptions>, ttlMs = TTL_MS) =>
  new client.Quorate({ urls: [url], ...options }).acquireLock(freshName(), { ttlMs, keep: true });

/** Nothing else runs in this thread for so long. */
const block = (ms: number) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

test("leases that a worker renews outlive a blocked event loop, and their holder sees for how long", async () => {
  const renewal = inWorker.renewInWorker({ maxHoldMs: 60_000 });
  const leases = await Promise.all([1, 2, 3].map(() => acquire({ renewal })));
  block(TTL_MS + 1_500);
  for (const lease of leases) {
    expect(lease.remainingMs()).toBeGreaterThan(0);
    expect(lease.signal.aborted).toBe(false);
    await lease.renew();
    expect(await lease.release()).toBe(true);
  }
});

test("without a worker they are lost, and the first look at them says so", async () => {
  const [signal, other] = await Promise.all([acquire({}, 2_000), acquire({}, 2_000)]).then((leases) =>
    leases.map((lease) => lease.signal),
  );
  block(2_100);
  // No timer has fired.
  expect([signal?.aborted, signal?.reason]).toMatchObject([true, { code: "deadline" }]);
  expect(() => other?.throwIfAborted()).toThrow(client.QuorateError as never);
});

test("a worker renews no longer than it is to", async () => {
  const lease = await acquire({ renewal: inWorker.renewInWorker({ maxHoldMs: 0 }) }, 2_000);
  block(2_100);
  expect(lease.remainingMs()).toBe(0);
  expect(lease.signal.reason).toMatchObject({ code: "deadline" });
});

test("a lease that is lost while the event loop is blocked has nothing left, and says why", async () => {
  for (const isBlocked of [true, false]) {
    const lease = await acquire({ renewal: inWorker.renewInWorker({ maxHoldMs: 60_000 }) });
    const [name] = lease.grant.names;
    await fetch(`${url}/v1/locks/${name}/release`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ leaseId: lease.leaseId }),
    });
    if (isBlocked) {
      // The worker has been told, and the lease would not have ended by itself yet.
      block(TTL_MS - 500);
      expect(lease.remainingMs()).toBe(0);
    }
    const { signal } = lease;
    await expect.poll(() => signal.aborted).toBe(true);
    expect(signal.reason).toBeInstanceOf(client.QuorateError);
    expect(signal.reason).toMatchObject({ code: "lease_lost", lost: { why: "released" } });
  }
});

test("a worker renews a lease no more once it is released", async () => {
  const acts: (string | undefined)[] = [];
  const grant = { ttlMs: 5_000, waitedMs: 0, acks: 2, primaries: 3, fencingToken: 7 };
  await using server = createServer((request, response) => {
    const act = request.url?.split("/").at(-1);
    acts.push(act);
    // A renewal adds nothing, so that the next one follows soon.
    const body =
      act === "release" ? { released: true } : { ...grant, validForMs: act === "acquire" ? 5_000 : 0 };
    response.setHeader("content-type", "application/json").end(JSON.stringify(body));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const urls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`];
  const renewal = inWorker.renewInWorker({ maxHoldMs: 60_000 });
  const lease = await new client.Quorate({ urls, renewal }).acquireLock("a", { ttlMs: 5_000, keep: true });
  await expect.poll(() => acts.includes("renew")).toBe(true);
  await lease.release();
  // One may be under way.
  await sleep(100);
  const before = acts.length;
  await sleep(2_000);
  expect(acts.length - before).toBe(0);
  server.closeAllConnections();
});
