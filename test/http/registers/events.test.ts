import { describe, expect, test } from "vitest";
import { type EventReader, readEvents } from "../../helpers/events.js";
import { OwnPair, Pair } from "../../helpers/pair.js";
import { freshName, type Instance, until } from "../../helpers/service.js";

// Streams of what changes among registers, at two instances on the same primaries.

const pair = new Pair();

const pathOf = (key: string, base = "/v1") => `${base}/registers/${encodeURIComponent(key)}`;
const put = (key: string, value: unknown, at: Instance = pair.one, more = {}) =>
  at.call("PUT", pathOf(key), { value, ...more });
const del = (key: string, at: Instance = pair.one) => at.call("DELETE", pathOf(key));
const follow = async (prefix: string, at = pair.one, base = "/v1") =>
  readEvents(`${await at.url()}${base}/register-events?${new URLSearchParams({ prefix })}`);
const told = (stream: EventReader) =>
  stream
    .events()
    .map(({ type, data }) => `${type} ${data.key ?? data.registers} ${JSON.stringify(data.value)}`);
const untilTold = (stream: EventReader, what: string) =>
  until(() => told(stream).includes(what), `${what} is told`);

describe("a stream of registers", () => {
  test("begins with a snapshot and a mark, then tells the latest versions, made at any instance", async () => {
    const prefix = `${freshName()}/`;
    await put(`${prefix}a`, 1);
    await put(`${prefix}gone`, 1);
    await del(`${prefix}gone`);
    using stream = await follow(prefix);
    await untilTold(stream, "synced 1 undefined");
    await put(`${prefix}b`, { c: 2 }, pair.other);
    await untilTold(stream, `changed ${prefix}b {"c":2}`);
    const second = await put(`${prefix}a`, 2, pair.other);
    await untilTold(stream, `changed ${prefix}a 2`);
    await del(`${prefix}a`);
    await untilTold(stream, `deleted ${prefix}a undefined`);
    expect(told(stream)).toEqual([
      `register ${prefix}a 1`,
      "synced 1 undefined",
      `changed ${prefix}b {"c":2}`,
      `changed ${prefix}a 2`,
      `deleted ${prefix}a undefined`,
    ]);
    expect(stream.events()[3]?.data).toEqual({
      key: `${prefix}a`,
      value: 2,
      version: 2,
      expiresInMs: null,
      etag: second.headers.get("etag"),
    });
  });

  test("tells of a change soon, and not of other registers or namespaces", async () => {
    const prefix = `${freshName()}/`;
    using stream = await follow(prefix, pair.other);
    using theirs = await follow(prefix, pair.other, "/v1/namespaces/team-a");
    await untilTold(stream, "synced 0 undefined");
    await untilTold(theirs, "synced 0 undefined");
    await put(prefix.slice(0, -1), 1);
    await pair.one.call("POST", `/v1/counters/${prefix.slice(0, -1)}/add`, { by: 1 });
    const startedMs = performance.now();
    await put(`${prefix}a`, 1);
    await untilTold(stream, `changed ${prefix}a 1`);
    expect(performance.now() - startedMs).toBeLessThan(900);
    expect(told(stream)).toHaveLength(2);
    expect(told(theirs)).toHaveLength(1);
  });

  test("tells that the time of a register is over", async () => {
    const prefix = `${freshName()}/`;
    using stream = await follow(prefix);
    await put(`${prefix}a`, 1, pair.one, { ttlMs: 300 });
    await untilTold(stream, `changed ${prefix}a 1`);
    await untilTold(stream, `deleted ${prefix}a undefined`);
  });

  test("leaves out what lies between, and ends with the latest version of each, for every reader", async () => {
    const prefix = `${freshName()}/`;
    const keys = Array.from({ length: 10 }, (_, i) => prefix + i);
    await Promise.all(keys.map((key) => put(key, 0)));
    const streams = await Promise.all(
      Array.from({ length: 6 }, async (_, i) => {
        await new Promise((resolve) => setTimeout(resolve, i * 20));
        return follow(prefix, pair.at(i));
      }),
    );
    await Promise.all(
      keys.map(async (key, i) => {
        for (let value = 1; value <= 20; value++) await put(key, value, pair.at(i + value));
      }),
    );
    for (const stream of streams) {
      const latest = () => {
        const values = new Map(stream.events().map(({ data }) => [data.key, data.value]));
        return keys.every((key) => values.get(key) === 20);
      };
      await until(latest, "the latest of each is told");
      const versions = new Map<string, number>();
      for (const { data } of stream.events()) {
        expect(data.version ?? 0).toBeGreaterThanOrEqual(versions.get(data.key) ?? 0);
        versions.set(data.key, data.version);
      }
      stream.cut();
    }
  });

  test("refuses what it does not know", async () => {
    for (const query of ["prefix=%0A", "cursor=k", `prefix=${"x".repeat(513)}`]) {
      const { status, body } = await pair.one.call("GET", `/v1/register-events?${query}`);
      expect([query, status, body.code]).toEqual([query, 400, "invalid_request"]);
    }
  });

  test("is no obstacle to a register of any name", async () => {
    for (const key of ["events", "register-events"]) {
      await put(key, 1);
      expect((await pair.one.call("GET", pathOf(key))).body).toMatchObject({ key, value: 1 });
    }
  });
});

describe("while a primary is paused", () => {
  const own = new OwnPair();

  test("a stream begins and goes on, and tells what a majority have", async () => {
    const prefix = `${freshName()}/`;
    const set = (value: number) => own.other.call("PUT", pathOf(`${prefix}a`), { value });
    const url = await own.one.url();
    await set(1);
    using before = await readEvents(`${url}/v1/register-events?${new URLSearchParams({ prefix })}`);
    await untilTold(before, "synced 1 undefined");
    await own.primary(1).pause();
    try {
      await set(2);
      await untilTold(before, `changed ${prefix}a 2`);
      using during = await readEvents(`${url}/v1/register-events?${new URLSearchParams({ prefix })}`);
      await untilTold(during, "synced 1 undefined");
      await set(3);
      for (const stream of [before, during]) await untilTold(stream, `changed ${prefix}a 3`);
    } finally {
      await own.primary(1).resume();
    }
    await set(4);
    await untilTold(before, `changed ${prefix}a 4`);
  });
});
