import { describe, expect, test, vi } from "vitest";
import { type Lease, type LockGrant, Quorate } from "../../src/client/quorate.js";
import Redlock from "../../src/client/redlock.js";
import { systemWorld } from "../../src/client/world.js";
import { OwnPair } from "../helpers/pair.js";
import { type ServiceProcess, startProcess } from "../helpers/process.js";
import { freshName, PATIENT } from "../helpers/service.js";
import { startCuttingProxy } from "./cutting-proxy.js";
import { wrongVariant } from "./variant.js";

// Real instances and primaries that fail. Those of the pair do not: they are what others see.

const pair = new OwnPair();

/** An instance that may be killed and paused. */
const startVictim = (): ServiceProcess =>
  startProcess({ REDIS_URLS: pair.primaries.urls.join(","), QUORATE_KEY_PREFIX: pair.prefix, ...PATIENT });

/** A client that asks the first of the instances first. */
const clientOf = (urls: readonly string[], Client = Quorate) =>
  new Client({ urls }, { ...systemWorld, random: () => 0 });

const failure = (promise: Promise<unknown>): Promise<{ readonly code?: string }> =>
  promise.then(
    () => expect.fail("it did not fail"),
    (error: unknown) => error as object,
  );

// To start an instance takes long on a busy machine.
describe("an instance that is killed between what it did and its answer", { timeout: 60_000 }, () => {
  /** The instance is killed in place of its answer to `act`; another one lives on. Returns what `use` does. */
  async function killedAt<T>(
    act: string,
    use: (quorate: Quorate) => Promise<T>,
    Client = Quorate,
  ): Promise<T> {
    await using victim = startVictim();
    await using proxy = await startCuttingProxy(await victim.listening);
    let isKilled = false;
    proxy.cutNext(act, () => {
      isKilled = true;
      victim.kill("SIGKILL");
    });
    try {
      return await use(clientOf([proxy.url, await pair.one.url()], Client));
    } finally {
      expect(isKilled).toBe(true);
    }
  }

  /** Acquires a lock and releases it; what others see of that in between and afterwards. */
  async function acquired(Client?: typeof Quorate) {
    const name = freshName();
    return killedAt(
      "/acquire",
      async (quorate) => {
        const lease = await quorate.acquireLock(name, { ttlMs: 60_000 });
        const { holders, newest } = await pair.lock(name);
        expect([holders.length, newest, lease.fencingToken]).toEqual([1, newest, newest]);
        expect(await lease.release()).toBe(true);
        expect((await pair.lock(name)).holders).toEqual([]);
      },
      Client,
    );
  }

  test("has granted a lock once: another instance gives the same lease, and its release leaves nothing", async () => {
    await acquired();
  });

  test("would hold it with a client that has a leaseId per attempt: this is what is looked at", async () => {
    const { Quorate: Wrong } = await wrongVariant(
      "acquire.ts",
      "...fields, leaseId, waitMs",
      "...fields, leaseId: newLeaseId(), waitMs",
    );
    expect(await failure(acquired(Wrong))).toMatchObject({ code: "held" });
  });

  test("has granted it to one that waited: nobody else gets in between, and the next one is not kept out", async () => {
    const name = freshName();
    const holder = await pair.one.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 60_000 });
    await killedAt("/acquire", async (quorate) => {
      const waiting = quorate.withLock(
        name,
        { ttlMs: 60_000, waitMs: 20_000 },
        ({ fencingToken }) => fencingToken,
      );
      await pair.untilWaiting(name, 1);
      const next = pair.other.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 60_000, waitMs: 20_000 });
      await pair.untilWaiting(name, 2);
      const { leaseId } = holder.body;
      await pair.one.call("POST", `/v1/locks/${name}/release`, { leaseId });
      const token = await waiting;
      expect((await next).body.fencingToken).toBeGreaterThan(token);
    });
  });

  test("has renewed a lease: its holder goes on, and renews at another", async () => {
    const name = freshName();
    await killedAt("/renew", async (quorate) => {
      const lease = await quorate.acquireLock(name, { ttlMs: 60_000 });
      await lease.renew();
      expect([lease.signal.aborted, lease.fencingToken]).toEqual([false, (await pair.lock(name)).newest]);
      expect(await lease.release()).toBe(true);
    });
  });

  test("has released it: the result of the work is what counts, and nothing is held", async () => {
    const name = freshName();
    expect(
      await killedAt("/release", (quorate) => quorate.withLock(name, { ttlMs: 60_000 }, () => "done")),
    ).toBe("done");
    expect((await pair.lock(name)).holders).toEqual([]);
  });
});

