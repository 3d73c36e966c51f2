import { beforeEach, describe, expect, test } from "vitest";
import { CoordinationError } from "../../../src/errors.js";
import { RegisterEvents } from "../../../src/primitives/registers/events/register-events.js";
import type { RegisterWatch } from "../../../src/primitives/registers/events/register-watch.js";
import type { Follower, RegisterNews } from "../../../src/primitives/registers/register-news.js";
import type { Register } from "../../../src/primitives/registers/registers.js";
import { FakeClock, settled } from "../../helpers/fake-clock.js";

// Streams of registers, in virtual time, on registers whose news the test may lose.

let clock: FakeClock;
let registers: Map<string, Register>;
let followers: Set<Follower>;
let reads: string[];
let failing: boolean;
let events: RegisterEvents;
/** Called before a page is read. */
let onPage: () => void;

const MAX = { watchersMax: 4, feedsMax: 2, knownMax: 10 };
const register = (json: string, etag: string): Register => ({ json, number: 1, etag, expiresInMs: null });
const sorted = (beginning: string, after: string | null) =>
  [...registers.keys()]
    .sort()
    .filter((name) => name.startsWith(beginning) && (after === null || name > after));

beforeEach(() => {
  clock = new FakeClock();
  [registers, followers, reads, failing, onPage] = [new Map(), new Set(), [], false, () => {}];
  events = make();
});

function make(bounds = MAX, partMax = 2): RegisterEvents {
  const cut = (names: string[]) => ({ names: names.slice(0, partMax), isAll: names.length <= partMax });
  const noQuorum = () => new CoordinationError("no_quorum", "none");
  return new RegisterEvents(
    {
      inspect: async (name) => {
        reads.push(name);
        if (failing) throw noQuorum();
        const found = registers.get(name) ?? null;
        await settled();
        return { version: found?.etag ?? "none", register: found };
      },
    },
    {
      page: async (beginning, after) => {
        onPage();
        if (failing) throw noQuorum();
        const { names, isAll } = cut(sorted(beginning, after));
        const found = names.map((name) => ({ ...(registers.get(name) as Register), name }));
        return { registers: found, cursor: isAll ? null : (names.at(-1) ?? null) };
      },
      heads: async (beginning, after) => {
        if (failing) throw noQuorum();
        const { names, isAll } = cut(sorted(beginning, after));
        const etags = new Map(names.map((name) => [name, (registers.get(name) as Register).etag]));
        return { etags, upTo: isAll ? null : (names.at(-1) ?? null) };
      },
    },
    {
      follow: (follower: Follower) => {
        followers.add(follower);
        return () => followers.delete(follower);
      },
      heardOn: () => 2,
    } as unknown as RegisterNews,
    2,
    clock,
    "registers",
    bounds,
  );
}

function set(name: string, json: string | null, etag: string, isHeard = true): void {
  if (json === null) registers.delete(name);
  else registers.set(name, register(json, etag));
  if (isHeard) for (const one of followers) if (name.startsWith(one.beginning)) one.heard(name);
}

/** All that there is to take, in words. */
async function taken(watch: RegisterWatch): Promise<string[]> {
  const words: string[] = [];
  for (let told = await watch.take(); told; told = await watch.take()) {
    if (told.kind === "snapshot") words.push(...told.registers.map(({ name, json }) => `${name}=${json}`));
    else if (told.kind === "changes")
      words.push(...told.changes.map((one) => `${one.name}:${one.register?.json ?? "deleted"}`));
    else if (told.kind === "synced") words.push(`synced ${told.count}`);
    else return [...words, "behind"];
    await settled();
  }
  return words;
}

const everything = () => true;

