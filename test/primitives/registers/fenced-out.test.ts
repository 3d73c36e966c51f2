import { describe, expect, test, vi } from "vitest";
import { systemClock } from "../../../src/clock.js";
import { RegisterUpkeep } from "../../../src/primitives/registers/upkeep.js";
import { Keys } from "../../../src/scripts/keys.js";
import { registerName } from "../../../src/scripts/register-kinds.js";
import { command, shown } from "../../helpers/deployment.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { OwnPair } from "../../helpers/pair.js";
import { freshName, until } from "../../helpers/service.js";

// What was deleted while a primary is absent: it stays up to a bound, and then the absent one is fenced out.

const pair = new OwnPair();
const nameOf = (key: string) => registerName("value", "default", key);
const keys = () => new Keys(pair.prefix);

/** Removes what was deleted at once, and keeps `goneMax` of it while a primary is absent. */
function upkeepOf(goneMax: number): RegisterUpkeep {
  const { service } = pair.one;
  const { registers, primaries } = service;
  const upkeep = new RegisterUpkeep(
    registers,
    primaries,
    keys(),
    systemClock,
    Math.random,
    service,
    0,
    undefined,
    goneMax,
  );
  upkeep.close();
  return upkeep;
}

const stored = async (place: number, key: string) =>
  (await command(pair.primary(place), "EXISTS", keys().register(nameOf(key)))) === 1;
const states = async () => (await shown(pair.one)).primaries.map(({ state }) => state);

/** Registers that are deleted while the third primary is stopped. */
async function deletedWithout(count: number): Promise<string[]> {
  const all = Array.from({ length: count }, () => freshName());
  const { registers } = pair.one.service;
  await Promise.all(all.map((key) => registers.put(nameOf(key), { json: "1", ttlMs: null })));
  await until(
    async () => (await Promise.all(all.map((key) => stored(2, key)))).every(Boolean),
    "all have them",
  );
  await pair.primary(2).pause();
  await Promise.all(all.map((key) => registers.delete(nameOf(key))));
  await until(async () => (await states())[2] === "down", "it is down");
  return all;
}

describe("what was deleted while a primary is absent", () => {
  test("stays below the bound, since the absent one may not know of it", async () => {
    const all = await deletedWithout(3);
    const { configurationVersion } = await shown(pair.one);
    const upkeep = upkeepOf(4);
    for (let turn = 0; turn < 3; turn++) await upkeep.run();
    expect(await Promise.all(all.map((key) => stored(0, key)))).toEqual([true, true, true]);
    expect((await shown(pair.one)).configurationVersion).toBe(configurationVersion);
    await pair.primary(2).resume();
    await until(async () => {
      await upkeep.run();
      return !(await Promise.all(all.flatMap((key) => [0, 1, 2].map((place) => stored(place, key))))).some(
        Boolean,
      );
    }, "nothing is left once it is back");
  });

  test("goes at the bound, and the absent one comes back without what it has kept", async () => {
    const all = await deletedWithout(5);
    const { configurationVersion } = await shown(pair.one);
    const upkeep = upkeepOf(5);
    await until(async () => {
      await upkeep.run();
      return !(await Promise.all(all.flatMap((key) => [stored(0, key), stored(1, key)]))).some(Boolean);
    }, "nothing is left on the others");
    expect((await shown(pair.one)).configurationVersion).toBe((configurationVersion ?? 0) + 1);
    for (const key of all) expect(await pair.other.service.registers.get(nameOf(key))).toBeNull();
    // Deletions go on without it.
    const later = freshName();
    const { registers } = pair.other.service;
    await registers.put(nameOf(later), { json: "1", ttlMs: null });
    await registers.delete(nameOf(later));
    await until(async () => {
      await upkeep.run();
      return !(await stored(0, later)) && !(await stored(1, later));
    }, "nothing is left of a later one");

    await pair.primary(2).resume();
    await until(
      async () => (await states()).every((state) => state === "up" || state === "quarantined"),
      "it is back",
    );
    expect(await Promise.all(all.map((key) => stored(2, key)))).toEqual(all.map(() => false));
    for (const key of all) expect(await registers.get(nameOf(key))).toBeNull();
    expect((await shown(pair.one)).configurationVersion).toBe((configurationVersion ?? 0) + 2);
    const { created, number } = (await registers.put(nameOf(all[0] as string), {
      json: "2",
      ttlMs: null,
    })) as never;
    expect([created, number]).toEqual([true, 1]);
  });

  test("would come back with the absent one if that were only left out", async () => {
    const [key = ""] = await deletedWithout(1);
    const { primaries } = pair.one.service;
    const fencedOut = primaries.fencedOut;
    Object.assign(primaries, { fencedOut: () => 1 });
    await until(async () => {
      await upkeepOf(5).run();
      return !(await stored(0, key)) && !(await stored(1, key));
    }, "nothing is left on the others");
    Object.assign(primaries, { fencedOut });
    await pair.primary(2).resume();
    await until(async () => (await states()).every((state) => state !== "down"), "it is back");
    expect(await stored(2, key)).toBe(true);
  });
});

test("so much of it stays: less than 100,000 registers on each primary", async () => {
  for (const [goneCount, times] of [
    [99_999, 0],
    [100_000, 1],
  ] as const) {
    const fenceOutAbsent = vi.fn(async () => {});
    const due = { ended: [], gone: [], goneCount, transactions: 0 };
    // One of the three takes no part.
    const all = ["1:a", "1:b", null].map((configurationEpoch) => ({ configurationEpoch }));
    const primaries = { all, majority: 2, askAll: async () => [due], fencedOut: () => 0, fenceOutAbsent };
    const ends = { transactions: { sawStored: () => {} } };
    const upkeep = new RegisterUpkeep(
      {} as never,
      primaries as never,
      keys(),
      new FakeClock(),
      Math.random,
      ends as never,
    );
    upkeep.close();
    await upkeep.run();
    expect(fenceOutAbsent).toHaveBeenCalledTimes(times);
  }
});
