import { describe, expect, test } from "vitest";
import { KEYS_MAX } from "../../../src/http/registers/transaction-schemas.js";
import { accessBy, bearer } from "../../helpers/access.js";
import { Pair } from "../../helpers/pair.js";
import { freshName, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

const pair = new Pair();

const transact = (body: unknown, headers: Record<string, string> = {}, at = pair.one) =>
  at.call("POST", "/v1/registers/transactions", body, headers);
const put = async (key: string, value: unknown) => {
  const { headers } = await pair.one.call("PUT", `/v1/registers/${key}`, { value });
  return headers.get("etag") ?? "";
};
const get = async (key: string) => (await pair.other.call("GET", `/v1/registers/${key}`)).body;

describe("a transaction of registers", () => {
  test("makes all changes, and tells what it read before them", async () => {
    const [a, b, c] = [freshName(), freshName(), freshName()];
    const etag = await put(a, 100);
    await put(c, 1);
    const answer = await transact({
      checks: [
        { key: a, etag: `W/${etag}` },
        { key: b, etag: null },
      ],
      reads: [a, b],
      changes: [
        { key: b, value: 30, ttlMs: 60_000 },
        { key: a, value: null },
        { key: c, delete: true },
      ],
    });
    expect(answer.status).toBe(200);
    const [made, nulled, gone] = answer.body.changes;
    expect(made).toMatchObject({ key: b, version: 1 });
    expect(nulled).toMatchObject({ key: a, version: 2 });
    expect(gone).toEqual({ key: c, version: null, etag: null });
    expect(answer.body.reads).toEqual([
      { key: a, value: 100, version: 1, etag, expiresInMs: null },
      { key: b, value: null, version: null, etag: null, expiresInMs: null },
    ]);
    expect(answer.body.repeated).toBe(false);
    expect(await get(a)).toMatchObject({ value: null, version: 2 });
    expect(await get(b)).toMatchObject({ value: 30, version: 1 });
    expect(await get(c)).toMatchObject({ status: 404 });
    const next = await pair.one.call("PUT", `/v1/registers/${a}`, { value: 1 }, { "if-match": nulled.etag });
    expect(next).toMatchObject({ status: 200, body: { version: 3 } });
  });

  test("refuses values that would lose digits, as a single change does", async () => {
    const key = freshName();
    // As text: JSON.stringify would lose them before.
    const send = (value: string) =>
      pair.one.service.app.request("/v1/registers/transactions", {
        method: "POST",
        headers: { "content-type": "application/json", "transfer-encoding": "chunked" },
        body: `{"changes": [{"key": "${key}", "value": {"n": ${value}}}]}`,
      });
    for (const value of ["1e999", "9007199254740993", "1e-999"]) {
      const answer = await send(value);
      expect([answer.status, ((await answer.json()) as { field: string }).field], value).toEqual([
        400,
        "changes.0.value.n",
      ]);
    }
    expect(await get(key)).toMatchObject({ status: 404 });
    expect((await send("9007199254740991")).status).toBe(200);
  });

  test("of which a check does not hold tells which, and the version that its register has", async () => {
    const [a, b] = [freshName(), freshName()];
    const etag = await put(a, 1);
    const changes = [{ key: a, value: 2 }];
    const other = await transact({
      checks: [
        { key: b, etag: null },
        { key: a, etag: '"other"' },
      ],
      changes,
    });
    expect(other).toMatchObject({
      status: 412,
      body: { code: "version_mismatch", field: "checks.1.etag", version: 1, etag },
    });
    expect(JSON.stringify(other.body)).not.toContain(a);
    const absent = await transact({ checks: [{ key: b, etag }], changes });
    expect(absent).toMatchObject({ status: 412, body: { field: "checks.0.etag" } });
    expect(absent.body).not.toHaveProperty("etag");
    expect(await get(a)).toMatchObject({ value: 1, version: 1 });
  });

  test("with an Idempotency-Key is made once", async () => {
    const [a, b] = [freshName(), freshName()];
    const key = { "idempotency-key": "transfer-1" };
    const body = {
      checks: [{ key: a, etag: null }],
      reads: [b],
      changes: [
        { key: a, value: 1 },
        { key: b, value: 2 },
      ],
    };
    const first = await transact(body, key);
    expect(first.body.reads).toHaveLength(1);
    const again = await transact(body, key, pair.other);
    expect(again).toMatchObject({
      status: 200,
      body: { changes: first.body.changes, reads: [], repeated: true },
    });
    expect(await get(a)).toMatchObject({ version: 1 });
    expect(await transact({ ...body, checks: [] }, key)).toMatchObject({
      status: 422,
      body: { code: "idempotency_mismatch" },
    });
  });

  test("in one namespace touches nothing of another", async () => {
    const key = freshName();
    await put(key, 1);
    const path = "/v1/namespaces/team-a/registers";
    const body = { checks: [{ key, etag: null }], reads: [key], changes: [{ key, value: 2 }] };
    const { status, body: answer } = await pair.one.call("POST", `${path}/transactions`, body);
    expect([status, answer.reads[0].value]).toEqual([200, null]);
    expect((await pair.one.call("GET", `${path}/${key}`)).body.value).toBe(2);
    expect(await get(key)).toMatchObject({ value: 1 });
  });

  test(`names ${KEYS_MAX} keys at most`, async () => {
    const keys = Array.from({ length: KEYS_MAX + 1 }, () => freshName());
    const changes = keys.slice(0, KEYS_MAX).map((key) => ({ key, value: key }));
    const most = await transact({ reads: keys.slice(0, KEYS_MAX), changes });
    expect(most.status).toBe(200);
    expect(most.body.changes.map(({ key }: { key: string }) => key)).toEqual(keys.slice(0, KEYS_MAX));
    const tooMany = await transact({ reads: [keys[KEYS_MAX]], changes });
    expect(tooMany).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(tooMany.body.detail).toContain("names 17 keys");
  });

  test("may write values of 64 KB, and a larger body is refused", async () => {
    const value = "x".repeat(65_534);
    const changes = Array.from({ length: KEYS_MAX }, () => ({ key: freshName(), value }));
    const made = await transact({ changes });
    expect(made.status).toBe(200);
    const all = await transact({ reads: changes.map(({ key }) => key) });
    expect(all.body.reads.map((one: { value: string }) => one.value)).toEqual(changes.map(() => value));
    const spaces = " ".repeat(2 * 1024 * 1024);
    const tooLarge = await transact({ changes: [{ key: "a", value: spaces }] });
    expect(tooLarge.status).toBe(413);
  });

  test.each<[string, unknown, string]>([
    ["no key", {}, ""],
    ["no key in its lists", { checks: [], reads: [], changes: [] }, ""],
    ["the same key twice to read", { reads: ["a", "a"] }, "reads"],
    [
      "the same key twice to change",
      {
        changes: [
          { key: "a", value: 1 },
          { key: "a", delete: true },
        ],
      },
      "changes",
    ],
    [
      "the same key twice to check",
      {
        checks: [
          { key: "a", etag: null },
          { key: "a", etag: '"x"' },
        ],
      },
      "checks",
    ],
    ["an ETag without quotes", { checks: [{ key: "a", etag: "x" }] }, "checks.0.etag"],
    ["a check without an ETag", { checks: [{ key: "a" }] }, "checks.0.etag"],
    ["a value and a deletion", { changes: [{ key: "a", value: 1, delete: true }] }, "changes.0.value"],
    ["neither", { changes: [{ key: "a" }] }, "changes.0.value"],
    [
      "a time to live of what it deletes",
      { changes: [{ key: "a", delete: true, ttlMs: 500 }] },
      "changes.0.ttlMs",
    ],
    ["a time to live that is too short", { changes: [{ key: "a", value: 1, ttlMs: 99 }] }, "changes.0.ttlMs"],
    ["a value that is too large", { changes: [{ key: "a", value: "x".repeat(65_535) }] }, "changes.0.value"],
    ["a key with a control character", { reads: ["a\n"] }, "reads.0"],
    ["a field that there is not", { write: [] }, "write"],
  ])("is refused with %s", async (_what, body, field) => {
    const answer = await transact(body);
    expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(answer.body.field ?? "").toBe(field);
  });
});

test("what a transaction reads takes a grant for read as well", async () => {
  using keyed = await accessBy({
    writer: [
      { namespace: "default", kinds: ["registers"], names: ["*"], actions: ["use"] },
      { namespace: "default", kinds: ["registers"], names: ["seen-*"], actions: ["read"] },
    ],
  });
  await using instance = await startInstance((await sharedPrimaries()).urls, {
    world: { access: keyed.access },
  });
  const changes = [{ key: "hidden-b", value: 1 }];
  const reading = (key: string) =>
    instance.call("POST", "/v1/registers/transactions", { reads: [key], changes }, bearer("writer"));
  expect(await reading("hidden-a")).toMatchObject({ status: 403, body: { code: "forbidden" } });
  expect(await reading("seen-a")).toMatchObject({ status: 200 });
});
