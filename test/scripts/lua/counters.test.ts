import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock, systemRandom } from "../../../src/clock.js";
import { readConfig } from "../../../src/config.js";
import { systemIds } from "../../../src/ids.js";
import { connectByIoredis } from "../../../src/redis/connection.js";
import { rotateCounters } from "../../../src/scripts/configuration-calls.js";
import { Keys } from "../../../src/scripts/keys.js";
import { acquireLease, raiseCounters } from "../../../src/scripts/lease-calls.js";
import { SCRIPTS } from "../../../src/scripts/scripts.js";
import { createCore } from "../../../src/service.js";
import {
  acquire,
  allTakePart,
  command,
  forget,
  release,
  storedField,
  tokenOf,
} from "../../helpers/deployment.js";
import { lease, TERMS } from "../../helpers/one-server.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../../helpers/primaries.js";
import { chosenId, type Instance, ownPrefix, PATIENT, startInstance, until } from "../../helpers/service.js";
import { send } from "../../helpers/wire.js";

let primaries: TestPrimaries;

beforeAll(async () => {
  primaries = await startPrimaries(3);
});
afterAll(() => primaries.close());

const at = (place: number): TestPrimary => primaries.all[place] as TestPrimary;
const STEP = 2 ** 20;
const TWO_TO_53 = 2 ** 53;
/** The token of the first writer above a counter. */
const writerAbove = (counter: number) => counter + 2 - (counter % 2);

/** Runs one script on one primary, with the stamp that it stores. */
async function run(
  primary: TestPrimary,
  prefix: string,
  name: keyof typeof SCRIPTS,
  call: { keys: readonly string[]; args: readonly (string | number)[] },
): Promise<unknown> {
  const stamp = (await storedField(primary, prefix, "stamp")) ?? "";
  const { text } = SCRIPTS[name];
  return command(
    primary,
    "EVAL",
    text,
    call.keys.length + 1,
    `${prefix}configuration`,
    ...call.keys,
    stamp,
    ...call.args,
  );
}

/** Rotates all primaries now, whatever the age of their generations. */
async function rotate({ prefix }: Instance, all = primaries.all): Promise<void> {
  for (const one of all) {
    expect(await run(one, prefix, "rotate-counters", rotateCounters(new Keys(prefix), 0))).toEqual([1]);
  }
}

/** Number of counters in both generations of one primary; `max` is none. */
async function countersOn(primary: TestPrimary, prefix: string): Promise<number> {
  let count = 0;
  for (const key of [`${prefix}counters`, `${prefix}counters/older`]) {
    const fields = Number(await command(primary, "HLEN", key));
    count += Math.max(0, fields - 1);
  }
  return count;
}

const floorOf = async (primary: TestPrimary, { prefix }: Instance) =>
  Number(await storedField(primary, prefix, "floor"));

