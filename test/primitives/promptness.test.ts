import { describe, expect, test } from "vitest";
import type { Campaigned } from "../../src/primitives/election.js";
import type { Acquired, AcquireRequest, Lease } from "../../src/primitives/lock.js";
import type { PermitsAcquired } from "../../src/primitives/semaphore.js";
import { chosenId, freshName } from "../helpers/names.js";
import type { Instance } from "../simulation/instance.js";
import { inVirtualTime, type VirtualDeployment } from "../simulation/virtual-time.js";

// How soon those who wait are told, in virtual time: there each message takes less than a millisecond, and code none.

const ask = ({ core }: Instance, name: string, request: Partial<AcquireRequest> = {}): Promise<Acquired> =>
  core.locks.acquire({ names: [name], ttlMs: 10_000, ...request });

const granted = async (outcome: Promise<Acquired>): Promise<Lease> => {
  const settled = await outcome;
  if (settled.kind !== "acquired") throw new Error(`not acquired: ${JSON.stringify(settled)}`);
  return settled.lease;
};

const take = (at: Instance, name: string, request: Partial<AcquireRequest> = {}) =>
  granted(ask(at, name, request));

const give = ({ core }: Instance, { names, leaseId }: Lease) => core.locks.release(names, leaseId);

/** Waits for the lock from now on; resolved once its attempts are over, and it can only be told. */
async function line(
  { until, one, sleep }: VirtualDeployment,
  at: Instance,
  name: string,
  request: Partial<AcquireRequest> = {},
): Promise<{ outcome: Promise<Acquired>; gone: () => void }> {
  const client = new AbortController();
  const owner = freshName("owner");
  const outcome = ask(at, name, { waitMs: 15_000, signal: client.signal, ...request, owner });
  outcome.catch(() => {});
  await until(async () => (await one.core.locks.inspect(name)).queue.some((each) => each.owner === owner));
  await sleep(20);
  return { outcome, gone: () => client.abort() };
}

