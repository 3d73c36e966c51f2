import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Lease } from "../../src/primitives/lock.js";
import { Keys } from "../../src/scripts/keys.js";
import { command } from "../helpers/deployment.js";
import { Pair } from "../helpers/pair.js";
import { freshName } from "../helpers/service.js";

// What can be known of locks, and what an operator does with them.
const pair = new Pair();
const locks = () => pair.one.service.locks;

async function take(name: string, request: object = {}): Promise<Lease> {
  const outcome = await pair.other.service.locks.acquire({ names: [name], ttlMs: 10_000, ...request });
  if (outcome.kind !== "acquired") throw new Error(`not acquired: ${JSON.stringify(outcome)}`);
  return outcome.lease;
}

describe("inspect", () => {
  test("tells the holder, with how long it has it and how long it will, and the newest token", async () => {
    const name = freshName();
    const lease = await take(name, { owner: "worker-7", metadata: { job: [1, "two"] } });
    await sleep(50);
    const state = await locks().inspect(name);
    expect(state).toMatchObject({
      mode: "exclusive",
      fencingToken: lease.fencingToken,
      newest: lease.fencingToken,
      waiting: 0,
      queue: [],
      holders: [{ owner: "worker-7", metadata: { job: [1, "two"] }, mode: "exclusive" }],
    });
    const [holder] = state.holders;
    expect(holder?.heldForMs).toBeGreaterThanOrEqual(40);
    expect(holder?.expiresInMs).toBeGreaterThan(8_000);
    expect(holder?.expiresInMs).toBeLessThanOrEqual(10_000);
    expect(JSON.stringify(state)).not.toContain(lease.leaseId);
  });

  test("tells all readers and their token", async () => {
    const name = freshName();
    const readers = [];
    for (const owner of ["a", "b", "c"]) readers.push(await take(name, { mode: "shared", owner }));
    const { mode, holders, fencingToken } = await locks().inspect(name);
    expect(mode).toBe("shared");
    expect(holders.map(({ owner }) => owner).sort()).toEqual(["a", "b", "c"]);
    for (const reader of readers) expect(reader.fencingToken).toBe(fencingToken);
  });

  test("is two reads for any number who ask at once", async () => {
    const name = freshName();
    const { fencingToken } = await take(name, { metadata: "m".repeat(2_000) });
    let looks = 0;
    const undo = pair.one.service.primaries.all.map((primary) => {
      const original = primary.ask.bind(primary);
      primary.ask = (call, answered) => {
        if (call.script.name === "inspect-name") looks += 1;
        original(call, answered);
      };
      return () => {
        primary.ask = original;
      };
    });
    const states = await Promise.all(Array.from({ length: 500 }, () => locks().inspect(name)));
    for (const each of undo) each();
    expect(states.every((state) => state.fencingToken === fencingToken)).toBe(true);
    expect(looks).toBeGreaterThan(0);
    expect(looks, "at three primaries").toBeLessThanOrEqual(2 * 3);
  });

  test("of a name that nobody holds tells nobody", async () => {
    const name = freshName();
    const never = await locks().inspect(name);
    expect(never).toMatchObject({ mode: null, holders: [], fencingToken: null });
    const { fencingToken, leaseId } = await take(name);
    await locks().release([name], leaseId);
    const after = await locks().inspect(name);
    expect(after).toMatchObject({ mode: null, holders: [], fencingToken: null });
    expect(after.newest).toBeGreaterThanOrEqual(fencingToken);
  });
});

describe("check", () => {
  test("tells whether a token is the current one, and the newest", async () => {
    const name = freshName();
    const first = await take(name, { ttlMs: 1_000 });
    expect(await locks().check(name, first.fencingToken)).toEqual({
      current: true,
      newest: first.fencingToken,
    });
    await sleep(1_010);
    expect((await locks().check(name, first.fencingToken)).current).toBe(false);
    const second = await take(name);
    expect(await locks().check(name, first.fencingToken)).toEqual({
      current: false,
      newest: second.fencingToken,
    });
    expect((await locks().check(name, second.fencingToken)).current).toBe(true);
    expect((await locks().check(name, second.fencingToken + 2)).current).toBe(false);
  });

  test("of readers is true for the token that they share", async () => {
    const name = freshName();
    const [one, other] = [await take(name, { mode: "shared" }), await take(name, { mode: "shared" })];
    await locks().release([name], one.leaseId);
    expect(await locks().check(name, other.fencingToken)).toEqual({
      current: true,
      newest: other.fencingToken,
    });
  });
});

