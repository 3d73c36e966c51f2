import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Claim } from "../../../src/scripts/lease-calls.js";
import { inspectSemaphore, setLimit } from "../../../src/scripts/semaphore-calls.js";
import { freshName } from "../../helpers/names.js";
import { lease, OneServer } from "../../helpers/one-server.js";

// Semaphores: each permit a lock on a slot, all under one limit, on one real server.
const server = new OneServer();
const { keys } = server;

const slotOf = (name: string, slot: number) => `permit/${name}/${slot}`;

/** What a lease for these slots claims, where the limit is `limit`. */
function permits(name: string, limit: number, slots: readonly number[], other: Partial<Claim> = {}): Claim {
  return lease(
    slots.map((slot) => slotOf(name, slot)),
    undefined,
    { queues: [`semaphore/${name}`], limit: { semaphore: name, permits: limit }, ...other },
  );
}

const look = (name: string, page = { described: 0, after: 0 }) =>
  server.run(inspectSemaphore(keys, name, page));
const takenSlots = async (name: string) =>
  (await look(name)).leases.flatMap(({ slots }) => slots).sort((one, other) => one - other);
const limited = (name: string, limit: number, keptMs = 60_000) =>
  server.run(setLimit(keys, name, limit, keptMs));

describe("a limit", () => {
  test("is set by the first who acquires, and whoever names another is told the right one", async () => {
    const name = freshName();
    expect((await server.acquire(permits(name, 3, [1]))).kind).toBe("granted");
    for (const other of [2, 4, 30]) {
      const own = permits(name, other, [2]);
      expect(await server.acquire(own)).toEqual({ kind: "limit", limit: 3 });
      expect(await takenSlots(name)).toEqual([1]);
    }
    expect((await server.acquire(permits(name, 3, [2, 3]))).kind).toBe("granted");
  });

  test("lives as long as the longest lease under it, and is free again after that", async () => {
    const name = freshName();
    await server.granted(permits(name, 3, [1]), { ttlMs: 20_000 });
    await server.granted(permits(name, 3, [2]), { ttlMs: 50 });
    expect(await server.redis.pttl(keys.limit(name))).toBeGreaterThan(15_000);
    const brief = freshName();
    await server.granted(permits(brief, 3, [1]), { ttlMs: 30 });
    await sleep(40);
    expect((await server.acquire(permits(brief, 5, [5]))).kind).toBe("granted");
  });

  test("lives on with a renewal, and comes back with a repair", async () => {
    const name = freshName();
    const own = permits(name, 3, [1]);
    const token = await server.granted(own, { ttlMs: 5_000 });
    await server.renew(own, token, 40_000);
    expect(await server.redis.pttl(keys.limit(name))).toBeGreaterThan(35_000);
    await server.redis.del(keys.limit(name), keys.hold(slotOf(name, 1)));
    expect(await server.repair(own, token)).toBe(true);
    expect((await look(name)).limit).toBe(3);
  });

  test("of one semaphore is nothing to another", async () => {
    const [name, another] = [freshName(), freshName()];
    await server.granted(permits(name, 3, [1]));
    expect((await server.acquire(permits(another, 7, [1]))).kind).toBe("granted");
  });
});

describe("a limit that an operator lowers", () => {
  test("begins when the permits above it have ended", async () => {
    const name = freshName();
    const low = permits(name, 5, [1]);
    const high = permits(name, 5, [4]);
    await server.granted(low);
    await server.granted(high, { owner: "above" });
    await limited(name, 2);
    expect(await server.acquire(permits(name, 5, [3]))).toEqual({ kind: "limit", limit: 2 });
    expect(await server.acquire(permits(name, 2, [2]))).toMatchObject({
      kind: "held",
      hold: { owner: "above" },
    });
    await server.release(high);
    expect((await server.acquire(permits(name, 2, [2]))).kind).toBe("granted");
  });

  test("twice waits for the permits above the first limit, too", async () => {
    const name = freshName();
    const high = permits(name, 9, [9]);
    await server.granted(high);
    await limited(name, 5);
    await limited(name, 3);
    expect((await server.acquire(permits(name, 3, [1]))).kind).toBe("held");
    await server.release(high);
    expect((await server.acquire(permits(name, 3, [1]))).kind).toBe("granted");
  });

  test("and raises again lets those in who name the new one", async () => {
    const name = freshName();
    await server.granted(permits(name, 3, [3]));
    await limited(name, 1);
    await limited(name, 4);
    expect((await server.acquire(permits(name, 4, [4]))).kind).toBe("granted");
    expect(await server.acquire(permits(name, 3, [1]))).toEqual({ kind: "limit", limit: 4 });
  });

  test("lets those renew that are above it", async () => {
    const name = freshName();
    const high = permits(name, 5, [5]);
    const token = await server.granted(high);
    await limited(name, 2);
    expect(await server.renew(high, token)).toMatchObject({ kind: "extended" });
    expect((await look(name)).limit).toBe(2);
  });

  test("lets the lease have its vote again that has its slots already", async () => {
    const name = freshName();
    const own = permits(name, 2, [1]);
    await server.granted(permits(name, 2, [2]));
    const counter = await server.granted(own);
    await limited(name, 1);
    expect(await server.granted({ ...own, limit: { semaphore: name, permits: 1 } })).toBe(counter);
  });

  test("is kept for its time, and shorter than that by nobody", async () => {
    const name = freshName();
    await limited(name, 4, 40_000);
    await server.granted(permits(name, 4, [1]), { ttlMs: 100 });
    expect(await server.redis.pttl(keys.limit(name))).toBeGreaterThan(35_000);
  });
});

