import { describe, expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import { chosenId, freshName, until } from "../../helpers/service.js";

const KEY = "the-key-of-the-operator";

const pair = new Pair({ env: { QUORATE_OPERATOR_KEY: KEY } });

type Body = Record<string, unknown>;

const on = (name: string, act: string, body: Body, at = pair.one) =>
  at.call("POST", `/v1/semaphores/${name}/${act}`, body);

const acquire = (name: string, more: Body = {}, at = pair.one) =>
  on(name, "acquire", { limit: 3, ttlMs: 20_000, ...more }, at);

const release = async (name: string, leaseId: string, at = pair.one) =>
  (await on(name, "release", { leaseId }, at)).body.released;

const look = async (name: string) => (await pair.one.call("GET", `/v1/semaphores/${name}`)).body;

const setLimit = (name: string, limit: unknown) =>
  pair.one.call("PUT", `/v1/semaphores/${name}`, { limit }, { authorization: `Bearer ${KEY}` });

describe("permits", () => {
  test("are a lease with a token", async () => {
    const name = freshName("reports");
    const { status, body } = await acquire(name, { owner: "worker-7", metadata: { build: 1 }, waitMs: 0 });
    expect(status).toBe(200);
    expect(body).toEqual({
      leaseId: expect.stringMatching(/^q-[\w-]{22}$/),
      name,
      permits: 1,
      slots: [expect.any(Number)],
      limit: 3,
      owner: "worker-7",
      metadata: { build: 1 },
      fencingToken: expect.any(Number),
      ttlMs: 20_000,
      validForMs: expect.any(Number),
      waitedMs: expect.any(Number),
      acks: expect.any(Number),
      primaries: 3,
    });
  });

  test("are granted up to the limit, then refused until one is released, at whichever instance", async () => {
    const name = freshName();
    const granted = [await acquire(name), await acquire(name, {}, pair.other), await acquire(name)];
    expect(granted.map(({ status }) => status)).toEqual([200, 200, 200]);
    const { status, body, headers } = await acquire(name, {}, pair.other);
    expect([status, body.code]).toEqual([409, "held"]);
    expect(body.queuePosition).toBeGreaterThan(0);
    expect(body.detail).toContain(name);
    expect(headers.get("retry-after")).toMatch(/^\d+$/);
    expect(await release(name, granted[1]?.body.leaseId, pair.one)).toBe(true);
    expect((await acquire(name, {}, pair.other)).status).toBe(200);
  });

  test("may be several: all that are asked for or none", async () => {
    const name = freshName();
    const { body: two } = await acquire(name, { permits: 2 });
    expect(two.permits).toBe(2);
    expect((await acquire(name, { permits: 2 })).status).toBe(409);
    expect(await look(name)).toMatchObject({ limit: 3, held: 2, waiting: 0 });
    expect((await acquire(name)).status).toBe(200);
    expect(await release(name, two.leaseId)).toBe(true);
    expect((await acquire(name, { permits: 2 }, pair.other)).status).toBe(200);
    expect((await look(name)).held).toBe(3);
  });

  test("that ran out are told with who holds one, as that one labelled it", async () => {
    const name = freshName();
    await acquire(name, { limit: 1, owner: "worker-7", metadata: { build: 1 } });
    const { body } = await acquire(name, { limit: 1 });
    expect(body.holder).toMatchObject({ owner: "worker-7", metadata: { build: 1 } });
  });

  test("are renewed and released by their leaseId alone", async () => {
    const name = freshName();
    const { body } = await acquire(name, { permits: 2, owner: "worker-7", metadata: [1] });
    const { leaseId, fencingToken } = body;
    for (const extra of [{}, { fencingToken }]) {
      const renewed = await on(name, "renew", { leaseId, ttlMs: 30_000, ...extra }, pair.other);
      expect(renewed.body).toMatchObject({
        leaseId,
        name,
        fencingToken,
        permits: 2,
        limit: 3,
        owner: "worker-7",
        metadata: [1],
        ttlMs: 30_000,
      });
    }
    expect((await look(name)).holders[0].expiresInMs).toBeGreaterThan(25_000);
    expect(await release(name, chosenId())).toBe(false);
    expect(await release(name, leaseId, pair.other)).toBe(true);
    expect(await release(name, leaseId)).toBe(false);
    const lost = await on(name, "renew", { leaseId, ttlMs: 30_000 });
    expect([lost.status, lost.body.code, lost.body.lost]).toEqual([410, "lease_lost", { why: "released" }]);
  });

  test("end by themselves", async () => {
    const name = freshName();
    await acquire(name, { limit: 1, ttlMs: 1_000 });
    expect((await acquire(name, { limit: 1, waitMs: 15_000 }, pair.other)).status).toBe(200);
  });

  test("asked for again with the same leaseId are the same", async () => {
    const name = freshName();
    const leaseId = chosenId();
    const first = await acquire(name, { leaseId, permits: 2 });
    const again = await acquire(name, { leaseId, permits: 2 }, pair.other);
    expect(again.body.fencingToken).toBe(first.body.fencingToken);
    expect((await look(name)).held).toBe(2);
    const more = await acquire(name, { leaseId, permits: 1 });
    expect([more.status, more.body.code]).toEqual([409, "lease_mismatch"]);
  });
});

describe("who waits for permits", () => {
  test("gets them when enough are released at another instance", async () => {
    const name = freshName();
    const one = (await acquire(name)).body;
    const two = (await acquire(name, { permits: 2 })).body;
    const waiting = acquire(name, { permits: 3, waitMs: 20_000 }, pair.other);
    await until(async () => (await look(name)).waiting === 1, "it waits");
    await release(name, one.leaseId);
    // Who comes later and would have enough does not overtake it.
    expect((await acquire(name)).status).toBe(409);
    await release(name, two.leaseId);
    expect((await waiting).body.permits).toBe(3);
  });

  test("is refused when its time is over", async () => {
    const name = freshName();
    await acquire(name, { permits: 3 });
    const { status, body } = await acquire(name, { waitMs: 200 }, pair.other);
    expect([status, body.code, body.queuePosition]).toEqual([409, "held", 1]);
    await until(async () => (await look(name)).waiting === 0, "it has left");
  });

  test("is served once, and never are more permits held than there are", async () => {
    const name = freshName();
    let held = 0;
    let most = 0;
    const served = await Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        const at = i % 2 ? pair.one : pair.other;
        const { status, body } = await acquire(name, { waitMs: 20_000 }, at);
        held += 1;
        most = Math.max(most, held);
        await new Promise((resolve) => setTimeout(resolve, 10));
        held -= 1;
        await release(name, body.leaseId, at);
        return status;
      }),
    );
    expect(served).toEqual(served.map(() => 200));
    expect(most).toBeLessThanOrEqual(3);
    expect(most).toBeGreaterThan(1);
  });
});