describe("the list of locks", () => {
  /** All pages, one after the other. */
  async function list(prefix: string, most: number): Promise<{ names: string[]; pages: number }> {
    const names: string[] = [];
    let cursor: string | null = "";
    let pages = 0;
    while (cursor !== null) {
      const page: Awaited<ReturnType<ReturnType<typeof locks>["list"]>> = await locks().list(
        prefix,
        cursor,
        most,
      );
      names.push(...page.locks.map(({ name }) => name));
      cursor = page.cursor;
      pages += 1;
    }
    return { names, pages };
  }

  test("has all that are held and begin with a prefix, in order, some at a time", async () => {
    const prefix = freshName("listed");
    const names = Array.from({ length: 25 }, (_, i) => `${prefix}.${String.fromCharCode(97 + i)}`);
    for (const name of [...names].sort(() => Math.random() - 0.5)) await take(name);
    await take(freshName("beside"));
    expect(await list(`${prefix}.`, 10)).toMatchObject({ names });
    expect((await list(`${prefix}.`, 10)).pages).toBeGreaterThanOrEqual(3);
    expect((await list(`${prefix}.`, 100)).names).toEqual(names);
    expect((await list(`${prefix}.b`, 100)).names).toEqual([`${prefix}.b`]);
  });

  test("tells who holds them, and in which mode", async () => {
    const name = freshName("who");
    for (const owner of ["a", "b"]) await take(name, { mode: "shared", owner });
    const { locks: found } = await locks().list(name, "", 10);
    expect(found).toMatchObject([{ name, mode: "shared" }]);
    expect(found[0]?.holders.map(({ owner }) => owner).sort()).toEqual(["a", "b"]);
  });

  test("has none that were released or have expired, and no permits or terms", async () => {
    const prefix = freshName("gone");
    const released = await take(`${prefix}-released`);
    await locks().release(released.names, released.leaseId);
    await take(`${prefix}-expired`, { ttlMs: 1_000 });
    await pair.one.service.elections.campaign({ name: `${prefix}-term`, ttlMs: 5_000 });
    await pair.one.service.semaphores.acquire({ name: `${prefix}-pool`, ttlMs: 5_000, limit: 2, permits: 1 });
    await sleep(1_020);
    expect((await list(prefix, 10)).names).toEqual([]);
  });

  test("has a lock that a majority hold, whichever primaries answer first", async () => {
    const name = freshName("majority");
    await take(name);
    const hold = new Keys(pair.prefix).hold(`lock/${name}`);
    await pair.untilOnAll(hold);
    await command(pair.primary(0), "DEL", hold);
    for (let i = 0; i < 30; i++) expect((await list(name, 10)).names).toEqual([name]);
  });

  test("goes on through names of which only a minority knows", async () => {
    const prefix = freshName("minority");
    const keys = new Keys(pair.prefix);
    const stale = Array.from({ length: 30 }, (_, i) => `lock/${prefix}-${String(i).padStart(2, "0")}`);
    await command(pair.primary(0), "ZADD", keys.held, ...stale.flatMap((name) => [0, name]));
    await take(`${prefix}-15-real`);
    expect((await list(prefix, 5)).names).toEqual([`${prefix}-15-real`]);
  });
});

describe("break", () => {
  test("ends a writer, or all readers, and the next one has a token above", async () => {
    const name = freshName();
    const writer = await take(name);
    expect(await locks().break(name, "it hung")).toBe(1);
    const readers = [];
    for (let i = 0; i < 3; i++) readers.push(await take(name, { mode: "shared" }));
    expect(readers[0]?.fencingToken).toBeGreaterThan(writer.fencingToken);
    expect(await locks().break(name, "they hung")).toBe(3);
    for (const reader of readers) {
      await expect(locks().renew(reader)).rejects.toMatchObject({
        code: "lease_lost",
        help: { lost: { why: "broken", reason: "they hung" } },
      });
    }
    expect((await take(name)).fencingToken).toBeGreaterThan(readers[0]?.fencingToken as number);
    expect(await locks().break(freshName(), "nobody")).toBe(0);
  });

  test("lets in who waits", async () => {
    const name = freshName();
    // It would have the lock for longer than the test may take.
    await take(name, { ttlMs: 60_000 });
    const next = pair.one.service.locks.acquire({ names: [name], ttlMs: 5_000, waitMs: 60_000 });
    await pair.untilWaiting(name, 1);
    await locks().break(name, "it hung");
    expect((await next).kind).toBe("acquired");
  });
});
