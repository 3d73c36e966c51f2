import { describe, expect, test } from "vitest";
import type { Claim } from "../../../src/scripts/lease-calls.js";
import { lease, lock, OneServer, reader } from "../../helpers/one-server.js";

// A lease of several names is one thing: it is renewed, released and broken as a whole. On one real server.
const server = new OneServer();
const { keys } = server;

/** The same lease, of which only some names are given. */
const part = (own: Claim, ...names: string[]): Claim => ({
  ...own,
  mode: null,
  resources: names,
  queues: names,
});
const heldOf = (own: Claim) => Promise.all(own.resources.map((name) => server.holds(own, name)));

describe.each([
  ["a writer's lease of three names", lease],
  ["a reader's lease of three names", reader],
] as const)("%s", (_, make) => {
  const three = (): [Claim, string, string, string] => {
    const names = [lock(), lock(), lock()].sort() as [string, string, string];
    return [make(names), ...names];
  };

  test("is released by any of them, and what was released cannot be renewed or repaired", async () => {
    for (const named of [0, 1, 2]) {
      const [own] = three();
      const token = await server.granted(own);
      expect(await server.release(part(own, own.resources[named] as string))).toBe(true);
      expect(await heldOf(own)).toEqual([false, false, false]);
      expect(await server.renew(own, token)).toEqual({ kind: "released" });
      expect(await server.repair(own, token)).toBe(false);
      expect(await heldOf(own)).toEqual([false, false, false]);
    }
  });

  test("released by one name leaves alone what others have of the rest", async () => {
    const [own, a, b, c] = three();
    await server.granted(own);
    // It ended early here, and another lease has it.
    await server.redis.del(keys.hold(b), `${keys.hold(b)}/${own.leaseId}`);
    const other = make([b]);
    const token = await server.granted(other);
    await server.release(part(own, a));
    expect(await server.holds(own, c)).toBe(false);
    expect(await server.holds(other, b)).toBe(true);
    expect(await server.renew(other, token)).toMatchObject({ kind: "extended" });
  });

  test("of which a name is missing here may be repaired, whichever it is", async () => {
    for (const missing of [0, 1, 2]) {
      const [own] = three();
      // Readers are beside others.
      if (make === reader) await server.granted(reader([...own.resources]));
      const token = await server.granted(own);
      const hold = keys.hold(own.resources[missing] as string);
      await server.redis.del(make === reader ? `${hold}/${own.leaseId}` : hold);
      expect(await server.renew({ ...own, mode: null }, token)).toEqual({ kind: "missing" });
    }
  });

  test("is renewed with all of them, and with fewer or more not at all", async () => {
    const [own, a, b, c] = three();
    const token = await server.granted(own, { ttlMs: 5_000 });
    for (const names of [[a], [a, b], [a, b, c, `${c}-more`], ["lock/a", a, b, c]]) {
      const outcome = await server.renew(part(own, ...names), token, 60_000);
      expect(outcome, `${names.length} names`).toEqual({ kind: "other" });
    }
    expect(await server.renew({ ...own, mode: null }, token, 20_000)).toMatchObject({ kind: "extended" });
  });

  test("is broken by any of them, with all of them", async () => {
    const [own, a, b, c] = three();
    const token = await server.granted(own);
    expect(await server.break(b)).toBe(1);
    expect(await heldOf(own)).toEqual([false, false, false]);
    expect(await server.renew(own, token)).toEqual({ kind: "broken", reason: "it hung" });
    expect(await server.repair(own, token)).toBe(false);
    for (const name of [a, b, c]) expect(await server.granted(lease(name))).toBeGreaterThan(token);
  });

  test("broken by one name leaves alone what others have of the rest", async () => {
    const [own, a, b, c] = three();
    await server.granted(own);
    await server.redis.del(keys.hold(c), `${keys.hold(c)}/${own.leaseId}`);
    const other = make([c]);
    const token = await server.granted(other);
    expect(await server.break(a)).toBe(1);
    expect(await server.holds(own, b)).toBe(false);
    expect(await server.renew(other, token)).toMatchObject({ kind: "extended" });
  });

  test("repaired is a whole again", async () => {
    const [own, a] = three();
    expect(await server.repair(own, 2 ** 20 + (make === reader ? 1 : 0))).toBe(true);
    expect(await server.release(part(own, a))).toBe(true);
    expect(await heldOf(own)).toEqual([false, false, false]);
  });

  test("ended by one name wakes those who wait for the others, once", async () => {
    for (const end of [
      (own: Claim, name: string) => server.release(part(own, name)),
      (_: Claim, name: string) => server.break(name),
    ]) {
      const [own, a, b] = three();
      await server.granted(own);
      const heard: string[] = [];
      const listener = server.connect();
      listener.on("message", (__, leaseId: string) => heard.push(leaseId));
      await listener.subscribe(keys.notificationChannel("instance"));
      const waiting = [lease(a), lease(b)];
      const place = { ticket: 7, instance: "instance", keptMs: 5_000, acceptsHandoff: false };
      for (const one of waiting) await server.acquire(one, { queueEntry: place });
      await end(own, a);
      await expect.poll(() => heard.length).toBe(2);
      await listener.ping();
      expect(heard.sort()).toEqual(waiting.map(({ leaseId }) => leaseId).sort());
    }
  });
});

test("readers of several names beside each other are broken each with its own names only", async () => {
  const [a, b, c] = [lock(), lock(), lock()].sort() as [string, string, string];
  const [one, other, beside] = [reader([a, b]), reader([a, c]), reader([b, c])];
  for (const each of [one, other, beside]) await server.granted(each);
  expect(await server.break(a)).toBe(2);
  expect([...(await heldOf(one)), ...(await heldOf(other))]).toEqual([false, false, false, false]);
  expect(await heldOf(beside)).toEqual([true, true]);
});