describe("one who waits for a lock", () => {
  test("has it within 5 ms of a release", () =>
    inVirtualTime(async (deployment) => {
      const { one, other, nowMs } = deployment;
      const name = freshName();
      let lease = await take(one, name);
      for (let i = 0; i < 10; i++) {
        const { outcome } = await line(deployment, i % 2 === 0 ? other : one, name);
        const releasedMs = nowMs();
        await give(one, lease);
        lease = await granted(outcome);
        expect(nowMs() - releasedMs).toBeLessThan(5);
      }
    }));

  test("has it within 30 ms of the end of the holder's time", () =>
    inVirtualTime(async ({ one, other, nowMs }) => {
      const name = freshName();
      for (let i = 0; i < 5; i++) {
        const askedMs = nowMs();
        await take(one, name, { ttlMs: 400 });
        const expiresMs = nowMs() + 400;
        const lease = await take(other, name, { waitMs: 5_000 });
        expect(nowMs() - askedMs, "and not before").toBeGreaterThan(399);
        expect(nowMs() - expiresMs).toBeLessThan(30);
        await give(other, lease);
      }
    }));

  test("in vain is told so within 5 ms of the end of its time", () =>
    inVirtualTime(async ({ one, other, nowMs }) => {
      const name = freshName();
      await take(one, name);
      const askedMs = nowMs();
      expect((await ask(other, name, { waitMs: 300 })).kind).toBe("held");
      expect(nowMs() - askedMs).toBeGreaterThan(299);
      expect(nowMs() - askedMs).toBeLessThan(305);
    }));

  test("and goes, frees its place within 5 ms", () =>
    inVirtualTime(async (deployment) => {
      const { one, other, nowMs, until } = deployment;
      const name = freshName();
      await take(one, name);
      const first = await line(deployment, other, name);
      first.gone();
      const goneMs = nowMs();
      await until(async () => (await one.core.locks.inspect(name)).waiting === 0);
      expect(nowMs() - goneMs).toBeLessThan(5);
    }));

  test("and chose its leaseId, comes back to its place within three seconds", () =>
    inVirtualTime(async (deployment) => {
      const { one, other, sleep } = deployment;
      const name = freshName();
      const holder = await take(one, name);
      const leaseId = chosenId();
      const first = await line(deployment, one, name, { leaseId });
      const second = await line(deployment, other, name);
      first.gone();
      await first.outcome;
      await sleep(1_500);
      await give(one, holder);
      await sleep(1_400);
      const back = await take(other, name, { leaseId, waitMs: 5_000 });
      expect(back.leaseId).toBe(leaseId);
      await give(other, back);
      await granted(second.outcome);
    }));

  test("and chose its leaseId, keeps its place for three seconds after it went, and for no longer", () =>
    inVirtualTime(async (deployment) => {
      const { one, other, nowMs } = deployment;
      const name = freshName();
      const holder = await take(one, name);
      const first = await line(deployment, one, name, { leaseId: chosenId() });
      const second = await line(deployment, other, name);
      first.gone();
      await first.outcome;
      const goneMs = nowMs();
      await give(one, holder);
      await granted(second.outcome);
      expect(nowMs() - goneMs).toBeGreaterThan(2_900);
      expect(nowMs() - goneMs).toBeLessThan(3_900);
    }));

  test("at an instance that dies, is out of the line within two seconds, with all others there", () =>
    inVirtualTime(async (deployment) => {
      const { one, other, nowMs, sleep, start, universe } = deployment;
      for (let round = 0; round < 5; round++) {
        const name = freshName();
        const holder = await take(one, name);
        const dying = await start();
        for (let i = 0; i < 5; i++) await line(deployment, dying, name);
        const { outcome } = await line(deployment, other, name);
        await sleep(round * 170);
        universe.kill(dying);
        const diedMs = nowMs();
        await give(one, holder);
        await give(other, await granted(outcome));
        expect(nowMs() - diedMs).toBeLessThan(2_000);
      }
    }));

  test("at an instance that dies, is not seen in line after two seconds", () =>
    inVirtualTime(async (deployment) => {
      const { one, nowMs, start, until, universe } = deployment;
      const name = freshName();
      await take(one, name);
      const dying = await start();
      for (let i = 0; i < 3; i++) await line(deployment, dying, name);
      universe.kill(dying);
      const diedMs = nowMs();
      await until(async () => (await one.core.locks.inspect(name)).waiting === 0);
      expect(nowMs() - diedMs).toBeLessThan(2_000);
    }));

  test("for long, stays in line, with all others there", () =>
    inVirtualTime(async (deployment) => {
      const { one, other, sleep } = deployment;
      const name = freshName();
      const holder = await take(one, name, { ttlMs: 20_000 });
      const first = await line(deployment, one, name);
      const second = await line(deployment, other, name);
      for (let second = 0; second < 14; second++) {
        await sleep(1_000);
        expect((await one.core.locks.inspect(name)).waiting).toBe(2);
      }
      await give(one, holder);
      await give(one, await granted(first.outcome));
      await give(other, await granted(second.outcome));
    }));

  test("finds out by itself within two seconds where the word of its release is lost", () =>
    inVirtualTime(async (deployment) => {
      const { one, other, nowMs, universe } = deployment;
      const name = freshName();
      const holder = await take(one, name);
      const { outcome } = await line(deployment, other, name);
      for (const { peers } of universe.primaries) for (const peer of peers) peer.hear = () => {};
      await give(one, holder);
      const releasedMs = nowMs();
      await granted(outcome);
      expect(nowMs() - releasedMs, "it was not told").toBeGreaterThan(100);
      expect(nowMs() - releasedMs).toBeLessThan(2_000);
    }));

  test("is told within the command timeout and a look that there is no quorum", () =>
    inVirtualTime(async (deployment) => {
      const { one, other, nowMs, universe } = deployment;
      const name = freshName();
      await take(one, name);
      const { outcome } = await line(deployment, other, name);
      for (const primary of universe.primaries.slice(1)) primary.pause();
      const pausedMs = nowMs();
      await expect(outcome).rejects.toMatchObject({ code: "no_quorum" });
      expect(nowMs() - pausedMs).toBeLessThan(1_300);
    }));

  test("has it within 5 ms where an operator breaks it", () =>
    inVirtualTime(async (deployment) => {
      const { one, other, nowMs } = deployment;
      const name = freshName();
      await take(one, name);
      const { outcome } = await line(deployment, other, name);
      const brokenMs = nowMs();
      expect(await one.core.locks.break(name, "it hung")).toBe(1);
      await granted(outcome);
      expect(nowMs() - brokenMs).toBeLessThan(5);
    }));

  test("of several of one lease has it within 5 ms of its release", () =>
    inVirtualTime(async (deployment) => {
      const { one, other, nowMs } = deployment;
      const names = [freshName(), freshName()] as const;
      const both = await granted(one.core.locks.acquire({ names: [...names], ttlMs: 10_000 }));
      const { outcome } = await line(deployment, other, names[1]);
      const releasedMs = nowMs();
      await give(one, both);
      await granted(outcome);
      expect(nowMs() - releasedMs).toBeLessThan(5);
    }));

  test("has it at once where it is free", () =>
    inVirtualTime(async ({ one }) => {
      expect((await take(one, freshName(), { waitMs: 25_000 })).waitedMs).toBe(0);
    }));
});

