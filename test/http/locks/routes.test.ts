import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { command } from "../../helpers/deployment.js";
import type { SharedPrimaries } from "../../helpers/primaries.js";
import { chosenId, freshName, type Instance, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

let primaries: SharedPrimaries;
let instance: Instance;
beforeAll(async () => {
  primaries = await sharedPrimaries();
  instance = await startInstance(primaries.urls);
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const on = (name: string, act: string, body: unknown) =>
  instance.call("POST", `/v1/locks/${encodeURIComponent(name)}/${act}`, body);

describe("an answer to acquire", () => {
  test("is the lease", async () => {
    const name = freshName("orders");
    const sentMs = performance.now();
    const { status, body } = await on(name, "acquire", {
      ttlMs: 10_000,
      waitMs: 0,
      mode: "exclusive",
      owner: "worker-7",
      metadata: { build: "7f3a", nested: [1, null, "ü"] },
    });
    const tookMs = performance.now() - sentMs;
    expect(status).toBe(200);
    expect(body).toEqual({
      leaseId: expect.stringMatching(/^q-[\w-]{22}$/),
      names: [name],
      mode: "exclusive",
      owner: "worker-7",
      metadata: { build: "7f3a", nested: [1, null, "ü"] },
      fencingToken: expect.any(Number),
      ttlMs: 10_000,
      validForMs: expect.any(Number),
      waitedMs: expect.any(Number),
      acks: expect.any(Number),
      primaries: 3,
    });
    // Tokens begin above the wall clock in microseconds.
    expect(body.fencingToken).toBeGreaterThan(1_700_000_000_000_000);
    expect(body.validForMs).toBeGreaterThan(8_000);
    expect(body.validForMs).toBeLessThanOrEqual(9_898);
    expect(body.acks).toBeGreaterThanOrEqual(2);
    // Nobody was in the way, but a busy machine may take a millisecond to begin.
    expect(body.waitedMs).toBeGreaterThanOrEqual(0);
    expect(body.waitedMs).toBeLessThanOrEqual(tookMs);
    expect(body.waitedMs + body.validForMs).toBeLessThanOrEqual(tookMs + 9_898);
  });

  test("without labels has none", async () => {
    const { body } = await on(freshName(), "acquire", { ttlMs: 5_000 });
    expect(body).toMatchObject({ owner: null, metadata: null });
  });

  test("where another has it, says who without the leaseId, and when it will be free at the latest", async () => {
    const name = freshName();
    const mine = await on(name, "acquire", { ttlMs: 5_000, owner: "worker-7", metadata: ["canary"] });
    const { status, body, headers } = await on(name, "acquire", { ttlMs: 5_000, owner: "worker-8" });
    expect([status, body.code]).toEqual([409, "held"]);
    expect(body.holder).toEqual({
      owner: "worker-7",
      metadata: ["canary"],
      mode: "exclusive",
      heldForMs: expect.any(Number),
      expiresInMs: expect.any(Number),
    });
    expect(body.retryAfterMs).toBe(body.holder.expiresInMs);
    expect(body.queuePosition).toBe(1);
    expect(body.retryAfterMs).toBeGreaterThan(4_000);
    expect(headers.get("retry-after")).toBe("5");
    expect(body.detail).toContain(name);
    expect(JSON.stringify(body)).not.toContain(mine.body.leaseId);
  });
});

describe("an answer to renew", () => {
  test.each([{ withToken: true }, { withToken: false }])("is the lease, %o", async ({ withToken }) => {
    const name = freshName();
    const { body: lease } = await on(name, "acquire", {
      ttlMs: 3_000,
      owner: "worker-7",
      metadata: { a: 1 },
    });
    const { leaseId, fencingToken } = lease;
    const { status, body } = await on(name, "renew", {
      leaseId,
      ttlMs: 20_000,
      ...(withToken && { fencingToken }),
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ...lease,
      waitedMs: expect.any(Number),
      ttlMs: 20_000,
      validForMs: expect.any(Number),
      acks: expect.any(Number),
    });
    expect(body.validForMs).toBeGreaterThan(18_000);
    const { body: seen } = await instance.call("GET", `/v1/locks/${name}`);
    expect(seen.holders[0].expiresInMs).toBeGreaterThan(18_000);
  });

  test("for less time than is left does not shorten the lease", async () => {
    const name = freshName();
    const { body: lease } = await on(name, "acquire", { ttlMs: 20_000 });
    await on(name, "renew", { leaseId: lease.leaseId, ttlMs: 1_000 });
    const { body: seen } = await instance.call("GET", `/v1/locks/${name}`);
    expect(seen.holders[0].expiresInMs).toBeGreaterThan(15_000);
  });

  test("of a lease that never was is lease_lost", async () => {
    for (const extra of [{}, { fencingToken: 7 }]) {
      const { status, body } = await on(freshName(), "renew", {
        leaseId: chosenId(),
        ttlMs: 1_000,
        ...extra,
      });
      expect([status, body.code]).toEqual([410, "lease_lost"]);
    }
  });

  test("with another's token below the lease's own is lease_lost", async () => {
    const name = freshName();
    const { body: lease } = await on(name, "acquire", { ttlMs: 5_000 });
    const { leaseId, fencingToken } = lease;
    const { status } = await on(name, "renew", { leaseId, ttlMs: 5_000, fencingToken: fencingToken - 1 });
    expect(status).toBe(410);
  });
});

describe("an answer to release", () => {
  test("says whether it was held until now", async () => {
    const name = freshName();
    const { body: lease } = await on(name, "acquire", { ttlMs: 5_000 });
    expect((await on(name, "release", { leaseId: lease.leaseId })).body).toEqual({ released: true });
    expect((await on(name, "release", { leaseId: lease.leaseId })).body).toEqual({ released: false });
    expect((await on(freshName(), "release", { leaseId: chosenId() })).body).toEqual({ released: false });
  });
});

describe("GET of a lock", () => {
  test("that nobody holds or ever held", async () => {
    const name = freshName();
    expect((await instance.call("GET", `/v1/locks/${name}`)).body).toEqual({
      name,
      mode: null,
      holders: [],
      fencingToken: null,
      newest: expect.any(Number),
      waiting: 0,
      queue: [],
    });
  });

  test("shows who holds it, and never the leaseId", async () => {
    const name = freshName();
    const { body: lease } = await on(name, "acquire", { ttlMs: 5_000, owner: "worker-7", metadata: 7 });
    const { body } = await instance.call("GET", `/v1/locks/${name}`);
    expect(body).toMatchObject({
      name,
      mode: "exclusive",
      holders: [{ owner: "worker-7", metadata: 7, mode: "exclusive" }],
      fencingToken: lease.fencingToken,
    });
    expect(JSON.stringify(body)).not.toContain(lease.leaseId);
    await on(name, "release", { leaseId: lease.leaseId });
    expect((await instance.call("GET", `/v1/locks/${name}`)).body).toMatchObject({ mode: null, holders: [] });
  });

  test("changes nothing that a caller could notice", async () => {
    const name = freshName();
    await instance.call("GET", `/v1/locks/${name}`);
    for (const primary of primaries.all) {
      expect(await command(primary, "EXISTS", `${instance.prefix}hold/lock/${name}`)).toBe(0);
      expect(await command(primary, "HEXISTS", `${instance.prefix}counters`, `lock/${name}`)).toBe(0);
    }
  });
});

describe("what acquire does not take", () => {
  test.each([
    ["ttlMs", "nothing", {}],
    ["ttlMs", "below 100", { ttlMs: 99 }],
    ["ttlMs", "above the most allowed", { ttlMs: 600_001 }],
    ["ttlMs", "a fraction", { ttlMs: 1_000.5 }],
    ["ttlMs", "a text", { ttlMs: "1000" }],
    ["ttlMs", "null", { ttlMs: null }],
    ["waitMs", "more than is allowed", { ttlMs: 1_000, waitMs: 25_001 }],
    ["waitMs", "below 0", { ttlMs: 1_000, waitMs: -1 }],
    ["waitMs", "a fraction", { ttlMs: 1_000, waitMs: 0.5 }],
    ["waitMs", "a text", { ttlMs: 1_000, waitMs: "5" }],
    ["mode", "another one", { ttlMs: 1_000, mode: "read" }],
    ["mode", "null", { ttlMs: 1_000, mode: null }],
    ["owner", "empty", { ttlMs: 1_000, owner: "" }],
    ["owner", "too long", { ttlMs: 1_000, owner: "x".repeat(257) }],
    ["owner", "an object", { ttlMs: 1_000, owner: {} }],
    ["leaseId", "too short", { ttlMs: 1_000, leaseId: "x".repeat(21) }],
    ["leaseId", "too long", { ttlMs: 1_000, leaseId: "x".repeat(65) }],
    ["leaseId", "of other characters", { ttlMs: 1_000, leaseId: "x".repeat(22).replace("x", "/") }],
    ["metadata", "too large", { ttlMs: 1_000, metadata: "x".repeat(2_047) }],
    [
      "metadata",
      "too large in bytes, though not in characters",
      { ttlMs: 1_000, metadata: "ü".repeat(1_024) },
    ],
    ["ttl", "a field that there is not", { ttlMs: 1_000, ttl: 5 }],
  ])("%s: %s", async (field, _what, body) => {
    const answer = await on(freshName(), "acquire", body);
    expect([answer.status, answer.body.code, answer.body.field]).toEqual([400, "invalid_request", field]);
    expect(answer.body.detail.startsWith(`${field}: `)).toBe(true);
    expect(answer.body.errors[0].field).toBe(field);
  });

  test("metadata: so deep that it cannot be walked", async () => {
    const text = `{"ttlMs":1000,"metadata":${"[".repeat(30_000)}${"]".repeat(30_000)}}`;
    const response = await instance.service.app.request("/v1/locks/a/acquire", {
      method: "POST",
      headers: { "content-type": "application/json", "content-length": String(text.length) },
      body: text,
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "invalid_request", field: "metadata" });
  });

  test("several mistakes are told at once", async () => {
    const { body } = await on(freshName(), "acquire", { ttlMs: 1, owner: "", leaseId: "short" });
    expect(body.errors.map(({ field }: { field: string }) => field).sort()).toEqual([
      "leaseId",
      "owner",
      "ttlMs",
    ]);
  });

  test.each(["-a", ".a", "a b", "a/b", "ä", "a\n", "x".repeat(129), "%"])("the name %o", async (name) => {
    const { status, body } = await on(name, "acquire", { ttlMs: 1_000 });
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", "name"]);
  });

  test.each(["a", "7", "orders-42", "a.b:c_d-e", "x".repeat(128)])("but the name %o", async (name) => {
    expect((await on(name, "acquire", { ttlMs: 1_000 })).status).toBe(200);
  });

  test("an URL that is badly encoded breaks nothing", async () => {
    const { status, body } = await instance.call("GET", "/v1/locks/%zz");
    expect([status, body.code, body.detail]).toEqual([
      400,
      "invalid_request",
      expect.stringContaining("percent-encode"),
    ]);
  });

  test("but labels and metadata up to their limit, and of any characters", async () => {
    const owner = "ü".repeat(256);
    const metadata = "x".repeat(2_046);
    const { status, body } = await on(freshName(), "acquire", { ttlMs: 1_000, owner, metadata });
    expect([status, body.owner, body.metadata]).toEqual([200, owner, metadata]);
    const odd = 'NUL \u0000, quotes " and \\, \ud83d\ude00, a line\nbreak';
    const name = freshName();
    await on(name, "acquire", { ttlMs: 5_000, owner: odd, metadata: { [odd]: odd } });
    const seen = (await instance.call("GET", `/v1/locks/${name}`)).body;
    expect(seen.holders[0]).toMatchObject({ owner: odd, metadata: { [odd]: odd } });
  });
});

describe("what renew and release do not take", () => {
  test.each([
    ["renew", "leaseId", { ttlMs: 1_000 }],
    ["renew", "ttlMs", { leaseId: chosenId() }],
    ["renew", "ttlMs", { leaseId: chosenId(), ttlMs: 600_001 }],
    ["renew", "fencingToken", { leaseId: chosenId(), ttlMs: 1_000, fencingToken: 0 }],
    ["renew", "fencingToken", { leaseId: chosenId(), ttlMs: 1_000, fencingToken: 2 ** 53 }],
    ["renew", "fencingToken", { leaseId: chosenId(), ttlMs: 1_000, fencingToken: "7" }],
    ["renew", "token", { leaseId: chosenId(), ttlMs: 1_000, token: 7 }],
    ["release", "leaseId", {}],
    ["release", "leaseId", { leaseId: 7 }],
    ["release", "force", { leaseId: chosenId(), force: true }],
  ])("%s: %s of %o", async (act, field, body) => {
    const answer = await on(freshName(), act, body);
    expect([answer.status, answer.body.code, answer.body.field]).toEqual([400, "invalid_request", field]);
  });
});

test("the most that ttlMs may be is a setting", async () => {
  await using strict = await startInstance(primaries.urls, { env: { QUORATE_TTL_MAX_MS: "5000" } });
  expect((await strict.call("POST", "/v1/locks/a/acquire", { ttlMs: 5_001 })).status).toBe(400);
  expect((await strict.call("POST", "/v1/locks/a/acquire", { ttlMs: 5_000 })).status).toBe(200);
});

test("what a primary has stored wrongly is a mistake of ours, told without details", async () => {
  const name = freshName();
  await on(name, "acquire", { ttlMs: 5_000, metadata: { a: 1 } });
  for (const primary of primaries.all) {
    await command(primary, "HSET", `${instance.prefix}hold/lock/${name}`, "metadata", "{broken");
  }
  const { status, body } = await instance.call("GET", `/v1/locks/${name}`);
  expect([status, body.code]).toEqual([500, "internal"]);
  expect(JSON.stringify(body)).not.toMatch(/JSON|token|broken/);
});
