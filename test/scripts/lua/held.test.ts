import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { listLocks, sweepHeld } from "../../../src/scripts/holder-calls.js";
import { freshName } from "../../helpers/names.js";
import { lease, lock, OneServer, reader, TOMBSTONE_MS } from "../../helpers/one-server.js";

// The list of names that are held, and what an operator does with it, on one real server.
const server = new OneServer();
const { keys } = server;

beforeEach(async () => {
  await server.redis.del(keys.held);
  await server.redis.hdel(keys.configuration, "swept", "sweeping", "sweep_due");
});

const listed = () => server.redis.zrange(keys.held, "0", "-1");
/** When the next part is due. */
const sweepLater = () => server.run(sweepHeld(keys));
/** As if the pause since the last part were over. How many were forgotten. */
async function sweep(): Promise<number> {
  await server.redis.hdel(keys.configuration, "sweep_due");
  return (await sweepLater()).forgotten;
}
const page = (prefix: string, after = "", most = 100) => server.run(listLocks(keys, prefix, after, most));
const namesOf = ({ locks }: Awaited<ReturnType<typeof page>>) => locks.map(({ resource }) => resource);

describe("the list of names that are held", () => {
  test("has a name from its grant to its release, whether by one or by several names", async () => {
    const [a, b] = [lock(), lock()];
    const [one, two] = [lease(a), lease([a, b])];
    await server.granted(one);
    expect(await listed()).toEqual([a]);
    await server.release(one);
    expect(await listed()).toEqual([]);
    await server.granted(two, { nonce: "n" });
    expect(await listed()).toEqual([a, b].sort());
    await server.abandon(two, "n");
    expect(await listed()).toEqual([]);
  });

  test("keeps a name that readers are left in, and forgets it when they are gone", async () => {
    const name = lock();
    const [one, other] = [reader(name), reader(name)];
    await server.granted(one);
    await server.granted(other);
    await server.release(one);
    await sweep();
    expect(await listed()).toEqual([name]);
    await server.release(other);
    await sweep();
    expect(await listed()).toEqual([]);
  });

  test("forgets names whose leases expired, and keeps those that are renewed", async () => {
    const names = Array.from({ length: 50 }, lock);
    for (const name of names) await server.granted(lease(name), { ttlMs: 40 });
    const [kept, readBy] = [lock(), lock()];
    const own = lease(kept);
    const token = await server.granted(own, { ttlMs: 1_000 });
    await server.renew(own, token, 60_000);
    await server.granted(reader(readBy), { ttlMs: 60_000 });
    await sleep(50);
    expect(await sweep()).toBe(50);
    expect((await listed()).sort()).toEqual([kept, readBy].sort());
  });

  /** So many names in the list, which are held until they are let go. */
  async function heldNames(count: number): Promise<{ letGo: () => Promise<unknown> }> {
    const names = Array.from({ length: count }, (_, i) => `lock/dead-${String(i).padStart(6, "0")}`);
    const holds = names.map((name) => keys.hold(name));
    await server.redis.zadd(keys.held, ...names.flatMap((name) => [0, name]));
    await server.redis.mset(...holds.flatMap((key) => [key, 1]));
    return { letGo: () => server.redis.unlink(...holds) };
  }

  /** How many were forgotten by each sweep, until only so many are left or it takes more than a minute of them. */
  async function sweepUntil(left: number): Promise<number[]> {
    const parts = [];
    while (parts.length <= 60 && (await server.redis.zcard(keys.held)) > left) parts.push(await sweep());
    return parts;
  }

  test("is swept a part at a time, and then from the beginning: thousands of names are gone within half a minute", async () => {
    const { letGo } = await heldNames(9_000);
    await letGo();
    const alive = "lock/dead-004500-alive";
    await server.granted(lease(alive), { ttlMs: 60_000 });
    const parts = await sweepUntil(1);
    expect(parts.length).toBeLessThanOrEqual(26);
    expect(Math.max(...parts), "no sweep looks at many").toBeLessThanOrEqual(361);
    expect(await listed()).toEqual([alive]);
    await server.redis.zadd(keys.held, 0, "lock/a", 0, "lock/z");
    await sweep();
    await sweep();
    expect(await listed()).toEqual([alive]);
  });

  test.each([1, 12, 24])(
    "forgets within a minute what ended behind its look, %i seconds into it",
    async (seconds) => {
      const { letGo } = await heldNames(9_000);
      for (let i = 0; i < seconds; i++) expect(await sweep()).toBe(0);
      await letGo();
      expect((await sweepUntil(0)).length).toBeLessThanOrEqual(50);
    },
  );

  test("is swept faster when it grows meanwhile", async () => {
    const few = await heldNames(200);
    await sweep();
    const many = await heldNames(9_000);
    await few.letGo();
    await many.letGo();
    expect((await sweepUntil(0)).length).toBeLessThanOrEqual(50);
  });

  test("of tens of thousands is swept by no more than five hundred at once", async () => {
    const { letGo } = await heldNames(20_000);
    await letGo();
    const parts = await sweepUntil(0);
    expect(Math.max(...parts)).toBe(500);
    expect(parts.length).toBeLessThanOrEqual(42);
  });

  test("is swept in half a minute, however many names it has, and sooner where many have ended", async () => {
    const pauses = [];
    for (const count of [1_000, 12_500, 50_000]) {
      const { letGo } = await heldNames(count);
      await sweep();
      await server.redis.hdel(keys.configuration, "sweep_due");
      const { nextInMs: whileHeld } = await sweepLater();
      await letGo();
      await server.redis.hdel(keys.configuration, "sweep_due");
      const { nextInMs: whileDead } = await sweepLater();
      pauses.push([whileHeld, whileDead]);
    }
    expect(pauses).toEqual([
      [800, 200],
      [800, 200],
      [200, 50],
    ]);
  });

  test("is swept no more often by many instances than by one", async () => {
    const { letGo } = await heldNames(1_000);
    await letGo();
    // All on their way before the first is answered: within the pause, however slow the machine is.
    const [first, ...others] = await Promise.all(Array.from({ length: 11 }, () => sweepLater()));
    expect(first?.forgotten).toBe(100);
    for (const { forgotten, nextInMs } of others) {
      expect(forgotten).toBe(0);
      expect(nextInMs).toBeGreaterThan(0);
      expect(nextInMs).toBeLessThanOrEqual(200);
    }
  });

  test("is swept whatever a clock that was set back has left", async () => {
    const { letGo } = await heldNames(10);
    await letGo();
    await server.redis.hset(keys.configuration, "sweep_due", String(Date.now() + 3_600_000));
    expect((await sweepLater()).forgotten).toBe(10);
  });

  test("stays as small as what is held, though names are used once and expire", async () => {
    const most = [];
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 60 }, () => server.granted(lease(lock()), { ttlMs: 5 })));
      await sleep(6);
      await sweep();
      most.push(await server.redis.zcard(keys.held));
    }
    expect(most.at(-1)).toBe(0);
    expect(Math.max(...most)).toBeLessThanOrEqual(60);
  });

  test("comes back with a repair", async () => {
    const name = lock();
    await server.repair(lease(name), 40);
    expect(await listed()).toEqual([name]);
  });
});