describe("a watcher of registers", () => {
  test("gets a snapshot, a mark, and the latest version of what changes", async () => {
    for (const name of ["a/1", "a/2", "a/3", "b"]) set(name, "0", name);
    const watch = await events.watch("a/", everything);
    expect(await taken(watch)).toEqual(["a/1=0", "a/2=0", "a/3=0", "synced 3"]);
    set("a/1", "1", "e1");
    set("a/4", "1", "e2");
    set("b", "1", "e3");
    await settled();
    set("a/1", "2", "e4");
    set("a/2", null, "");
    await settled();
    expect((await taken(watch)).sort()).toEqual(["a/1:2", "a/2:deleted", "a/4:1"]);
    expect(await watch.take()).toBeNull();
  });

  test("is told what has changed while it took the snapshot, after the mark", async () => {
    for (const name of ["a/1", "a/2", "a/3", "a/4"]) set(name, "0", name);
    const watch = await events.watch("a/", everything);
    let pages = 0;
    onPage = () => {
      pages += 1;
      // After the page with a/1 was read, and before the one with a/4.
      if (pages === 2) {
        set("a/1", "1", "e1");
        set("a/4", null, "");
      }
    };
    const words = await taken(watch);
    expect(words.slice(0, 4)).toEqual(["a/1=0", "a/2=0", "a/3=0", "synced 3"]);
    expect(words.slice(4).sort()).toEqual(["a/1:1", "a/4:deleted"]);
  });

  test("is told within seconds what was not heard", async () => {
    for (const name of ["a/1", "a/2", "a/3", "a/4", "a/5"]) set(name, "0", name);
    const watch = await events.watch("a/", everything);
    await taken(watch);
    set("a/1", "1", "e1", false);
    set("a/3", null, "", false);
    set("a/6", "1", "e2", false);
    await clock.advance(2_000);
    expect((await taken(watch)).sort()).toEqual(["a/1:1", "a/3:deleted", "a/6:1"]);
    reads = [];
    await clock.advance(3_000);
    expect(reads).toEqual([]);
  });

  test("is told later what could not be read at once", async () => {
    const watch = await events.watch("a/", everything);
    await taken(watch);
    failing = true;
    set("a/1", "1", "e1");
    await clock.advance(3_000);
    expect(await taken(watch)).toEqual([]);
    failing = false;
    await clock.advance(2_000);
    expect(await taken(watch)).toEqual(["a/1:1"]);
  });

  test("is told only of what it may know", async () => {
    set("a/1", "0", "e1");
    const watch = await events.watch("a/", (name) => name.endsWith("1"));
    set("a/2", "0", "e2");
    set("a/11", "0", "e3");
    await settled();
    expect(await taken(watch)).toEqual(["a/1=0", "a/11=0", "synced 2", "a/11:0"]);
  });

  test("shares the reads with others of the same beginning", async () => {
    const watches = await Promise.all([1, 2, 3].map(() => events.watch("a/", everything)));
    for (const watch of watches) await taken(watch);
    expect(events.feeds).toBe(1);
    set("a/1", "1", "e1");
    await settled();
    for (const watch of watches) expect(await taken(watch)).toEqual(["a/1:1"]);
    expect(reads).toEqual(["a/1"]);
    for (const watch of watches) watch.end();
    expect([events.feeds, followers.size]).toEqual([0, 0]);
    await clock.advance(3_000);
    expect(clock.pending).toBe(0);
  });
});

describe("at its bounds", () => {
  test("a watcher that takes nothing is ended, after 1,000 registers or 1 MB of values", async () => {
    events = make({ ...MAX, knownMax: 10_000 });
    const [many, large] = await Promise.all([events.watch("a/", everything), events.watch("b/", everything)]);
    for (const watch of [many, large]) await taken(watch);
    for (let i = 0; i < 1_000; i++) set(`a/${i}`, "1", "e");
    await clock.advance(0);
    for (let i = 0; i < 100; i++) await settled();
    const changes = await many.take();
    expect(changes?.kind === "changes" && changes.changes.length).toBe(1_000);
    for (let i = 0; i <= 1_000; i++) set(`a/${i}`, "2", "f");
    for (let i = 0; i < 100; i++) await settled();
    expect(await many.take()).toEqual({ kind: "behind" });
    for (let i = 0; i < 16; i++) set(`b/${i}`, "x".repeat(65_000), "e");
    for (let i = 0; i < 10; i++) await settled();
    expect(await large.take()).toEqual({ kind: "behind" });
  });

  test("an instance refuses more watchers, more prefixes and more registers than it can follow", async () => {
    const one = await events.watch("a/", everything);
    await events.watch("b/", everything);
    await expect(events.watch("c/", everything)).rejects.toMatchObject({ code: "overloaded" });
    await events.watch("a/", everything);
    await events.watch("a/", everything);
    await expect(events.watch("a/", everything)).rejects.toMatchObject({ code: "overloaded" });
    one.end();
    await events.watch("a/", everything);
  });

  test("a feed that would know of too many registers ends, and its watchers are told so", async () => {
    for (let i = 0; i < 8; i++) set(`a/${i}`, "0", "e");
    const watch = await events.watch("a/", everything);
    await taken(watch);
    for (let i = 0; i < 3; i++) set(`a/x${i}`, "0", "e");
    await settled();
    expect((await taken(watch)).at(-1)).toBe("behind");
    await expect(events.watch("a/", everything)).rejects.toMatchObject({ code: "overloaded" });
    expect(events.feeds).toBe(0);
  });
});
