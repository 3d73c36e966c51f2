import { describe, expect, test } from "vitest";
import { CoordinationError } from "../../src/errors.js";
import type { PermitRequest, PermitsAcquired } from "../../src/primitives/semaphore.js";
import { Keys } from "../../src/scripts/keys.js";
import { command } from "../helpers/deployment.js";
import { Pair } from "../helpers/pair.js";
import { chosenId, freshName, type Instance, until } from "../helpers/service.js";

// Semaphores of the largest limit, with many who ask at once. What an attempt takes must not grow with the limit.
const pair = new Pair();

const LIMIT = 1_000;
const SLOW_MACHINE_MS = 180_000;

const ask = (
  at: Instance,
  request: Partial<PermitRequest> & { readonly name: string },
): Promise<PermitsAcquired> =>
  at.service.semaphores.acquire({ limit: LIMIT, permits: 1, ttlMs: 120_000, ...request });

async function take(
  at: Instance,
  request: Partial<PermitRequest> & { readonly name: string },
): Promise<string> {
  const outcome = await ask(at, request);
  if (outcome.kind !== "acquired") throw new Error(`not acquired: ${JSON.stringify(outcome)}`);
  return outcome.lease.leaseId;
}

/** Takes all permits but some, a hundred a lease. */
async function fill(name: string, free = 0): Promise<string[]> {
  const leases: string[] = [];
  for (let left = LIMIT - free; left > 0; left -= 100)
    leases.push(await take(pair.one, { name, permits: Math.min(100, left) }));
  return leases;
}

/** How often each outcome, or the code of each failure, was told. */
async function count(asked: readonly Promise<PermitsAcquired>[]): Promise<Record<string, number>> {
  const told: Record<string, number> = {};
  for (const one of await Promise.allSettled(asked)) {
    const what =
      one.status === "fulfilled"
        ? one.value.kind
        : one.reason instanceof CoordinationError
          ? one.reason.code
          : String(one.reason);
    told[what] = (told[what] ?? 0) + 1;
  }
  return told;
}

/** Forgets what primaries have noted of a semaphore, as if an instance of an earlier version had asked for all. */
async function forgetNotes(name: string): Promise<void> {
  const holds = new Keys(pair.prefix).holdsIn(`permit/${name}/`);
  for (const primary of pair.primaries.all) {
    const found = (await command(primary, "KEYS", `${holds}*`)) as string[];
    const noted = found.filter((key) => !/^\d+$/.test(key.slice(holds.length)));
    if (noted.length > 0) await command(primary, "DEL", ...noted);
  }
}

