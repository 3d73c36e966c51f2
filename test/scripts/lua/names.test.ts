import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Claim } from "../../../src/scripts/lease-calls.js";
import { lease, lock, OneServer, reader } from "../../helpers/one-server.js";

// Several names in one lease, and readers beside each other, on one real server.
const server = new OneServer();
const { keys } = server;

const FLOOR = 2 ** 20;
const three = () => [lock(), lock(), lock()];
const heldOf = (own: Claim) => Promise.all(own.resources.map((resource) => server.holds(own, resource)));
const countersOf = (own: Claim) => Promise.all(own.resources.map((resource) => server.counterOf(resource)));
const setCounter = (resource: string, counter: number) =>
  server.redis.hset(keys.counters, resource, String(counter));

describe("several names", () => {
  test("are held by one lease, with one counter that is above all of theirs", async () => {
    const names = three() as [string, string, string];
    await setCounter(names[0], 10);
    await setCounter(names[1], 501);
    const own = lease(names);
    expect(await server.granted(own)).toBe(502);
    expect(await heldOf(own)).toEqual([true, true, true]);
    expect(await countersOf(own)).toEqual([502, 502, 502]);
    for (const name of names) {
      expect(await server.redis.hmget(keys.hold(name), "g", "counter")).toEqual(["502", "502"]);
    }
  });

  test.each([0, 1, 2])(
    "one of which another lease has, the %d., are not taken, and nothing changes",
    async (held) => {
      const names = three();
      const taken = names[held] as string;
      await server.granted(lease(taken), { owner: "who-has-it" });
      const own = lease(names);
      const before = await countersOf(own);
      expect(await server.acquire(own)).toMatchObject({ kind: "held", hold: { owner: "who-has-it" } });
      expect(await heldOf(own)).toEqual([false, false, false]);
      expect(await countersOf(own)).toEqual(before);
      const listed = names.map((name) => server.redis.zscore(keys.held, name));
      expect((await Promise.all(listed)).filter((score) => score !== null)).toHaveLength(1);
    },
  );

  test("some of which the lease has already get a later counter all together", async () => {
    const names = three();
    const some = lease(names.slice(1));
    const counter = await server.granted(some);
    const all = lease(names, some.leaseId);
    expect(await server.granted(all)).toBe(counter + 2);
    expect(await countersOf(all)).toEqual([counter + 2, counter + 2, counter + 2]);
    expect(await server.renew(all, counter)).toEqual({ kind: "regranted" });
  });

  test("are raised all together, or not at all where the attempt lacks one", async () => {
    const own = lease(three());
    await server.granted(own, { nonce: "n" });
    expect(await server.raise(own, "n", 500)).toBe(500);
    expect(await countersOf(own)).toEqual([500, 500, 500]);
    await server.redis.del(keys.hold(own.resources[2] as string));
    expect(await server.raise(own, "n", 600)).toBeNull();
    expect(await countersOf(own)).toEqual([500, 500, 500]);
  });

  test("are raised to the highest that one of them has in the meantime", async () => {
    const own = lease(three());
    await server.granted(own, { nonce: "n" });
    await setCounter(own.resources[1] as string, 701);
    expect(await server.raise(own, "n", 500)).toBe(702);
    expect(await countersOf(own)).toEqual([702, 702, 702]);
  });

  test("are given back all together by the clean-up, and by a release, which counts each one up", async () => {
    const own = lease(three());
    await server.granted(own, { nonce: "n" });
    expect(await server.abandon(own, "n")).toBe(true);
    expect(await heldOf(own)).toEqual([false, false, false]);
    const token = await server.granted(own);
    expect(await server.release(own)).toBe(true);
    expect(await heldOf(own)).toEqual([false, false, false]);
    expect(await countersOf(own)).toEqual([token + 1, token + 1, token + 1]);
  });

  test("are extended all together, or none where one is missing", async () => {
    const own = lease(three());
    const token = await server.granted(own, { ttlMs: 5_000 });
    const lives = () => Promise.all(own.resources.map((resource) => server.redis.pttl(keys.hold(resource))));
    expect(await server.renew(own, token, 20_000)).toMatchObject({ kind: "extended" });
    for (const ms of await lives()) expect(ms).toBeGreaterThan(15_000);
    await server.redis.del(keys.hold(own.resources[1] as string));
    expect(await server.renew(own, token, 60_000)).toEqual({ kind: "missing" });
    for (const ms of await lives()) expect(ms).toBeLessThan(25_000);
  });

  test("held by readers and by writers block each other by one name in common", async () => {
    const [a, b, c] = three() as [string, string, string];
    await server.granted(reader([a, b]));
    expect(await server.acquire(lease([b, c]))).toMatchObject({ kind: "held", hold: { mode: "shared" } });
    expect(await server.acquire(reader([b, c]))).toMatchObject({ kind: "granted" });
    expect(await server.acquire(lease(c))).toMatchObject({ kind: "held" });
  });
});