describe("a lease that nobody can renew", { timeout: 60_000 }, () => {
  const TTL_MS = 1_500;

  /**
   * Holds a lock that `fail` keeps from being renewed, until its signal aborts. Returns for how long the next holder had it
   * by then, ms; less than 0: it did not have it yet.
   */
  async function overlapMs(fail: () => Promise<unknown>, urls: readonly string[], Client = Quorate) {
    const name = freshName();
    const lease = await clientOf(urls, Client).acquireLock(name, { ttlMs: TTL_MS, keep: true });
    const abortedAt = new Promise<number>((resolve) =>
      lease.signal.addEventListener("abort", () => resolve(performance.now()), { once: true }),
    );
    await fail();
    const next = await clientOf([await pair.other.url()]).acquireLock(name, {
      ttlMs: 60_000,
      waitMs: 15_000,
    });
    const grantedMs = performance.now();
    expect(next.fencingToken).toBeGreaterThan(lease.fencingToken);
    const overlap = (await abortedAt) - grantedMs;
    expect(lease.signal.reason).toMatchObject({ code: "deadline" });
    return { overlap, lease, next };
  }

  /** Both instances that a client knows are paused while it holds a lease. */
  async function withBothPaused<T>(
    use: (pause: () => Promise<void>, resume: () => void, urls: readonly string[]) => Promise<T>,
  ): Promise<T> {
    await using one = startVictim();
    await using other = startVictim();
    const signal = (name: NodeJS.Signals) => {
      for (const victim of [one, other]) victim.kill(name);
    };
    const urls = await Promise.all([one.listening, other.listening]);
    return await use(
      async () => signal("SIGSTOP"),
      () => signal("SIGCONT"),
      urls,
    );
  }

  const lateRenewalsChangeNothing = async (lease: Lease<LockGrant>, next: Lease<LockGrant>) => {
    await next.renew();
    expect([lease.remainingMs(), lease.signal.aborted, next.remainingMs() > 0]).toEqual([0, true, true]);
  };

  test("since all instances are paused, is given up before another can have it, and stays so when they go on", async () => {
    await withBothPaused(async (pause, resume, urls) => {
      const { overlap, lease, next } = await overlapMs(pause, urls);
      expect(overlap).toBeLessThanOrEqual(0);
      resume();
      // What the instances find in their sockets now is late.
      await expect
        .poll(() => Promise.all(urls.map((url) => fetch(`${url}/livez`).then(({ ok }) => ok))))
        .toEqual([true, true]);
      await lateRenewalsChangeNothing(lease, next);
      expect((await pair.lock(lease.grant.names[0] as string)).newest).toBe(next.fencingToken);
      await next.release();
    });
  });

  test("would be trusted for too long by a client that trusts it from the answer on and a little more: this is what is looked at", async () => {
    const { Quorate: Wrong } = await wrongVariant(
      "validity.ts",
      "validForMs - TIMER_MS",
      "validForMs + 3_000",
    );
    await withBothPaused(async (pause, _, urls) => {
      const { overlap, next } = await overlapMs(pause, urls, Wrong);
      expect(overlap).toBeGreaterThan(0);
      await next.release();
    });
  });

  test("since two of three primaries are away, is given up in time, and says what failed", async () => {
    const urls = [await pair.one.url(), await pair.other.url()];
    const name = freshName();
    const lease = await clientOf(urls).acquireLock(name, { ttlMs: 3_000, keep: true });
    const untilMs = performance.now() + 3_000;
    await Promise.all([pair.primary(0).pause(), pair.primary(1).pause()]);
    const { signal } = lease;
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    // Its time to live began before the answer; the rest is what a busy machine takes to run a timer.
    expect(performance.now()).toBeLessThan(untilMs + 500);
    expect(signal.reason).toMatchObject({ code: "deadline" });

    const other = freshName();
    expect(
      await failure(clientOf(urls).acquireLock(other, { ttlMs: 60_000, timeoutMs: 1_500 })),
    ).toMatchObject({
      code: expect.stringMatching(/^(no_quorum|unreachable)$/),
    });
    await Promise.all([pair.primary(0).resume(), pair.primary(1).resume()]);
    // Whatever the attempts had got of it is given back.
    for (const free of [name, other]) {
      const options = { ttlMs: 60_000, waitMs: 10_000 };
      const token = await clientOf(urls).withLock(free, options, ({ fencingToken }) => fencingToken);
      expect(token).toBeGreaterThan(free === name ? lease.fencingToken : 0);
    }
  });
});

describe("a wall clock that jumps", { timeout: 60_000 }, () => {
  test.each([-3_600_000, 3_600_000])("by %d ms changes nothing of a lease", async (jumpMs) => {
    await using service = startVictim();
    const urls = [await service.listening];
    const name = freshName();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    try {
      const quorate = clientOf(urls);
      const lease = await quorate.acquireLock(name, { ttlMs: 20_000, keep: true });
      const short = await quorate.acquireLock(freshName(), { ttlMs: 700 });
      const lock = await new Redlock(quorate).acquire([freshName()], 20_000);
      vi.setSystemTime(Date.now() + jumpMs);
      expect(lease.remainingMs()).toBeGreaterThan(10_000);
      await lease.renew();
      expect(lease.signal.aborted).toBe(false);
      expect(await lease.release()).toBe(true);
      await (await lock.extend(20_000)).release();
      // Neither for ever nor over at once.
      const { signal } = short;
      await expect.poll(() => signal.aborted).toBe(true);
      expect(signal.reason).toMatchObject({ code: "deadline" });
    } finally {
      vi.useRealTimers();
    }
  });
});