describe("the limit", () => {
  test("must be the same for all who acquire", async () => {
    const name = freshName();
    await acquire(name);
    const { status, body } = await acquire(name, { limit: 4 }, pair.other);
    expect([status, body.code, body.limit]).toEqual([409, "limit_mismatch", 3]);
  });

  test("can be raised by an operator", async () => {
    const name = freshName();
    await acquire(name, { permits: 3 });
    const answer = await setLimit(name, 4);
    expect([answer.status, answer.body]).toEqual([200, { name, limit: 4 }]);
    const old = await acquire(name);
    expect([old.body.code, old.body.limit]).toEqual(["limit_mismatch", 4]);
    expect((await acquire(name, { limit: 4 }, pair.other)).status).toBe(200);
    expect(await look(name)).toMatchObject({ limit: 4, held: 4 });
  });

  test("that is lowered takes nothing away, and holds when what is above it has ended", async () => {
    const name = freshName();
    const three = (await acquire(name, { permits: 3 })).body;
    await setLimit(name, 1);
    expect((await acquire(name, { limit: 1 })).body.code).toBe("held");
    const { leaseId, fencingToken } = three;
    expect((await on(name, "renew", { leaseId, fencingToken, ttlMs: 20_000 })).status).toBe(200);
    await release(name, leaseId);
    expect((await acquire(name, { limit: 1 })).status).toBe(200);
    expect((await acquire(name, { limit: 1 })).body.code).toBe("held");
    expect(await look(name)).toMatchObject({ limit: 1, held: 1 });
  });

  test("of a thousand permits is a limit, and a hundred at once are permits", async () => {
    const name = freshName();
    const { status, body } = await acquire(name, { limit: 1000, permits: 100 });
    expect([status, body.permits]).toEqual([200, 100]);
    expect((await look(name)).held).toBe(100);
    expect(await release(name, body.leaseId)).toBe(true);
    expect((await look(name)).held).toBe(0);
  });
});

