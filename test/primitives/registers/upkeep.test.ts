import { describe, expect, test } from "vitest";
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
