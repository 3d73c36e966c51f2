import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Keys } from "../../src/redis/keys.js";
import {
  abandonLock,
  acquireLock,
  type Call,
  heartbeat,
  inspectLock,
  listMembers,
  listServices,
  type MemberRecord,
  putMember,
  raiseLock,
  releaseLock,
  renewLock,
} from "../../src/redis/scripts.js";
import { startPrimaries, type TestPrimaries } from "../helpers/primaries.js";
import { freshName, ownPrefix } from "../helpers/service.js";

// Each script by itself, on one real server.
let primaries: TestPrimaries;
let redis: Redis;
const keys = new Keys(ownPrefix());
beforeAll(async () => {
  primaries = await startPrimaries(1);
  redis = new Redis(primaries.urls[0] as string, { protocol: 2, disableClientInfo: true });
  await redis.hset(keys.configuration, "stamp", STAMP);
});
afterAll(async () => {
  redis.disconnect();
  await primaries.close();
});

const STAMP = "1:nonce:id";

async function run<T>({ script, keys: own, args, parse }: Call<T>, stamp = STAMP): Promise<T> {
  return parse(await redis.eval(script.text, own.length + 1, keys.configuration, ...own, stamp, ...args));
}

const FLOOR = 2 ** 20;
const acquire = (
  resource: string,
  leaseId: string,
  nonce: string,
  extra: { ttlMs?: number; chosen?: boolean } = {},
) =>
  run(
    acquireLock(
      keys,
      { resource, leaseId, nonce },
      { ttlMs: 10_000, mode: "exclusive", owner: "worker-7", metadata: "", chosen: false, ...extra },
    ),
  );
const pttl = (resource: string) => redis.pttl(keys.hold(resource));
const lock = () => `lock/${freshName()}`;

describe("the fence", () => {
  test("refuses a stamp that is not the stored one, before anything is read or written", async () => {
    const resource = lock();
    const call = acquireLock(
      keys,
      { resource, leaseId: "lease", nonce: "n" },
      { ttlMs: 10_000, mode: "exclusive", owner: "", metadata: "", chosen: false },
    );
    await expect(run(call, "another")).rejects.toThrow(/^FENCED/);
    expect(await redis.exists(keys.hold(resource))).toBe(0);
  });
});

describe("acquire-lock", () => {
  test("counts up with every grant, by name", async () => {
    const [a, b] = [lock(), lock()];
    const first = await acquire(a, "lease-1", "n1");
    expect(first).toEqual({ kind: "granted", counter: expect.any(Number) });
    await run(releaseLock(keys, { resource: a, leaseId: "lease-1" }, { forMs: 1_000, always: false }));
    const second = await acquire(a, "lease-2", "n2");
    expect(second).toEqual({ kind: "granted", counter: (first as { counter: number }).counter + 1 });
    expect(await acquire(b, "lease-3", "n3")).toEqual(first);
  });

  test("begins above the older generation, and above the floor", async () => {
    const [older, fresh, low] = [lock(), lock(), lock()];
    await redis.hset(keys.countersOlder, older, 5_000_000_000_000_001);
    await redis.hset(keys.counters, low, 5);
    await redis.hset(keys.configuration, "floor", FLOOR);
    try {
      expect(await acquire(older, "lease", "n")).toMatchObject({ counter: 5_000_000_000_000_002 });
      expect(await acquire(fresh, "lease", "n")).toMatchObject({ counter: FLOOR + 1 });
      expect(await acquire(low, "lease", "n")).toMatchObject({ counter: FLOOR + 1 });
    } finally {
      await redis.hdel(keys.configuration, "floor");
    }
  });

  test("keeps every digit of a token of 16 digits", async () => {
    const resource = lock();
    await redis.hset(keys.counters, resource, "9007199254740989");
    expect(await acquire(resource, "lease", "n")).toMatchObject({ counter: 9_007_199_254_740_990 });
    expect(
      await run(raiseLock(keys, { resource, leaseId: "lease", nonce: "n" }, 9_007_199_254_740_991)),
    ).toBe(9_007_199_254_740_991);
    expect(await redis.hget(keys.counters, resource)).toBe("9007199254740991");
    expect((await run(inspectLock(keys, resource))).counter).toBe(9_007_199_254_740_991);
    expect(
      await run(renewLock(keys, { resource, leaseId: "lease", token: 9_007_199_254_740_989, ttlMs: 1 })),
    ).toBeNull();
    expect(
      await run(renewLock(keys, { resource, leaseId: "lease", token: 9_007_199_254_740_990, ttlMs: 1 })),
    ).not.toBeNull();
  });

  test("repeats its vote for the lease that has it, and never shortens its time", async () => {
    const resource = lock();
    const first = await acquire(resource, "lease", "n1", { ttlMs: 20_000 });
    expect(await acquire(resource, "lease", "n2", { ttlMs: 5_000 })).toEqual(first);
    expect(await pttl(resource)).toBeGreaterThan(15_000);
    expect(await acquire(resource, "lease", "n3", { ttlMs: 40_000 })).toEqual(first);
    expect(await pttl(resource)).toBeGreaterThan(35_000);
  });

  test("tells another lease who has it, and changes nothing", async () => {
    const resource = lock();
    await acquire(resource, "lease-1", "n1");
    const before = await redis.hgetall(keys.hold(resource));
    const { kind, hold } = (await acquire(resource, "lease-2", "n2")) as Extract<
      Awaited<ReturnType<typeof acquire>>,
      { kind: "held" }
    >;
    expect([kind, hold.owner, hold.mode]).toEqual(["held", "worker-7", "exclusive"]);
    expect(hold.expiresInMs).toBeGreaterThan(5_000);
    expect(hold.heldForMs).toBeGreaterThanOrEqual(0);
    expect(await redis.hgetall(keys.hold(resource))).toEqual(before);
  });
});

