import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { abandonAttempt, acquireLease, type Claim, releaseLease } from "../../../src/scripts/lease-calls.js";
import type { Call } from "../../../src/scripts/scripts.js";
import {
  type FoundSlots,
  findSlots,
  inspectSemaphore,
  setLimit,
} from "../../../src/scripts/semaphore-calls.js";
import { freshName } from "../../helpers/names.js";
import { lease, OneServer, TERMS } from "../../helpers/one-server.js";
import { withoutNotes } from "../../helpers/unnoted.js";
import { Chance } from "../../simulation/random.js";

// Where free slots of a semaphore are looked for, and those of a lease: notes beside the slots, on one real server. Notes
// may be wrong, as an instance of an earlier version keeps none: holds decide.
const server = new OneServer();
const { keys } = server;

/** How many slots are told beyond those that are wanted. */
const SPARE = 8;

const slotOf = (name: string, slot: number) => `permit/${name}/${slot}`;
const notes = (name: string) => `${keys.holdsIn(`permit/${name}/`)}slots`;
const notesOf = (name: string, { leaseId }: Claim) => `${keys.holdsIn(`permit/${name}/`)}of/${leaseId}`;

function permits(name: string, limit: number, slots: readonly number[], leaseId?: string): Claim {
  return lease(
    slots.map((slot) => slotOf(name, slot)),
    leaseId,
    { queues: [`semaphore/${name}`], limit: { semaphore: name, permits: limit } },
  );
}

interface Wanted {
  readonly permits?: number;
  readonly start?: number;
  readonly leaseId?: string;
}

const finding = (name: string, limit: number, { permits = 1, start = 1, leaseId = "nobody" }: Wanted) =>
  findSlots(keys, name, { leaseId, fingerprint: null, limit, permits, start });

const find = (name: string, limit: number, wanted: Wanted = {}): Promise<FoundSlots> =>
  server.run(finding(name, limit, wanted));

const numbers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Takes slots, a hundred a lease. */
async function fill(
  name: string,
  limit: number,
  slots = numbers(1, limit),
  ttlMs = 60_000,
): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (let at = 0; at < slots.length; at += 100) {
    const claim = permits(name, limit, slots.slice(at, at + 100));
    await server.granted(claim, { ttlMs });
    claims.push(claim);
  }
  return claims;
}

