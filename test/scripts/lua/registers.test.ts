import { describe, expect, test } from "vitest";
import { type Ballot, floorOf, NO_BALLOT } from "../../../src/algorithms/ballot.js";
import {
  acceptRegister,
  digestRegisters,
  dropRegisters,
  type Proposal,
  prepareRegister,
  raiseRegisterFloor,
  readRegister,
  removeRegister,
  restoreRegister,
} from "../../../src/scripts/register-calls.js";
import { freshName } from "../../helpers/names.js";
import { OneServer } from "../../helpers/one-server.js";

// What one primary promises, accepts and forgets of registers, on a real server. The rules of consensus rest on each of these.
const server = new OneServer();
const { keys } = server;

/** In rounds that are above those of earlier tests, since one of them raises the floor. */
let firstRound = 0;
const ballot = (round: number, by = "a"): Ballot =>
  `${floorOf(firstRound + round).slice(0, 13)}${by.repeat(24)}`;

function fresh() {
  firstRound += 1_000;
  const name = `value/default/${freshName()}`;
  const version = (text: string, more: Partial<Proposal> = {}): Proposal => {
    return { etag: ballot(1), leftMs: null, isLive: true, text, ...more };
  };
  return {
    name,
    version,
    prepare: (its: Ballot) => server.run(prepareRegister(keys, name, its)),
    accept: (its: Ballot, proposal: Proposal) => server.run(acceptRegister(keys, name, its, proposal)),
    read: () => server.run(readRegister(keys, name, true)),
    remove: (accepted: Ballot | null, untilMs = 0) =>
      server.run(removeRegister(keys, name, accepted, untilMs)),
    /** What is left of it: its key, and its places in the indexes. */
    left: async () => {
      const places = [keys.registers, keys.registersGone, keys.registersEnding].map((index) =>
        server.redis.zscore(index, name),
      );
      const there = (await Promise.all(places)).filter((score) => score !== null).length;
      return there + (await server.redis.exists(keys.register(name)));
    },
  };
}

describe("a primary", () => {
  test("promises each ballot once, and none below", async () => {
    const { prepare, read } = fresh();
    expect(await prepare(ballot(2))).toMatchObject({ kind: "promised", copy: null });
    for (const late of [ballot(2), ballot(1), ballot(1, "f")])
      expect(await prepare(late)).toEqual({ kind: "refused", promised: ballot(2) });
    expect(await prepare(ballot(2, "b"))).toMatchObject({ kind: "promised" });
    expect((await read())?.promised).toBe(ballot(2, "b"));
  });

  test("accepts nothing below what it has promised, and the same twice", async () => {
    const { prepare, accept, read, version } = fresh();
    await prepare(ballot(3));
    expect(await accept(ballot(2), version("late"))).toBe(ballot(3));
    expect((await read())?.accepted).toBe(NO_BALLOT);
    expect(await accept(ballot(3), version("it"))).toBeNull();
    await prepare(ballot(4));
    expect(await accept(ballot(3), version("it"))).toBeNull();
    expect(await accept(ballot(3, "0"), version("another"))).toBe(ballot(4));
    expect(await read()).toMatchObject({ promised: ballot(4), accepted: ballot(3), text: "it" });
  });

  test("lets no version live longer because it was accepted again", async () => {
    const { accept, read, version } = fresh();
    await accept(ballot(1), version("1", { leftMs: 5_000 }));
    await accept(ballot(2), version("1", { leftMs: 60_000 }));
    expect((await read())?.leftMs).toBeLessThanOrEqual(5_000);
    await accept(ballot(3), version("2", { etag: ballot(3), leftMs: 60_000 }));
    expect((await read())?.leftMs).toBeGreaterThan(5_000);
  });

  test("neither promises nor accepts below its floor, of whatever register, and that never falls", async () => {
    const { prepare, accept, read, version } = fresh();
    await accept(ballot(1), version("before"));
    const floor = floorOf(firstRound + 5);
    expect(await server.run(raiseRegisterFloor(floor))).toBe(floor);
    expect(await server.run(raiseRegisterFloor(floorOf(firstRound + 4)))).toBe(floor);
    expect(await prepare(ballot(4))).toEqual({ kind: "refused", promised: floor });
    expect(await accept(ballot(4), version("late"))).toBe(floor);
    expect(await read()).toMatchObject({ promised: floor, text: "before" });
    const unknown = `value/default/${freshName()}`;
    expect(await server.run(acceptRegister(keys, unknown, ballot(4), version("late")))).toBe(floor);
    expect(await server.run(readRegister(keys, unknown, true))).toBeNull();
    expect(await prepare(ballot(5))).toMatchObject({ kind: "promised", floor });
  });
});