describe("those who wait for permits", () => {
  const permits = ({ core }: Instance, name: string, request: { permits?: number; waitMs?: number } = {}) =>
    core.semaphores.acquire({ name, limit: 3, permits: 1, ttlMs: 10_000, ...request });
  const leaseOf = (outcome: PermitsAcquired) => {
    if (outcome.kind !== "acquired") throw new Error(`not acquired: ${JSON.stringify(outcome)}`);
    return outcome.lease;
  };

  test("have them within 10 ms of a release, one after the other", () =>
    inVirtualTime(async ({ one, other, nowMs, until }) => {
      const name = freshName();
      const at = (i: number) => (i % 2 === 0 ? one : other);
      const holders = [];
      for (let i = 0; i < 3; i++) holders.push(leaseOf(await permits(at(i), name)));
      const waiters = [];
      for (let i = 0; i < 6; i++) {
        waiters.push(permits(at(i), name, { waitMs: 15_000 }));
        await until(async () => (await one.core.semaphores.inspect(name)).waiting === i + 1);
      }
      for (const [i, waiter] of waiters.entries()) {
        const releasedMs = nowMs();
        await other.core.semaphores.release(name, holders[i]?.leaseId as string);
        holders.push(leaseOf(await waiter));
        expect(nowMs() - releasedMs).toBeLessThan(10);
      }
    }));

  test("are served together within 20 ms where one release is enough for several", () =>
    inVirtualTime(async ({ one, other, nowMs, until }) => {
      const name = freshName();
      const holder = leaseOf(await permits(one, name, { permits: 3 }));
      const waiters = [];
      for (let i = 0; i < 3; i++) {
        waiters.push(permits(i % 2 === 0 ? one : other, name, { waitMs: 15_000 }));
        await until(async () => (await one.core.semaphores.inspect(name)).waiting === i + 1);
      }
      const releasedMs = nowMs();
      await other.core.semaphores.release(name, holder.leaseId);
      for (const outcome of await Promise.all(waiters)) leaseOf(outcome);
      expect(nowMs() - releasedMs).toBeLessThan(20);
    }));
});

describe("one who wants to know of a change of an election", () => {
  const termOf = (outcome: Campaigned) => {
    if (outcome.kind !== "acquired") throw new Error(`not elected: ${JSON.stringify(outcome)}`);
    return outcome.lease;
  };
  const campaign = ({ core }: Instance, name: string) =>
    core.elections.campaign({ name, ttlMs: 10_000, candidate: "c", value: 1 }).then(termOf);
  const change = (
    { core, clock }: Instance,
    name: string,
    version: string | null,
    waitMs: number,
    signal?: AbortSignal,
  ) => core.elections.change(name, version, clock.monotonicMs() + waitMs, signal);

  test("is told at once where it knows another version, or none", () =>
    inVirtualTime(async ({ one, other, nowMs }) => {
      const name = freshName();
      await campaign(one, name);
      for (const version of [null, "none"]) {
        const beganMs = nowMs();
        expect((await change(other, name, version, 5_000)).leader?.candidate).toBe("c");
        expect(nowMs() - beganMs).toBeLessThan(5);
      }
    }));

  test("is told within 210 ms of an election, a new value and a resignation", () =>
    inVirtualTime(async ({ one, other, nowMs, sleep }) => {
      const name = freshName();
      let { version } = await other.core.elections.inspect(name);
      let leaseId = "";
      const acts = [
        async () => {
          leaseId = (await campaign(one, name)).leaseId;
        },
        () => other.core.elections.proclaim({ name, leaseId, value: 2 }),
        () => other.core.elections.resign(name, leaseId),
      ];
      for (const act of acts) {
        const waiting = change(other, name, version, 8_000);
        await sleep(50);
        await act();
        const changedMs = nowMs();
        const state = await waiting;
        expect(nowMs() - changedMs).toBeLessThan(210);
        expect(state.version).not.toBe(version);
        version = state.version;
      }
      expect(version).toBe("none");
    }));

  test("in vain is told the same again within 5 ms of the end of its time", () =>
    inVirtualTime(async ({ one, other, nowMs }) => {
      const name = freshName();
      await campaign(one, name);
      const { version } = await other.core.elections.inspect(name);
      const beganMs = nowMs();
      expect((await change(other, name, version, 400)).version).toBe(version);
      expect(nowMs() - beganMs).toBeGreaterThan(395);
      expect(nowMs() - beganMs).toBeLessThan(405);
    }));

  test("and goes is let go at once", () =>
    inVirtualTime(async ({ other, nowMs, sleep }) => {
      const name = freshName();
      const { version } = await other.core.elections.inspect(name);
      const client = new AbortController();
      const waiting = change(other, name, version, 10_000, client.signal);
      await sleep(50);
      const goneMs = nowMs();
      client.abort();
      expect((await waiting).version).toBe(version);
      expect(nowMs() - goneMs).toBe(0);
    }));

  test("shares its looks with all others: six a second, at each primary", () =>
    inVirtualTime(async ({ one, other, sleep }) => {
      const name = freshName();
      const { leaseId } = await campaign(one, name);
      const { version } = await other.core.elections.inspect(name);
      const waiting = Array.from({ length: 100 }, () => change(other, name, version, 8_000));
      await sleep(1_000);
      let looks = 0;
      for (const primary of other.core.primaries.all) {
        const original = primary.ask.bind(primary);
        primary.ask = (call, answered) => {
          if (call.script.name === "inspect-name") looks += 1;
          original(call, answered);
        };
      }
      await sleep(1_000);
      expect(looks).toBeLessThanOrEqual(3 * 6);
      expect(looks).toBeGreaterThan(0);
      await one.core.elections.resign(name, leaseId);
      for (const state of await Promise.all(waiting)) expect(state.leader).toBeNull();
    }));
});

