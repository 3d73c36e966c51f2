import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, test } from "vitest";
import { Keys } from "../../src/scripts/keys.js";
import { SCRIPTS } from "../../src/scripts/scripts.js";
import {
  acquire,
  acquireAtLast,
  allTakePart,
  command,
  forget,
  isListed,
  noticed,
  release,
  type Shown,
  shown,
  storedField,
  tokenOf,
} from "../helpers/deployment.js";
import { Dying } from "../helpers/dying.js";
import { Gate } from "../helpers/gate.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { type Instance, ownPrefix, startInstance, until } from "../helpers/service.js";

// Everything here is waited for with a limit of its own; this one is for machines that do many things at once.
const SLOW = { timeout: 60_000 };

let primaries: TestPrimaries;

beforeAll(async () => {
  primaries = await startPrimaries(3);
});
afterAll(() => primaries.close());

const at = (place: number): TestPrimary => primaries.all[place] as TestPrimary;

/** For an instance that is held up in the middle of a readmission. */
const isCopyOfCounters = (name: string, sha1?: string | number): boolean =>
  name === "EVALSHA" && sha1 === SCRIPTS["restore-counters"].sha1;

const isMark = (name: string, sha1?: string | number): boolean =>
  name === "EVALSHA" && sha1 === SCRIPTS["commit-configuration"].sha1;

/** Rotates the counters of a primary, whatever their age. */
async function rotate(primary: TestPrimary, prefix: string): Promise<void> {
  const stamp = (await storedField(primary, prefix, "stamp")) as string;
  const keys = ["configuration", "counters", "counters/older"].map((key) => prefix + key);
  await command(primary, "EVAL", SCRIPTS["rotate-counters"].text, 3, ...keys, stamp, 0, "0");
}

const isReadmitted = ({ configurationVersion, primaries }: Shown): boolean =>
  configurationVersion === 2 && primaries.every(({ state }) => state === "up" || state === "quarantined");

/** 5,000 names, with the counters next to ARGV[1]. */
const FILL =
  "for i = 1, 5000 do redis.call('HSET', KEYS[1], 'lock/n' .. i, string.format('%.0f', ARGV[1] + i)) end " +
  "redis.call('HSET', KEYS[1], 'max', string.format('%.0f', ARGV[1] + 5000))";

type Forgets = (primary: TestPrimary, master: TestPrimary) => Promise<unknown>;

// Each row on servers of its own: those of one row are used one after the other.
const WAYS_TO_FORGET: [way: string, forgets: Forgets][][] = [
  [
    ["was killed and came back with two thirds of its data", (primary) => primary.startCut(0.3)],
    ["was killed and came back with all of them", (primary) => primary.kill().then(() => primary.start())],
  ],
  [
    ["came back with an empty file", (primary) => primary.startCut(1)],
    ["restarted empty", (primary) => primary.startEmpty()],
  ],
  [
    ["was flushed", (primary) => command(primary, "FLUSHALL")],
    [
      "was a replica for a while",
      async (primary, master) => {
        await command(primary, "REPLICAOF", "127.0.0.1", master.port);
        await sleep(200);
        await command(primary, "REPLICAOF", "NO", "ONE");
      },
    ],
  ],
];

describe.concurrent.each(WAYS_TO_FORGET.map((ways) => ({ ways })))("a primary", SLOW, ({ ways }) => {
  let own: TestPrimaries;

  beforeAll(async () => {
    own = await startPrimaries(3);
  });
  afterAll(() => own.close());

  for (const [way, forgets] of ways) {
    test.sequential(`that ${way} is readmitted, and nothing promised breaks`, async ({ expect }) => {
      const [first, second, third] = own.all as [TestPrimary, TestPrimary, TestPrimary];
      const prefix = ownPrefix();
      await using instance = await startInstance(own.urls, { prefix });
      await using other = await startInstance(own.urls, { prefix });
      await instance.call("PUT", "/v1/services/s/members/a", { address: "a:1", ttlMs: 60_000 });
      // Names that a cut file still has, and names that it lost.
      const earlier = new Map<string, number>();
      for (let i = 0; i < 20; i++) earlier.set(`used-${i}`, await tokenOf(instance, `used-${i}`, 200));
      // Held by a majority that needs the one that will forget.
      await first.pause();
      const held = await acquire(instance, "held", 1_000);
      const heldUntil = performance.now() + 1_000;
      await first.resume();
      expect(held.status).toBe(200);
      const before = (await allTakePart(instance)).configurationVersion ?? 0;

      await forgets(second, first);
      const after = await allTakePart(instance, before);
      expect((await allTakePart(other, before)).configurationVersion).toBe(after.configurationVersion);
      const granted = await acquireAtLast(other, "held");
      expect(performance.now(), "granted again before it ended").toBeGreaterThan(heldUntil - 50);
      expect(granted.fencingToken).toBeGreaterThan(held.fencingToken);
      // Without the third one, what the first missed has to be on the readmitted one.
      await third.pause();
      try {
        for (const [name, token] of earlier) expect(await tokenOf(other, name, 200)).toBeGreaterThan(token);
        expect(await isListed(other, "s", "a")).toBe(true);
      } finally {
        await third.resume();
      }
    });
  }
});

