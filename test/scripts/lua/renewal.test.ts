import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type Claim, proclaim } from "../../../src/scripts/lease-calls.js";
import { lease, lock, OneServer, reader } from "../../helpers/one-server.js";

// What a holder does with a lease that it has, and what a primary that lacks it says, on one real server.
const server = new OneServer();
const { keys } = server;

describe("renew-lease", () => {
  test("extends, never shortens, and tells what the lease was acquired with", async () => {
    const name = lock();
    const own = lease(name);
    const token = await server.granted(own, { metadata: '{"a":1}', chosen: true });
    expect(await server.renew(own, token, 30_000)).toEqual({
      kind: "extended",
      mode: "exclusive",
      owner: "worker-7",
      metadata: '{"a":1}',
      chosen: true,
      revision: "",
    });
    expect(await server.redis.pttl(keys.hold(name))).toBeGreaterThan(25_000);
    await server.renew(own, token, 1_000);
    expect(await server.redis.pttl(keys.hold(name))).toBeGreaterThan(25_000);
    expect(await server.renew(own, token + 100)).toMatchObject({ kind: "extended" });
  });

  test("refuses the lease where it was granted after the token: that grant was another's round", async () => {
    const own = lease(lock());
    const token = await server.granted(own);
    expect(await server.renew(own, token - 1)).toEqual({ kind: "regranted" });
  });

  test("goes by the counter at the grant, not by the one that it was raised to since", async () => {
    const own = lease(lock());
    const token = await server.granted(own, { nonce: "n" });
    await server.raise(own, "n", token + 100);
    expect(await server.renew(own, token)).toMatchObject({ kind: "extended" });
  });

  test("of a lease that is not here, where nobody had the name since, says that it is missing", async () => {
    const name = lock();
    const own = lease(name);
    const token = await server.granted(own, { ttlMs: 20 });
    await sleep(30);
    expect(await server.renew(own, token)).toEqual({ kind: "missing" });
    expect(await server.redis.exists(keys.hold(name)), "and takes nothing").toBe(0);
    expect(await server.renew(lease(lock()), 4)).toEqual({ kind: "missing" });
  });

  test("where another lease has the name, or had it since, tells its counter", async () => {
    const name = lock();
    const [own, next] = [lease(name), lease(name)];
    const token = await server.granted(own);
    await server.redis.del(keys.hold(name));
    const later = await server.granted(next);
    expect(await server.renew(own, token)).toEqual({ kind: "taken", counter: later });
    await server.redis.del(keys.hold(name));
    expect(await server.renew(own, token)).toEqual({ kind: "taken", counter: later });
  });

  test("where a reader has the name tells the reader's counter", async () => {
    const name = lock();
    const own = lease(name);
    const token = await server.granted(own);
    await server.redis.del(keys.hold(name));
    const later = await server.granted(reader(name));
    expect(await server.renew(own, token)).toEqual({ kind: "taken", counter: later });
  });

  test("of a lease that was released says so, where there is a tombstone", async () => {
    const own = lease(lock());
    const token = await server.granted(own, { chosen: true });
    await server.release(own);
    expect(await server.renew(own, token)).toEqual({ kind: "released" });
  });

  test.each(["it hung", "two\nlines", ""])("of a lease that was broken tells why: %j", async (reason) => {
    const name = lock();
    const own = lease(name);
    const token = await server.granted(own);
    await server.break(name, reason);
    expect(await server.renew(own, token)).toEqual({ kind: "broken", reason });
  });

  describe("of a lease that is not here, below a floor", () => {
    test("says that counters are forgotten: nobody is known to have had the name", async () => {
      const name = lock();
      const own = lease(name);
      const token = await server.granted(own);
      await server.redis.del(keys.hold(name));
      await server.withFloor(token + 1_000_000, async () => {
        expect(await server.renew(own, token), "its own counter is known").toEqual({ kind: "forgotten" });
        await server.redis.hdel(keys.counters, name);
        expect(await server.renew(own, token), "nor is that").toEqual({ kind: "forgotten" });
        expect(await server.repair(own, token), "it gives nothing back").toBe(false);
      });
      await server.withFloor(token, async () => {
        expect(await server.renew(own, token), "not above the token").toEqual({ kind: "missing" });
      });
    });

    test.each(["current", "older"])(
      "tells a grant that is known of, in the %s generation",
      async (generation) => {
        const name = lock();
        const [own, next] = [lease(name), lease(name)];
        const token = await server.granted(own);
        await server.redis.del(keys.hold(name));
        const later = await server.granted(next);
        await server.redis.del(keys.hold(name));
        if (generation === "older") {
          await server.redis.hdel(keys.counters, name);
          await server.redis.hset(keys.countersOlder, name, later);
        }
        await server.withFloor(later + 500, async () => {
          expect(await server.renew(own, token)).toEqual({ kind: "taken", counter: later + 500 });
        });
        await server.redis.hdel(keys.countersOlder, name);
      },
    );

    test("and of several names tells the one that was taken, wherever it stands", async () => {
      for (const place of [0, 1, 2]) {
        const names = [lock(), lock(), lock()];
        const own = lease(names);
        const token = await server.granted(own);
        await server.redis.del(...names.map((name) => keys.hold(name)));
        const later = await server.granted(lease(names[place] as string));
        await server.redis.del(keys.hold(names[place] as string));
        await server.withFloor(later, async () => {
          expect(await server.renew(own, token)).toEqual({ kind: "taken", counter: later });
        });
      }
    });

    test("where it is held yet is extended: a floor is raised over leases that live for long", async () => {
      const own = lease(lock());
      const token = await server.granted(own);
      await server.withFloor(token + 1_000_000, async () => {
        expect(await server.renew(own, token)).toMatchObject({ kind: "extended" });
      });
    });
  });

  test("of several names is taken where one of them is, though another is missing", async () => {
    const [a, b] = [lock(), lock()];
    const own = lease([a, b]);
    const token = await server.granted(own);
    await server.redis.del(keys.hold(a), keys.hold(b));
    const later = await server.granted(lease(b));
    expect(await server.renew(own, token)).toEqual({ kind: "taken", counter: later });
  });
});

