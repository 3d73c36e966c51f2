import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { CoordinationError } from "../../src/errors.js";
import type { PermitRequest, Permits, PermitsAcquired } from "../../src/primitives/semaphore.js";
import type { LeaseVotes } from "../../src/quorum/lease-votes.js";
import { Keys } from "../../src/scripts/keys.js";
import { command } from "../helpers/deployment.js";
import { OwnPair } from "../helpers/pair.js";
import { chosenId, freshName, type Instance, until } from "../helpers/service.js";

// Permits of two instances that do not know of each other.
const pair = new OwnPair();

type Request = Partial<PermitRequest> & { name: string };

const ask = (at: Instance, request: Request): Promise<PermitsAcquired> =>
  at.service.semaphores.acquire({ limit: 3, permits: 1, ttlMs: 10_000, ...request });

async function take(at: Instance, request: Request): Promise<Permits> {
  const outcome = await ask(at, request);
  if (outcome.kind !== "acquired") throw new Error(`not acquired: ${JSON.stringify(outcome)}`);
  return outcome.lease;
}

const give = ({ name, leaseId }: Permits) => pair.other.service.semaphores.release(name, leaseId);
/** What the other instance is told of why they are lost; throws where they are not. */
async function whyLost(renewal: Parameters<typeof pair.other.service.semaphores.renew>[0]): Promise<unknown> {
  const error = await pair.other.service.semaphores.renew(renewal).then(
    () => null,
    (failure: CoordinationError) => failure,
  );
  if (error?.code !== "lease_lost") throw error ?? new Error("it is renewed");
  return error.help.lost;
}

/** What nobody can ask for over HTTP: permits are not broken as locks are. */
const votes = () => (pair.one.service.locks as unknown as { leases: { votes: LeaseVotes } }).leases.votes;
const look = (name: string) => pair.one.service.semaphores.inspect(name);
const slot = (name: string, i: number) => new Keys(pair.prefix).hold(`permit/${name}/${i}`);
/** The slots of a semaphore that one primary knows to be taken. */
async function slotsOn(place: number, name: string, limit: number): Promise<number[]> {
  const found = [];
  for (let i = 1; i <= limit; i++)
    if ((await command(pair.primary(place), "EXISTS", slot(name, i))) === 1) found.push(i);
  return found;
}

/** An answer needs a majority only: the last primary may hear of it later. */
const untilSlotsOn = (place: number, name: string, count: number) =>
  until(
    async () => (await slotsOn(place, name, 3)).length === count,
    `primary ${place} has ${count} permits of ${name}`,
  );

