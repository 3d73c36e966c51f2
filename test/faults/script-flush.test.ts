import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { startPrimaries } from "../helpers/primaries.js";
import { countUp, startInstance } from "../helpers/service.js";

test("SCRIPT FLUSH under load: nobody notices", async () => {
  await using primaries = await startPrimaries(3);
  await using instance = await startInstance(primaries.urls);
  const endMs = performance.now() + 1_500;
  const flushers = primaries.urls.map((url) => new Redis(url, { protocol: 2, disableClientInfo: true }));
  let flushes = 0;
  const flushing = (async () => {
    for (; performance.now() < endMs || flushes < 10; flushes++) {
      await Promise.all(flushers.map((redis) => redis.script("FLUSH")));
      await sleep(10);
    }
    for (const redis of flushers) redis.disconnect();
  })();
  const client = async (id: number): Promise<number[]> => {
    const tokens: number[] = [];
    while (performance.now() < endMs) {
      const path = `/v1/locks/lock-${id}`;
      const { status, body: lease } = await instance.call("POST", `${path}/acquire`, { ttlMs: 5_000 });
      expect(status).toBe(200);
      tokens.push(lease.fencingToken);
      const { leaseId } = lease;
      expect((await instance.call("POST", `${path}/renew`, { leaseId, ttlMs: 5_000 })).status).toBe(200);
      expect((await instance.call("POST", `${path}/release`, { leaseId })).body).toEqual({ released: true });
      const member = `/v1/services/s/members/m-${id}`;
      expect((await instance.call("PUT", member, { address: "m:1" })).status).toBeLessThan(300);
      expect((await instance.call("POST", `${member}/heartbeat`)).status).toBe(200);
      expect((await instance.call("GET", "/v1/services/s/owner?key=k")).status).toBe(200);
    }
    return tokens;
  };
  const all = await Promise.all(Array.from({ length: 10 }, (_, id) => client(id)));
  await flushing;
  expect(flushes).toBeGreaterThanOrEqual(10);
  for (const tokens of all) expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
  expect(countUp(instance)).toBe(3);
});