describe("the counters of names", () => {
  test("nearly a million names used once leave nothing behind after two rotations", async () => {
    // Rotation concerns each primary by itself, so one will do; its file would only take time.
    await using alone = await startPrimaries(1, { args: ["--appendonly", "no"] });
    await using instance = await startInstance(alone.urls);
    const { prefix } = instance;
    const [primary] = alone.all as [TestPrimary];
    const before = await tokenOf(instance, "before", 200);
    // What a grant and its release write, a thousand at a time. With a million they would be rotated by themselves.
    const grants = `
      local counter = ARGV[1]
      for i = 0, 998 do
        local names = {}
        for j = 1, 1000 do names[2 * j - 1], names[2 * j] = 'lock/' .. (i * 1000 + j), counter end
        redis.call('HSET', KEYS[1], unpack(names))
      end`;
    const counter = String(writerAbove(await floorOf(primary, instance)) + 1);
    await command(primary, "EVAL", grants, 1, `${prefix}counters`, counter);
    const bytesUsed = async () =>
      Number(/used_memory:(\d+)/.exec(String(await command(primary, "INFO", "memory")))?.[1]);
    const bytes = await bytesUsed();
    expect(await countersOn(primary, prefix)).toBeGreaterThan(998_000);

    await rotate(instance, alone.all);
    expect(await countersOn(primary, prefix), "they are in the older generation").toBeGreaterThan(998_000);
    expect(await tokenOf(instance, "777777", 200), "and still count").toBeGreaterThan(before);
    await rotate(instance, alone.all);
    expect(await countersOn(primary, prefix), "but for the one that was used again").toBe(1);
    await until(async () => (await bytesUsed()) < bytes - 50_000_000, "the memory is given back");
  }, 60_000);

  test("of names in use outlive one rotation, and are forgotten after two without use", async () => {
    await using instance = await startInstance(primaries.urls);
    await tokenOf(instance, "often", 200);
    await tokenOf(instance, "once", 200);
    await rotate(instance);
    await tokenOf(instance, "often", 200);
    await rotate(instance);
    expect(await command(at(0), "HEXISTS", `${instance.prefix}counters/older`, "lock/often")).toBe(1);
    expect(await countersOn(at(0), instance.prefix)).toBe(1);
  });

  test("grow across rotations, whether a name is used between them or not", async () => {
    await using instance = await startInstance(primaries.urls);
    const last = new Map<string, number>();
    for (let round = 0; round < 6; round++) {
      for (const name of [
        "each",
        ...(round % 2 === 0 ? ["second"] : []),
        ...(round % 5 === 0 ? ["rare"] : []),
      ]) {
        const token = await tokenOf(instance, name, 200);
        expect(token, `${name}, round ${round}`).toBeGreaterThan(last.get(name) ?? 0);
        last.set(name, token);
      }
      await rotate(instance);
    }
  });

  test("begin above the same floor again, soon after one primary was rotated alone", async () => {
    await using instance = await startInstance(primaries.urls);
    const { prefix } = instance;
    await tokenOf(instance, "used", 200);
    const before = await floorOf(at(0), instance);
    for (let i = 0; i < 2; i++)
      await run(at(1), prefix, "rotate-counters", rotateCounters(new Keys(prefix), 0));
    expect(await floorOf(at(1), instance)).toBeGreaterThan(before);
    const floors = async () => new Set(await Promise.all(primaries.all.map((one) => floorOf(one, instance))));
    await until(async () => (await floors()).size === 1, "all have the floor of the highest");
    expect(await floorOf(at(0), instance)).toBeGreaterThan(before);
    expect(await tokenOf(instance, "new", 200)).toBe(writerAbove(await floorOf(at(0), instance)));
  });

  test("grow where only some primaries were rotated, and in any order of who answers", async () => {
    await using instance = await startInstance(primaries.urls);
    const { prefix } = instance;
    let last = 0;
    for (let round = 0; round < 12; round++) {
      await run(at(round % 3), prefix, "rotate-counters", rotateCounters(new Keys(prefix), 0));
      if (round % 2 === 0) {
        const token = await tokenOf(instance, "used", 200);
        expect(token, `round ${round}`).toBeGreaterThan(last);
        last = token;
      }
    }
  });

  test("grow across rotations, readmissions and the loss of all together", async () => {
    await using instance = await startInstance(primaries.urls, { env: { QUORATE_TTL_MAX_MS: "1000" } });
    const { prefix } = instance;
    let last = 0;
    const expectMore = async (after: string) => {
      const token = await tokenOf(instance, "used", 200);
      expect(token, after).toBeGreaterThan(last);
      last = token;
    };
    await expectMore("the start");
    await rotate(instance);
    await forget(at(0), prefix);
    await instance.call("GET", "/v1/locks/any");
    await allTakePart(instance, 1);
    await expectMore("a readmission between two rotations");
    await rotate(instance);
    await rotate(instance);
    await forget(at(1), prefix);
    await instance.call("GET", "/v1/locks/any");
    await allTakePart(instance, 2);
    await expectMore("a readmission with floors alone");
    for (const one of primaries.all) await forget(one, prefix);
    await instance.call("GET", "/v1/locks/any");
    await allTakePart(instance);
    await expectMore("the loss of all");
  });

  test("of a primary never count less than its floor", async () => {
    await using instance = await startInstance(primaries.urls);
    const { prefix } = instance;
    await tokenOf(instance, "used", 200);
    // It came back with old counters, and took over a floor from others that had forgotten theirs.
    const floor = String((await floorOf(at(0), instance)) + 5 * STEP);
    for (const one of primaries.all) await command(one, "HSET", `${prefix}configuration`, "floor", floor);
    expect(await tokenOf(instance, "used", 200)).toBe(writerAbove(Number(floor)));
  });
});