describe("a semaphore", () => {
  test("lets in as many as its limit says, at whichever instance, and the next when one goes", async () => {
    const name = freshName();
    const leases = [];
    for (let i = 0; i < 3; i++) leases.push(await take(pair.at(i), { name, owner: `owner-${i}` }));
    const refused = await ask(pair.one, { name });
    expect(refused.kind).toBe("held");
    expect((refused as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(0);
    expect(await give(leases[1] as Permits)).toBe(true);
    expect(await give(leases[1] as Permits), "once").toBe(false);
    expect((await ask(pair.other, { name })).kind).toBe("acquired");
    expect((await ask(pair.one, { name })).kind).toBe("held");
  });

  test("gives several permits at once, all or none", async () => {
    const name = freshName();
    const five = await take(pair.one, { name, limit: 8, permits: 5 });
    expect(five).toMatchObject({ permits: 5, limit: 8, name });
    expect((await ask(pair.other, { name, limit: 8, permits: 4 })).kind).toBe("held");
    const three = await take(pair.other, { name, limit: 8, permits: 3 });
    expect((await look(name)).held).toBe(8);
    await give(five);
    await give(three);
    expect(await look(name)).toMatchObject({ held: 0, holders: [] });
    expect((await ask(pair.one, { name, limit: 8, permits: 8 })).kind).toBe("acquired");
  });

  test("tells its limit, and who holds how many, and never a leaseId", async () => {
    const name = freshName();
    const two = await take(pair.one, { name, permits: 2, owner: "a", metadata: { job: 1 } });
    await take(pair.other, { name, owner: "b" });
    const waiting = ask(pair.other, { name, waitMs: 5_000 });
    await until(async () => (await look(name)).waiting === 1, "one waits");
    const state = await look(name);
    expect(state).toMatchObject({ limit: 3, held: 3, waiting: 1 });
    const holders = [...state.holders].sort((one, other) =>
      String(one.owner) < String(other.owner) ? -1 : 1,
    );
    expect(holders).toMatchObject([
      { owner: "a", permits: 2, metadata: { job: 1 } },
      { owner: "b", permits: 1, metadata: null },
    ]);
    expect(JSON.stringify(state)).not.toContain(two.leaseId);
    await give(two);
    await waiting;
    expect(await look(freshName())).toEqual({
      limit: null,
      held: 0,
      holders: [],
      cursor: null,
      waiting: 0,
    });
  });

  test("whose limit is named differently by others refuses them, and names the right one", async () => {
    const name = freshName();
    await take(pair.one, { name, limit: 3 });
    for (const limit of [1, 2, 4, 100]) {
      await expect(ask(pair.other, { name, limit, waitMs: 1_000 })).rejects.toMatchObject({
        code: "limit_mismatch",
        help: { limit: 3 },
      });
    }
    expect((await look(name)).waiting, "nobody is left in line").toBe(0);
    expect((await ask(pair.other, { name, limit: 3 })).kind).toBe("acquired");
  });

  test("whose limit an operator lowers lets nobody in before the permits above it have ended", async () => {
    const name = freshName();
    const leases = [];
    for (let i = 0; i < 5; i++) leases.push(await take(pair.at(i), { name, limit: 5 }));
    await pair.one.service.semaphores.setLimit(name, 2);
    await expect(ask(pair.one, { name, limit: 5 })).rejects.toMatchObject({ code: "limit_mismatch" });
    for (const [gone, lease] of leases.entries()) {
      const outcome = await ask(pair.other, { name, limit: 2 });
      // Which slots are above the limit, and go last, is by chance.
      if (outcome.kind === "acquired") {
        expect(leases.length - gone).toBeLessThan(2);
        await give(outcome.lease);
      }
      await pair.one.service.semaphores.renew(lease);
      await give(lease);
    }
    const both = [await take(pair.one, { name, limit: 2 }), await take(pair.other, { name, limit: 2 })];
    expect(await look(name)).toMatchObject({ limit: 2, held: 2 });
    expect((await ask(pair.one, { name, limit: 2 })).kind).toBe("held");
    await pair.one.service.semaphores.setLimit(name, 4);
    expect((await ask(pair.one, { name, limit: 4, permits: 2 })).kind).toBe("acquired");
    for (const lease of both) await pair.other.service.semaphores.renew(lease);
  });
});

describe("permits", () => {
  test("are renewed all together, with their token, at either instance, and expire all together", async () => {
    const name = freshName();
    const lease = await take(pair.one, { name, permits: 2, metadata: "m" });
    const { leaseId, fencingToken } = lease;
    for (let i = 0; i < 6; i++) {
      const ttlMs = 10_000 * (i + 2);
      const renewed = await pair.at(i).service.semaphores.renew({
        name,
        leaseId,
        ttlMs,
        ...(i % 2 === 0 && { fencingToken }),
      });
      expect(renewed).toMatchObject({ fencingToken, permits: 2, limit: 3, metadata: "m", name });
      expect((await look(name)).holders[0]?.expiresInMs).toBeGreaterThan(ttlMs - 10_000);
    }
    expect((await look(name)).held).toBe(2);
    const short = await take(pair.one, { name: freshName(), permits: 2, ttlMs: 1_000 });
    await until(async () => (await look(short.name)).held === 0, "their time is over");
    await expect(pair.one.service.semaphores.renew(short)).rejects.toMatchObject({ code: "lease_lost" });
  });

  test("of a lease have a token that only grows, from one holder of a slot to the next", async () => {
    const name = freshName();
    let last = 0;
    for (let i = 0; i < 6; i++) {
      const lease = await take(pair.at(i), { name, limit: 2, permits: 2 });
      expect(lease.fencingToken).toBeGreaterThan(last);
      last = lease.fencingToken;
      await give(lease);
    }
  });

  test("that a primary lacks are still renewed, and come back to it", async () => {
    const name = freshName();
    const lease = await take(pair.one, { name, permits: 2 });
    for (const place of [0, 1, 2]) await untilSlotsOn(place, name, 2);
    for (const place of [0, 1, 2]) {
      const slots = await slotsOn(place, name, 3);
      await command(pair.primary(place), "DEL", ...slots.map((i) => slot(name, i)));
      for (let i = 0; i < 5; i++) {
        const { fencingToken } = await pair.at(i).service.semaphores.renew(lease);
        expect(fencingToken).toBe(lease.fencingToken);
      }
      await untilSlotsOn(place, name, 2);
    }
  });

  test("that one primary lacks while another does not answer are not told to be lost: nobody knows", async () => {
    await using own = await pair.instance();
    const name = freshName();
    const lease = await take(own, { name, permits: 2, ttlMs: 60_000 });
    for (const place of [0, 1, 2]) await untilSlotsOn(place, name, 2);
    const slots = await slotsOn(0, name, 3);
    await command(pair.primary(0), "DEL", ...slots.map((i) => slot(name, i)));
    await pair.primary(2).pause();
    try {
      for (const renewal of [lease, { ...lease, fencingToken: undefined }])
        await expect(own.service.semaphores.renew(renewal)).rejects.toMatchObject({ code: "no_quorum" });
    } finally {
      await pair.primary(2).resume();
    }
    await until(() => own.service.primaries.all.every((primary) => primary.up), "all take part again");
    expect((await own.service.semaphores.renew(lease)).fencingToken).toBe(lease.fencingToken);
  });

  test("that a primary lacks are still counted", async () => {
    const name = freshName();
    await take(pair.one, { name, permits: 2 });
    for (const place of [0, 1, 2]) await untilSlotsOn(place, name, 2);
    const slots = await slotsOn(0, name, 3);
    await command(pair.primary(0), "DEL", ...slots.map((i) => slot(name, i)));
    for (let i = 0; i < 30; i++) expect((await look(name)).held).toBe(2);
  });

  test("of a primary that was emptied are not given to others", async () => {
    const name = freshName();
    const lease = await take(pair.one, { name, limit: 2, permits: 2 });
    for (const place of [0, 1, 2]) await untilSlotsOn(place, name, 2);
    await command(pair.primary(1), "DEL", ...[1, 2].map((i) => slot(name, i)));
    for (let i = 0; i < 10; i++) expect((await ask(pair.at(i), { name, limit: 2 })).kind).toBe("held");
    expect(await give(lease)).toBe(true);
    expect((await ask(pair.one, { name, limit: 2, permits: 2 })).kind).toBe("acquired");
  });

  test("asked for again with the same chosen leaseId are the same", async () => {
    const name = freshName();
    const leaseId = chosenId();
    const first = await take(pair.one, { name, permits: 2, leaseId });
    for (let i = 0; i < 4; i++) {
      const again = await take(pair.at(i), { name, permits: 2, leaseId });
      expect(again.fencingToken).toBe(first.fencingToken);
    }
    expect((await look(name)).held).toBe(2);
    await expect(ask(pair.other, { name, permits: 1, leaseId })).rejects.toMatchObject({
      code: "lease_mismatch",
    });
    await give(first);
    await expect(ask(pair.other, { name, permits: 2, leaseId })).rejects.toMatchObject({
      code: "lease_lost",
    });
  });

  test("that are renewed after their release are told that they were released", async () => {
    for (const leaseId of [undefined, chosenId()]) {
      const name = freshName();
      const lease = await take(pair.one, { name, permits: 2, leaseId });
      await give(lease);
      for (const renewal of [lease, { ...lease, fencingToken: undefined }])
        expect(await whyLost(renewal)).toEqual({ why: "released" });
      await take(pair.other, { name, permits: 3 });
      expect(await whyLost(lease), "others have them by now").toEqual({ why: "released" });
    }
  });

  test("that were broken are told so, with the reason", async () => {
    const name = freshName();
    const lease = await take(pair.one, { name });
    const [place] = await slotsOn(0, name, 3);
    await votes().break(`permit/${name}/${place}`, "it hung");
    expect(await whyLost(lease)).toEqual({ why: "broken", reason: "it hung" });
  });

  test("that expired, or never were, are told to have expired, whoever asks to release them", async () => {
    const name = freshName();
    const lease = await take(pair.one, { name, ttlMs: 1_000 });
    await until(async () => (await look(name)).held === 0, "they expire");
    for (const leaseId of [lease.leaseId, `q-${"x".repeat(22)}`, chosenId()])
      expect(await whyLost({ name, leaseId, ttlMs: 1_000 })).toEqual({ why: "expired" });
    expect(await give(lease)).toBe(false);
    expect(await whyLost(lease), "nothing was released").toEqual({ why: "expired" });
  });

  test("that are renewed while they are released are never told to have expired", async () => {
    const name = freshName();
    for (let i = 0; i < 20; i++) {
      const lease = await take(pair.at(i), { name, limit: 2 });
      const renewal = whyLost(lease).catch(() => "renewed");
      await give(lease);
      expect(["renewed", { why: "released" }]).toContainEqual(await renewal);
    }
  });

  test("are had by all who ask at the same moment, where there are enough", async () => {
    const name = freshName();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) => ask(pair.at(i), { name, limit: 40 })),
    );
    expect(outcomes.filter(({ kind }) => kind === "acquired")).toHaveLength(20);
  });
});

