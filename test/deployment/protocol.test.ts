import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Configuration } from "../../src/algorithms/configuration.js";
import { acquire, allTakePart, command, forget, noticed, shown, storedField } from "../helpers/deployment.js";
import { Dying } from "../helpers/dying.js";
import { Gate } from "../helpers/gate.js";
import { type SharedPrimaries, type SharedPrimary, startPrimaries } from "../helpers/primaries.js";
import { type Instance, ownPrefix, startInstance, until } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";
import { store, storedData } from "../helpers/stored-data.js";

// A deployment of an earlier version: what the last one with protocol 1 had stored, and instances that know no later one.

const SLOW = { timeout: 60_000 };
const PROTOCOL_1 = storedData(new URL("./protocol-1.json", import.meta.url));
/** Of the two generations of counters in it. */
const NEWEST = { often: 1795960842581013, ended: 1795960842581003 };

let primaries: SharedPrimaries;

beforeAll(async () => {
  primaries = await sharedPrimaries();
});

const at = (place: number): SharedPrimary => primaries.all[place] as SharedPrimary;

async function configurationsOf(prefix: string): Promise<Configuration[]> {
  const stored = await Promise.all(primaries.all.map((one) => storedField(one, prefix, "configuration")));
  return stored.map((text) => JSON.parse(text ?? "null") as Configuration);
}

async function stored(): Promise<string> {
  const prefix = ownPrefix();
  await store(PROTOCOL_1, primaries.all, prefix);
  return prefix;
}

describe("data of protocol 1", SLOW, () => {
  let instance: Instance;
  let before: Configuration[];
  const renew = (path: string, leaseId: string, more = {}) =>
    instance.call("POST", `/v1/${path}/renew`, { leaseId, ttlMs: 60_000, ...more });
  const chosen = (digit: number) => `chosen-by-its-caller-00000${digit}`;

  beforeAll(async () => {
    const prefix = await stored();
    before = await configurationsOf(prefix);
    instance = await startInstance(primaries.urls, { prefix });
  });
  afterAll(() => instance[Symbol.asyncDispose]());

  test("get a configuration of protocol 2 in one change, with the primaries as they are", async () => {
    const after = await configurationsOf(instance.prefix);
    const expected = before.map((one) => ({
      ...one,
      protocol: 2,
      version: 2,
      nonce: after[0]?.nonce,
      coldQuarantine: null,
    }));
    expect(after).toEqual(expected);
    expect(after[0]?.nonce).not.toBe(before[0]?.nonce);
    const { primaries: seen } = await shown(instance);
    expect(seen.map(({ state, quarantineMs }) => [state, quarantineMs])).toEqual(seen.map(() => ["up", 0]));
  });

  test("keep every lock", async () => {
    expect(await acquire(instance, "held")).toMatchObject({ status: 409, code: "held" });
    const { body } = await renew("locks/held", "q-2Vx84M6_NW7HEqYSKNNlQw");
    expect(body).toMatchObject({ owner: "w", metadata: { a: "b" }, fencingToken: 1795960842581002 });
    expect((await renew("locks/read", chosen(3))).status).toBe(200);
    expect((await renew("locks", chosen(4), { names: ["one", "two"] })).status).toBe(200);
    expect((await renew("namespaces/team/locks/held", chosen(7))).status).toBe(200);
    const list = (await instance.call("GET", "/v1/locks")).body.locks as { name: string }[];
    expect(list.map(({ name }) => name)).toEqual(["chosen", "held", "one", "read", "two"]);
  });

  test("know a leaseId that its caller chose, and one that was ended", async () => {
    const again = (name: string, digit: number) =>
      instance.call("POST", `/v1/locks/${name}/acquire`, { leaseId: chosen(digit), ttlMs: 60_000 });
    expect((await again("chosen", 1)).body).toMatchObject({ fencingToken: 1795960842581002 });
    expect((await again("another", 1)).body).toMatchObject({ code: "lease_mismatch" });
    expect((await again("ended", 2)).body).toMatchObject({ code: "lease_lost" });
  });

  test("keep permits and the limit, and the leader with its value", async () => {
    const ask = (permits: number, limit: number) =>
      instance.call("POST", "/v1/semaphores/pool/acquire", { ttlMs: 1_000, permits, limit });
    expect((await ask(1, 4)).body).toMatchObject({ code: "limit_mismatch", limit: 3 });
    expect((await ask(2, 3)).body).toMatchObject({ code: "held" });
    expect((await ask(1, 3)).status).toBe(200);
    expect((await renew("semaphores/pool", chosen(5))).status).toBe(200);
    const { body } = await instance.call("GET", "/v1/elections/boss");
    expect(body).toMatchObject({ leader: { candidate: "c1", value: "v1", term: 1795960842581002 } });
  });

  test("let tokens grow, whichever generation of counters they are in", async () => {
    for (const [name, newest] of Object.entries(NEWEST))
      expect((await acquire(instance, name)).fencingToken, name).toBeGreaterThan(newest);
  });

  test("keep members, and the tombstones of those that left", async () => {
    const members = "/v1/services/s/members";
    expect((await instance.call("GET", members)).body.members).toMatchObject([
      { id: "a", address: "a:1", weight: 2, zone: "z", tags: ["t"], metadata: { x: "y" }, status: "up" },
    ]);
    expect((await instance.call("POST", `${members}/a/heartbeat`)).status).toBe(200);
    expect((await instance.call("POST", `${members}/b/heartbeat`)).body.code).toBe("unknown_member");
    const { body } = await instance.call("PUT", `${members}/b`, { address: "b:2", ttlMs: 60_000 });
    expect(body.incarnation).toBeGreaterThan(1795961119290);
  });

  test("do not make anybody wait for a request that waited at an instance of before", async () => {
    await instance.call("POST", "/v1/locks/held/release", { leaseId: "q-2Vx84M6_NW7HEqYSKNNlQw" });
    const body = { ttlMs: 1_000, waitMs: 10_000 };
    expect((await instance.call("POST", "/v1/locks/held/acquire", body)).status).toBe(200);
  });
});