describe("a floor", () => {
  test("is above every counter that a rotation forgets, a multiple of 2^20, and the same everywhere", async () => {
    await using instance = await startInstance(primaries.urls);
    const tokens = [];
    for (let i = 0; i < 5; i++) tokens.push(await tokenOf(instance, "used", 200));
    await rotate(instance);
    await rotate(instance);
    const floors = await Promise.all(primaries.all.map((one) => floorOf(one, instance)));
    expect(new Set(floors).size).toBe(1);
    expect((floors[0] ?? 0) % STEP).toBe(0);
    expect(floors[0]).toBeGreaterThanOrEqual(Math.max(...tokens));
    expect(floors[0]).toBeLessThan(Math.max(...tokens) + STEP);
  });

  test("does not rise by rotations between which nothing was granted", async () => {
    await using instance = await startInstance(primaries.urls);
    const before = await floorOf(at(0), instance);
    for (let i = 0; i < 4; i++) await rotate(instance);
    expect(await floorOf(at(0), instance)).toBe(before);
  });

  test("lets a fresh name have its token in one round trip", async () => {
    await using instance = await startInstance(primaries.urls);
    await tokenOf(instance, "used", 200);
    await rotate(instance);
    await rotate(instance);
    const raises: string[] = [];
    for (const primary of instance.service.primaries.all) {
      const original = primary.ask.bind(primary);
      primary.ask = (call, answered) => {
        // What the instance asks in the background is none of the requests'.
        if (call.script.name !== "expire-members") raises.push(call.script.name);
        original(call, answered);
      };
    }
    for (const name of ["a", "b", "c"]) await acquire(instance, name);
    expect(raises).toEqual(Array.from({ length: 9 }, () => "acquire-lease"));
  });

  test("comes by itself when a generation is old enough", async () => {
    await using instance = await startInstance(primaries.urls, { env: { QUORATE_ROTATE_AFTER_MS: "1000" } });
    await tokenOf(instance, "once", 200);
    await until(async () => (await countersOn(at(2), instance.prefix)) === 0, "it is forgotten", 15_000);
    expect(Number(await storedField(at(2), instance.prefix, "rotations"))).toBeGreaterThanOrEqual(2);
  });

  test("does not come before", async () => {
    await using instance = await startInstance(primaries.urls);
    const { prefix } = instance;
    const notYet = rotateCounters(new Keys(prefix), 60_000);
    expect(await run(at(0), prefix, "rotate-counters", notYet)).toEqual([0]);
    expect(await storedField(at(0), prefix, "rotations")).toBeNull();
  });

  test("comes before its time where a generation has too many names, and not one name sooner", async () => {
    await using instance = await startInstance(primaries.urls);
    const { prefix } = instance;
    const due = rotateCounters(new Keys(prefix), 60_000, 0, 5);
    // The counters of four names, and `max`.
    for (const name of ["a", "b", "c"]) await tokenOf(instance, name, 200);
    await run(at(0), prefix, "rotate-counters", rotateCounters(new Keys(prefix), 0));
    for (const name of ["a", "b", "c"]) await tokenOf(instance, name, 200);
    expect(await run(at(0), prefix, "rotate-counters", due)).toEqual([0]);
    const last = await tokenOf(instance, "d", 200);
    expect(await run(at(0), prefix, "rotate-counters", due)).toEqual([1]);
    expect(await run(at(0), prefix, "rotate-counters", due), "and then not at once again").toEqual([0]);
    expect(await countersOn(at(0), prefix), "the older generation").toBe(4);
    expect(await tokenOf(instance, "d", 200)).toBeGreaterThan(last);
  });

  test("that comes before its time keeps any number of names bounded, and every token grows", async () => {
    const prefix = ownPrefix();
    const settings = { countersMax: 50 };
    await using instance = await startInstance(primaries.urls, { prefix });
    const config = readConfig({
      REDIS_URLS: primaries.urls.join(","),
      QUORATE_KEY_PREFIX: prefix,
      ...PATIENT,
    });
    const core = createCore(
      { ...config, ...settings },
      { urls: primaries.urls, embedded: false },
      {
        connect: connectByIoredis,
        clock: systemClock,
        random: systemRandom,
        ids: systemIds,
        log: { info: () => {}, warn: () => {} },
      },
      { called: () => {}, dropped: () => {}, changed: () => {} },
    );
    const tokens: number[] = [];
    let most = 0;
    for (let i = 0; i < 12; i++) {
      tokens.push(await tokenOf(instance, "used", 200));
      await Promise.all(Array.from({ length: 25 }, (_, j) => tokenOf(instance, `fresh-${i}-${j}`, 200)));
      await sleep(250);
      most = Math.max(most, await countersOn(at(1), prefix));
    }
    core.close();
    expect([...tokens].sort((a, b) => a - b)).toEqual(tokens);
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(Number(await storedField(at(1), prefix, "rotations"))).toBeGreaterThanOrEqual(2);
    // A look every second, and what comes in between: without it they are 301 in the end.
    expect(most).toBeLessThan(290);
  });

  test("comes although the server's clock was set back", async () => {
    await using instance = await startInstance(primaries.urls);
    const { prefix } = instance;
    await command(at(0), "HSET", `${prefix}configuration`, "rotated_at", String(Date.now() + 86_400_000));
    const due = rotateCounters(new Keys(prefix), 60_000);
    expect(await run(at(0), prefix, "rotate-counters", due)).toEqual([1]);
  });
});

