import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/clock.js";
import { RegisterCopies } from "../../../src/primitives/anti-entropy/register-copies.js";
import { RegisterUpkeep } from "../../../src/primitives/registers/upkeep.js";
import { Keys } from "../../../src/scripts/keys.js";
import { registerName } from "../../../src/scripts/register-kinds.js";
import { command } from "../../helpers/deployment.js";
import type { SharedPrimaries, SharedPrimary } from "../../helpers/primaries.js";
import { type Instance, startInstance, until } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

let primaries: SharedPrimaries;
let instance: Instance;
let keys: Keys;

beforeAll(async () => {
  primaries = await sharedPrimaries();
});
beforeEach(async () => {
  // It does not look by itself: each test says when.
  instance = await startInstance(primaries.urls, { env: { QUORATE_ANTI_ENTROPY_INTERVAL_MS: "86400000" } });
  keys = new Keys(instance.prefix);
});
afterEach(() => instance[Symbol.asyncDispose]());

const at = (place: number) => primaries.all[place] as SharedPrimary;
const nameOf = (key: string) => registerName("value", "default", key);
const put = (key: string, json: string) => instance.service.registers.put(nameOf(key), { json, ttlMs: null });
const get = async (key: string) => (await instance.service.registers.get(nameOf(key)))?.json ?? null;
const text = async (place: number, key: string) =>
  (await command(at(place), "GET", keys.register(nameOf(key)))) as string | null;
const everywhere = async (key: string) => {
  const texts = await Promise.all([0, 1, 2].map((place) => text(place, key)));
  return texts.map((one) => one && (one[126] === "1" ? (one.split("\n").at(-1) ?? "") : "deleted"));
};
const onAll = (key: string, json: string) =>
  until(async () => (await everywhere(key)).every((one) => one === json), "all have it");
/** As a primary that lost a write. */
const lose = async (place: number, key: string) => {
  await command(at(place), "DEL", keys.register(nameOf(key)));
  await command(at(place), "ZREM", keys.registers, nameOf(key));
};
/** As a primary that missed the writes since `text` was stored there. */
const setBack = async (place: number, key: string, before: string) => {
  await command(at(place), "SET", keys.register(nameOf(key)), before);
  await command(at(place), "ZADD", keys.registers, 0, nameOf(key));
};

/** One pass: what it found, and whether it repaired that. */
async function compare(): Promise<string[]> {
  const found: string[] = [];
  const { primaries: among, registers } = instance.service;
  await new RegisterCopies(among, keys, registers, () => 0).run({
    found: (primary, difference, isRepaired) =>
      void found.push(`${among.all.indexOf(primary)} ${difference}${isRepaired ? ", repaired" : ""}`),
    pause: (ms) => systemClock.sleep(ms / 10),
  });
  return found.sort();
}

describe("a comparison of registers", () => {
  test("finds nothing where all is well, also while they are changed and deleted", async () => {
    for (let i = 0; i < 20; i++) await put(`k${i}`, "0");
    const busy = (async () => {
      for (let i = 0; i < 300; i++) {
        await put(`k${i % 20}`, String(i));
        if (i % 7 === 0) await instance.service.registers.delete(nameOf(`k${i % 20}`));
      }
    })();
    for (let pass = 0; pass < 3; pass++) expect(await compare()).toEqual([]);
    await busy;
  });

  test("copies a register that one primary lacks, and the latest version to one that missed it", async () => {
    await put("lost", "1");
    await put("old", "1");
    await onAll("old", "1");
    await onAll("lost", "1");
    const before = (await text(1, "old")) ?? "";
    await put("old", "2");
    await onAll("old", "2");
    await lose(0, "lost");
    await setBack(1, "old", before);
    expect(await compare()).toEqual(["0 missing, repaired", "1 stale, repaired"]);
    expect(await everywhere("lost")).toEqual(["1", "1", "1"]);
    expect(await everywhere("old")).toEqual(["2", "2", "2"]);
    expect(await compare()).toEqual([]);
  });

  test("repairs a primary that has promised more than the others accepted", async () => {
    await put("a", "1");
    await onAll("a", "1");
    await lose(2, "a");
    const none = `000000000000:${"0".repeat(24)}`;
    const promised = `ffffffff0000:${"1".repeat(24)}`;
    // Higher than any ballot that is used, and lower than those that follow once it was seen.
    await command(at(2), "SET", keys.register(nameOf("a")), `${promised}${none}${none}${"0".repeat(15)}00`);
    const found = await compare();
    expect(found).toEqual(["2 missing"]);
    await command(at(2), "DEL", keys.register(nameOf("a")));
    expect(await compare()).toEqual(["2 missing, repaired"]);
    expect(await everywhere("a")).toEqual(["1", "1", "1"]);
  });

  test("brings back nothing that was deleted, and tells those that have not heard of it", async () => {
    await put("a", "1");
    await onAll("a", "1");
    const before = (await text(0, "a")) ?? "";
    await instance.service.registers.delete(nameOf("a"));
    await onAll("a", "deleted");
    await setBack(0, "a", before);
    expect(await compare()).toEqual(["0 stale, repaired"]);
    expect(await everywhere("a")).toEqual(["deleted", "deleted", "deleted"]);
    // Nor what was removed: the rest on one primary is counted.
    const { service } = instance;
    const { registers, primaries: among } = service;
    const upkeep = new RegisterUpkeep(registers, among, keys, systemClock, Math.random, service, 0);
    upkeep.close();
    await until(async () => {
      await upkeep.run();
      return (await everywhere("a")).every((one) => one === null);
    }, "nothing is left");
    await setBack(2, "a", before);
    expect(await compare()).toEqual(["2 unconfirmed"]);
    expect(await everywhere("a")).toEqual([null, null, "1"]);
  });

  test("decides what no majority have alike, as a read would", async () => {
    await put("a", "1");
    await onAll("a", "1");
    const before = (await text(1, "a")) ?? "";
    await put("a", "2");
    await onAll("a", "2");
    await setBack(1, "a", before);
    await lose(2, "a");
    expect(await compare()).toEqual(["0 unconfirmed, repaired"]);
    expect(await everywhere("a")).toEqual(["2", "2", "2"]);
    expect(await get("a")).toBe("2");
  });

  test("counts a copy of the right ballot with another value, and leaves it", async () => {
    await put("a", "1");
    await onAll("a", "1");
    const right = (await text(1, "a")) ?? "";
    await setBack(1, "a", right.replace(/1$/, "7"));
    expect(await compare()).toEqual(["1 diverged"]);
    expect(await everywhere("a")).toEqual(["1", "7", "1"]);
  });

  test("goes through more registers than fit into a part, of all kinds", async () => {
    for (let at = 0; at < 600; at += 50)
      await Promise.all(Array.from({ length: 50 }, (_, i) => put(`k${at + i}`, "0")));
    await instance.service.counters.add(registerName("counter", "default", "c"), 1);
    await onAll("k599", "0");
    for (const key of ["k0", "k599"]) await lose(1, key);
    expect(await compare()).toEqual(["1 missing, repaired", "1 missing, repaired"]);
  });
});