describe("list-locks", () => {
  test("tells who holds what, in the order of the names, some at a time", async () => {
    const names = ["a", "B", "b", "b-1", "b.2", "b:3", "c"].map((name) => `lock/${name}`);
    for (const name of names) await server.granted(lease(name), { owner: `owner of ${name}` });
    const inOrder = [...names].sort();
    const found = [];
    let after = "";
    for (;;) {
      const { upTo, locks } = await page("lock/", after, 3);
      expect(locks.length).toBeLessThanOrEqual(3);
      for (const { resource, holds } of locks)
        expect(holds).toMatchObject([{ owner: `owner of ${resource}` }]);
      found.push(...locks.map(({ resource }) => resource));
      if (upTo === null) break;
      expect(upTo).toBe(found.at(-1));
      after = upTo;
    }
    expect(found).toEqual(inOrder);
    for (const name of names) await server.redis.del(keys.hold(name));
  });

  test("tells those that begin with a prefix, and none beside them", async () => {
    const names = ["orders", "orders-1", "orders-2", "ordersx", "order", "paid"].map(
      (name) => `lock/${name}`,
    );
    for (const name of names) await server.granted(lease(name));
    expect(namesOf(await page("lock/orders"))).toEqual([
      "lock/orders",
      "lock/orders-1",
      "lock/orders-2",
      "lock/ordersx",
    ]);
    expect(namesOf(await page("lock/orders-"))).toEqual(["lock/orders-1", "lock/orders-2"]);
    expect(namesOf(await page("lock/orders", "lock/orders-1"))).toEqual(["lock/orders-2", "lock/ordersx"]);
    expect(await page("lock/nobody")).toEqual({ upTo: null, locks: [] });
    expect(namesOf(await page("lock/paid", "lock/order")), "whatever the cursor").toEqual(["lock/paid"]);
    expect(namesOf(await page("lock/order", "lock/paid"))).toEqual([]);
  });

  test("passes over names that nobody holds any more, and still says how far it looked", async () => {
    const names = ["a1", "a2", "a3", "a4"].map((name) => `lock/${name}`);
    for (const name of names) await server.granted(lease(name), { ttlMs: name === "lock/a3" ? 10_000 : 10 });
    await sleep(20);
    expect(await page("lock/a", "", 2)).toEqual({ upTo: "lock/a2", locks: [] });
    expect(namesOf(await page("lock/a", "lock/a2", 2))).toEqual(["lock/a3"]);
    expect(await listed(), "looking changes nothing").toEqual(names);
  });

  test("tells all readers of a name", async () => {
    const name = lock();
    for (const owner of ["one", "two", "three"]) await server.granted(reader(name), { owner });
    const [only] = (await page(name)).locks;
    expect(only?.holds.map(({ owner, mode }) => [owner, mode]).sort()).toEqual([
      ["one", "shared"],
      ["three", "shared"],
      ["two", "shared"],
    ]);
  });
});