describe("by parity", () => {
  // What the name's counter is before, and what a writer or a reader gets.
  test.each([
    { before: null, writer: 2, reads: 1 },
    { before: 1, writer: 2, reads: 1 },
    { before: 2, writer: 4, reads: 3 },
    { before: 3, writer: 4, reads: 3 },
    { before: 4, writer: 6, reads: 5 },
  ])(
    "a counter of $before makes $writer for a writer and $reads for a reader",
    async ({ before, writer, reads }) => {
      const [a, b] = three() as [string, string, string];
      for (const name of [a, b]) if (before !== null) await setCounter(name, before);
      expect(await server.granted(lease(a))).toBe(writer);
      expect(await server.granted(reader(b))).toBe(reads);
    },
  );

  test.each([
    { floor: FLOOR, reads: FLOOR + 1 },
    { floor: FLOOR + 1, reads: FLOOR + 1 },
  ])("a reader above a floor of $floor gets $reads", async ({ floor, reads }) => {
    await server.withFloor(floor, async () => expect(await server.granted(reader(lock()))).toBe(reads));
  });

  test("readers are raised to an odd counter, whatever is asked for", async () => {
    const own = reader(lock());
    await server.granted(own, { nonce: "n" });
    expect(await server.raise(own, "n", 100)).toBe(101);
    expect(await server.raise(own, "n", 101)).toBe(101);
    expect(await server.raise(own, "n", 7)).toBe(101);
    expect(await server.raise(own, "another", 500)).toBeNull();
  });

  test("a reader's token lies between those of the writers before and after it", async () => {
    const name = lock();
    let last = 0;
    for (let round = 0; round < 3; round++) {
      const writer = lease(name);
      const written = await server.granted(writer);
      expect(written).toBeGreaterThan(last);
      await server.release(writer);
      const readers = [reader(name), reader(name), reader(name)];
      const tokens = await Promise.all(readers.map((one) => server.granted(one)));
      expect(new Set(tokens).size).toBe(1);
      expect(tokens[0]).toBeGreaterThan(written);
      for (const one of readers) await server.release(one);
      last = tokens[0] as number;
    }
  });
});

