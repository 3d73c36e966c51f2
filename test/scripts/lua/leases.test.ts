import { describe, expect, test } from "vitest";
import { acquireLease } from "../../../src/scripts/lease-calls.js";
import { freshName } from "../../helpers/names.js";
import { lease, lock, OneServer, TERMS } from "../../helpers/one-server.js";

// The scripts of a lock with one name and one holder, each by itself, on one real server.
const server = new OneServer();
const { keys } = server;

const FLOOR = 2 ** 20;
const pttl = (resource: string) => server.redis.pttl(keys.hold(resource));
const isHeld = async (resource: string) => (await server.redis.exists(keys.hold(resource))) === 1;

describe("the fence", () => {
  test("refuses a stamp that is not the stored one, before anything is read or written", async () => {
    const resource = lock();
    const call = acquireLease(keys, { ...lease(resource), nonce: "n", attemptNumber: 1 }, TERMS);
    await expect(server.run(call, "another")).rejects.toThrow(/^FENCED/);
    expect(await isHeld(resource)).toBe(false);
  });
});

describe("acquire-lease", () => {
  test("counts to the next even number with every grant, by name", async () => {
    const [a, b] = [lock(), lock()];
    const first = lease(a);
    const counter = await server.granted(first);
    expect(counter % 2).toBe(0);
    await server.release(first);
    expect(await server.granted(lease(a))).toBe(counter + 2);
    expect(await server.granted(lease(b))).toBe(counter);
  });

  test("begins above the older generation, and above the floor", async () => {
    const [older, fresh, low] = [lock(), lock(), lock()];
    await server.redis.hset(keys.countersOlder, older, 5_000_000_000_000_001);
    await server.redis.hset(keys.counters, low, 5);
    await server.withFloor(FLOOR, async () => {
      expect(await server.granted(lease(older))).toBe(5_000_000_000_000_002);
      expect(await server.granted(lease(fresh))).toBe(FLOOR + 2);
      expect(await server.granted(lease(low))).toBe(FLOOR + 2);
    });
  });

  test.each([FLOOR, FLOOR + 1, FLOOR + 2])("gets an even counter above a floor of %d", async (floor) => {
    await server.withFloor(floor, async () => {
      const counter = await server.granted(lease(lock()));
      expect(counter % 2).toBe(0);
      expect(counter).toBeGreaterThan(floor);
      expect(counter).toBeLessThanOrEqual(floor + 2);
    });
  });

  test("keeps every digit of a token of 16 digits", async () => {
    const resource = lock();
    const own = lease(resource);
    await server.redis.hset(keys.counters, resource, "9007199254740985");
    expect(await server.granted(own, { nonce: "n" })).toBe(9_007_199_254_740_986);
    expect(await server.raise(own, "n", 9_007_199_254_740_990)).toBe(9_007_199_254_740_990);
    expect(await server.redis.hget(keys.counters, resource)).toBe("9007199254740990");
    expect(await server.redis.hget(keys.counters, "max")).toBe("9007199254740990");
    expect((await server.inspect(resource)).counter).toBe(9_007_199_254_740_990);
    expect(await server.renew(own, 9_007_199_254_740_985, 1)).toEqual({ kind: "regranted" });
    expect(await server.renew(own, 9_007_199_254_740_986, 1)).toMatchObject({ kind: "extended" });
    await server.release(own);
    expect(await server.redis.hget(keys.counters, resource)).toBe("9007199254740991");
  });

  test("repeats its vote for the lease that has it, and never shortens its time", async () => {
    const resource = lock();
    const own = lease(resource);
    const first = await server.acquire(own, { ttlMs: 20_000 });
    expect(await server.acquire(own, { ttlMs: 5_000 })).toEqual(first);
    expect(await pttl(resource)).toBeGreaterThan(15_000);
    expect(await server.acquire(own, { ttlMs: 40_000 })).toEqual(first);
    expect(await pttl(resource)).toBeGreaterThan(35_000);
  });

  test("tells another lease who has it, and changes nothing", async () => {
    const resource = lock();
    await server.granted(lease(resource), { metadata: '{"a":1}' });
    const before = await server.redis.hgetall(keys.hold(resource));
    const vote = await server.acquire(lease(resource));
    expect(vote).toMatchObject({
      kind: "held",
      ahead: 0,
      hold: { owner: "worker-7", mode: "exclusive", metadata: '{"a":1}', revision: "" },
    });
    const { hold } = vote as Extract<typeof vote, { kind: "held" }>;
    expect(hold.expiresInMs).toBeGreaterThan(5_000);
    expect(hold.heldForMs).toBeGreaterThanOrEqual(0);
    expect(await server.redis.hgetall(keys.hold(resource))).toEqual(before);
  });
});

describe("raise-counters", () => {
  test("lifts the counter and never lowers it, only for an attempt that holds", async () => {
    const resource = lock();
    const own = lease(resource);
    await server.granted(own, { nonce: "n1" });
    expect(await server.raise(own, "n1", FLOOR + 500)).toBe(FLOOR + 500);
    expect(await server.raise(own, "n1", FLOOR + 400)).toBe(FLOOR + 500);
    expect(await server.raise(own, "other", FLOOR + 900)).toBeNull();
    const { counter, holds } = await server.inspect(resource);
    expect([counter, holds[0]?.counter]).toEqual([FLOOR + 500, FLOOR + 500]);
    expect(holds[0]?.grantedAt, "but not the counter at the grant").toBeLessThan(FLOOR);
  });

  test("does nothing where the hold has expired: a missing counter is not 0", async () => {
    const resource = lock();
    expect(await server.raise(lease(resource), "n", 7)).toBeNull();
    expect(await server.counterOf(resource)).toBeNull();
  });

  test("stays even, and above a floor that has risen since the grant, whatever its parity", async () => {
    const own = lease(lock());
    await server.granted(own, { nonce: "n" });
    await server.withFloor(FLOOR + 1, async () => {
      expect(await server.raise(own, "n", 8)).toBe(FLOOR + 2);
    });
  });
});