describe("raise-lock", () => {
  test("lifts the counter and never lowers it, only for an attempt that holds", async () => {
    const resource = lock();
    const attempt = { resource, leaseId: "lease", nonce: "n1" };
    await acquire(resource, "lease", "n1");
    expect(await run(raiseLock(keys, attempt, FLOOR + 500))).toBe(FLOOR + 500);
    expect(await run(raiseLock(keys, attempt, FLOOR + 400))).toBe(FLOOR + 500);
    expect(await run(raiseLock(keys, { ...attempt, nonce: "other" }, FLOOR + 900))).toBeNull();
    expect((await run(inspectLock(keys, resource))).counter).toBe(FLOOR + 500);
  });

  test("does nothing where the hold has expired: a missing counter is not 0", async () => {
    const resource = lock();
    expect(await run(raiseLock(keys, { resource, leaseId: "lease", nonce: "n" }, 7))).toBeNull();
    expect(await redis.hexists(keys.counters, resource)).toBe(0);
  });
});

describe("renew-lock", () => {
  test("refuses the lease where it was granted after the token: that grant was another's round", async () => {
    const resource = lock();
    const { counter } = (await acquire(resource, "lease", "n1")) as { counter: number };
    const renew = (token: number, ttlMs = 30_000) =>
      run(renewLock(keys, { resource, leaseId: "lease", token, ttlMs }));
    expect(await renew(counter - 1)).toBeNull();
    expect(await renew(counter)).toEqual({ mode: "exclusive", owner: "worker-7", metadata: "" });
    expect(await renew(counter + 100)).not.toBeNull();
    expect(await pttl(resource)).toBeGreaterThan(25_000);
    await renew(counter, 1_000);
    expect(await pttl(resource)).toBeGreaterThan(25_000);
  });
});