describe("repair-lease", () => {
  test("gives the lease to a server that lacks it, with all that belongs to it", async () => {
    const name = lock();
    const own = lease(name);
    const renewal = { owner: "worker-9", metadata: '"v2"', chosen: true, revision: "000000000002-a" };
    expect(await server.repair(own, 40, renewal, 20_000)).toBe(true);
    const [hold] = (await server.inspect(name)).holds;
    expect(hold).toMatchObject({
      owner: "worker-9",
      metadata: '"v2"',
      mode: "exclusive",
      grantedAt: 40,
      counter: 40,
      revision: "000000000002-a",
    });
    expect(hold?.expiresInMs).toBeGreaterThan(15_000);
    expect(await server.counterOf(name)).toBe(40);
    expect(await server.redis.zscore(keys.held, name), "it is listed").not.toBeNull();
    expect(await server.renew(own, 40)).toMatchObject({ kind: "extended", chosen: true });
    await server.release(own);
    expect(await server.acquire(own), "the id counts as chosen").toEqual({ kind: "gone" });
  });

  test("makes the next grant count above the token", async () => {
    const name = lock();
    await server.repair(lease(name), 40);
    await server.redis.del(keys.hold(name));
    expect(await server.granted(lease(name))).toBe(42);
  });

  test("gives a reader its place beside others, with their token", async () => {
    const name = lock();
    const [own, other] = [reader(name), reader(name)];
    const token = await server.granted(other);
    expect(await server.repair(own, token)).toBe(true);
    expect((await server.inspect(name)).holds).toHaveLength(2);
    expect(await server.acquire(lease(name))).toMatchObject({ kind: "held" });
    await server.release(other);
    expect(await server.acquire(lease(name)), "it alone keeps a writer out").toMatchObject({ kind: "held" });
  });

  test("of several names gives those that are missing", async () => {
    const names = [lock(), lock(), lock()];
    const own = lease(names);
    const token = await server.granted(own);
    await server.redis.del(keys.hold(names[1] as string));
    expect(await server.repair(own, token)).toBe(true);
    for (const name of names) expect(await server.holds(own, name)).toBe(true);
    expect(await server.renew(own, token)).toMatchObject({ kind: "extended" });
  });

  test("twice does no harm", async () => {
    const name = lock();
    const own = lease(name);
    await server.repair(own, 40, { metadata: '"first"' });
    expect(await server.repair(own, 40, { metadata: '"second"' })).toBe(true);
    expect((await server.inspect(name)).holds).toMatchObject([{ metadata: '"first"', counter: 40 }]);
  });

  /** What happened to the name since, and why it is not for this lease any more. */
  const since: [what: string, happens: (own: Claim, name: string) => Promise<unknown>][] = [
    ["another lease has it", (_, name) => server.granted(lease(name))],
    ["a reader has it", (_, name) => server.granted(reader(name))],
    [
      "another lease had it",
      async (_, name) => {
        await server.granted(lease(name));
        await server.redis.del(keys.hold(name));
      },
    ],
    ["the lease was released here", (own) => server.release(own)],
    ["the lease was released here before it came", (own) => server.release({ ...own, mode: null }, true)],
    [
      "the lease was broken here",
      async (own, name) => {
        await server.granted(own);
        await server.break(name);
      },
    ],
    ["the lease was granted anew", (own) => server.granted(own)],
  ];

  test.each(since)("refuses where %s", async (_, happens) => {
    const name = lock();
    const own = lease(name);
    const token = await server.granted(own);
    await server.redis.del(keys.hold(name));
    await happens(own, name);
    const before = await server.inspect(name);
    expect(await server.repair(own, token)).toBe(false);
    const after = await server.inspect(name);
    expect(after.counter).toBe(before.counter);
    expect(after.holds.map(({ digest, grantedAt }) => [digest, grantedAt])).toEqual(
      before.holds.map(({ digest, grantedAt }) => [digest, grantedAt]),
    );
  });

  test("refuses where another's attempt has the name, though by a lower counter than the token", async () => {
    for (const own of [lease(lock()), reader(lock())]) {
      const [name] = own.resources as [string];
      const other = lease(name);
      const counter = await server.granted(other);
      expect(await server.repair(own, counter + 101)).toBe(false);
      expect(await server.holds(other, name)).toBe(true);
      expect(await server.holds(own, name)).toBe(false);
    }
  });

  test("refuses a reader's where a writer had the name since", async () => {
    const name = lock();
    const own = reader(name);
    const token = await server.granted(own);
    await server.redis.del(server.readerHold(name, own.leaseId));
    const writer = lease(name);
    await server.granted(writer);
    expect(await server.repair(own, token), "it has").toBe(false);
    await server.redis.del(keys.hold(name));
    expect(await server.repair(own, token), "it had").toBe(false);
  });

  test("refuses below a floor that stands for what was forgotten", async () => {
    const own = lease(lock());
    await server.withFloor(2 ** 20, async () => {
      expect(await server.repair(own, 2 ** 20 - 2)).toBe(false);
      expect(await server.repair(own, 2 ** 20 + 2)).toBe(true);
    });
  });

  test("of several names gives none where one of them had another holder", async () => {
    const names = [lock(), lock(), lock()];
    const own = lease(names);
    const token = await server.granted(own);
    await server.redis.del(...names.map((name) => keys.hold(name)));
    const last = names[2] as string;
    await server.granted(lease(last));
    await server.redis.del(keys.hold(last));
    expect(await server.repair(own, token)).toBe(false);
    for (const name of names) expect(await server.holds(own, name)).toBe(false);
  });

  test("keeps the fence's note of how long leases may live", async () => {
    const before = Number(await server.redis.hget(keys.configuration, "leases_until"));
    await server.repair(lease(lock()), 40, {}, 500_000);
    const after = Number(await server.redis.hget(keys.configuration, "leases_until"));
    expect(after).toBeGreaterThan(Math.max(before, Date.now() + 490_000));
  });
});

