import { describe, expect, test } from "vitest";
import { Keys } from "../../../src/scripts/keys.js";
import { registerName } from "../../../src/scripts/register-kinds.js";
import { command } from "../../helpers/deployment.js";
import { Pair } from "../../helpers/pair.js";
import { freshName, type Instance, until } from "../../helpers/service.js";

const pair = new Pair();

interface Listed {
  readonly key: string;
  readonly value: unknown;
  readonly etag: string;
}

const pathOf = (key: string, base = "/v1") => `${base}/registers/${encodeURIComponent(key)}`;
const put = (key: string, value: unknown, base?: string) =>
  pair.one.call("PUT", pathOf(key, base), { value });

async function page(query: Record<string, string>, at: Instance = pair.one, base = "/v1") {
  const { status, body } = await at.call("GET", `${base}/registers?${new URLSearchParams(query)}`);
  expect(status).toBe(200);
  return body as { registers: Listed[]; cursor: string | null };
}

/** All pages, asked for at both instances in turn. */
async function pages(query: Record<string, string>, base?: string): Promise<Listed[][]> {
  const found: Listed[][] = [];
  let cursor: string | null = null;
  do {
    const next = await page(cursor === null ? query : { ...query, cursor }, pair.at(found.length), base);
    found.push(next.registers);
    cursor = next.cursor;
  } while (cursor !== null);
  return found;
}

const keysIn = (found: readonly Listed[]) => found.map(({ key }) => key);

/** Keys with the same beginning, in the order of their bytes. */
async function filled(prefix: string, endings: readonly string[], base?: string): Promise<string[]> {
  const keys = endings.map((ending) => prefix + ending);
  await Promise.all(keys.map((key) => put(key, key, base)));
  return keys.sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
}

describe("a list of registers", () => {
  test("has all that begin with the prefix, with values and ETags, in the order of their bytes", async () => {
    const prefix = `${freshName()}/`;
    const keys = await filled(prefix, ["a", "a/b", " ", "😀", "\uffff", "é", '"\\', ".x", "z "]);
    await put(`${prefix.slice(0, -1)}0`, "after it");
    const { registers, cursor } = await page({ prefix });
    expect([keysIn(registers), cursor]).toEqual([keys, null]);
    for (const { key, value, etag } of registers) {
      expect(value).toBe(key);
      const seen = await pair.other.call("GET", pathOf(key));
      expect(seen.headers.get("etag")).toBe(etag);
      expect(registers.find((one) => one.key === key)).toEqual({ ...seen.body, etag });
    }
  });

  test.each(["1", "2", "3", "1000"])("has them once each in pages of %s, at any instance", async (limit) => {
    const prefix = `${freshName()} `;
    const keys = await filled(prefix, ["😀", "\uffff", ".", "k", "a ", "a", "", "é"]);
    const found = await pages({ prefix, limit });
    expect(keysIn(found.flat())).toEqual(keys);
    for (const one of found) expect(one.length).toBeLessThanOrEqual(Number(limit));
  });

  test("has none that was deleted or whose time is over", async () => {
    const prefix = `${freshName()}/`;
    await filled(prefix, ["1", "2", "3", "4"]);
    await pair.one.call("DELETE", pathOf(`${prefix}2`));
    await pair.one.call("PUT", pathOf(`${prefix}3`), { value: 1, ttlMs: 100 });
    await until(
      async () => (await page({ prefix })).registers.length === 2,
      "only those that live are listed",
    );
    expect(keysIn((await pages({ prefix, limit: "1" })).flat())).toEqual([`${prefix}1`, `${prefix}4`]);
  });

  test("is that of one namespace", async () => {
    const prefix = `${freshName()}/`;
    await filled(prefix, ["1"]);
    await filled(prefix, ["2"], "/v1/namespaces/team-a");
    expect(keysIn((await page({ prefix })).registers)).toEqual([`${prefix}1`]);
    const theirs = await page({ prefix }, pair.one, "/v1/namespaces/team-a");
    expect(keysIn(theirs.registers)).toEqual([`${prefix}2`]);
    const all = await pages({ limit: "1000" }, "/v1/namespaces/team-a");
    expect(keysIn(all.flat())).toContain(`${prefix}2`);
    expect(keysIn(all.flat())).not.toContain(`${prefix}1`);
  });

  test("ends a page at 1 MB", async () => {
    const prefix = `${freshName()}/`;
    const value = "x".repeat(60_000);
    await Promise.all(Array.from({ length: 20 }, (_, i) => put(`${prefix}${10 + i}`, value)));
    const found = await pages({ prefix, limit: "1000" });
    expect(found.map(({ length }) => length)).toEqual([16, 4]);
    expect(new Set(keysIn(found.flat())).size).toBe(20);
  });

  test("refuses a cursor that it did not give, and more than 1,000 in a page", async () => {
    const prefix = `${freshName()}/`;
    await filled(prefix, ["1", "2"]);
    const { cursor } = await page({ prefix, limit: "1" });
    const refused = [
      { prefix: `${prefix}2`, cursor: cursor ?? "" },
      { cursor: "x" },
      { cursor: "kAA" },
      { cursor: ".abc" },
      { cursor: `k${"A".repeat(1_024)}` },
      { limit: "1001" },
      { limit: "0" },
      { prefix: "x".repeat(513) },
      { prefix: "\n" },
      { unknown: "1" },
    ];
    for (const query of refused) {
      const { status, body } = await pair.one.call("GET", `/v1/registers?${new URLSearchParams(query)}`);
      expect([query, status, body.code]).toEqual([query, 400, "invalid_request"]);
    }
  });
});

