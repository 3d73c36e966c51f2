import { describe, expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import { freshName, until } from "../../helpers/service.js";

const pair = new Pair();

type Headers = Record<string, string>;
const pathOf = (key: string) => `/v1/registers/${encodeURIComponent(key)}`;
const put = (key: string, body: unknown, headers: Headers = {}, at = pair.one) =>
  at.call("PUT", pathOf(key), body, headers);
const get = (key: string, at = pair.one, headers: Headers = {}, query = "") =>
  at.call("GET", pathOf(key) + query, undefined, headers);
const del = (key: string, headers: Headers = {}, at = pair.one) =>
  at.call("DELETE", pathOf(key), undefined, headers);
const etagOf = ({ headers }: { headers: globalThis.Headers }) => headers.get("etag") ?? "";

describe("a register", () => {
  test("is there once it was set, at every instance", async () => {
    const key = freshName();
    expect(await get(key)).toMatchObject({ status: 404, body: { code: "not_found" } });
    const first = await put(key, { value: { a: [1, "ü"] } });
    expect(first).toMatchObject({ status: 201, body: { key, version: 1 } });
    const seen = await get(key, pair.other);
    expect(seen).toMatchObject({
      status: 200,
      body: { key, value: { a: [1, "ü"] }, version: 1, expiresInMs: null },
    });
    expect(etagOf(seen)).toBe(etagOf(first));
    expect(await put(key, { value: null }, {}, pair.other)).toMatchObject({
      status: 200,
      body: { version: 2 },
    });
    expect((await get(key)).body).toEqual({ key, value: null, version: 2, expiresInMs: null });
  });

  test("is set by compare-and-set only while it has the ETag", async () => {
    const key = freshName();
    const first = etagOf(await put(key, { value: 1 }));
    const second = etagOf(await put(key, { value: 2 }, { "if-match": `"other", W/${first}` }, pair.other));
    const refused = await put(key, { value: 3 }, { "if-match": first });
    expect(refused).toMatchObject({
      status: 412,
      body: { code: "version_mismatch", version: 2, etag: second },
    });
    expect(await put(key, { value: 3 }, { "if-match": "*" })).toMatchObject({ status: 200 });
    expect(await put(key, { value: 4 }, { "if-none-match": "*" })).toMatchObject({ status: 412 });
    expect((await get(key)).body.value).toBe(3);
  });

  test("that is not there is made with If-None-Match only, by one of many who ask at once", async () => {
    const key = freshName();
    const none = await put(key, { value: 1 }, { "if-match": "*" });
    expect(none.status).toBe(412);
    expect(none.body).not.toHaveProperty("etag");
    const made = await Promise.all(
      Array.from({ length: 8 }, (_, i) => put(key, { value: i }, { "if-none-match": "*" }, pair.at(i))),
    );
    expect(made.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(made.filter(({ status }) => status === 412)).toHaveLength(7);
  });

  test("is counted up by many instances at once without losing one", async () => {
    const key = freshName();
    await put(key, { value: 0 });
    const add = async (i: number): Promise<void> => {
      for (;;) {
        const seen = await get(key, pair.at(i));
        const { status } = await put(
          key,
          { value: seen.body.value + 1 },
          { "if-match": etagOf(seen) },
          pair.at(i),
        );
        if (status === 200) return;
        expect([412, 503]).toContain(status);
      }
    };
    await Promise.all(Array.from({ length: 12 }, (_, i) => add(i)));
    expect((await get(key)).body).toMatchObject({ value: 12, version: 13 });
  });

  test("that was deleted is not there, and its ETag never comes again", async () => {
    const key = freshName();
    const first = etagOf(await put(key, { value: 1 }));
    expect(await del(key, { "if-match": '"other"' })).toMatchObject({ status: 412 });
    expect(await del(key, { "if-match": first })).toMatchObject({ status: 200, body: { deleted: true } });
    expect((await get(key, pair.other)).status).toBe(404);
    expect((await del(key, {}, pair.other)).body).toEqual({ deleted: false });
    const again = await put(key, { value: 1 });
    expect(again).toMatchObject({ status: 201, body: { version: 3 } });
    expect(etagOf(again)).not.toBe(first);
    expect(await put(key, { value: 2 }, { "if-match": first })).toMatchObject({ status: 412 });
  });

  test("with a time to live ends by itself", async () => {
    const key = freshName();
    await put(key, { value: 1, ttlMs: 400 });
    const { expiresInMs } = (await get(key)).body;
    expect(expiresInMs).toBeGreaterThan(0);
    expect(expiresInMs).toBeLessThanOrEqual(400);
    await until(async () => (await get(key, pair.other)).status === 404, "it has ended");
    expect(await put(key, { value: 2 }, { "if-none-match": "*" })).toMatchObject({
      status: 201,
      body: { version: 3 },
    });
    expect((await get(key)).body.expiresInMs).toBeNull();
  });

  test("in one namespace is not that of another", async () => {
    const key = freshName();
    await put(key, { value: 1 });
    const other = `/v1/namespaces/team-a/registers/${key}`;
    expect((await pair.one.call("GET", other)).status).toBe(404);
    await pair.one.call("PUT", other, { value: 2 });
    expect((await get(key)).body.value).toBe(1);
    expect((await put(`~team-a~${key}`, { value: 3 })).status).toBe(201);
    expect((await pair.one.call("GET", other)).body.value).toBe(2);
  });
});

describe("a blocking read", () => {
  test("ends when the register changes, and with 304 when its time is over", async () => {
    const key = freshName();
    const etag = etagOf(await put(key, { value: 1 }));
    const waiting = get(key, pair.other, { "if-none-match": etag }, "?waitMs=10000");
    await put(key, { value: 2 });
    expect(await waiting).toMatchObject({ status: 200, body: { value: 2 } });
    const known = { "if-none-match": etagOf(await get(key)) };
    expect((await get(key, pair.one, known)).status).toBe(304);
    expect((await get(key, pair.one, known, "?waitMs=50")).status).toBe(304);
  });

  test("of a register that is not there ends when it is made", async () => {
    const key = freshName();
    const waiting = get(key, pair.other, { "if-none-match": '"none"' }, "?waitMs=10000");
    await put(key, { value: 1 });
    expect(await waiting).toMatchObject({ status: 200, body: { value: 1 } });
    const etag = { "if-none-match": etagOf(await get(key)) };
    const gone = get(key, pair.other, etag, "?waitMs=10000");
    await del(key);
    expect((await gone).status).toBe(404);
  });
});

describe("a change with an Idempotency-Key", () => {
  const key1 = { "idempotency-key": "c7b1-1" };

  test("is made once, and answered alike by every instance, whatever came between", async () => {
    const key = freshName();
    const first = await put(key, { value: 1 }, { ...key1, "if-none-match": "*" });
    await put(key, { value: 2 });
    const again = await put(key, { value: 1 }, { ...key1, "if-none-match": "*" }, pair.other);
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(etagOf(again)).toBe(etagOf(first));
    expect((await get(key)).body).toMatchObject({ value: 2, version: 2 });
  });

  test("is remembered by what is left of a register that was deleted", async () => {
    const key = freshName();
    await put(key, { value: 1 }, key1);
    const deletion = { "idempotency-key": "c7b1-2" };
    expect((await del(key, deletion)).body).toEqual({ deleted: true });
    expect((await put(key, { value: 1 }, key1)).status).toBe(201);
    expect((await get(key)).status).toBe(404);
    await put(key, { value: 2 });
    expect((await del(key, deletion)).body).toEqual({ deleted: true });
    expect((await get(key)).body.value).toBe(2);
  });

  test("is refused for another change", async () => {
    const key = freshName();
    await put(key, { value: 1 }, key1);
    for (const body of [{ value: 2 }, { value: 1, ttlMs: 1_000 }])
      expect(await put(key, body, key1)).toMatchObject({
        status: 422,
        body: { code: "idempotency_mismatch" },
      });
    expect((await del(key, key1)).status).toBe(422);
    expect((await get(key)).body.version).toBe(1);
  });

  test("is refused where 64 are remembered; changes without a key are not", async () => {
    const key = freshName();
    for (let i = 0; i < 64; i++) await put(key, { value: i }, { "idempotency-key": `k${i}` });
    const refused = await put(key, { value: 64 }, { "idempotency-key": "k64" });
    expect(refused).toMatchObject({ status: 429, body: { code: "too_many_keyed" } });
    expect(refused.headers.get("retry-after")).toBe("10");
    expect((await put(key, { value: 65 })).body.version).toBe(65);
    expect((await put(key, { value: 0 }, { "idempotency-key": "k0" })).body.version).toBe(1);
  });
});

describe("a key", () => {
  test.each([
    ["with slashes", "config/eu/1"],
    ["with whatever URLs use", "a?b#c&d=e%2F+f;g:h@i,j $k"],
    ["with other letters", "größe/大きさ/🙂"],
    ["of 512 bytes", "ü".repeat(256)],
    ["that begins with a dot", "..hidden"],
  ])("may be one %s", async (_what, text) => {
    const key = text.length > 200 ? text : `${text}-${freshName()}`;
    await put(key, { value: text });
    expect((await get(key, pair.other)).body).toMatchObject({ key, value: text });
    await del(key);
  });

  test.each([
    ["longer than 512 bytes", `${pathOf("ü".repeat(256))}x`],
    ["with a control character", "/v1/registers/a%0Ab"],
    ["with NUL", "/v1/registers/a%00b"],
    ["that is not UTF-8", "/v1/registers/a%FFb"],
    ["with half an escape", "/v1/registers/a%2"],
  ])("must not be one %s", async (_what, path) => {
    expect(await pair.one.call("GET", path)).toMatchObject({
      status: 400,
      body: { code: "invalid_request" },
    });
    expect(await pair.one.call("PUT", path, { value: 1 })).toMatchObject({ status: 400 });
  });
});

describe("a value", () => {
  test("may have 64 KB of JSON, and no more", async () => {
    const key = freshName();
    const largest = "x".repeat(65_534);
    expect((await put(key, { value: largest })).status).toBe(201);
    expect((await get(key, pair.other)).body.value).toBe(largest);
    expect(await put(key, { value: `${largest}x` })).toMatchObject({ status: 400, body: { field: "value" } });
    expect(await put(key, { value: "x".repeat(140_000) })).toMatchObject({ status: 413 });
  });

  test.each([
    ["is missing", {}],
    ["has a time to live that is too short", { value: 1, ttlMs: 99 }],
    ["has one that is too long", { value: 1, ttlMs: 365 * 86_400_000 + 1 }],
    ["has an unknown field beside it", { value: 1, ttlms: 1_000 }],
  ])("is refused where it %s", async (_what, body) => {
    expect(await put(freshName(), body)).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  });
});

test.each([
  [{ "if-match": "7" }],
  [{ "if-none-match": '"7"' }],
  [{ "idempotency-key": "x".repeat(256) }],
  [{ "idempotency-key": "with space" }],
])("a change with the headers %j is refused", async (headers) => {
  expect(await put(freshName(), { value: 1 }, headers)).toMatchObject({ status: 400 });
});
