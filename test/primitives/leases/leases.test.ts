import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Acquired, AcquireRequest, Lease } from "../../../src/primitives/lock.js";
import { Keys } from "../../../src/scripts/keys.js";
import { allTakePart, command, forget, noticed, shown } from "../../helpers/deployment.js";
import { Gate } from "../../helpers/gate.js";
import { Pair } from "../../helpers/pair.js";
import { chosenId, freshName, type Instance, until } from "../../helpers/service.js";

// What locks, permits and terms have in common: what a lease is for, how it ends, and how it survives restarts.
const pair = new Pair();

const ask = (
  at: Instance,
  names: string | string[],
  request: Partial<AcquireRequest> = {},
): Promise<Acquired> => at.service.locks.acquire({ names: [names].flat(), ttlMs: 10_000, ...request });

async function take(
  at: Instance,
  names: string | string[],
  request: Partial<AcquireRequest> = {},
): Promise<Lease> {
  const outcome = await ask(at, names, request);
  if (outcome.kind !== "acquired") throw new Error(`not acquired: ${JSON.stringify(outcome)}`);
  return outcome.lease;
}

const give = ({ names, leaseId }: Lease) => pair.other.service.locks.release(names, leaseId);
const renew = (lease: Lease, other: Partial<Lease> = {}) =>
  pair.other.service.locks.renew({ ...lease, ...other });
/** What is known of why it cannot be renewed any more. */
async function whyLost(lease: Lease): Promise<unknown> {
  const error = await renew(lease).catch((failure) => failure);
  expect(error).toMatchObject({ code: "lease_lost" });
  return error.help.lost;
}

const keys = () => new Keys(pair.prefix);
const holdsOn = async (place: number, name: string) =>
  (await command(pair.primary(place), "HGET", keys().hold(`lock/${name}`), "lease")) as string | null;

describe("a lease that was asked for twice, with an id of the client's own", () => {
  test("is not ended by the request that is granted too late, where the other was granted in time", async () => {
    const name = freshName();
    const leaseId = chosenId();
    const gate = new Gate();
    await using slowly = await pair.instance({ world: gate });
    gate.shut();
    const late = ask(slowly, name, { leaseId, ttlMs: 200 });
    late.catch(() => {});
    const lease = await take(pair.one, name, { leaseId });
    await sleep(250);
    gate.open();
    await expect(late).rejects.toMatchObject({ code: "no_quorum" });
    await renew(lease);
    expect(await ask(pair.one, name)).toMatchObject({ kind: "held" });
    await give(lease);
  });
});

describe("a lease that was lost", () => {
  test("by a release says so", async () => {
    const lease = await take(pair.one, freshName());
    await give(lease);
    expect(await whyLost(lease)).toEqual({ why: "released" });
    const chosen = await take(pair.one, freshName(), { leaseId: chosenId() });
    await give(chosen);
    expect(await whyLost(chosen)).toEqual({ why: "released" });
    const reader = await take(pair.one, freshName(), { mode: "shared" });
    await give(reader);
    expect(await whyLost(reader)).toEqual({ why: "released" });
  });

  test("by time says so, where nobody took the name since", async () => {
    const lease = await take(pair.one, freshName(), { ttlMs: 1_000 });
    await sleep(1_020);
    expect(await whyLost(lease)).toEqual({ why: "expired" });
    const reader = await take(pair.one, freshName(), { ttlMs: 1_000, mode: "shared" });
    await sleep(1_020);
    expect(await whyLost(reader)).toEqual({ why: "expired" });
  });

  test("by time, and taken by another since, tells the other's token", async () => {
    const name = freshName();
    const lease = await take(pair.one, name, { ttlMs: 1_000 });
    await sleep(1_020);
    const { fencingToken } = await take(pair.other, name);
    expect(await whyLost(lease)).toEqual({ why: "taken", newest: fencingToken });
  });

  test("by time, and taken by a reader since, was not released", async () => {
    const name = freshName();
    const lease = await take(pair.one, name, { ttlMs: 1_000 });
    await sleep(1_020);
    const { fencingToken } = await take(pair.other, name, { mode: "shared" });
    expect(await whyLost(lease)).toEqual({ why: "taken", newest: fencingToken });
  });

  test("by time, as a reader beside others, was not released", async () => {
    const name = freshName();
    await take(pair.other, name, { mode: "shared" });
    const lease = await take(pair.one, name, { mode: "shared", ttlMs: 1_000 });
    await sleep(1_020);
    expect(await whyLost(lease)).toMatchObject({ why: "expired" });
  });

  test("by an operator tells the reason", async () => {
    const name = freshName();
    const lease = await take(pair.one, name);
    expect(await pair.other.service.locks.break(name, "it hung")).toBe(1);
    expect(await whyLost(lease)).toEqual({ why: "broken", reason: "it hung" });
    expect((await ask(pair.one, name)).kind).toBe("acquired");
  });

  test("that never was is lost as well", async () => {
    const name = freshName();
    const lease = await take(pair.one, name);
    expect(await renew({ ...lease, leaseId: chosenId() }).catch(({ code }) => code)).toBe("lease_lost");
    expect(await renew(lease, { fencingToken: lease.fencingToken - 2 }).catch(({ code }) => code)).toBe(
      "lease_lost",
    );
  });
});