describe("abandon-lock", () => {
  const abandon = (resource: string, nonce: string, refuseForMs = 0) =>
    run(abandonLock(keys, { resource, leaseId: "lease", nonce }, refuseForMs));

  test("frees the hold when no other attempt of its lease is left in it", async () => {
    const resource = lock();
    await acquire(resource, "lease", "n1");
    await acquire(resource, "lease", "n2");
    expect(await abandon(resource, "n1")).toBe(false);
    expect(await redis.exists(keys.hold(resource))).toBe(1);
    expect(await abandon(resource, "n1")).toBe(false);
    expect(await redis.exists(keys.hold(resource))).toBe(1);
    expect(await abandon(resource, "n2")).toBe(true);
    expect(await redis.exists(keys.hold(resource))).toBe(0);
  });

  test("of another lease's attempt frees nothing", async () => {
    const resource = lock();
    await acquire(resource, "lease-2", "n9");
    expect(await abandon(resource, "n1")).toBe(false);
    expect(await redis.exists(keys.hold(resource))).toBe(1);
  });

  test("refuses that attempt afterwards, for its time, and no other", async () => {
    const resource = lock();
    await abandon(resource, "late", 60_000);
    expect(await acquire(resource, "lease", "late")).toEqual({ kind: "gone" });
    expect(await redis.pttl(keys.goneAttempt("lease", "late"))).toBeGreaterThan(50_000);
    expect(await acquire(resource, "lease", "next")).toMatchObject({ kind: "granted" });
  });
});

describe("release-lock", () => {
  const release = (resource: string, leaseId: string, always = false) =>
    run(releaseLock(keys, { resource, leaseId }, { forMs: 60_000, always }));

  test("of another lease changes nothing", async () => {
    const resource = lock();
    await acquire(resource, "lease-1", "n");
    expect(await release(resource, "lease-2")).toBe(false);
    expect(await redis.exists(keys.hold(resource))).toBe(1);
  });

  test.each([
    { what: "an id that was made here", chosen: false, always: false, gone: false },
    { what: "an id that the caller chose", chosen: true, always: false, gone: true },
    { what: "an id that may still come, whichever", chosen: false, always: true, gone: true },
  ])("leaves a tombstone of $what: $gone", async ({ chosen, always, gone }) => {
    const resource = lock();
    const leaseId = freshName("lease");
    await acquire(resource, leaseId, "n", { chosen });
    expect(await release(resource, leaseId, always)).toBe(true);
    expect(await redis.exists(keys.hold(resource))).toBe(0);
    const again = await acquire(resource, leaseId, "n2");
    expect(again.kind).toBe(gone ? "gone" : "granted");
    expect((await redis.pttl(keys.goneLease(leaseId))) > 0).toBe(gone);
  });
});

const MEMBER: MemberRecord = {
  id: "m",
  incarnation: 5,
  revision: 3,
  left: false,
  nonce: "n5",
  ttlMs: 20_000,
  expiresInMs: 20_000,
  heartbeatAgeMs: 0,
  registered: '{"address":"m:1"}',
};

describe("put-member", () => {
  test.each([
    { what: "the first", stored: null, put: {}, result: null },
    { what: "the very same again", stored: {}, put: {}, result: null },
    {
      what: "a later incarnation",
      stored: {},
      put: { incarnation: 6, revision: 1, nonce: "n6" },
      result: null,
    },
    { what: "an earlier incarnation", stored: {}, put: { incarnation: 4, nonce: "n4" }, result: 5 },
    { what: "another registration of the same incarnation", stored: {}, put: { nonce: "other" }, result: 5 },
    { what: "a later revision", stored: {}, put: { revision: 4 }, result: null },
    { what: "a leave", stored: {}, put: { left: true }, result: null },
    {
      what: "a leave that had not seen the last change",
      stored: {},
      put: { left: true, revision: 1 },
      result: null,
    },
    { what: "a live record after its leave", stored: { left: true }, put: { revision: 9 }, result: 5 },
    {
      what: "a later incarnation after a leave",
      stored: { left: true },
      put: { incarnation: 6, nonce: "n6" },
      result: null,
    },
  ])("of $what: stored, or the incarnation that is in the way: $result", async ({ stored, put, result }) => {
    const service = freshName();
    if (stored) await run(putMember(keys, service, { ...MEMBER, ...stored }));
    const record = { ...MEMBER, ...put };
    expect(await run(putMember(keys, service, record))).toEqual({ superseded: result });
    const [now] = (await run(listMembers(keys, service))).members;
    const { incarnation, revision, left, nonce } = result === null ? record : { ...MEMBER, ...stored };
    expect(now).toMatchObject({ incarnation, revision, left, nonce });
  });

  test("of an earlier revision changes nothing", async () => {
    const service = freshName();
    await run(putMember(keys, service, MEMBER));
    expect(await run(putMember(keys, service, { ...MEMBER, revision: 2, registered: "{}" }))).toEqual({
      superseded: null,
    });
    expect((await run(listMembers(keys, service))).members).toMatchObject([
      { revision: 3, registered: MEMBER.registered },
    ]);
  });

  test("never shortens the life of the incarnation that is stored", async () => {
    const service = freshName();
    await run(putMember(keys, service, MEMBER));
    await run(putMember(keys, service, { ...MEMBER, revision: 4, expiresInMs: 1_000 }));
    expect((await run(listMembers(keys, service))).members[0]?.expiresInMs).toBeGreaterThan(15_000);
  });

  test("with the time that is left lets it live no longer than that", async () => {
    const service = freshName();
    await run(putMember(keys, service, { ...MEMBER, expiresInMs: 100, heartbeatAgeMs: 19_900 }));
    const [now] = (await run(listMembers(keys, service))).members;
    expect(now?.expiresInMs).toBeLessThanOrEqual(100);
    expect(now?.heartbeatAgeMs).toBeGreaterThanOrEqual(19_900);
    await sleep(110);
    expect((await run(listMembers(keys, service))).members).toEqual([]);
    expect(await redis.exists(keys.member(service, "m"))).toBe(0);
  });
});