describe("a full semaphore of a thousand permits", () => {
  test(
    "refuses two hundred who ask at once, as users have it set, and all primaries stay up",
    async () => {
      const name = freshName();
      await fill(name);
      await using usual = await pair.instance({ env: { QUORATE_COMMAND_TIMEOUT_MS: "100" } });
      let told: Record<string, number> = {};
      // All failed, every time. A machine that does something else for a tenth of a second fails some, now and then.
      for (let attempt = 1; attempt <= 8 && told.held !== 200; attempt++) {
        await until(() => usual.service.primaries.all.every((primary) => primary.up), "all are up");
        told = await count(Array.from({ length: 200 }, () => ask(usual, { name })));
      }
      expect(told).toEqual({ held: 200 });
      expect(usual.service.primaries.all.map((primary) => primary.up)).toEqual([true, true, true]);
    },
    SLOW_MACHINE_MS,
  );

  test(
    "lets those in who wait, in their order, each when one releases",
    async () => {
      const name = freshName();
      await fill(name, 1);
      const last = await take(pair.one, { name });
      const WAITERS = 200;
      const served: number[] = [];
      const all: Promise<void>[] = [];
      const { waiting, semaphores } = pair.one.service;
      const wait = async (place: number) => {
        const leaseId = await take(pair.one, { name, waitMs: 150_000 });
        served.push(place);
        await semaphores.release(name, leaseId);
      };
      for (let place = 0; place < WAITERS; place++) {
        all.push(wait(place));
        await until(async () => waiting.size === place + 1, "it stands in line");
      }
      await semaphores.release(name, last);
      await Promise.all(all);
      expect(served).toEqual(Array.from({ length: WAITERS }, (_, place) => place));
    },
    SLOW_MACHINE_MS,
  );

  test(
    "lets as many in at once as one release makes room for",
    async () => {
      const name = freshName();
      const [hundred] = (await fill(name)) as [string];
      const { waiting, semaphores } = pair.one.service;
      const waiters = Array.from({ length: 60 }, () => ask(pair.one, { name, waitMs: 120_000 }));
      await until(async () => waiting.size === 60, "all stand in line");
      await semaphores.release(name, hundred);
      expect(await count(waiters)).toEqual({ acquired: 60 });
      expect((await semaphores.inspect(name)).held).toBe(LIMIT - 100 + 60);
    },
    SLOW_MACHINE_MS,
  );

  test(
    "is told page by page: every holder once, and all that are held on each page",
    async () => {
      const name = freshName();
      const owners = Array.from({ length: 130 }, (_, i) => `owner-${i}`);
      for (const owner of owners) await take(pair.one, { name, owner, permits: owner.endsWith("7") ? 3 : 1 });
      const told: string[] = [];
      for (let after: number | null = 0, pages = 0; after !== null; pages++) {
        expect(pages).toBeLessThan(4);
        const page = await pair.other.service.semaphores.inspect(name, { most: 50, after });
        expect(page.held).toBe(130 + 2 * 13);
        expect(page.holders.length).toBeLessThanOrEqual(50);
        told.push(...page.holders.map(({ owner }) => owner ?? ""));
        after = page.cursor;
      }
      expect(told.sort()).toEqual([...owners].sort());
    },
    SLOW_MACHINE_MS,
  );
});

describe("permits of which nothing is noted, as an earlier version has it", () => {
  test("are renewed, released, and asked for again with the same id", async () => {
    const name = freshName();
    const leaseId = chosenId();
    const [two, chosen] = [
      await take(pair.one, { name, permits: 2 }),
      await take(pair.one, { name, permits: 3, leaseId }),
    ];
    const { semaphores } = pair.other.service;
    const before = await ask(pair.other, { name, permits: 3, leaseId });
    if (before.kind !== "acquired") throw new Error("it has them already");
    await forgetNotes(name);
    expect(await semaphores.renew({ name, leaseId: two, ttlMs: 120_000 })).toMatchObject({ permits: 2 });
    const again = await ask(pair.other, { name, permits: 3, leaseId });
    expect(again).toMatchObject({ lease: { slots: before.lease.slots } });
    await forgetNotes(name);
    expect(await semaphores.release(name, two)).toBe(true);
    expect(await semaphores.release(name, chosen)).toBe(true);
    expect((await semaphores.inspect(name)).held).toBe(0);
  });

  test("are never given to others, and those that are left are found", async () => {
    const name = freshName();
    const limit = 60;
    for (let i = 0; i < 5; i++) await take(pair.at(i), { name, limit, permits: 11 });
    for (let i = 0; i < 5; i++) {
      await forgetNotes(name);
      await take(pair.at(i), { name, limit });
    }
    await forgetNotes(name);
    expect((await ask(pair.one, { name, limit })).kind).toBe("held");
    expect((await pair.one.service.semaphores.inspect(name)).held).toBe(limit);
  });

  test("that are renewed by many at once after they are gone are looked for once for all", async () => {
    const name = freshName();
    await fill(name);
    const scripts = async () => {
      const info = String(await command(pair.primary(0), "INFO", "commandstats"));
      return Number(/^cmdstat_hget:calls=(\d+)/m.exec(info)?.[1] ?? 0);
    };
    const before = await scripts();
    const lost = await Promise.allSettled(
      Array.from({ length: 100 }, () =>
        pair.one.service.semaphores.renew({ name, leaseId: `q-${"x".repeat(22)}`, ttlMs: 1_000 }),
      ),
    );
    for (const one of lost) expect(one).toMatchObject({ reason: { code: "lease_lost" } });
    // Each look at all asks for a thousand holds.
    expect((await scripts()) - before).toBeLessThan(20 * LIMIT);
  });
});