describe("abandon-attempt", () => {
  test("frees the hold when no other attempt of its lease is left in it", async () => {
    const resource = lock();
    const own = lease(resource);
    await server.granted(own, { nonce: "n1" });
    await server.granted(own, { nonce: "n2" });
    expect(await server.abandon(own, "n1")).toBe(false);
    expect(await isHeld(resource)).toBe(true);
    expect(await server.abandon(own, "n1")).toBe(false);
    expect(await isHeld(resource)).toBe(true);
    expect(await server.abandon(own, "n2")).toBe(true);
    expect(await isHeld(resource)).toBe(false);
  });

  test("of another lease's attempt frees nothing", async () => {
    const resource = lock();
    await server.granted(lease(resource), { nonce: "n9" });
    expect(await server.abandon(lease(resource), "n1")).toBe(false);
    expect(await isHeld(resource)).toBe(true);
  });

  test("refuses that attempt afterwards, for its time, and no other", async () => {
    const own = lease(lock());
    await server.abandon(own, "late", 60_000);
    expect(await server.acquire(own, { nonce: "late" })).toEqual({ kind: "gone" });
    expect(await server.redis.pttl(keys.attemptTombstone(own.leaseId, "late", 1))).toBeGreaterThan(50_000);
    expect(await server.acquire(own, { nonce: "next" })).toMatchObject({ kind: "granted" });
  });
});

describe("what a renewal has counted", () => {
  test("is not freed by the clean-up of an attempt that gives up", async () => {
    const resource = lock();
    const own = lease(resource);
    const token = await server.granted(own, { nonce: "n" });
    expect(await server.renew(own, token)).toMatchObject({ kind: "extended" });
    expect(await server.abandon(own, "n")).toBe(false);
    expect(await isHeld(resource)).toBe(true);
    expect(await server.release(own)).toBe(true);
    expect(await isHeld(resource)).toBe(false);
  });
});

describe("release-lease", () => {
  test("of another lease changes nothing", async () => {
    const resource = lock();
    const counter = await server.granted(lease(resource));
    expect(await server.release(lease(resource))).toBe(false);
    expect(await isHeld(resource)).toBe(true);
    expect(await server.counterOf(resource)).toBe(counter);
  });

  test("counts one up: what was released cannot be renewed or repaired any more", async () => {
    const resource = lock();
    const own = lease(resource);
    const token = await server.granted(own);
    await server.release(own);
    expect(await server.counterOf(resource)).toBe(token + 1);
    expect(await server.renew(own, token)).toEqual({ kind: "released" });
    expect(await server.repair(own, token)).toBe(false);
    expect(await isHeld(resource)).toBe(false);
  });

  test("counts up from the lease's own counter, where the name's was forgotten since", async () => {
    const resource = lock();
    const own = lease(resource);
    const token = await server.granted(own);
    await server.redis.hdel(keys.counters, resource);
    await server.release(own);
    expect(await server.counterOf(resource)).toBe(token + 1);
  });

  test.each([
    { what: "an id that was made here", chosen: false, always: false, gone: false },
    { what: "an id that the caller chose", chosen: true, always: false, gone: true },
    { what: "an id that may still come, whichever", chosen: false, always: true, gone: true },
  ])("leaves a tombstone of $what: $gone", async ({ chosen, always, gone }) => {
    const resource = lock();
    const own = lease(resource, freshName("lease"));
    await server.granted(own, { chosen });
    expect(await server.release(own, always)).toBe(true);
    expect(await isHeld(resource)).toBe(false);
    expect((await server.acquire(own)).kind).toBe(gone ? "gone" : "granted");
    expect((await server.redis.pttl(keys.leaseTombstone(own.leaseId))) > 0).toBe(gone);
  });

  test("tells the last attempt that got it, and nothing of what was not held", async () => {
    const own = lease(lock());
    await server.granted(own, { nonce: "a" });
    expect(await server.endedAttempt(own)).toBe("a/1");
    await server.granted(own, { nonce: "a" });
    await server.granted(own, { nonce: "b" });
    await server.granted(own, { nonce: "b", attemptNumber: 3 });
    await server.granted(own, { nonce: "b", attemptNumber: 2 });
    expect(await server.endedAttempt(own)).toBe("b/3");
    expect(await server.endedAttempt(own)).toBeNull();
  });

  test("tells of one that was repaired only that it was held", async () => {
    const own = lease(lock());
    expect(await server.repair(own, FLOOR)).toBe(true);
    expect(await server.endedAttempt(own)).toBe("");
  });

  test("leaves one as soon as one of its requests said that the caller chose the id", async () => {
    const own = lease(lock());
    await server.granted(own, { chosen: false });
    await server.granted(own, { chosen: true });
    await server.release(own);
    expect(await server.acquire(own)).toEqual({ kind: "gone" });
  });

  test("leaves one where the lease was repaired only: its acquire may still come behind it", async () => {
    const own = lease(lock());
    await server.repair(own, 40);
    await server.release(own);
    expect(await server.acquire(own)).toEqual({ kind: "gone" });
  });

  test("where the lease is not held leaves one, too: an acquire may still come behind it", async () => {
    const own = lease(lock());
    expect(await server.release(own)).toBe(false);
    expect(await server.acquire(own)).toEqual({ kind: "gone" });
  });
});
