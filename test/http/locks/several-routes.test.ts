import { describe, expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import { chosenId, freshName, until } from "../../helpers/service.js";

const pair = new Pair();

const all = (act: string, body: Record<string, unknown>, at = pair.one) =>
  at.call("POST", `/v1/locks/${act}`, body);

const acquire = (names: readonly string[], more: Record<string, unknown> = {}, at = pair.one) =>
  all("acquire", { names, ttlMs: 20_000, ...more }, at);

const one = (name: string, act: string, body: Record<string, unknown>, at = pair.one) =>
  at.call("POST", `/v1/locks/${name}/${act}`, body);

const isHeld = async (name: string) => (await pair.one.call("GET", `/v1/locks/${name}`)).body.mode !== null;

describe("several names", () => {
  test("are one lease with one token, above all earlier ones of each", async () => {
    const names = [freshName("b"), freshName("a"), freshName("c")];
    const earlier = [];
    for (const name of names.slice(0, 2)) {
      const { body } = await one(name, "acquire", { ttlMs: 5_000 });
      earlier.push(body.fencingToken);
      await one(name, "release", { leaseId: body.leaseId });
    }
    const { status, body: lease } = await acquire(names, { owner: "worker-7", metadata: { build: 1 } });
    expect(status).toBe(200);
    expect(lease).toMatchObject({
      mode: "exclusive",
      owner: "worker-7",
      metadata: { build: 1 },
      primaries: 3,
    });
    expect([...lease.names].sort()).toEqual([...names].sort());
    expect(lease.fencingToken).toBeGreaterThan(Math.max(...earlier));
    for (const name of names) {
      const seen = (await pair.other.call("GET", `/v1/locks/${name}`)).body;
      expect(seen).toMatchObject({ fencingToken: lease.fencingToken, holders: [{ owner: "worker-7" }] });
    }

    const renewed = await all("renew", { names, leaseId: lease.leaseId, ttlMs: 30_000 }, pair.other);
    expect(renewed.body).toMatchObject({
      names: lease.names,
      fencingToken: lease.fencingToken,
      ttlMs: 30_000,
    });
    const { fencingToken, leaseId } = lease;
    expect((await all("renew", { names, leaseId, fencingToken, ttlMs: 30_000 })).status).toBe(200);

    expect((await all("release", { names, leaseId }, pair.other)).body).toEqual({ released: true });
    expect((await all("release", { names, leaseId })).body).toEqual({ released: false });
    for (const name of names) expect(await isHeld(name)).toBe(false);
    const lost = await all("renew", { names, leaseId, fencingToken, ttlMs: 30_000 });
    expect([lost.status, lost.body.code]).toEqual([410, "lease_lost"]);
  });

  test("of which one is held are all refused, and none of the others is taken", async () => {
    const [free, taken] = [freshName("free"), freshName("taken")];
    await one(taken, "acquire", { ttlMs: 20_000, owner: "worker-7" });
    const { status, body } = await acquire([free, taken]);
    expect([status, body.code, body.holder.owner]).toEqual([409, "held", "worker-7"]);
    expect(await isHeld(free)).toBe(false);
  });

  test("keep each of them from others, until they are released together", async () => {
    const names = [freshName(), freshName()];
    const { body } = await acquire(names);
    for (const name of names)
      expect((await one(name, "acquire", { ttlMs: 1_000 }, pair.other)).status).toBe(409);
    const waiting = acquire([...names].reverse(), { waitMs: 20_000 }, pair.other);
    await until(() => pair.other.service.waiting.size === 1, "it waits");
    await all("release", { names, leaseId: body.leaseId });
    expect((await waiting).status).toBe(200);
  });

  test("that overlap are served one after the other, without a deadlock", async () => {
    const [a, b, c] = [freshName(), freshName(), freshName()] as const;
    const sets = [
      [a, b],
      [b, c],
      [c, a],
      [b, a],
      [c, b],
      [a, c],
    ];
    let busy = new Set<string>();
    const served = await Promise.all(
      sets.map(async (names, i) => {
        const at = i % 2 ? pair.one : pair.other;
        const { status, body } = await acquire(names, { waitMs: 20_000 }, at);
        for (const name of names) expect(busy.has(name)).toBe(false);
        busy = new Set([...busy, ...names]);
        await new Promise((resolve) => setTimeout(resolve, 5));
        busy = new Set([...busy].filter((name) => !names.includes(name)));
        await all("release", { names, leaseId: body.leaseId }, at);
        return status;
      }),
    );
    expect(served).toEqual(sets.map(() => 200));
  });

  test("may be shared", async () => {
    const names = [freshName(), freshName()];
    const a = await acquire(names, { mode: "shared" });
    const b = await acquire(names, { mode: "shared" }, pair.other);
    expect([a.body.mode, b.status, b.body.fencingToken]).toEqual(["shared", 200, a.body.fencingToken]);
    expect((await acquire(names.slice(1))).status).toBe(409);
  });

  test("asked for again with the same leaseId are the same lease, with other names a mistake", async () => {
    const names = [freshName(), freshName()];
    const leaseId = chosenId();
    const first = await acquire(names, { leaseId });
    const again = await acquire([...names].reverse(), { leaseId }, pair.other);
    expect(again.body).toMatchObject({ leaseId, fencingToken: first.body.fencingToken });
    for (const others of [names.slice(1), [...names, freshName()]]) {
      const answer = await acquire(others, { leaseId });
      expect([answer.status, answer.body.code]).toEqual([409, "lease_mismatch"]);
    }
  });

  test("may be sixteen, or one", async () => {
    const sixteen = Array.from({ length: 16 }, () => freshName());
    expect((await acquire(sixteen)).body.names).toHaveLength(16);
    const name = freshName();
    const { body } = await acquire([name]);
    expect((await one(name, "release", { leaseId: body.leaseId })).body).toEqual({ released: true });
  });
});

test("a lock may be called like an act, and is not mistaken for it", async () => {
  for (const name of ["acquire", "renew", "release"]) {
    const { status, body } = await one(name, "acquire", { ttlMs: 5_000 });
    expect([status, body.names]).toEqual([200, [name]]);
    expect((await pair.one.call("GET", `/v1/locks/${name}`)).body.name).toBe(name);
    expect((await one(name, "renew", { leaseId: body.leaseId, ttlMs: 5_000 })).status).toBe(200);
    expect((await one(name, "release", { leaseId: body.leaseId })).body).toEqual({ released: true });
  }
});

describe("what is not taken", () => {
  const ttlMs = 1_000;
  const leaseId = chosenId();
  const seventeen = Array.from({ length: 17 }, (_, i) => `n${i}`);
  test.each([
    ["acquire", "names", { ttlMs }],
    ["acquire", "names", { names: "a", ttlMs }],
    ["acquire", "names", { names: [], ttlMs }],
    ["acquire", "names", { names: seventeen, ttlMs }],
    ["acquire", "names", { names: ["a", "b", "a"], ttlMs }],
    ["acquire", "names.1", { names: ["a", "-b"], ttlMs }],
    ["acquire", "names.0", { names: [7], ttlMs }],
    ["acquire", "ttlMs", { names: ["a"] }],
    ["acquire", "waitMs", { names: ["a"], ttlMs, waitMs: 25_001 }],
    ["acquire", "name", { names: ["a"], ttlMs, name: "b" }],
    ["renew", "names", { leaseId, ttlMs }],
    ["renew", "names", { names: ["a", "a"], leaseId, ttlMs }],
    ["renew", "leaseId", { names: ["a"], ttlMs }],
    ["renew", "fencingToken", { names: ["a"], leaseId, ttlMs, fencingToken: "7" }],
    ["release", "names", { leaseId }],
    ["release", "leaseId", { names: ["a"] }],
    ["release", "ttlMs", { names: ["a"], leaseId, ttlMs }],
  ])("%s: %s of %o", async (act, field, body) => {
    const answer = await all(act, body);
    expect([answer.status, answer.body.code, answer.body.field]).toEqual([400, "invalid_request", field]);
  });
});