describe("break-lock", () => {
  test("ends what holds a name, whoever that is, and the next grant is above it", async () => {
    const name = lock();
    const own = lease(name);
    const token = await server.granted(own, { nonce: "n" });
    await server.raise(own, "n", token + 40);
    expect(await server.break(name)).toBe(1);
    expect((await server.inspect(name)).holds).toEqual([]);
    expect(await listed()).toEqual([]);
    expect(await server.granted(lease(name))).toBe(token + 42);
  });

  test("counts up from the lease's own counter, where the name's was forgotten since", async () => {
    const name = lock();
    const token = await server.granted(lease(name));
    await server.redis.hdel(keys.counters, name);
    await server.break(name);
    expect(await server.counterOf(name)).toBe(token + 1);
  });

  test("ends all readers", async () => {
    const name = lock();
    const readers = [reader(name), reader(name), reader(name)];
    let token = 0;
    for (const one of readers) token = await server.granted(one);
    expect(await server.break(name)).toBe(3);
    expect(await server.redis.exists(server.readers(name))).toBe(0);
    for (const one of readers) {
      expect(await server.renew(one, token)).toEqual({ kind: "broken", reason: "it hung" });
      expect(await server.repair(one, token)).toBe(false);
      expect(await server.acquire(one), "its id is used up").toEqual({ kind: "gone" });
    }
    expect(await server.granted(lease(name))).toBeGreaterThan(token);
  });

  test("of a name that nobody holds changes nothing", async () => {
    const name = lock();
    const counter = await server.granted(lease(name), { ttlMs: 10 });
    await sleep(20);
    expect(await server.break(name)).toBe(0);
    expect(await server.counterOf(name)).toBe(counter);
    expect(await server.break(lock())).toBe(0);
  });

  test("leaves a tombstone that ends, and no more", async () => {
    const own = lease(lock());
    await server.granted(own);
    await server.break(own.resources[0] as string);
    const ms = await server.redis.pttl(keys.leaseTombstone(own.leaseId));
    expect(ms).toBeGreaterThan(TOMBSTONE_MS - 5_000);
    expect(ms).toBeLessThanOrEqual(TOMBSTONE_MS);
  });

  test("of one of several names ends the lease for all of them", async () => {
    const [a, b] = [freshName(), freshName()].map((name) => `lock/${name}`) as [string, string];
    const own = lease([a, b]);
    const token = await server.granted(own);
    await server.break(a);
    expect(await server.renew(own, token)).toEqual({ kind: "broken", reason: "it hung" });
    expect(await server.release(own), "nothing is left to give back").toBe(false);
    expect((await server.acquire(lease(b))).kind).toBe("granted");
  });
});