describe("a leaseId that the caller chose", () => {
  test("is for one thing: other names, another mode or another kind are a mismatch", async () => {
    const [a, b] = [freshName(), freshName()];
    const leaseId = chosenId();
    const lease = await take(pair.one, [a, b], { leaseId });
    for (const attempt of [
      ask(pair.other, a, { leaseId }),
      ask(pair.other, [a, b, freshName()], { leaseId }),
      ask(pair.other, [a, b], { leaseId, mode: "shared" }),
      pair.other.service.elections.campaign({ name: a, leaseId, ttlMs: 1_000 }),
      pair.other.service.semaphores.acquire({ name: a, leaseId, ttlMs: 1_000, limit: 3, permits: 1 }),
    ]) {
      await expect(attempt).rejects.toMatchObject({ code: "lease_mismatch" });
    }
    const again = await take(pair.other, [b, a, b], { leaseId });
    expect(again.fencingToken, "but the names may come in any order").toBe(lease.fencingToken);
  });

  test("stays for one thing while it is renewed, though at first it had little time", async () => {
    const lease = await take(pair.one, freshName(), { leaseId: chosenId(), ttlMs: 1_000 });
    await renew(lease, { ttlMs: 20_000 });
    await sleep(1_050);
    await expect(ask(pair.other, freshName(), { leaseId: lease.leaseId })).rejects.toMatchObject({
      code: "lease_mismatch",
    });
  });
});

describe("several names", () => {
  test("are one lease with one token, sorted and each once", async () => {
    const [a, b, c] = [freshName("a"), freshName("b"), freshName("c")];
    const lease = await take(pair.one, [c, a, b, a]);
    expect(lease.names).toEqual([a, b, c]);
    for (const name of [a, b, c]) expect((await pair.lock(name)).fencingToken).toBe(lease.fencingToken);
    expect((await renew(lease)).fencingToken).toBe(lease.fencingToken);
    expect(await give(lease)).toBe(true);
    for (const name of [a, b, c]) expect((await pair.lock(name)).holders).toEqual([]);
  });

  test("have a token above all earlier ones of each", async () => {
    const [a, b] = [freshName(), freshName()];
    for (let i = 0; i < 5; i++) await give(await take(pair.at(i), a));
    const { fencingToken } = await take(pair.one, a, { ttlMs: 1_000 });
    await sleep(1_020);
    const both = await take(pair.other, [b, a]);
    expect(both.fencingToken).toBeGreaterThan(fencingToken);
    await give(both);
    expect((await take(pair.one, b)).fencingToken).toBeGreaterThan(both.fencingToken);
  });

  test("one of which is held are none of them taken", async () => {
    const [a, b, c] = [freshName(), freshName(), freshName()];
    await take(pair.one, b);
    expect(await ask(pair.other, [a, b, c])).toMatchObject({ kind: "held" });
    for (const free of [a, c]) expect((await ask(pair.one, free)).kind).toBe("acquired");
  });

  test("sixteen of them are taken in one round trip", async () => {
    const names = Array.from({ length: 16 }, () => freshName());
    const lease = await take(pair.one, names);
    expect(lease.names).toHaveLength(16);
    expect(await give(lease)).toBe(true);
  });
});

describe("a restart does not wear a lease down", () => {
  test("a primary that lacks it gets it back with the next renewal", async () => {
    for (const mode of ["exclusive", "shared"] as const) {
      const [a, b] = [freshName(), freshName()];
      const lease = await take(pair.one, [a, b], { mode, metadata: { job: 1 }, leaseId: chosenId() });
      const { holders } = await pair.lock(a);
      const hold = keys().hold(`lock/${a}`);
      const own = mode === "shared" ? `${hold}/${lease.leaseId}` : hold;
      const lost = pair.primary(1);
      await pair.untilOnAll(own);
      await command(lost, "DEL", own);
      await renew(lease);
      await until(
        async () => (await command(lost, "HGET", own, "lease")) === lease.leaseId,
        "it is repaired",
      );
      expect(Number(await command(lost, "HGET", own, "counter"))).toBe(lease.fencingToken);
      expect((await pair.lock(a)).holders).toMatchObject([{ metadata: { job: 1 }, mode: holders[0]?.mode }]);
      expect(await give(lease)).toBe(true);
      expect(await command(lost, "EXISTS", own)).toBe(0);
    }
  });

  test("but what was released meanwhile is not brought back", async () => {
    const name = freshName();
    const lease = await take(pair.one, name, { ttlMs: 60_000 });
    await pair.untilOnAll(keys().hold(`lock/${name}`));
    await command(pair.primary(2), "DEL", keys().hold(`lock/${name}`));
    // The repair is under way when the release is.
    const [renewal] = await Promise.all([renew(lease).catch(() => null), give(lease)]);
    expect(renewal === null || renewal.fencingToken === lease.fencingToken).toBe(true);
    await sleep(50);
    for (const place of [0, 1, 2])
      await until(async () => (await holdsOn(place, name)) === null, `primary ${place} has it no more`);
  });

  // The last one: what forgets is in quarantine for as long as a lease of those above may live.
  test("all primaries may forget one after the other, as long as it is renewed in between", async () => {
    const name = freshName();
    const lease = await take(pair.one, name, { ttlMs: 8_000 });
    const reader = await take(pair.one, freshName(), { ttlMs: 8_000, mode: "shared" });
    for (let round = 0; round < 4; round++) {
      const place = round % 3;
      const before = (await shown(pair.one)).configurationVersion ?? 0;
      await forget(pair.primary(place), pair.prefix);
      await Promise.all([pair.one, pair.other].map(noticed));
      await allTakePart(pair.one, before);
      await allTakePart(pair.other, before);
      expect((await renew(lease)).fencingToken).toBe(lease.fencingToken);
      expect((await renew(reader)).fencingToken).toBe(reader.fencingToken);
      await until(
        async () => (await holdsOn(place, name)) === lease.leaseId,
        `primary ${place} has it again`,
      );
    }
    expect((await ask(pair.other, name)).kind).toBe("held");
    expect(await give(lease)).toBe(true);
  }, 40_000);
});