describe.concurrent("a primary that is killed in the middle of its own readmission", SLOW, () => {
  test("is readmitted when it is back, with or without what it had got", async ({ expect }) => {
    await using own = await startPrimaries(3);
    const third = own.all[2] as TestPrimary;
    const gate = new Gate(isCopyOfCounters);
    await using instance = await startInstance(own.urls, { world: gate });
    let last = 0;
    const starts = [() => third.start(), () => third.startEmpty(), () => third.startCut(0.3)];
    for (const [round, start] of starts.entries()) {
      last = await tokenOf(instance, "used", 200);
      const before = (await shown(instance)).configurationVersion ?? 0;
      gate.shut();
      await forget(third, instance.prefix);
      await noticed(instance);
      await until(() => gate.waiting > 0, "it is about to be copied to");
      expect(await storedField(third, instance.prefix, "stage")).toBe("copying");
      await third.kill();
      gate.open();
      expect(await tokenOf(instance, "used", 200), "the others go on").toBeGreaterThan(last);
      await start();
      await allTakePart(instance, before + 1);
      const counter = await command(third, "HGET", `${instance.prefix}counters`, "lock/used");
      expect(Number(counter), `round ${round}: it has what the others have`).toBeGreaterThan(last);
    }
  });
});

describe.concurrent("a readmission", SLOW, () => {
  test("that its instance leaves after any step is ended by another, and nothing promised breaks", async ({
    expect,
  }) => {
    const died = await Promise.all(
      Array.from({ length: 24 }, async (_, steps) => {
        const prefix = ownPrefix();
        const dying = new Dying();
        await using first = await startInstance(primaries.urls, { prefix, world: dying });
        await first.call("PUT", "/v1/services/s/members/a", { address: "a:1", ttlMs: 60_000 });
        const used = await tokenOf(first, "used", 200);
        const held = await acquire(first, "held", 1_000);
        const heldUntil = performance.now() + 1_000;
        await forget(at(steps % 3), prefix);
        dying.dieAfter(steps + 1);
        await noticed(first);
        await until(
          async () => dying.dead || isReadmitted(await shown(first)),
          "the readmission ends, or its instance",
        );
        await using second = await startInstance(primaries.urls, { prefix });
        const after = `after step ${steps + 1}`;
        expect(await tokenOf(second, "used", 200), after).toBeGreaterThan(used);
        expect(await isListed(second, "s", "a"), after).toBe(true);
        expect(await command(at(steps % 3), "EXISTS", `${prefix}member/s/a`), after).toBe(1);
        const granted = await acquireAtLast(second, "held");
        expect(performance.now(), after).toBeGreaterThan(heldUntil - 50);
        expect(granted.fencingToken, after).toBeGreaterThan(held.fencingToken);
        return dying.dead;
      }),
    );
    expect(died.filter(Boolean).length, "steps that there are").toBeGreaterThan(8);
    expect(died, "all steps were tried").toContain(false);
  });

  test("by several instances at once does no harm", async ({ expect }) => {
    const prefix = ownPrefix();
    const instances = await Promise.all(
      Array.from({ length: 5 }, () => startInstance(primaries.urls, { prefix })),
    );
    const [first, ...others] = instances as [Instance, ...Instance[]];
    const used = new Map<string, number>();
    for (let i = 0; i < 50; i++) used.set(`n${i}`, await tokenOf(first, `n${i}`, 200));
    for (let round = 1; round <= 3; round++) {
      await forget(at(round % 3), prefix);
      await Promise.all(instances.map(noticed));
      const versions = await Promise.all(
        instances.map(async (one) => (await allTakePart(one, round)).configurationVersion),
      );
      expect(new Set(versions).size).toBe(1);
      const stored = await Promise.all(primaries.all.map((one) => storedField(one, prefix, "configuration")));
      expect(new Set(stored).size).toBe(1);
    }
    for (const [name, token] of used)
      expect(await tokenOf(others[0] as Instance, name)).toBeGreaterThan(token);
    for (const instance of instances) await instance[Symbol.asyncDispose]();
  });

  test("that is stuck in one instance is ended by another", async ({ expect }) => {
    const prefix = ownPrefix();
    const gate = new Gate(isCopyOfCounters);
    await using stuck = await startInstance(primaries.urls, { prefix, world: gate });
    const used = await tokenOf(stuck, "used", 200);
    gate.shut();
    await forget(at(2), prefix);
    await noticed(stuck);
    await until(() => gate.waiting > 0, "it is about to copy");
    expect(await storedField(at(2), prefix, "stage")).toBe("copying");
    await using other = await startInstance(primaries.urls, { prefix });
    await allTakePart(other, 1);
    const after = await tokenOf(other, "used", 200);
    expect(after).toBeGreaterThan(used);
    // What the first one does late is refused.
    gate.open();
    await allTakePart(stuck, 1);
    expect(await tokenOf(stuck, "used", 200)).toBeGreaterThan(after);
  });

  // Found by the model ("a primary is known by its process"): what was sent to the empty primary must not fit the next.
  test("that another has ended does not mark the primary late, when it has forgotten again", async () => {
    const prefix = ownPrefix();
    const gate = new Gate(isMark);
    await using late = await startInstance(primaries.urls, { prefix, world: gate });
    await tokenOf(late, "used", 200);
    gate.shut();
    await forget(at(2), prefix);
    await noticed(late);
    await until(() => gate.waiting > 0, "it is about to mark the empty primary");
    const other = await startInstance(primaries.urls, { prefix });
    await allTakePart(other, 1);
    await other[Symbol.asyncDispose]();
    await forget(at(2), prefix);
    gate.open();
    await allTakePart(late, 2);
  });

  test("beside which the counters are rotated away brings the floor that they have become", async ({
    expect,
  }) => {
    const prefix = ownPrefix();
    const admissions: number[] = [];
    const gate = new Gate((name, sha1, ...rest) => {
      if (sha1 === SCRIPTS.admit.sha1) admissions.push(Number(rest.at(-2)));
      return isCopyOfCounters(name, sha1);
    });
    await using instance = await startInstance(primaries.urls, { prefix, world: gate });
    admissions.length = 0;
    const floor = Number(await storedField(at(0), prefix, "floor"));
    for (const one of [at(0), at(1)]) await command(one, "EVAL", FILL, 1, `${prefix}counters`, floor);
    gate.shut();
    await forget(at(2), prefix);
    await noticed(instance);
    await until(() => gate.waiting > 0, "the first counters are about to be copied");
    for (const one of [at(0), at(1), at(0), at(1)]) await rotate(one, prefix);
    gate.open();
    await allTakePart(instance, 1);
    // Not what is stored: the others level it a moment later.
    expect(admissions).toHaveLength(1);
    expect(admissions[0]).toBeGreaterThanOrEqual(floor + 5_000);
  });

  test("whose instance stops in the middle is ended by one that comes later", async ({ expect }) => {
    const prefix = ownPrefix();
    const gate = new Gate(isCopyOfCounters);
    const stopping = await startInstance(primaries.urls, { prefix, world: gate });
    const used = await tokenOf(stopping, "used", 200);
    gate.shut();
    await forget(at(2), prefix);
    await noticed(stopping);
    await until(() => gate.waiting > 0, "it is about to copy");
    await stopping[Symbol.asyncDispose]();
    gate.open();
    await sleep(50);
    expect(await storedField(at(2), prefix, "stage"), "it did stop").toBe("copying");
    await using later = await startInstance(primaries.urls, { prefix });
    expect((await shown(later)).configurationVersion).toBe(2);
    expect(await tokenOf(later, "used", 200)).toBeGreaterThan(used);
  });

  test("of one primary and then of another keeps everything, though no primary was there all the time", async ({
    expect,
  }) => {
    await using instance = await startInstance(primaries.urls);
    const { prefix } = instance;
    await instance.call("PUT", "/v1/services/s/members/a", { address: "a:1", ttlMs: 60_000 });
    const used = await tokenOf(instance, "used");
    const held = await acquire(instance, "held", 1_000);
    const heldUntil = performance.now() + 1_000;
    for (const [round, place] of [0, 1, 2, 0].entries()) {
      await forget(at(place), prefix);
      await noticed(instance);
      await allTakePart(instance, round + 1);
    }
    expect(await isListed(instance, "s", "a")).toBe(true);
    const { leaseId, fencingToken } = held;
    const renewal = { leaseId, fencingToken, ttlMs: 1_000 };
    const { status } = await instance.call("POST", "/v1/locks/held/renew", renewal);
    expect(status, "a majority forgot that it is held").toBe(410);
    const granted = await acquireAtLast(instance, "held");
    expect(performance.now()).toBeGreaterThan(heldUntil - 50);
    expect(granted.fencingToken).toBeGreaterThan(held.fencingToken);
    expect(await tokenOf(instance, "used")).toBeGreaterThan(used);
  });

  test("of one after the other keeps why a lease was ended", async ({ expect }) => {
    await using instance = await startInstance(primaries.urls);
    const broken = await acquire(instance, "broken");
    await instance.service.locks.break("broken", "it hung");
    const leaseId = "chosen-by-the-caller-itself";
    await instance.call("POST", "/v1/locks/released/acquire", { ttlMs: 10_000, leaseId });
    await release(instance, "released", leaseId);
    for (const [round, place] of [0, 1, 2].entries()) {
      await forget(at(place), instance.prefix);
      await noticed(instance);
      await allTakePart(instance, round + 1);
    }
    const renewed = async (name: string, leaseId: string, fencingToken: number) =>
      (await instance.call("POST", `/v1/locks/${name}/renew`, { leaseId, fencingToken, ttlMs: 10_000 })).body;
    expect(await renewed("broken", broken.leaseId, broken.fencingToken)).toMatchObject({
      lost: { why: "broken", reason: "it hung" },
    });
    expect(await renewed("released", leaseId, 1)).toMatchObject({ lost: { why: "released" } });
  });

  test("brings all counters, members and tombstones that the others have", async ({ expect }) => {
    await using instance = await startInstance(primaries.urls);
    const { prefix } = instance;
    const floor = Number(await storedField(at(0), prefix, "floor"));
    for (const one of [at(0), at(1)]) await command(one, "EVAL", FILL, 1, `${prefix}counters`, floor);
    for (let i = 0; i < 30; i++) {
      await instance.call("PUT", `/v1/services/s${i % 7}/members/m${i}`, { address: "a:1", ttlMs: 60_000 });
    }
    const ttlMs = 1_000;
    await instance.call("PUT", "/v1/services/ended/members/last", { address: "a:1", ttlMs });
    const left = ["s0/m0", "ended/last"];
    for (const [service, id] of left.map((each) => each.split("/"))) {
      await instance.call("DELETE", `/v1/services/${service}/members/${id}`);
    }
    const leaseId = "chosen-by-the-caller-itself";
    await instance.call("POST", "/v1/locks/once/acquire", { ttlMs: 10_000, leaseId });
    await release(instance, "once", leaseId);
    // Until nothing but the tombstone tells of its service.
    await sleep(ttlMs);

    await forget(at(2), prefix);
    await noticed(instance);
    await allTakePart(instance, 1);
    const counters = await Promise.all(
      primaries.all.map(async (one) => {
        const flat = (await command(one, "HGETALL", `${prefix}counters`)) as string[];
        return Object.fromEntries(flat.flatMap((field, i) => (i % 2 === 0 ? [[field, flat[i + 1]]] : [])));
      }),
    );
    expect(Object.keys(counters[2] ?? {}).length).toBeGreaterThan(5_000);
    expect(counters[2]).toEqual(counters[0]);
    for (let i = 1; i < 30; i++) {
      expect(await command(at(2), "HGET", `${prefix}member/s${i % 7}/m${i}`, "left"), `member ${i}`).toBe(
        "0",
      );
    }
    for (const member of left) {
      expect(await command(at(2), "HGET", `${prefix}member/${member}`, "left"), member).toBe("1");
    }
    expect(await command(at(2), "EXISTS", `${prefix}gone/${leaseId}`)).toBe(1);
    const { incarnation } = new Keys(prefix);
    const announced = await Promise.all(primaries.all.map((one) => command(one, "GET", incarnation)));
    expect(Number(announced[2])).toBeGreaterThan(0);
    expect(announced[2]).toBe(announced.toSorted()[2]);
  });
});
