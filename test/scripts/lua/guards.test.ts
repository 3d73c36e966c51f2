import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { GUARD_MS } from "../../../src/algorithms/guard.js";
import { expireMembers } from "../../../src/scripts/expiry-calls.js";
import { beginGuard, readGuard } from "../../../src/scripts/guard-calls.js";
import { listMembers, putMember } from "../../../src/scripts/member-calls.js";
import { memberRecord } from "../../helpers/member-record.js";
import { freshName } from "../../helpers/names.js";
import { OneServer } from "../../helpers/one-server.js";

// Guards against mass expiry, on one real server by itself.
const server = new OneServer();
const { keys } = server;
const run: typeof server.run = (call) => server.run(call);

const TTL_MS = 10_000;
let service: string;
beforeEach(async () => {
  service = freshName("search");
  await server.redis.del(keys.expiring);
});

/** Members with so much time left each; their heartbeats are as old as follows from that. */
async function membersWith(...leftMs: number[]): Promise<string[]> {
  const ids = leftMs.map((_, i) => `m${i}`);
  for (const [i, expiresInMs] of leftMs.entries()) {
    const record = memberRecord({
      id: ids[i] as string,
      ttlMs: TTL_MS,
      expiresInMs,
      heartbeatAgeMs: TTL_MS - expiresInMs,
    });
    await run(putMember(keys, service, record));
  }
  return ids;
}

const OVER = 1;
const expire = async (percent = 50) => {
  await sleep(20);
  return run(expireMembers(keys, percent));
};
const heldBack = async (ids: readonly string[], percent = 50) =>
  (await run(listMembers(keys, service, ids, "all", percent))).guardEndsInMs;

describe("members whose time is over", () => {
  test("expire where others of their service live", async () => {
    const ids = await membersWith(OVER, OVER, 9_000, 9_000, 9_000);
    const { expired, toGuard } = await expire();
    expect(expired.map(({ id }) => id).sort()).toEqual(["m0", "m1"]);
    expect(toGuard).toEqual([]);
    expect(await heldBack(ids)).toBe(0);
  });

  test("are held back where more than the share have missed a heartbeat, and a guard is asked for", async () => {
    const ids = await membersWith(OVER, 3_900, 3_900, 9_000, 9_000);
    expect(await expire()).toMatchObject({ expired: [], toGuard: [service] });
    expect(await heldBack(ids)).toBe(GUARD_MS);
    // Again, should whoever asked have died.
    await sleep(110);
    expect((await expire()).toGuard).toEqual([service]);
  });

  test("expire at exactly the share, and above it where the share is 100", async () => {
    await membersWith(OVER, OVER, 3_900, 9_000, 9_000, 9_000);
    expect((await expire()).expired).toHaveLength(2);
    service = freshName();
    await membersWith(OVER, OVER, OVER, OVER, OVER);
    expect((await expire(100)).expired).toHaveLength(5);
  });

  test("expire in a service of four", async () => {
    await membersWith(OVER, OVER, OVER, OVER);
    expect((await expire()).expired).toHaveLength(4);
  });

  test("are not taken for more by those that left or expired before", async () => {
    const ids = await membersWith(9_000, 9_000, 9_000, OVER, OVER);
    for (const id of ids.slice(0, 3))
      await run(
        putMember(keys, service, memberRecord({ id, ttlMs: TTL_MS, left: true, expiresInMs: 70_000 })),
      );
    expect((await expire()).expired).toHaveLength(2);
  });

  test("are held back until the guard ends, then expire, and no other guard is asked for", async () => {
    const ids = await membersWith(OVER, OVER, OVER, OVER, OVER);
    await expire();
    await run(beginGuard(keys, service, { endsInMs: 400, restsForMs: 60_000 }));
    await sleep(110);
    const { expired, toGuard, nextInMs } = await expire();
    expect([expired, toGuard]).toEqual([[], []]);
    expect(nextInMs).toBeGreaterThan(50);
    expect(nextInMs).toBeLessThanOrEqual(400);
    expect(await heldBack(ids)).toBeLessThanOrEqual(400);
    await sleep(400);
    expect(await heldBack(ids)).toBe(0);
    expect(await expire()).toMatchObject({ toGuard: [], expired: [{}, {}, {}, {}, {}] });
  });

  test("of another service are not held back", async () => {
    await membersWith(OVER, OVER, OVER, OVER, OVER);
    const guarded = service;
    service = freshName();
    await membersWith(OVER, 9_000);
    expect(await expire()).toMatchObject({ toGuard: [guarded], expired: [{ service, id: "m0" }] });
  });
});

describe("a guard", () => {
  test("begins once, and is forgotten when another may begin", async () => {
    expect(await run(readGuard(keys, service))).toBeNull();
    await run(beginGuard(keys, service, { endsInMs: 100, restsForMs: 250 }));
    await run(beginGuard(keys, service, { endsInMs: 30_000, restsForMs: 60_000 }));
    const guard = await run(readGuard(keys, service));
    expect(guard?.endsInMs).toBeLessThanOrEqual(100);
    expect(guard?.restsForMs).toBeLessThanOrEqual(250);
    await sleep(120);
    expect((await run(readGuard(keys, service)))?.endsInMs).toBeLessThan(0);
    await sleep(150);
    expect(await run(readGuard(keys, service))).toBeNull();
  });
});