describe("free slots", () => {
  test("are told from one of them on, over the end, and some more than are wanted", async () => {
    const name = freshName();
    const found = await find(name, 30, { permits: 2, start: 28 });
    expect(found).toEqual({
      limit: null,
      above: false,
      used: false,
      more: false,
      mine: [],
      free: [28, 29, 30, 1, 2, 3, 4, 5, 6, 7],
      taken: [],
    });
    await fill(name, 30, [29, 1, 2]);
    expect((await find(name, 30, { permits: 2, start: 28 })).free).toEqual([28, 30, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test("are all told where there are few, and those that end first where they are too few", async () => {
    const name = freshName();
    await server.granted(permits(name, 5, [4]), { ttlMs: 20_000 });
    await server.granted(permits(name, 5, [2, 5]), { ttlMs: 90_000 });
    expect(await find(name, 5, { permits: 2, start: 4 })).toMatchObject({ free: [1, 3], taken: [] });
    const all = await find(name, 5, { permits: 3, start: 4 });
    expect(all.free).toEqual([1, 3]);
    expect(all.taken[0]).toBe(4);
    expect([...all.taken].sort()).toEqual([2, 4, 5]);
  });

  test("are found wherever they are among a thousand, also where most were never asked for", async () => {
    const name = freshName();
    const free = [17, 400, 401, 999];
    await fill(
      name,
      1_000,
      numbers(1, 1_000).filter((slot) => !free.includes(slot)),
    );
    for (const start of [1, 17, 18, 400, 401, 402, 999, 1_000])
      expect([...(await find(name, 1_000, { start })).free].sort((a, b) => a - b)).toEqual(free);
  });

  test("are those that were released, given up, or have ended by themselves", async () => {
    const name = freshName();
    const [released] = (await fill(name, 40)) as [Claim];
    expect((await find(name, 40)).free).toEqual([]);
    await server.release(released);
    expect((await find(name, 40, { start: 7 })).free).toEqual(numbers(7, 7 + SPARE));
    const givenUp = permits(name, 40, numbers(1, 40));
    await server.granted(givenUp, { nonce: "nonce" });
    await server.abandon(givenUp, "nonce");
    expect((await find(name, 40, { start: 7 })).free).toEqual(numbers(7, 7 + SPARE));
    await fill(name, 40, numbers(1, 39));
    await server.granted(permits(name, 40, [40]), { ttlMs: 400 });
    expect((await find(name, 40)).free).toEqual([]);
    await sleep(410);
    expect((await find(name, 40)).free).toEqual([40]);
  });

  test("are not those that were renewed, whose new end counts", async () => {
    const name = freshName();
    const own = permits(name, 20, [3]);
    await fill(name, 20, numbers(4, 20), 30_000);
    await fill(name, 20, [1, 2], 30_000);
    const token = await server.granted(own, { ttlMs: 400 });
    expect((await find(name, 20)).taken).toEqual([3]);
    await server.renew(own, token, 90_000);
    await sleep(410);
    const found = await find(name, 20, { permits: 20 });
    expect(found.free).toEqual([]);
    expect(found.taken.at(-1)).toBe(3);
  });
});

describe("slots of a lease", () => {
  test("are told, those that it still has, and end with it", async () => {
    const name = freshName();
    const own = permits(name, 9, [2, 7]);
    const { leaseId } = own;
    await server.granted(own, { ttlMs: 5_000 });
    await fill(name, 9, [3]);
    expect((await find(name, 9, { permits: 0, leaseId })).mine).toEqual([2, 7]);
    expect(await server.redis.pttl(notesOf(name, own))).toBeGreaterThan(4_000);
    const another = permits(name, 9, [5]);
    await server.granted(another);
    await server.release(another);
    expect(await server.redis.exists(notesOf(name, another))).toBe(0);
    await server.redis.del(keys.hold(slotOf(name, 2)));
    expect((await find(name, 9, { permits: 0, leaseId })).mine).toEqual([7]);
  });

  test("come back with a repair, and are noted by a renewal where nothing was", async () => {
    const name = freshName();
    const own = permits(name, 9, [2, 7]);
    const { leaseId } = own;
    const token = await server.granted(own);
    await server.redis.del(notes(name), notesOf(name, own), keys.hold(slotOf(name, 2)));
    expect(await server.repair(own, token)).toBe(true);
    expect((await find(name, 9, { permits: 0, leaseId })).mine).toEqual([2, 7]);
    await server.redis.del(notes(name), notesOf(name, own));
    await server.renew(own, token);
    expect((await find(name, 9, { leaseId, start: 2 })).mine).toEqual([2, 7]);
    expect((await find(name, 9)).free).toEqual([1, 3, 4, 5, 6, 8, 9]);
  });

  test("are lost with what a primary forgets: the notes lie under the holds", async () => {
    const name = freshName();
    const own = permits(name, 9, [2]);
    await server.granted(own);
    for (const key of [notes(name), notesOf(name, own)])
      expect(key.startsWith(keys.holdPattern.slice(0, -1)), key).toBe(true);
  });

  test("leave nothing that stays for ever", async () => {
    const name = freshName();
    await fill(name, 20);
    await server.redis.zadd(notes(name), 5, "5");
    await find(name, 20, { permits: 20 });
    const left = await server.redis.keys(`${keys.holdsIn(`permit/${name}/`)}*`);
    for (const key of left) expect(await server.redis.pttl(key), key).toBeGreaterThan(0);
  });
});

describe("notes that are wrong", () => {
  test("never make a slot free that is held, and are put right", async () => {
    const name = freshName();
    await fill(name, 30, numbers(1, 29));
    await server.redis.zadd(notes(name), 3, "3", 4, "4");
    await server.redis.zrem(notes(name), "5", "6");
    expect((await find(name, 30, { start: 3 })).free).toEqual([30]);
    for (const slot of ["3", "4", "5", "6"])
      expect(Number(await server.redis.zscore(notes(name), slot)), slot).toBeGreaterThan(1e12);
  });

  test("keep no slot from those who ask for it for long: one of a thousand is found", async () => {
    const name = freshName();
    await fill(name, 1_000);
    await server.redis.del(keys.hold(slotOf(name, 321)));
    let asked = 0;
    for (let found: number[] = []; found.length === 0; asked++) {
      expect(asked).toBeLessThan(300);
      found = [...(await find(name, 1_000, { start: 1 + ((asked * 7) % 1_000) })).free];
    }
    expect(asked).toBeGreaterThan(0);
  });

  test("keep many for an even shorter time", async () => {
    const name = freshName();
    await fill(name, 1_000);
    for (const slot of numbers(1, 1_000)) await server.redis.del(keys.hold(slotOf(name, slot)));
    for (let i = 0; i < 10; i++)
      expect((await find(name, 1_000, { permits: 100, start: 500 })).free.length).toBeGreaterThanOrEqual(100);
  });

  test("of which there are none, with a thousand holds: all are looked at in a few calls, and the free one is found", async () => {
    const name = freshName();
    await fill(
      name,
      1_000,
      numbers(1, 1_000).filter((slot) => slot !== 777),
    );
    await server.redis.del(notes(name));
    for (let i = 0; ; i++) {
      expect(i).toBeLessThan(10);
      const { free, more } = await find(name, 1_000, { start: 800 });
      if (free.length > 0) {
        expect(free).toEqual([777]);
        break;
      }
      expect(more, "nobody may say that it is full").toBe(true);
    }
    await fill(name, 1_000, [777]);
    expect(await find(name, 1_000, { start: 800 })).toMatchObject({ free: [], more: false });
  });
});

describe("a limit that was lowered", () => {
  const lowered = (name: string, limit: number) => server.run(setLimit(keys, name, limit, 60_000));

  test("is told to be overrun for as long as a slot above it is held", async () => {
    const name = freshName();
    const high = permits(name, 50, [41]);
    await server.granted(high);
    await lowered(name, 10);
    expect(await find(name, 10)).toMatchObject({ limit: 10, above: true });
    await server.release(high);
    expect(await find(name, 10)).toMatchObject({ limit: 10, above: false });
    expect(await server.redis.get(keys.limit(name)), "not looked at again").toBe("10/10");
    expect(await server.redis.pttl(keys.limit(name))).toBeGreaterThan(30_000);
  });

  test("is overrun again by a lease that is repaired there", async () => {
    const name = freshName();
    const high = permits(name, 50, [41]);
    const token = await server.granted(high);
    await lowered(name, 10);
    await server.redis.del(keys.hold(slotOf(name, 41)));
    await server.granted(permits(name, 10, [1]));
    expect(await server.repair({ ...high, limit: { semaphore: name, permits: 10 } }, token)).toBe(true);
    expect((await server.acquire(permits(name, 10, [2]))).kind).toBe("held");
    await server.release(high);
    expect((await server.acquire(permits(name, 10, [2]))).kind).toBe("granted");
  });
});

describe("what it costs", () => {
  /** Commands that the server runs for it, those in scripts as well. */
  async function commandsOf(run: () => Promise<unknown>): Promise<number> {
    const count = async () => {
      const info = await server.redis.info("commandstats");
      return [...info.matchAll(/^cmdstat_(?!info)[^:]+:calls=(\d+)/gm)].reduce(
        (sum, [, n]) => sum + Number(n),
        0,
      );
    };
    const before = await count();
    await run();
    return (await count()) - before;
  }

  test("to ask of a full one, and to take the last permit and give it back, does not depend on the limit", async () => {
    const costs: number[][] = [];
    for (const limit of [100, 1_000]) {
      const name = freshName();
      await fill(name, limit, numbers(1, limit - 1));
      const last = permits(name, limit, [limit]);
      await find(name, limit, { start: limit / 2 });
      const own: number[] = [];
      own.push(await commandsOf(() => find(name, limit, { start: limit / 2 })));
      own.push(await commandsOf(() => server.granted(last)));
      own.push(await commandsOf(() => find(name, limit, { start: limit / 2 })));
      own.push(await commandsOf(() => server.acquire(permits(name, limit, [limit]))));
      own.push(await commandsOf(() => find(name, limit, { permits: 0, leaseId: last.leaseId })));
      own.push(await commandsOf(() => server.release(last)));
      costs.push(own);
    }
    expect(costs[1]).toEqual(costs[0]);
    expect(Math.max(...(costs[1] as number[]))).toBeLessThan(50);
  });

  test("at its bound is less than 5 ms of the server", async () => {
    const name = freshName();
    for (const slot of numbers(1, 1_000))
      void server.granted(permits(name, 1_000, [slot]), {
        ttlMs: 60_000,
        metadata: `"${"x".repeat(2_000)}"`,
      });
    const atBound: [string, Call<unknown>][] = [
      ["a page of holders", inspectSemaphore(keys, name, { described: 100, after: 0 })],
      ["a hundred permits of a full one", finding(name, 1_000, { permits: 100, start: 500 })],
    ];
    for (const [what, call] of atBound) expect(await cpuMicros(call), what).toBeLessThan(4 * 5_000);
    await server.redis.del(notes(name));
    expect(await cpuMicros(atBound[1]?.[1] as Call<unknown>, 1), "none of which is noted").toBeLessThan(
      4 * 5_000,
    );
  });

  /** Of the server's processor, by call. On a machine that is busy with something else it is several times as much. */
  async function cpuMicros(call: Call<unknown>, times = 20): Promise<number> {
    const spent = async () => {
      const info = await server.redis.info("cpu");
      return (
        [...info.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)].reduce((sum, [, s]) => sum + Number(s), 0) *
        1e6
      );
    };
    const before = await spent();
    for (let i = 0; i < times; i++) await server.run(call);
    return ((await spent()) - before) / times;
  }
});

describe("whatever is noted", () => {
  /** The mistake of one that goes by what is noted, and not by the hold. */
  const byNotes = (text: string) =>
    text.replace(
      "local other = (mine[1] or shared or not plain) and blocker(i)",
      `local all, one = slot_of(hold(i), field(i))
    local other = (tonumber(redis.call('ZSCORE', all .. 'slots', one) or 0) > 1e6) and blocker(i)`,
    );

  const as = <T>(change: (text: string) => string, call: Call<T>): Call<T> => ({
    ...call,
    script: { ...call.script, text: change(call.script.text) },
  });

  const LIMIT = 24;

  /**
   * Takes, gives up and releases permits by chance, now and then as an earlier version does, and with notes that somebody
   * spoils. Returns how often a slot was granted that another lease had.
   */
  async function grantedTwice(seed: number, change: (text: string) => string): Promise<number> {
    const chance = new Chance(seed, "slots");
    const name = freshName();
    const held = new Map<number, Claim>();
    const claims = new Set<Claim>();
    let twice = 0;
    const version = () => (chance.happens(0.4) ? withoutNotes : change);
    const acquire = async () => {
      const wanted = chance.whole(1, 4);
      const { free, taken } = await find(name, LIMIT, { permits: wanted, start: chance.whole(1, LIMIT) });
      for (const slot of free) expect(await server.redis.exists(keys.hold(slotOf(name, slot)))).toBe(0);
      // Others may have taken them meanwhile, or have released them.
      const some = chance.happens(0.7)
        ? [...free, ...taken]
        : numbers(1, LIMIT).filter(() => chance.happens(0.2));
      const slots = some.slice(0, wanted).sort((a, b) => a - b);
      if (slots.length === 0) return;
      const claim = permits(name, LIMIT, slots);
      const attempt = { ...claim, nonce: "nonce", attemptNumber: 1 };
      const vote = await server.run(as(version(), acquireLease(keys, attempt, { ...TERMS, ttlMs: 60_000 })));
      if (vote.kind !== "granted") return;
      claims.add(claim);
      for (const slot of slots) {
        if (held.has(slot)) twice += 1;
        held.set(slot, claim);
      }
    };
    const end = async (claim: Claim) => {
      const call = chance.happens(0.5)
        ? releaseLease(keys, claim, { forMs: 1_000, always: false, brokenFor: null })
        : abandonAttempt(keys, { ...claim, nonce: "nonce", attemptNumber: 1 }, 0);
      await server.run<unknown>(as(version(), call as Call<unknown>));
      claims.delete(claim);
      for (const [slot, by] of held) if (by === claim) held.delete(slot);
    };
    const spoil = async () => {
      const slot = chance.whole(1, LIMIT);
      const wrong = chance.pick([slot, Date.now() + 60_000, Date.now() - 1, null]);
      if (wrong === null) await server.redis.zrem(notes(name), String(slot));
      else if (await server.redis.exists(notes(name)))
        await server.redis.zadd(notes(name), wrong, String(slot));
      if (chance.happens(0.05)) await server.redis.del(notes(name));
    };
    for (let i = 0; i < 150; i++) {
      const what = chance.weighted({ acquire: 5, end: 3, spoil: 2 });
      if (what === "acquire") await acquire();
      else if (what === "spoil") await spoil();
      else if (claims.size > 0) await end(chance.pick([...claims]));
    }
    for (const claim of [...claims]) await end(claim);
    // Nothing is lost: all are found again.
    for (let asked = 0; held.size < LIMIT; asked++) {
      expect(asked, "each is free").toBeLessThan(40 * LIMIT);
      const { free } = await find(name, LIMIT, { start: chance.whole(1, LIMIT) });
      const claim = permits(name, LIMIT, free.slice(0, 1));
      if (free.length > 0 && (await server.acquire(claim)).kind === "granted")
        held.set(free[0] as number, claim);
    }
    return twice;
  }

  test("no slot has two holders, and none is lost", async () => {
    for (const seed of [1, 2, 3, 4]) expect(await grantedTwice(seed, (text) => text), `seed ${seed}`).toBe(0);
  });

  test("which a script that goes by the notes, and not by the holds, is caught to break", async () => {
    const { text } = acquireLease(
      keys,
      { ...permits("a", 1, [1]), nonce: "", attemptNumber: 1 },
      TERMS,
    ).script;
    for (const change of [withoutNotes, byNotes]) expect(change(text)).not.toBe(text);
    let twice = 0;
    for (let seed = 1; seed <= 4; seed++) twice += await grantedTwice(seed, byNotes);
    expect(twice).toBeGreaterThan(0);
  });
});
