import { describe, expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import { freshName } from "../../helpers/service.js";

const pair = new Pair();

const path = (key: string) => `/v1/registers/${encodeURIComponent(key)}`;
const put = (key: string, body: unknown, headers = {}, at = pair.one) =>
  at.call("PUT", path(key), body, headers);
const get = (key: string, at = pair.one, headers = {}) => at.call("GET", path(key), undefined, headers);

describe("a register", () => {
  test("is there once it was set, at every instance", async () => {
    const key = freshName();
    expect((await get(key)).status).toBe(404);
    const first = await put(key, { value: { a: [1, "ü"] } });
    expect(first).toMatchObject({ status: 201, body: { key, version: 1 } });
    const seen = await get(key, pair.other);
    expect(seen).toMatchObject({
      status: 200,
      body: { key, value: { a: [1, "ü"] }, version: 1, expiresInMs: null },
    });
    expect(seen.headers.get("etag")).toBe(first.headers.get("etag"));
    expect(await put(key, { value: null }, {}, pair.other)).toMatchObject({
      status: 200,
      body: { version: 2 },
    });
    expect((await get(key)).body).toEqual({ key, value: null, version: 2, expiresInMs: null });
  });
});