describe("GET of a semaphore", () => {
  test("that nobody uses", async () => {
    const name = freshName();
    expect(await look(name)).toEqual({
      name,
      limit: null,
      held: 0,
      holders: [],
      cursor: null,
      waiting: 0,
    });
  });

  test("comes in pages of holders, in the order of their first slots", async () => {
    const name = freshName();
    for (const owner of ["a", "b", "c"]) await acquire(name, { limit: 9, owner, permits: 2 });
    const page = async (query: string) =>
      (await pair.one.call("GET", `/v1/semaphores/${name}?${query}`)).body;
    const first = await page("limit=2");
    expect(first).toMatchObject({ held: 6, cursor: expect.any(Number) });
    const second = await page(`limit=2&cursor=${first.cursor}`);
    expect(second).toMatchObject({ held: 6, cursor: null });
    const owners = [...first.holders, ...second.holders].map(({ owner }) => owner);
    expect(first.holders).toHaveLength(2);
    expect(owners.sort()).toEqual(["a", "b", "c"]);
    expect((await page("")).holders).toHaveLength(3);
  });

  test.each(["limit=0", "limit=101", "limit=x", "cursor=1001", "cursor=-1"])(
    "with %s is none",
    async (query) => {
      const { status, body } = await pair.one.call("GET", `/v1/semaphores/a?${query}`);
      expect([status, body.field]).toEqual([400, query.split("=")[0]]);
    },
  );

  test("shows who holds how many permits, and never a leaseId", async () => {
    const name = freshName();
    const a = (await acquire(name, { owner: "a", metadata: { build: 1 }, permits: 2 })).body;
    const b = (await acquire(name, { owner: "b" }, pair.other)).body;
    const seen = await look(name);
    const times = { heldForMs: expect.any(Number), expiresInMs: expect.any(Number) };
    expect(seen).toMatchObject({ name, limit: 3, held: 3, waiting: 0 });
    expect(seen.holders).toHaveLength(2);
    expect(seen.holders).toEqual(
      expect.arrayContaining([
        { owner: "a", metadata: { build: 1 }, permits: 2, ...times },
        { owner: "b", metadata: null, permits: 1, ...times },
      ]),
    );
    for (const { leaseId } of [a, b]) expect(JSON.stringify(seen)).not.toContain(leaseId);
  });
});

describe("what is not taken", () => {
  const good = { limit: 3, ttlMs: 1_000 };
  const leaseId = chosenId();
  test.each([
    ["acquire", "limit", { ttlMs: 1_000 }],
    ["acquire", "limit", { ...good, limit: 0 }],
    ["acquire", "limit", { ...good, limit: 1_001 }],
    ["acquire", "limit", { ...good, limit: "3" }],
    ["acquire", "permits", { ...good, permits: 0 }],
    ["acquire", "permits", { ...good, limit: 1000, permits: 101 }],
    ["acquire", "permits", { ...good, permits: 4 }],
    ["acquire", "permits", { ...good, permits: 1.5 }],
    ["acquire", "ttlMs", { limit: 3 }],
    ["acquire", "waitMs", { ...good, waitMs: 25_001 }],
    ["acquire", "owner", { ...good, owner: "" }],
    ["acquire", "leaseId", { ...good, leaseId: "short" }],
    ["acquire", "metadata", { ...good, metadata: "x".repeat(2_047) }],
    ["acquire", "mode", { ...good, mode: "shared" }],
    ["renew", "leaseId", { ttlMs: 1_000 }],
    ["renew", "ttlMs", { leaseId }],
    ["renew", "permits", { leaseId, ttlMs: 1_000, permits: 1 }],
    ["release", "leaseId", {}],
    ["release", "permits", { leaseId, permits: 1 }],
  ])("%s: %s of %o", async (act, field, body) => {
    const answer = await on(freshName(), act, body);
    expect([answer.status, answer.body.code, answer.body.field]).toEqual([400, "invalid_request", field]);
  });

  test.each([0, 1_001, "3", null])("the limit %o of an operator", async (limit) => {
    const { status, body } = await setLimit(freshName(), limit);
    expect([status, body.field]).toEqual([400, "limit"]);
  });

  test("a name that is none", async () => {
    expect((await acquire("-a")).body.field).toBe("name");
    expect((await pair.one.call("GET", "/v1/semaphores/a%20b")).body.field).toBe("name");
  });
});