describe("proclaim", () => {
  const proclaimed = (own: Claim, token: number, revision: string, value: string) =>
    server.run(proclaim(keys, { ...own, token }, revision, JSON.stringify(value)));
  const carried = async (name: string) => {
    const [hold] = (await server.inspect(name)).holds;
    return [hold?.metadata, hold?.revision];
  };

  test("changes what the lease carries, and only forwards", async () => {
    const name = lock();
    const own = lease(name);
    const token = await server.granted(own, { metadata: '"first"' });
    expect(await proclaimed(own, token, "000000000002-b", "second")).toBe(true);
    expect(await carried(name)).toEqual(['"second"', "000000000002-b"]);
    for (const late of ["000000000001-z", "000000000002-a", "000000000002-b"]) {
      expect(await proclaimed(own, token, late, "late"), "it has this one or a later one").toBe(true);
      expect(await carried(name)).toEqual(['"second"', "000000000002-b"]);
    }
    expect(await proclaimed(own, token, "000000000010-a", "tenth")).toBe(true);
    expect(await carried(name)).toEqual(['"tenth"', "000000000010-a"]);
    expect(await server.renew(own, token)).toMatchObject({ metadata: '"tenth"', revision: "000000000010-a" });
  });

  test("by one that does not hold it changes nothing", async () => {
    const name = lock();
    const own = lease(name);
    const token = await server.granted(own, { metadata: '"first"' });
    expect(await proclaimed(lease(name), token, "000000000002-b", "x"), "a stranger").toBe(false);
    expect(await proclaimed(own, token - 1, "000000000002-b", "x"), "by an older token").toBe(false);
    expect(await carried(name)).toEqual(['"first"', ""]);
    expect(await proclaimed(lease(lock()), 4, "000000000002-b", "x")).toBe(false);
  });
});
