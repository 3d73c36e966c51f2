import { describe, expect, test } from "vitest";
import { roundOf } from "../../../src/algorithms/ballot.js";
import { KEYED_MS } from "../../../src/algorithms/register.js";
import { keyedOf } from "../../../src/primitives/registers/keyed.js";
import { Keys } from "../../../src/scripts/keys.js";
import { registerName } from "../../../src/scripts/register-kinds.js";
import { command } from "../../helpers/deployment.js";
import { Pair } from "../../helpers/pair.js";
import { storedOf, upkeepAtOnce } from "../../helpers/registers.js";
import { freshName, until } from "../../helpers/service.js";

const pair = new Pair();
const nameOf = (key: string) => registerName("value", "default", key);
const write = { json: "1", ttlMs: null };

const atOnce = () => upkeepAtOnce(pair);
const stored = (name: string) => storedOf(pair, name);

const onAll = (name: string) =>
  until(async () => {
    const keys = new Keys(pair.prefix);
    const found = await Promise.all(
      pair.primaries.all.map((primary) => command(primary, "EXISTS", keys.register(name))),
    );
    return found.every((one) => one === 1);
  }, "all have it");

describe("upkeep", () => {
  test("leaves nothing of a register that was deleted, and what is made anew is another", async () => {
    const name = nameOf(freshName());
    const { registers } = pair.one.service;
    const first = await registers.put(name, write);
    await onAll(name);
    await registers.delete(name);
    const upkeep = atOnce();
    await until(async () => {
      await upkeep.run();
      return (await stored(name)) === 0;
    }, "nothing is left");
    expect(await pair.other.service.registers.get(name)).toBeNull();
    const again = await pair.other.service.registers.put(name, write);
    expect(again).toMatchObject({ kind: "put", created: true, number: 1 });
    expect((again as { etag: string }).etag > (first as { etag: string }).etag).toBe(true);
  });

  test("keeps what is left of a register while it remembers changes with an idempotency key: they are made once", async () => {
    const name = nameOf(freshName());
    const { registers } = pair.one.service;
    const keyed = keyedOf("its key", write);
    const first = await registers.put(name, write, { keyed });
    await onAll(name);
    await registers.delete(name);
    const upkeep = atOnce();
    const keys = new Keys(pair.prefix);
    // It is not looked at before the key will be forgotten, in place of what can go.
    const isNotedForLater = async () => {
      const noted = pair.primaries.all.map((primary) => command(primary, "ZSCORE", keys.registersGone, name));
      return (await Promise.all(noted)).every((atMs) => Number(atMs) > Date.now() + KEYED_MS / 2);
    };
    await until(async () => {
      await upkeep.run();
      return (await isNotedForLater()) || (await stored(name)) === 0;
    }, "it was looked at");
    expect(await pair.other.service.registers.put(name, write, { keyed })).toMatchObject({ ...first });
    expect(await pair.other.service.registers.get(name)).toBeNull();
  });

  test("removes nothing while one primary has missed the deletion: that is told of it first", async () => {
    const name = nameOf(freshName());
    const { registers } = pair.one.service;
    const keys = new Keys(pair.prefix);
    const [first, , third] = pair.primaries.all;
    if (!first || !third) throw new Error("there are three");
    const liveness = async () => String(await command(third, "GETRANGE", keys.register(name), 126, 126));
    await registers.put(name, write);
    await onAll(name);
    const before = (await command(third, "GET", keys.register(name))) as string;
    await registers.delete(name);
    await until(async () => (await liveness()) === "0", "it knows of the deletion");
    await command(third, "SET", keys.register(name), before);
    const upkeep = atOnce();
    await upkeep.run();
    expect(await command(first, "EXISTS", keys.register(name))).toBe(1);
    expect(await liveness()).toBe("0");
    await until(async () => {
      await upkeep.run();
      return (await stored(name)) === 0;
    }, "nothing is left");
    expect(await registers.get(name)).toBeNull();
  });

  test("raises the floor in steps of some 16 s, once for many registers, and alike on all primaries", async () => {
    const { registers } = pair.one.service;
    const keys = new Keys(pair.prefix);
    const upkeep = atOnce();
    const floorAfter = async (count: number) => {
      const names = Array.from({ length: count }, () => nameOf(freshName()));
      await Promise.all(names.map((name) => registers.put(name, write)));
      await Promise.all(names.map((name) => registers.delete(name)));
      await until(async () => {
        await upkeep.run();
        return (await Promise.all(names.map(stored))).every((left) => left === 0);
      }, "nothing is left");
      const floors = await Promise.all(
        pair.primaries.all.map((primary) => command(primary, "HGET", keys.configuration, "register_floor")),
      );
      expect(new Set(floors).size).toBe(1);
      return roundOf(floors[0] as string);
    };
    const before = await floorAfter(1);
    const after = await floorAfter(20);
    for (const floor of [before, after]) expect(floor % 2 ** 18).toBe(0);
    // Where one of them is on its way still, a step more.
    expect((after - before) / 2 ** 18).toBeLessThanOrEqual(3);
  });

  test("leaves nothing of a register that was only asked for", async () => {
    const name = nameOf(freshName());
    const { registers } = pair.one.service;
    expect(await registers.put(name, write, { ifMatch: "*" })).toEqual({ kind: "mismatch", current: null });
    expect(await stored(name)).toBeGreaterThan(0);
    const upkeep = atOnce();
    await until(async () => {
      await upkeep.run();
      return (await stored(name)) === 0;
    }, "nothing is left");
  });

  test("deletes a register whose time is over though nobody reads it", async () => {
    const name = nameOf(freshName());
    const keys = new Keys(pair.prefix);
    await pair.one.service.registers.put(name, { json: "1", ttlMs: 100 });
    await until(async () => {
      const all = pair.primaries.all.map((primary) => command(primary, "ZSCORE", keys.registersEnding, name));
      return (await Promise.all(all)).every((score) => score === null);
    }, "none has it among those that end");
    expect(await pair.one.service.registers.get(name)).toBeNull();
  });

  test("keeps what is live, however often it was deleted before", async () => {
    const name = nameOf(freshName());
    const { registers } = pair.one.service;
    const upkeep = atOnce();
    for (let i = 0; i < 20; i++) {
      await registers.put(name, { json: String(i), ttlMs: null });
      if (i % 2 === 0) await Promise.all([registers.delete(name), upkeep.run()]);
      else {
        await upkeep.run();
        expect(await pair.other.service.registers.get(name)).toMatchObject({ json: String(i) });
      }
    }
  });
});