describe("heartbeat", () => {
  test("answers many at once, each by itself, and lets those live that it renews", async () => {
    const service = freshName();
    const put = (record: Partial<MemberRecord>) => run(putMember(keys, service, { ...MEMBER, ...record }));
    await put({ id: "a", expiresInMs: 1_000 });
    await put({ id: "b", left: true });
    await put({ id: "c" });
    const beats = [
      { service, id: "a" },
      { service, id: "nobody" },
      { service, id: "b" },
      { service, id: "c", incarnation: 4 },
      { service, id: "c", incarnation: 5 },
    ];
    const renewed = { kind: "renewed", incarnation: 5, revision: 3, ttlMs: 20_000 };
    expect(await run(heartbeat(keys, beats))).toEqual([
      renewed,
      { kind: "missing" },
      { kind: "left", incarnation: 5 },
      { kind: "other", incarnation: 5 },
      renewed,
    ]);
    expect(await redis.pttl(keys.member(service, "a"))).toBeGreaterThan(15_000);
    expect(await redis.exists(keys.member(service, "nobody"))).toBe(0);
  });
});

describe("what is told of members", () => {
  test("is of all of them, or of one, by this server's clock", async () => {
    const service = freshName();
    for (const id of ["a", "b"]) await run(putMember(keys, service, { ...MEMBER, id, heartbeatAgeMs: 500 }));
    const all = await run(listMembers(keys, service));
    expect(all.members.map(({ id }) => id).sort()).toEqual(["a", "b"]);
    expect(Math.abs(all.serverTimeMs - Date.now())).toBeLessThan(5_000);
    const [one, ...others] = (await run(listMembers(keys, service, "b"))).members;
    expect(others).toEqual([]);
    expect(one).toMatchObject({
      ...MEMBER,
      id: "b",
      expiresInMs: expect.any(Number),
      heartbeatAgeMs: expect.any(Number),
    });
    expect(one?.heartbeatAgeMs).toBeGreaterThanOrEqual(500);
    expect((await run(listMembers(keys, service, "nobody"))).members).toEqual([]);
  });

  test("services are those with a member whose time has not passed", async () => {
    const [live, left, dead] = [freshName("live"), freshName("left"), freshName("dead")];
    await run(putMember(keys, live, MEMBER));
    await run(putMember(keys, left, { ...MEMBER, left: true }));
    await run(putMember(keys, dead, { ...MEMBER, expiresInMs: 50 }));
    await sleep(60);
    const services = await run(listServices(keys));
    expect(services).toContain(live);
    expect(services).not.toContain(left);
    expect(services).not.toContain(dead);
  });

  test("the lists of a service that nobody beats for any more expire", async () => {
    const service = freshName();
    await run(putMember(keys, service, MEMBER));
    expect(await redis.pttl(keys.members(service))).toBeGreaterThan(15_000);
    expect(await redis.pttl(keys.members(service))).toBeLessThanOrEqual(20_000);
  });
});