describe("what is left of a register", () => {
  test("stays while the floor is not above all that was promised and accepted for it", async () => {
    const { prepare, accept, remove, left, version } = fresh();
    await accept(ballot(1), version("", { isLive: false }));
    expect(await remove(ballot(1))).toBe(false);
    await prepare(ballot(2));
    await server.run(raiseRegisterFloor(floorOf(firstRound + 2)));
    expect(await remove(ballot(1))).toBe(false);
    await server.run(raiseRegisterFloor(floorOf(firstRound + 3)));
    expect(await remove(ballot(1))).toBe(true);
    expect(await left()).toBe(0);
  });

  test("stays where it has changed since, is live, or is remembered", async () => {
    const { accept, remove, left, version } = fresh();
    await accept(ballot(1), version("", { isLive: false }));
    await accept(ballot(2), version("2", { etag: ballot(2) }));
    await server.run(raiseRegisterFloor(floorOf(firstRound + 9)));
    expect(await remove(ballot(1))).toBe(false);
    expect(await remove(ballot(2))).toBe(false);
    await accept(ballot(9), version("", { etag: ballot(9), isLive: false }));
    await server.run(raiseRegisterFloor(floorOf(firstRound + 10)));
    expect(await remove(ballot(9), Date.now() + 60_000)).toBe(false);
    expect(await remove(ballot(9))).toBe(true);
    expect(await left()).toBe(0);
  });

  test("goes where it was only promised", async () => {
    const { prepare, remove, left } = fresh();
    await prepare(ballot(1));
    await server.run(raiseRegisterFloor(floorOf(firstRound + 2)));
    expect(await remove(null)).toBe(true);
    expect(await left()).toBe(0);
  });
});

describe("a primary that is readmitted", () => {
  const copyOf = (round: number, more: object = {}) => ({
    promised: ballot(round),
    accepted: ballot(round),
    etag: ballot(round),
    leftMs: null,
    isLive: true,
    text: String(round),
    ...more,
  });

  test("takes the highest promise, the highest version and the longest time, in any order", async () => {
    const copies = [
      () => copyOf(2, { promised: ballot(9), leftMs: 60_000 }),
      () => copyOf(3, { leftMs: 5_000 }),
      () => copyOf(3, { leftMs: 30_000, promised: ballot(4) }),
    ];
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
    ]) {
      const { name, read } = fresh();
      for (const i of order)
        await server.run(restoreRegister(keys, name, (copies[i] as () => ReturnType<typeof copyOf>)()));
      const copy = await read();
      expect(copy).toMatchObject({ promised: ballot(9), accepted: ballot(3), text: "3", isCopied: true });
      expect(copy?.leftMs).toBeGreaterThan(20_000);
      expect(copy?.leftMs).toBeLessThanOrEqual(30_000);
    }
  });

  test("has no vote for what was copied until it accepts it itself, which a higher promise refuses", async () => {
    const { name, accept, read, version } = fresh();
    await server.run(restoreRegister(keys, name, copyOf(3, { promised: ballot(4) })));
    expect(await accept(ballot(3), version("3", { etag: ballot(3) }))).toBe(ballot(4));
    expect((await read())?.isCopied).toBe(true);
    expect(await accept(ballot(4), version("3", { etag: ballot(3) }))).toBeNull();
    expect((await read())?.isCopied).toBe(false);
  });

  test("drops its own only until the copy begins", async () => {
    const { name, accept, read, version } = fresh();
    await accept(ballot(1), version("its own"));
    expect(await server.run(dropRegisters([keys.register(name)], true))).toBe(true);
    expect(await read()).toBeNull();
    await server.run(restoreRegister(keys, name, copyOf(3)));
    expect(await server.run(dropRegisters([keys.register(name)]))).toBe(false);
    expect((await read())?.text).toBe("3");
    await server.redis.hdel(keys.configuration, "registers_of");
  });
});

describe("two primaries of which one was copied from the other", () => {
  // Both are here: only the names differ, which a digest does not have.
  const pair = () => ({ one: fresh(), other: fresh() });
  const digestOf = async (...names: string[]) => server.run(digestRegisters(keys, names));
  const copyOf = async ({ read }: ReturnType<typeof fresh>) => {
    const copy = await read();
    if (!copy) throw new Error("it is there");
    return copy;
  };

  test("show that they have the same, whoever has accepted it and whenever it ends", async () => {
    const { one, other } = pair();
    expect(await digestOf(one.name)).toEqual(await digestOf(other.name));
    await one.accept(ballot(3), one.version("3", { leftMs: 60_000 }));
    await server.run(restoreRegister(keys, other.name, { ...(await copyOf(one)), leftMs: 20_000 }));
    expect((await copyOf(other)).isCopied).toBe(true);
    const missing = fresh().name;
    const [first, second] = await Promise.all([
      digestOf(missing, one.name, missing),
      digestOf(missing, other.name, missing),
    ]);
    expect(first).toEqual(second);
    expect(first.ending, "to be copied all the same: the longest time counts").toEqual([1]);
  });

  test.each<[string, (one: ReturnType<typeof fresh>) => Promise<unknown>]>([
    ["a promise", ({ prepare }) => prepare(ballot(9))],
    ["a version", ({ accept, version }) => accept(ballot(9), version("3"))],
    ["a tombstone", ({ accept, version }) => accept(ballot(9), version("", { isLive: false }))],
  ])("show that one lacks %s", async (_, more) => {
    const { one, other } = pair();
    await one.accept(ballot(3), one.version("3"));
    await server.run(restoreRegister(keys, other.name, await copyOf(one)));
    expect(await digestOf(one.name)).toEqual(await digestOf(other.name));
    await more(one);
    expect((await digestOf(one.name)).digest).not.toBe((await digestOf(other.name)).digest);
  });

  test("show it of no two registers in another's place", async () => {
    const { one, other } = pair();
    await one.accept(ballot(3), one.version("3"));
    expect((await digestOf(one.name, other.name)).digest).not.toBe(
      (await digestOf(other.name, one.name)).digest,
    );
  });
});