describe.concurrent("the protocol is raised", SLOW, () => {
  test("once, by however many instances start at the same moment", async ({ expect }) => {
    const prefix = await stored();
    const starts = Array.from({ length: 4 }, () => startInstance(primaries.urls, { prefix }));
    const instances = await Promise.all(starts);
    const after = await configurationsOf(prefix);
    expect(new Set(after.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(after[0]).toMatchObject({ version: 2, protocol: 2 });
    for (const instance of instances) await instance[Symbol.asyncDispose]();
  });

  test("by the next instance, where the first died after any step of it", async ({ expect }) => {
    const died = await Promise.all(
      Array.from({ length: 10 }, async (_, steps) => {
        const prefix = await stored();
        const dying = new Dying();
        dying.dieAfter(steps + 1);
        await using first = await startInstance(primaries.urls, { prefix, up: 0, world: dying });
        await until(async () => dying.dead || (await shown(first)).quorum, "it is raised, or dead");
        await using second = await startInstance(primaries.urls, { prefix });
        const after = await configurationsOf(prefix);
        expect(
          after.map(({ version, protocol }) => [version, protocol]),
          `after step ${steps + 1}`,
        ).toEqual(after.map(() => [2, 2]));
        expect((await acquire(second, "fresh")).status).toBe(200);
        return dying.dead;
      }),
    );
    expect(died.filter(Boolean).length, "steps that there are").toBeGreaterThan(6);
    expect(died, "all steps were tried").toContain(false);
  });

  test("with a primary away, which follows when it is back", async ({ expect }) => {
    await using own = await startPrimaries(3);
    const prefix = ownPrefix();
    await store(PROTOCOL_1, own.all, prefix);
    await own.all[2]?.pause();
    await using instance = await startInstance(own.urls, { prefix, up: 2 });
    expect((await acquire(instance, "fresh")).status).toBe(200);
    await own.all[2]?.resume();
    const { configurationVersion, primaries: seen } = await allTakePart(instance, 1);
    expect([configurationVersion, ...seen.map(({ state }) => state)]).toEqual([2, "up", "up", "up"]);
  });

  test("together with the readmission of a primary that forgot", async ({ expect }) => {
    const prefix = await stored();
    await forget(at(2), prefix);
    await using instance = await startInstance(primaries.urls, { prefix });
    expect((await shown(instance)).configurationVersion).toBe(2);
    expect((await configurationsOf(prefix))[2]).toMatchObject({ protocol: 2 });
    const [older] = (await command(at(2), "HMGET", `${prefix}counters`, "lock/ended")) as string[];
    expect(Number(older), "it has the counters again").toBe(NEWEST.ended);
  });

  test("by a cold start, where a majority forgot", async ({ expect }) => {
    const prefix = await stored();
    await forget(at(1), prefix);
    await forget(at(2), prefix);
    await using instance = await startInstance(primaries.urls, { prefix });
    const after = await configurationsOf(prefix);
    expect(after.map(({ version, protocol }) => [version, protocol])).toEqual(after.map(() => [2, 2]));
    const { body } = await instance.call("GET", "/v1/locks/often");
    expect(body.newest).toBeGreaterThanOrEqual(NEWEST.often);
  });
});

describe.concurrent("an instance that does not know the protocol", SLOW, () => {
  const startOld = async (prefix: string, more = {}) => {
    const env = { QUORATE_LOG_LEVEL: "info", QUORATE_COMMAND_TIMEOUT_MS: "5000" };
    return startInstance(primaries.urls, { prefix, protocol: 1, env, ...more });
  };
  const isRefused = (old: Instance) =>
    until(
      async () => (await shown(old)).primaries.every(({ state }) => state === "misconfigured"),
      "it takes no part",
    );

  test("takes no part from the first instance on that raises it, says so, and is not ready", async ({
    expect,
  }) => {
    const prefix = ownPrefix();
    await using old = await startOld(prefix);
    expect((await configurationsOf(prefix))[0]).toMatchObject({ version: 1, protocol: 1 });
    const { leaseId, fencingToken } = await acquire(old, "held", 60_000);
    await using renewed = await startInstance(primaries.urls, { prefix });
    await isRefused(old);
    const reason = "the stored configuration has protocol 2, this version of Quorate knows 1";
    const ready = await old.call("GET", "/readyz");
    expect(ready.status).toBe(503);
    expect(ready.body).toMatchObject({ code: "no_quorum", detail: expect.stringContaining(reason) });
    const refused = await old.call("POST", "/v1/locks/held/renew", { leaseId, ttlMs: 60_000 });
    expect(refused.body).toMatchObject({ code: "no_quorum", detail: expect.stringContaining(reason) });
    const lines = old.logged.map((line) => JSON.parse(line) as { msg: string; reason?: string });
    const told = lines.filter(({ msg }) => msg === "these primaries cannot be used");
    expect(told.map((line) => line.reason)).toEqual([reason]);

    const { status, body } = await renewed.call("POST", "/v1/locks/held/renew", { leaseId, ttlMs: 60_000 });
    expect([status, body.fencingToken]).toEqual([200, fencingToken]);
    expect((await renewed.call("GET", "/readyz")).status).toBe(200);
  });

  test("leaves nothing behind of a request that the raise overtook", async ({ expect }) => {
    const prefix = ownPrefix();
    const gate = new Gate();
    await using old = await startOld(prefix, { world: gate });
    gate.shut();
    const request = acquire(old, "late", 60_000);
    await using renewed = await startInstance(primaries.urls, { prefix });
    gate.open();
    expect(await request).toMatchObject({ status: 503, code: "no_quorum" });
    expect((await acquire(renewed, "late")).status).toBe(200);
  });

  test("neither readmits a primary nor begins a cold start", async ({ expect }) => {
    const prefix = ownPrefix();
    await using old = await startOld(prefix);
    {
      await using _renewed = await startInstance(primaries.urls, { prefix });
    }
    for (const place of [2, 1]) {
      await forget(at(place), prefix);
      // What it does as soon as a request meets it, and at each look.
      await noticed(old);
      await isRefused(old);
    }
    await until(() => old.service.primaries.all.every(({ up }) => !up), "it looked");
    expect(await Promise.all([1, 2].map((place) => storedField(at(place), prefix, "configuration")))).toEqual(
      [null, null],
    );
    expect((await configurationsOf(prefix))[0]).toMatchObject({ version: 2, protocol: 2 });
    await using renewed = await startInstance(primaries.urls, { prefix });
    expect((await shown(renewed)).configurationVersion).toBe(3);
  });

  test("takes what it began over, and does not bring its protocol back: a readmission", async ({
    expect,
  }) => {
    const prefix = ownPrefix();
    const dying = new Dying();
    await using old = await startOld(prefix, { world: dying });
    const { fencingToken } = await acquire(old, "held", 60_000);
    // It agrees on the next configuration, tells some primaries, and dies.
    dying.dieAfter(8);
    await forget(at(2), prefix);
    await until(() => dying.dead, "it died");
    await using renewed = await startInstance(primaries.urls, { prefix });
    const after = await configurationsOf(prefix);
    expect(new Set(after.map(({ nonce }) => nonce)).size).toBe(1);
    expect(after[0]?.protocol).toBe(2);
    const { body } = await renewed.call("GET", "/v1/locks/held");
    expect(body).toMatchObject({ fencingToken });
  });
});