describe("where the primaries do not have the same", () => {
  const keys = () => new Keys(pair.prefix);
  const nameOf = (key: string) => registerName("value", "default", key);

  /** Takes a register from one primary, as if it had missed it. */
  async function lose(place: number, key: string): Promise<void> {
    const primary = pair.primary(place);
    await command(primary, "DEL", keys().register(nameOf(key)));
    for (const index of [keys().registers, keys().registersEnding])
      await command(primary, "ZREM", index, nameOf(key));
  }

  async function onAll(listed: readonly string[]): Promise<void> {
    await until(async () => {
      const counts = pair.primaries.all.map((primary) =>
        command(primary, "EXISTS", ...listed.map((key) => keys().register(nameOf(key)))),
      );
      return (await Promise.all(counts)).every((count) => Number(count) === listed.length);
    }, "all primaries have all");
  }

  test("a list has what a majority have, in pages of any size", async () => {
    const prefix = `${freshName()}/`;
    const listed = await filled(prefix, ["1", "2", "3", "4", "5", "6"]);
    await onAll(listed);
    for (const [index, key] of listed.entries()) await lose(index % 3, key);
    for (const limit of ["1", "2", "3", "4", "100"])
      expect(keysIn((await pages({ prefix, limit })).flat())).toEqual(listed);
  });

  test("a list has each once where the parts that primaries tell end at different keys", async () => {
    const prefix = `${freshName()}/`;
    const listed = Array.from({ length: 14 }, (_, i) => `${prefix}${10 + i}`);
    // A part has 256 KB of values at most.
    await Promise.all(listed.map((key) => put(key, "x".repeat(60_000))));
    await onAll(listed);
    for (const index of [0, 1, 2, 6, 7]) await lose(0, listed[index] as string);
    for (const index of [3, 4, 8]) await lose(1, listed[index] as string);
    for (const limit of ["5", "1000"])
      expect(keysIn((await pages({ prefix, limit })).flat())).toEqual(listed);
  });

  test("what no majority accepted alike is read singly, and is alike on a majority then", async () => {
    const prefix = `${freshName()}/`;
    const listed = await filled(
      prefix,
      Array.from({ length: 120 }, (_, i) => String(100 + i)),
    );
    await onAll(listed);
    const accepted = (place: number, key: string) =>
      command(pair.primary(place), "GETRANGE", keys().register(nameOf(key)), 37, 73);
    for (const key of listed) {
      await lose(2, key);
      const older = `000000000001:${"1".repeat(24)}`;
      await command(pair.primary(1), "SETRANGE", keys().register(nameOf(key)), 37, older);
    }
    const found = await pages({ prefix, limit: "1000" });
    expect(keysIn(found.flat())).toEqual(listed);
    for (const key of [listed[0], listed[119]] as string[]) {
      const [first, ...others] = await Promise.all([0, 1, 2].map((place) => accepted(place, key)));
      expect(others).toContain(first);
    }
  });
});