describe("readers", () => {
  test("hold a name beside each other, with the same counter, and only the first moves it", async () => {
    const name = lock();
    const [one, other] = [reader(name), reader(name)];
    const counter = await server.granted(one);
    expect(await server.granted(other)).toBe(counter);
    expect(await server.granted(one), "asked again").toBe(counter);
    expect(await server.counterOf(name)).toBe(counter);
    const { holds } = await server.inspect(name);
    expect(holds.map(({ mode, counter: its }) => [mode, its])).toEqual([
      ["shared", counter],
      ["shared", counter],
    ]);
  });

  test("keep a writer out as long as one of them is left", async () => {
    const name = lock();
    const [one, other, writer] = [reader(name), reader(name), lease(name)];
    await server.granted(one, { owner: "one", ttlMs: 5_000 });
    await server.granted(other, { owner: "other", ttlMs: 20_000 });
    expect(await server.acquire(writer)).toMatchObject({
      kind: "held",
      hold: { owner: "other", mode: "shared" },
    });
    await server.granted(other, { ttlMs: 100 });
    expect(await server.acquire(writer), "a late message makes nobody go earlier").toMatchObject({
      hold: { owner: "other" },
    });
    await server.release(other);
    expect(await server.acquire(writer)).toMatchObject({ kind: "held", hold: { owner: "one" } });
    await server.release(one);
    expect(await server.acquire(writer)).toMatchObject({ kind: "granted" });
  });

  test("are kept out by a writer", async () => {
    const name = lock();
    await server.granted(lease(name), { owner: "writer" });
    expect(await server.acquire(reader(name))).toMatchObject({ kind: "held", hold: { owner: "writer" } });
    expect(await server.redis.exists(server.readers(name))).toBe(0);
  });

  test("whose hold ended early are no obstacle, and are forgotten when they are found out", async () => {
    const name = lock();
    const readers = [reader(name), reader(name), reader(name)];
    for (const one of readers) await server.granted(one, { ttlMs: 60_000 });
    for (const { leaseId } of readers.slice(1)) await server.redis.del(server.readerHold(name, leaseId));
    const [alive] = readers as [Claim];
    expect(await server.acquire(lease(name))).toMatchObject({ kind: "held", hold: { mode: "shared" } });
    expect(await server.redis.zrange(server.readers(name), "0", "-1")).toEqual([alive.leaseId]);
    await server.redis.del(server.readerHold(name, alive.leaseId));
    expect(await server.acquire(lease(name))).toMatchObject({ kind: "granted" });
    expect(await server.redis.exists(server.readers(name))).toBe(0);
  });

  test("whose time is over are no obstacle, though another reader's was longer in between", async () => {
    const name = lock();
    await server.granted(reader(name), { ttlMs: 50 });
    const long = reader(name);
    await server.granted(long, { ttlMs: 60_000 });
    await sleep(60);
    expect((await server.inspect(name)).holds).toHaveLength(1);
    await server.release(long);
    expect(await server.acquire(lease(name))).toMatchObject({ kind: "granted" });
  });

  test("are renewed, released and repaired as what they are, when nobody says their mode", async () => {
    const name = lock();
    const [own, other] = [reader(name), reader(name)];
    const token = await server.granted(own, { ttlMs: 5_000, metadata: '"m"' });
    await server.granted(other, { ttlMs: 5_000 });
    const unnamed = { ...own, mode: null };
    expect(await server.renew(unnamed, token, 30_000)).toMatchObject({
      kind: "extended",
      mode: "shared",
      metadata: '"m"',
    });
    expect(await server.redis.pttl(server.readerHold(name, own.leaseId))).toBeGreaterThan(25_000);
    expect(await server.redis.pttl(server.readers(name)), "the set of them lives as long").toBeGreaterThan(
      25_000,
    );
    expect(await server.release(unnamed)).toBe(true);
    expect(await server.holds(own, name)).toBe(false);
    expect(await server.holds(other, name)).toBe(true);
  });

  test("released leave the counter to the others, and a tombstone of their own", async () => {
    const name = lock();
    const [own, other] = [reader(name), reader(name)];
    const token = await server.granted(own);
    await server.granted(other);
    await server.release(own);
    expect(await server.counterOf(name)).toBe(token);
    expect(await server.renew(own, token)).toEqual({ kind: "released" });
    expect(await server.repair(own, token)).toBe(false);
    expect(await server.acquire(own)).toEqual({ kind: "gone" });
    expect(await server.renew(other, token)).toMatchObject({ kind: "extended" });
  });

  test("given back by a clean-up may come again: an attempt is not the lease", async () => {
    const own = reader(lock());
    await server.granted(own, { nonce: "n" });
    expect(await server.abandon(own, "n")).toBe(true);
    expect(await heldOf(own)).toEqual([false]);
    expect(await server.acquire(own)).toMatchObject({ kind: "granted" });
  });
});

describe("what a leaseId that its caller chose is for", () => {
  const chosen = (fingerprint: string, mode: Claim["mode"] = "exclusive") =>
    ({ fingerprint, mode }) satisfies Partial<Claim>;

  test("is remembered as long as the lease, in every mode by itself", async () => {
    const [name, another] = [lock(), lock()];
    const own = lease(name, undefined, chosen(name));
    await server.granted(own, { chosen: true, ttlMs: 20_000 });
    expect(await server.redis.pttl(keys.fingerprint(own.leaseId))).toBeGreaterThan(15_000);
    expect(await server.acquire(own)).toMatchObject({ kind: "granted" });
    for (const other of [
      lease(another, own.leaseId, chosen(another)),
      lease(name, own.leaseId, chosen(name, "shared")),
      lease([name, another], own.leaseId, chosen(`${name} ${another}`)),
    ]) {
      expect(await server.acquire(other)).toEqual({ kind: "other" });
    }
    expect(await server.holds(own, another)).toBe(false);
  });

  test("lives on with a renewal, and never shorter", async () => {
    const name = lock();
    const own = lease(name, undefined, chosen(name));
    const token = await server.granted(own, { chosen: true, ttlMs: 5_000 });
    await server.renew({ ...own, mode: null }, token, 40_000);
    expect(await server.redis.pttl(keys.fingerprint(own.leaseId))).toBeGreaterThan(35_000);
    await server.renew(own, token, 1_000);
    expect(await server.redis.pttl(keys.fingerprint(own.leaseId))).toBeGreaterThan(35_000);
    expect(await server.redis.get(keys.fingerprint(own.leaseId))).toBe(`exclusive ${name}`);
  });

  test("comes back with a repair", async () => {
    const name = lock();
    const own = lease(name, undefined, chosen(name));
    expect(await server.repair(own, 8, { chosen: true })).toBe(true);
    expect(await server.redis.get(keys.fingerprint(own.leaseId))).toBe(`exclusive ${name}`);
    expect(await server.acquire(lease(lock(), own.leaseId, chosen("else")))).toEqual({ kind: "other" });
  });
});