describe("slots", () => {
  test("have one holder each, and a lease has all that it asks for or none", async () => {
    const name = freshName();
    await server.granted(permits(name, 5, [2]), { owner: "who-has-2" });
    const own = permits(name, 5, [1, 2, 3]);
    expect(await server.acquire(own)).toMatchObject({ kind: "held", hold: { owner: "who-has-2" } });
    expect(await takenSlots(name)).toEqual([2]);
    expect((await server.acquire(permits(name, 5, [1, 3, 5]))).kind).toBe("granted");
    expect(await takenSlots(name)).toEqual([1, 2, 3, 5]);
  });

  test("are told with who has them, and how many wait; described are the first, behind a slot", async () => {
    const name = freshName();
    const own = permits(name, 5, [2, 4]);
    await server.granted(own, { owner: "me", metadata: '{"permits":2}' });
    await server.granted(permits(name, 5, [5]), { owner: "another" });
    const place = { ticket: 7, instance: "instance", keptMs: 5_000, acceptsHandoff: false };
    await server.acquire(permits(name, 5, [5]), { queueEntry: place });
    const tell = async (described: number, after: number) =>
      (await look(name, { described, after })).leases.map(({ slots, hold }) => [slots, hold?.owner ?? null]);
    expect(await look(name)).toMatchObject({ limit: 5, waiting: 1 });
    expect(await tell(0, 0)).toEqual([
      [[2, 4], null],
      [[5], null],
    ]);
    expect(await tell(1, 0)).toEqual([
      [[2, 4], "me"],
      [[5], null],
    ]);
    expect(await tell(9, 2)).toEqual([
      [[2, 4], null],
      [[5], "another"],
    ]);
    const { leases } = await look(name, { described: 1, after: 0 });
    expect(leases[0]).toMatchObject({ leaseId: own.leaseId, hold: { owner: "me" } });
  });

  test("end with the limit at the latest: where there is none, nothing is looked at", async () => {
    const name = freshName();
    await server.granted(permits(name, 9, [3, 7]), { ttlMs: 60 });
    while ((await server.redis.exists(keys.limit(name))) === 1) await sleep(1);
    expect(await server.redis.exists(keys.hold(slotOf(name, 3)), keys.hold(slotOf(name, 7)))).toBe(0);
    expect(await look(name)).toEqual({ limit: null, leases: [], waiting: 0 });
  });

  test("above a limit that was lowered are told as well", async () => {
    const name = freshName();
    await server.granted(permits(name, 9, [3, 7]));
    await limited(name, 2);
    expect(await look(name)).toMatchObject({ limit: 2, leases: [{ slots: [3, 7] }] });
  });

  test("are not in the list of locks that are held", async () => {
    const name = freshName();
    const before = await server.redis.zcard(keys.held);
    await server.granted(permits(name, 3, [1]));
    expect(await server.redis.zcard(keys.held)).toBe(before);
    // Nor is a slot without a name: the server would refuse its key, as all that do not begin with the file's prefix.
    await expect(server.redis.exists("")).rejects.toThrow("NOPERM");
  });
});

test("who waits for permits stands in one line, whichever slots it asks for", async () => {
  const name = freshName();
  const holder = permits(name, 2, [1, 2]);
  await server.granted(holder);
  const [first, second] = [permits(name, 2, [1]), permits(name, 2, [2])];
  const place = (ticket: number) => ({ ticket, instance: "instance", keptMs: 5_000, acceptsHandoff: false });
  expect((await server.acquire(first, { queueEntry: place(1) })).kind).toBe("held");
  expect(await server.acquire(second, { queueEntry: place(2) })).toMatchObject({ kind: "held", ahead: 1 });
  await server.release(holder);
  expect(await server.acquire(second, { queueEntry: place(2) })).toEqual({ kind: "queued", ahead: 1 });
  const other = [slotOf(name, 2)];
  expect((await server.acquire({ ...first, resources: other }, { queueEntry: place(1) })).kind).toBe(
    "granted",
  );
});
