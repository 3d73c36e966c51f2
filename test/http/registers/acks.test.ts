import { afterEach, describe, expect, test } from "vitest";
import { Keys } from "../../../src/scripts/keys.js";
import { registerName } from "../../../src/scripts/register-kinds.js";
import { command, shown } from "../../helpers/deployment.js";
import { OwnPair } from "../../helpers/pair.js";
import { freshName, until } from "../../helpers/service.js";

// Which primaries have a change: waiting for all of them, how far one lags, and how it catches up.

const pair = new OwnPair();
afterEach(async () => {
  for (const primary of pair.primaries.all) await primary.resume();
});

const put = (key: string, value: unknown, query = "", headers = {}) =>
  pair.one.call("PUT", `/v1/registers/${key}${query}`, { value }, headers);
const third = () => pair.primary(2);
const stored = async (key: string) => {
  const name = new Keys(pair.prefix).register(registerName("value", "default", key));
  return ((await command(third(), "GET", name)) as string | null)?.split("\n").at(-1) ?? null;
};
const lag = async () => {
  const { primaries } = (await pair.one.call("GET", "/v1/primaries")).body;
  return primaries[2].lag as { registers: number; forMs: number };
};
const down = async () => {
  await third().pause();
  await put(freshName(), "so that its silence is noticed");
  await until(async () => (await shown(pair.one)).primaries[2]?.state === "down", "it is down");
};

describe("a change with acks=all", () => {
  test("is answered when every primary has it", async () => {
    const key = freshName();
    expect((await put(key, 1, "?acks=all")).body).toEqual({ key, version: 1, missing: [] });
    expect(await stored(key)).toBe("1");
    expect((await put(key, 2, "?acks=majority")).body).toEqual({ key, version: 2 });
    const counted = await pair.one.call("POST", `/v1/counters/${key}/add?acks=all`, { by: 2 });
    expect(counted.body).toEqual({ value: 2, missing: [] });
    const deleted = await pair.one.call("DELETE", `/v1/registers/${key}?acks=all`);
    expect(deleted.body).toEqual({ deleted: true, missing: [] });
    expect(await stored(key)).toBe("");
  });

  test("says which primary is missing, is made all the same, and gets there once that is back", async () => {
    const key = freshName();
    await put(key, 0, "?acks=all");
    await down();
    const changed = await put(key, 1, "?acks=all", { "idempotency-key": key });
    expect([changed.status, changed.body]).toEqual([
      200,
      { key, version: 2, missing: [(await shown(pair.one)).primaries[2]?.address] },
    ]);
    expect((await pair.other.call("GET", `/v1/registers/${key}`)).body.value).toBe(1);
    await third().resume();
    await until(async () => (await stored(key)) === "1", "it has caught up");
    const again = await put(key, 1, "?acks=all", { "idempotency-key": key });
    expect(again.body).toEqual({ key, version: 2, missing: [] });
  });

  test("is refused as any other", async () => {
    const key = freshName();
    expect(await put(key, 1, "?acks=all", { "if-match": "*" })).toMatchObject({ status: 412 });
    expect(await put(key, 1, "?acks=some")).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  });
});

describe("a primary that is away", () => {
  test("lags by the registers that changed, and by none when it has caught up", async () => {
    expect(await lag()).toEqual({ registers: 0, forMs: 0 });
    await down();
    const keys = Array.from({ length: 20 }, () => freshName());
    for (const value of [1, 2]) await Promise.all(keys.map((key) => put(key, value)));
    await pair.one.call("DELETE", `/v1/registers/${keys[0]}`);
    const { registers, forMs } = await lag();
    expect(registers).toBeGreaterThanOrEqual(20);
    expect(registers).toBeLessThanOrEqual(22);
    expect(forMs).toBeGreaterThan(0);
    await third().resume();
    await until(async () => (await lag()).registers === 0, "it has caught up");
    expect((await lag()).forMs).toBe(0);
    expect(await Promise.all(keys.map(stored))).toEqual(["", ...keys.slice(1).map(() => "2")]);
  });
});
