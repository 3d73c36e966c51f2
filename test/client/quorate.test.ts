import { beforeAll, describe, expect, test } from "vitest";
import { Quorate, QuorateError } from "../../src/client/quorate.js";
import { systemWorld } from "../../src/client/world.js";
import { Pair } from "../helpers/pair.js";
import { freshName } from "../helpers/service.js";

const pair = new Pair();
let quorate: Quorate;
let urls: string[];
beforeAll(async () => {
  urls = [await pair.one.url(), await pair.other.url()];
  quorate = new Quorate({ urls });
});

const held = { code: "held", holder: { owner: "worker-7", mode: "exclusive" } };

describe("against real instances", () => {
  test("a lock is held, seen by others, renewed and released", async () => {
    const name = freshName();
    const lease = await quorate.acquireLock(name, { ttlMs: 20_000, owner: "worker-7" });
    expect(lease.fencingToken).toBe((await pair.lock(name)).fencingToken);
    expect(lease.remainingMs()).toBeGreaterThan(15_000);
    await expect(quorate.acquireLock(name, { ttlMs: 20_000 })).rejects.toMatchObject(held);
    await lease.renew(30_000);
    expect(lease.remainingMs()).toBeGreaterThan(25_000);
    expect(await lease.release()).toBe(true);
    expect(await lease.release()).toBe(false);
    await expect(lease.renew()).rejects.toMatchObject({ code: "lease_lost", lost: { why: "released" } });
  });

  test("work under a lock that outlasts the time to live keeps it", async () => {
    const name = freshName();
    const aborted = await quorate.withLock(name, { ttlMs: 3_000 }, async ({ signal }) => {
      await new Promise((resolve) => setTimeout(resolve, 3_500));
      return signal.aborted;
    });
    expect(aborted).toBe(false);
    expect((await pair.lock(name)).holders).toEqual([]);
  });

  test("who waits gets the lock when it is released, and a higher token", async () => {
    const name = freshName();
    const tokens: number[] = [];
    const work = () =>
      quorate.withLock(name, { ttlMs: 20_000, waitMs: 15_000 }, ({ fencingToken }) =>
        tokens.push(fencingToken),
      );
    await Promise.all([work(), work(), work(), work()]);
    expect(tokens).toEqual([...new Set(tokens)].sort((one, other) => one - other));
    expect(tokens).toHaveLength(4);
  });

  test("a caller that gives up waiting holds nothing, and leaves the queue", async () => {
    const name = freshName();
    await using _lease = await quorate.acquireLock(name, { ttlMs: 20_000 });
    const stop = new AbortController();
    const waiting = quorate.acquireLock(name, { ttlMs: 20_000, waitMs: 15_000, signal: stop.signal });
    await pair.untilWaiting(name, 1);
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await pair.untilWaiting(name, 0);
  });

  test("an instance that is gone is not noticed", async () => {
    const one = new Quorate({ urls: ["http://127.0.0.1:9", ...urls] }, { ...systemWorld, random: () => 0 });
    await one.withLock(freshName(), { ttlMs: 20_000 }, (lease) => lease.renew());
  });

  test("an answer that is lost, and the same request again, take a lock once and leave no orphan", async () => {
    const name = freshName();
    let lost = 0;
    const losing: typeof fetch = async (...args) => {
      const response = await fetch(...args);
      if (String(args[0]).endsWith("/acquire") && lost++ === 0) throw new TypeError("the answer was lost");
      return response;
    };
    const lease = await new Quorate({ urls, fetch: losing }).acquireLock(name, { ttlMs: 20_000 });
    const lock = await pair.lock(name);
    expect([lock.holders.length, lock.fencingToken]).toEqual([1, lease.fencingToken]);
    expect(await lease.release()).toBe(true);
    expect((await pair.lock(name)).holders).toEqual([]);
  });

  test("a lease that an operator broke is lost at the next renewal", async () => {
    const name = freshName();
    const lease = await quorate.acquireLock(name, { ttlMs: 5_000, keep: true });
    const { signal } = lease;
    await pair.one.service.locks.break(name, "by hand");
    await expect.poll(() => signal.aborted).toBe(true);
    expect(signal.reason).toMatchObject({ code: "lease_lost", lost: { why: "broken", reason: "by hand" } });
  });

  test("a namespace has its own names", async () => {
    const name = freshName();
    await using _lease = await quorate.acquireLock(name, { ttlMs: 20_000 });
    await new Quorate({ urls, namespace: "team-a" }).withLock(name, { ttlMs: 20_000 }, () => {});
  });

  test("a wrong request fails at once, and says what is wrong", async () => {
    const error = await quorate.acquireLock(freshName(), { ttlMs: 1 }).catch((thrown: unknown) => thrown);
    if (!(error instanceof QuorateError) || error.code !== "invalid_request") throw error;
    expect(error.field).toBe("ttlMs");
    expect(error.requestId).toEqual(expect.any(String));
  });

  test("permits of a semaphore are held by as many as it has, and no more", async () => {
    const name = freshName();
    let holders = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++holders);
      await new Promise((resolve) => setTimeout(resolve, 50));
      holders--;
    };
    const options = { limit: 2, ttlMs: 20_000, waitMs: 15_000 };
    await Promise.all(Array.from({ length: 6 }, () => quorate.withPermits(name, options, work)));
    expect(most).toBe(2);
    const lease = await quorate.acquirePermits(name, { limit: 2, permits: 2, ttlMs: 20_000 });
    expect(lease.grant.slots).toEqual([1, 2]);
    await lease.renew();
    expect(await lease.release()).toBe(true);
    const error = await quorate
      .acquirePermits(name, { limit: 3, ttlMs: 20_000 })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "limit_mismatch", limit: 2 });
  });
});