describe("a lease", () => {
  test("lasts for as long as it is renewed in time, and no longer: a term and permits", () =>
    inVirtualTime(async ({ one, other, sleep }) => {
      const name = freshName();
      const at = (i: number) => (i % 2 === 0 ? one : other).core;
      const term = await one.core.elections.campaign({ name, ttlMs: 400 });
      const permits = await one.core.semaphores.acquire({ name, limit: 3, permits: 2, ttlMs: 400 });
      if (term.kind !== "acquired" || permits.kind !== "acquired") throw new Error("not acquired");
      for (let i = 0; i < 10; i++) {
        await sleep(380);
        await at(i).elections.renew({ name, leaseId: term.lease.leaseId, ttlMs: 400 });
        await at(i).semaphores.renew({ name, leaseId: permits.lease.leaseId, ttlMs: 400 });
      }
      await sleep(410);
      expect((await other.core.elections.inspect(name)).leader).toBeNull();
      expect((await other.core.semaphores.inspect(name)).held).toBe(0);
    }));
});

describe("what is asked while primaries are away", () => {
  /** Every operation on a name of its own, one after the other; `lease` is one of before. */
  const operations = ({ core }: Instance, { names, leaseId }: Lease): (() => Promise<unknown>)[] => {
    const name = freshName();
    const registration = { address: "a:1", weight: 1, zone: null, tags: [], metadata: null };
    return [
      () => core.locks.acquire({ names: [name], ttlMs: 10_000 }),
      () => core.locks.inspect(name),
      () => core.locks.renew({ names, leaseId, ttlMs: 10_000 }),
      () => core.locks.release(names, leaseId),
      () => core.semaphores.acquire({ name, limit: 3, permits: 2, ttlMs: 10_000 }),
      () => core.semaphores.inspect(name),
      () => core.elections.campaign({ name, ttlMs: 10_000 }),
      () => core.elections.inspect(name),
      () => core.membership.register(name, "a", 60_000, registration),
      () => core.membership.list(name),
    ];
  };

  test("is answered within 5 ms where it is one of three, noticed or not", () =>
    inVirtualTime(async ({ universe, one, nowMs, sleep }) => {
      for (const awayMs of [0, 1_000]) {
        const lease = await take(one, freshName());
        universe.primaries[2]?.pause();
        await sleep(awayMs);
        for (const operation of operations(one, lease)) {
          const beganMs = nowMs();
          await operation();
          expect(nowMs() - beganMs, String(operation)).toBeLessThan(5);
        }
      }
    }));

  test("is no_quorum within the command timeout and 5 ms where they are two of three, noticed or not", () =>
    inVirtualTime(async ({ universe, one, nowMs, sleep }) => {
      const lease = await take(one, freshName());
      for (const primary of universe.primaries.slice(1)) primary.pause();
      for (const awayMs of [0, 1_000]) {
        await sleep(awayMs);
        await Promise.all(
          operations(one, lease).map(async (operation) => {
            const beganMs = nowMs();
            await expect(operation(), String(operation)).rejects.toMatchObject({ code: "no_quorum" });
            expect(nowMs() - beganMs, String(operation)).toBeLessThan(105);
          }),
        );
      }
    }));
});
