import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Keys } from "../../src/scripts/keys.js";
import { registerName } from "../../src/scripts/register-kinds.js";
import { RUNS_MAX } from "../../src/scripts/scripts.js";
import { allTakePart, command, forget, noticed, shown } from "../helpers/deployment.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { type Instance, startInstance } from "../helpers/service.js";

// What a primary that forgot has of the registers when it takes part again.

let primaries: TestPrimaries;
let instance: Instance;
let keys: Keys;

beforeAll(async () => {
  primaries = await startPrimaries(3);
  instance = await startInstance(primaries.urls);
  keys = new Keys(instance.prefix);
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
  await primaries.close();
});

const third = () => primaries.all[2] as TestPrimary;
const nameOf = (key: string) => registerName("value", "default", key);
const put = (key: string, json: string, ttlMs: number | null = null) =>
  instance.service.registers.put(nameOf(key), { json, ttlMs });
const get = (key: string) => instance.service.registers.get(nameOf(key));
const text = async (key: string) =>
  (await command(third(), "GET", keys.register(nameOf(key)))) as string | null;

async function readmitted(way: (primary: TestPrimary) => Promise<unknown>): Promise<void> {
  const { configurationVersion } = await shown(instance);
  await way(third());
  await noticed(instance);
  await allTakePart(instance, configurationVersion ?? 0);
}

const wiped = () => readmitted((primary) => forget(primary, instance.prefix));

describe("a primary that is readmitted", () => {
  test("has every register, deleted ones too, with the time that is left and marked as copied", async () => {
    await put("lasting", '"größe"');
    await put("ending", "1", 60_000);
    await put("deleted", "1");
    await instance.service.registers.delete(nameOf("deleted"));
    await wiped();
    const lasting = await text("lasting");
    expect(lasting?.slice(126, 128)).toBe("11");
    expect(lasting?.endsWith('\n"größe"')).toBe(true);
    expect((await text("deleted"))?.slice(126, 128)).toBe("01");
    const ends = Number((await text("ending"))?.slice(111, 126));
    expect(ends - Date.now()).toBeLessThanOrEqual(60_500);
    expect(ends - Date.now()).toBeGreaterThan(40_000);
    const scores = [keys.registers, keys.registersEnding].map((set) =>
      command(third(), "ZSCORE", set, nameOf("ending")),
    );
    expect((await Promise.all(scores)).every((score) => score !== null)).toBe(true);
  });

  test("has all of them where they take more than one batch", async () => {
    const many = Array.from(
      { length: 2 * (RUNS_MAX.get("restore-register") ?? 0) + 1 },
      (_, i) => `many-${i}`,
    );
    await Promise.all(many.map((key) => put(key, `"${key}"`)));
    await wiped();
    const copied = await Promise.all(many.map(text));
    expect(copied.map((stored) => stored?.split("\n").at(-1))).toEqual(many.map((key) => `"${key}"`));
  });

  test("votes for what was copied only once it has accepted it itself", async () => {
    await put("copied", "1");
    await wiped();
    await primaries.all[0]?.pause();
    try {
      expect(await get("copied")).toMatchObject({ json: "1" });
      expect((await text("copied"))?.slice(126, 128)).toBe("10");
    } finally {
      await primaries.all[0]?.resume();
    }
  });

  test("forgets its own first: a register of which nothing is left elsewhere stays away", async () => {
    await put("revived", "1");
    const name = nameOf("revived");
    const kept = { text: "", name };
    kept.text = (await text("revived")) ?? "";
    await instance.service.registers.delete(name);
    for (const primary of primaries.all)
      await Promise.all([
        command(primary, "DEL", keys.register(name)),
        command(primary, "ZREM", keys.registers, name),
        command(primary, "ZREM", keys.registersGone, name),
      ]);
    await readmitted(async (primary) => {
      await forget(primary, instance.prefix);
      await command(primary, "SET", keys.register(name), kept.text);
      await command(primary, "ZADD", keys.registers, 0, name);
    });
    expect(await text("revived")).toBeNull();
    expect(await get("revived")).toBeNull();
  });

  test("refuses ballots below the highest floor of the others", async () => {
    const floor = `0fffffffff00:${"0".repeat(24)}`;
    await command(primaries.all[0] as TestPrimary, "HSET", keys.configuration, "register_floor", floor);
    await wiped();
    expect(await command(third(), "HGET", keys.configuration, "register_floor")).toBe(floor);
    expect(await put("above", "1")).toMatchObject({ kind: "put", number: 1 });
    const { etag } = (await get("above")) ?? {};
    expect(etag && etag > floor).toBe(true);
  });
});

test("after a restart of all primaries each has what it had missed, and the longest time that any had left", async () => {
  const many = Array.from({ length: 150 }, (_, i) => `restarted-${i}`);
  const missed = ["restarted-0", "restarted-99", "restarted-149"];
  const write = (key: string, stored: string) => command(third(), "SET", keys.register(nameOf(key)), stored);
  await Promise.all(many.map((key) => put(key, '"before"')));
  await put("restarted-ending", "1", 600_000);
  await Promise.all(
    missed.map(async (key) => {
      const before = (await text(key)) ?? "";
      await put(key, '"after"');
      await write(key, before);
    }),
  );
  const ending = (await text("restarted-ending")) ?? "";
  const sooner = String(Date.now() + 60_000).padStart(15, "0");
  await write("restarted-ending", ending.slice(0, 111) + sooner + ending.slice(126));

  const { configurationVersion } = await shown(instance);
  await Promise.all(primaries.all.map((primary) => primary.kill()));
  await Promise.all(primaries.all.map((primary) => primary.start()));
  await noticed(instance);
  await allTakePart(instance, configurationVersion ?? 0);
  const stored = await Promise.all(many.map(text));
  const expected = many.map((key) => (missed.includes(key) ? '"after"' : '"before"'));
  expect(stored.map((one) => one?.split("\n").at(-1))).toEqual(expected);
  expect(Number((await text("restarted-ending"))?.slice(111, 126)) - Date.now()).toBeGreaterThan(500_000);
});

test("a primary that was away without forgetting catches up when a register is read", async () => {
  await put("behind", "1");
  await third().pause();
  await put("behind", "2");
  await third().resume();
  await allTakePart(instance);
  await primaries.all[0]?.pause();
  try {
    expect(await get("behind")).toMatchObject({ json: "2", number: 2 });
  } finally {
    await primaries.all[0]?.resume();
  }
});