describe("those who wait for permits", () => {
  test("are served first come, first served", async () => {
    const name = freshName();
    const holders = [
      await take(pair.one, { name }),
      await take(pair.other, { name }),
      await take(pair.one, { name }),
    ];
    const order: number[] = [];
    const waiters = [];
    for (let i = 0; i < 6; i++) {
      waiters.push(
        ask(pair.at(i), { name, waitMs: 15_000 }).then((outcome) => {
          order.push(i);
          return outcome.kind === "acquired" ? outcome.lease : null;
        }),
      );
      await until(async () => (await look(name)).waiting === i + 1, "it stands in line");
    }
    for (const [i, waiter] of waiters.entries()) {
      await give(holders[i] as Permits);
      holders.push((await waiter) as Permits);
    }
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("for many are not overtaken by those who want few", async () => {
    const name = freshName();
    const [one, two] = [await take(pair.one, { name }), await take(pair.other, { name, permits: 2 })];
    const all = ask(pair.one, { name, permits: 3, waitMs: 15_000 });
    await until(async () => (await look(name)).waiting === 1, "it stands in line");
    await give(one);
    expect(await ask(pair.other, { name }), "one permit is free").toMatchObject({
      kind: "held",
      queuePosition: 2,
    });
    await give(two);
    expect(await all).toMatchObject({ kind: "acquired", lease: { permits: 3 } });
  });

  test("are served together where one release is enough for several", async () => {
    const name = freshName();
    const holder = await take(pair.one, { name, permits: 3 });
    const waiters = [];
    for (let i = 0; i < 3; i++) {
      waiters.push(ask(pair.at(i), { name, waitMs: 15_000 }));
      await until(async () => (await look(name)).waiting === i + 1, "it stands in line");
    }
    await give(holder);
    for (const outcome of await Promise.all(waiters)) expect(outcome.kind).toBe("acquired");
  });
});

test("50 clients at once, some of which die, never hold more than the limit, and all permits come back", async () => {
  const name = freshName("pool");
  const LIMIT = 7;
  const beganMs = performance.now();
  let held = 0;
  let most = 0;
  let grants = 0;
  let deaths = 0;
  // For longer on a slow machine: until there is something to judge.
  const goesOn = () => performance.now() < beganMs + 6_000 || grants <= 100 || deaths <= 5;
  const client = async (i: number) => {
    while (goesOn()) {
      const permits = 1 + Math.floor(Math.random() * 3);
      const ttlMs = 400;
      const waitMs = Math.random() < 0.7 ? 3_000 : 0;
      const sentMs = performance.now();
      const outcome = await ask(pair.at(i), { name, limit: LIMIT, permits, ttlMs, waitMs });
      if (outcome.kind === "held") {
        await sleep(Math.random() * 30);
        continue;
      }
      const { waitedMs, validForMs } = outcome.lease;
      const trustedMs = sentMs + waitedMs + validForMs - performance.now();
      if (trustedMs <= 0) continue;
      grants += 1;
      held += permits;
      most = Math.max(most, held);
      const dies = Math.random() < 0.15;
      // Who dies holds its permits, as far as anybody can tell, until their time is over.
      await sleep(dies ? trustedMs : Math.min(trustedMs, Math.random() * 20));
      held -= permits;
      if (dies) deaths += 1;
      else await pair.at(i + 1).service.semaphores.release(name, outcome.lease.leaseId);
    }
  };
  const faults = (async () => {
    await sleep(1_500);
    await pair.primary(2).pause();
    await sleep(1_000);
    await pair.primary(2).resume();
    await sleep(1_000);
    await pair.primary(0).kill();
    await pair.primary(0).start();
  })();
  const settled = await Promise.allSettled(Array.from({ length: 50 }, (_, i) => client(i)));
  await faults;
  const failures = settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  for (const failure of failures) expect(failure).toMatchObject({ code: "no_quorum" });
  expect(failures.length, "a client may lose its quorum while a primary restarts").toBeLessThan(25);
  expect(most).toBeLessThanOrEqual(LIMIT);
  expect(most, "they were wanted").toBeGreaterThan(LIMIT - 3);
  expect(grants).toBeGreaterThan(100);
  expect(deaths).toBeGreaterThan(5);
  const all = await ask(pair.one, { name, limit: LIMIT, permits: LIMIT, waitMs: 10_000 });
  expect(all.kind, "none is lost").toBe("acquired");
}, 60_000);