describe("a lease that is renewed for longer than two rotations", () => {
  test("keeps its token, in every answer", async () => {
    await using instance = await startInstance(primaries.urls);
    const leaseId = chosenId();
    const asked = { ttlMs: 60_000, leaseId };
    const { body } = await instance.call("POST", "/v1/locks/long/acquire", asked);
    const { fencingToken } = body;
    for (let i = 0; i < 3; i++) {
      await rotate(instance);
      await tokenOf(instance, "other", 200);
    }
    expect((await instance.call("GET", "/v1/locks/long")).body.fencingToken, "inspected").toBe(fencingToken);
    const renewed = await instance.call("POST", "/v1/locks/long/renew", { leaseId, ttlMs: 60_000 });
    expect(renewed.body.fencingToken, "renewed without the token").toBe(fencingToken);
    const again = await instance.call("POST", "/v1/locks/long/acquire", asked);
    expect(again.body.fencingToken, "asked for once more").toBe(fencingToken);
    await release(instance, "long", leaseId);
    expect(await tokenOf(instance, "long", 200), "the next one's is above").toBeGreaterThan(fencingToken);
  });
});

describe("tokens of sixteen digits", () => {
  // The last odd and even ones before 2^53: where a digit is lost, two of them become one.
  const FLOOR = TWO_TO_53 - 3 * STEP - 7;

  async function startAt(floor: number): Promise<Instance> {
    const instance = await startInstance(primaries.urls);
    for (const one of primaries.all) {
      await command(one, "HSET", `${instance.prefix}configuration`, "floor", String(floor));
    }
    return instance;
  }

  test("are exact in the answers of every route, over HTTP", async () => {
    await using instance = await startAt(FLOOR);
    const url = await instance.url();
    const post = (path: string, body: unknown) =>
      send(url, { path, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    for (let i = 1; i <= 20; i++) {
      const mode = i % 2 === 1 ? "exclusive" : "shared";
      // A writer's is the even one above (the floor is odd); its release counts to the odd one that readers have.
      const token = FLOOR + i;
      const acquired = await post("/v1/locks/n/acquire", { ttlMs: 60_000, mode });
      expect(acquired.body.fencingToken).toBe(token);
      const { leaseId, fencingToken } = acquired.body;
      expect((await send(url, { method: "GET", path: "/v1/locks/n" })).body.fencingToken).toBe(token);
      const renewed = await post("/v1/locks/n/renew", { leaseId, fencingToken, ttlMs: 60_000 });
      expect(renewed.body.fencingToken).toBe(token);
      expect((await post("/v1/locks/n/renew", { leaseId, ttlMs: 60_000 })).body.fencingToken).toBe(token);
      expect((await post("/v1/locks/n/check", { fencingToken: token })).body).toEqual({
        current: true,
        newest: token,
      });
      await post("/v1/locks/n/release", { leaseId });
    }
  });

  test("are digits in JSON, not an exponent", async () => {
    await using instance = await startAt(FLOOR);
    const response = await fetch(`${await instance.url()}/v1/locks/n/acquire`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ttlMs: 1_000 }),
    });
    expect(await response.text()).toContain(`"fencingToken":${FLOOR + 1},`);
  });

  test("are exact where primaries disagree and a raise decides", async () => {
    await using instance = await startAt(FLOOR);
    for (const [place, ahead] of [1, 2, 3].entries()) {
      const counter = String(FLOOR + 10 * ahead);
      await command(at(place), "HSET", `${instance.prefix}counters`, "lock/n", counter, "max", counter);
    }
    const { fencingToken } = await acquire(instance, "n");
    // The first two to answer decide; whichever they are, it is one above the higher of them.
    expect([FLOOR + 21, FLOOR + 31]).toContain(fencingToken);
  });

  test("are exact in what the scripts read, write and add", async () => {
    await using instance = await startAt(FLOOR);
    const { prefix } = instance;
    const keys = new Keys(prefix);
    const attempt = { ...lease("lock/n", chosenId()), nonce: "n", attemptNumber: 1 };
    const read = (field: string) => command(at(0), "HGET", `${prefix}counters`, field);
    expect(
      await run(at(0), prefix, "acquire-lease", acquireLease(keys, attempt, { ...TERMS, ttlMs: 60_000 })),
    ).toEqual([1, String(FLOOR + 1)]);
    expect(await read("lock/n")).toBe(String(FLOOR + 1));
    expect(await read("max")).toBe(String(FLOOR + 1));
    expect(await run(at(0), prefix, "raise-counters", raiseCounters(keys, attempt, FLOOR + 5))).toEqual([
      1,
      String(FLOOR + 5),
    ]);
    expect(await read("lock/n")).toBe(String(FLOOR + 5));
    const counters = { keys: [keys.counters, keys.countersOlder], args: ["lock/m", String(FLOOR + 7)] };
    await run(at(0), prefix, "restore-counters", counters);
    expect(await read("lock/m")).toBe(String(FLOOR + 7));
    const handOver = { keys: [keys.counters, keys.countersOlder, keys.incarnation], args: [] };
    expect(((await run(at(0), prefix, "summarize-state", handOver)) as string[]).slice(0, 2)).toEqual([
      String(FLOOR),
      String(FLOOR + 7),
    ]);
    for (let i = 0; i < 2; i++) await run(at(0), prefix, "rotate-counters", rotateCounters(keys, 0));
    const floor = await storedField(at(0), prefix, "floor");
    expect(floor).toBe(String(Math.ceil((FLOOR + 7) / STEP) * STEP));
    const stamp = await storedField(at(0), prefix, "stamp");
    await run(at(0), prefix, "admit", { keys: [], args: [String(stamp), String(TWO_TO_53 - 1), 0] });
    expect(await storedField(at(0), prefix, "floor")).toBe(String(TWO_TO_53 - 1));
  });

  test("are exact after a readmission", async () => {
    await using instance = await startAt(FLOOR);
    const first = await tokenOf(instance, "n", 200);
    await forget(at(1), instance.prefix);
    await instance.call("GET", "/v1/locks/n");
    await allTakePart(instance, 1);
    for (const one of primaries.all) {
      expect(await command(one, "HGET", `${instance.prefix}counters`, "lock/n")).toBe(String(first + 1));
    }
    expect(await tokenOf(instance, "n", 200)).toBe(first + 2);
    expect(await storedField(at(1), instance.prefix, "floor")).toBe(String(FLOOR));
  });
});
