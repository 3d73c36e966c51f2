import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rotateCounters } from "../../src/scripts/configuration-calls.js";
import { Keys } from "../../src/scripts/keys.js";
import { SCRIPTS } from "../../src/scripts/scripts.js";
import {
  type Acquired,
  acquire,
  acquireAtLast,
  allTakePart,
  command,
  forget,
  noticed,
  shown,
  storedField,
  untilShown,
} from "../helpers/deployment.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { type Instance, startInstance, until } from "../helpers/service.js";

// What a holder, and whoever asks for a lease, is told after a majority of the primaries restarted or forgot.

let primaries: TestPrimaries;

beforeAll(async () => {
  primaries = await startPrimaries(3);
});
afterAll(() => primaries.close());

const at = (place: number): TestPrimary => primaries.all[place] as TestPrimary;
const env = { QUORATE_TTL_MAX_MS: "20000" };

/** What a renewal of the lock `held` is told of why it is lost. */
async function whyLost(instance: Instance, { leaseId, fencingToken }: Acquired, token = fencingToken) {
  const renewal = { leaseId, fencingToken: token, ttlMs: 5_000 };
  const { status, body } = await instance.call("POST", "/v1/locks/held/renew", renewal);
  expect([status, body.code]).toEqual([410, "lease_lost"]);
  return body;
}

/** As long as leases may have been forgotten, nobody is granted any: an operator who knows better ends that. */
async function endQuarantine(instance: Instance): Promise<void> {
  for (const primary of primaries.all)
    await command(primary, "HSET", `${instance.prefix}configuration`, "quarantine_until", "0");
  await untilShown(instance, (now) => now.primaries.every(({ state }) => state === "up"), "it has ended");
}

const CAUSES: [what: string, cause: (instance: Instance) => Promise<void>][] = [
  [
    "two of three forgot",
    async ({ prefix }) => {
      await Promise.all([0, 1].map((place) => forget(at(place), prefix)));
    },
  ],
  [
    "two of three restarted, with all their data",
    async () => {
      for (const place of [0, 1]) await at(place).stop();
      for (const place of [0, 1]) await at(place).start();
    },
  ],
  [
    "all were killed, and came back with all their data",
    async () => {
      await Promise.all(primaries.all.map((primary) => primary.kill()));
      await Promise.all(primaries.all.map((primary) => primary.start()));
    },
  ],
];

describe.each(CAUSES)("after %s", (_what, cause) => {
  test("a holder is told that they restarted, and nothing of another; who has it since is told of, too", async () => {
    await using instance = await startInstance(primaries.urls, { env });
    const held = await acquire(instance, "held", 15_000);
    await cause(instance);
    await noticed(instance);
    await allTakePart(instance, 1);

    const lost = await whyLost(instance, held);
    expect(lost.lost).toEqual({ why: "restarted" });
    expect(lost.detail).toMatch(/^A majority of the primaries restarted since this lease was granted/);
    expect((await whyLost(instance, held)).lost, "told again").toEqual({ why: "restarted" });

    const ready = (await instance.call("GET", "/readyz")).body;
    expect(ready).toMatchObject({ status: "ready", quorum: true, reason: null });
    expect(ready.grantsInMs).toBeGreaterThan(5_000);
    expect(ready.grantsInMs).toBeLessThan(21_500);
    const now = await shown(instance);
    expect(now.grantsInMs).toBeGreaterThan(5_000);
    expect(now.grantsInMs).toBeLessThanOrEqual(ready.grantsInMs);
    const refused = await instance.call("POST", "/v1/locks/other/acquire", { ttlMs: 1_000 });
    expect([refused.status, refused.body.code]).toEqual([503, "no_quorum"]);
    expect(refused.body.detail).toMatch(
      /^[23] primaries restarted, and grant no new lease until those that they may have forgotten have ended\. /,
    );
    expect(refused.body.retryAfterMs).toBeLessThanOrEqual(ready.grantsInMs);

    await endQuarantine(instance);
    expect((await instance.call("GET", "/readyz")).body.grantsInMs).toBe(0);
    const next = await acquire(instance, "held");
    expect(next.status).toBe(200);
    expect((await whyLost(instance, held)).lost).toEqual({ why: "taken", newest: next.fencingToken });
  });
});

test("a primary alone that forgets costs no lease, and does not keep new ones waiting", async () => {
  await using instance = await startInstance(primaries.urls, { env });
  const { leaseId, fencingToken } = await acquire(instance, "held", 15_000);
  await forget(at(1), instance.prefix);
  await noticed(instance);
  await untilShown(instance, (now) => now.primaries[1]?.state === "quarantined", "it is readmitted");
  const renewal = { leaseId, fencingToken, ttlMs: 15_000 };
  expect((await instance.call("POST", "/v1/locks/held/renew", renewal)).status).toBe(200);
  expect((await instance.call("GET", "/readyz")).body.grantsInMs).toBe(0);
});

test("while no majority is there, nobody knows when leases are granted again", async () => {
  await using instance = await startInstance(["redis://127.0.0.1:1"], { up: 0 });
  expect((await instance.call("GET", "/readyz")).body).toEqual({
    status: "ready",
    quorum: false,
    reason: "0 of 1 primaries take part now; 1 are needed.",
    grantsInMs: null,
  });
  expect((await shown(instance)).grantsInMs).toBeNull();
});

describe("where the counter of a name was forgotten with age, and nobody restarted", () => {
  /** Rotates the counters of all primaries twice: those of names that were not used are gone. */
  async function forgetWithAge({ prefix }: Instance): Promise<void> {
    const { keys, args } = rotateCounters(new Keys(prefix), 0);
    const { text } = SCRIPTS["rotate-counters"];
    for (const primary of [...primaries.all, ...primaries.all]) {
      const stamp = (await storedField(primary, prefix, "stamp")) ?? "";
      await command(
        primary,
        "EVAL",
        text,
        keys.length + 1,
        `${prefix}configuration`,
        ...keys,
        stamp,
        ...args,
      );
    }
  }

  test("a lease that is renewed all along is renewed still", async () => {
    await using instance = await startInstance(primaries.urls, { env });
    const { leaseId, fencingToken } = await acquire(instance, "held", 15_000);
    await forgetWithAge(instance);
    const renewal = { leaseId, fencingToken, ttlMs: 15_000 };
    expect((await instance.call("POST", "/v1/locks/held/renew", renewal)).status).toBe(200);
  });

  test("one that ended says no more than that, until another has it", async () => {
    await using instance = await startInstance(primaries.urls, { env });
    const held = await acquire(instance, "held", 200);
    const isFree = async () => (await instance.call("GET", "/v1/locks/held")).body.holders.length === 0;
    await until(isFree, "it has ended");
    await forgetWithAge(instance);
    expect(Number(await storedField(at(0), instance.prefix, "floor"))).toBeGreaterThan(held.fencingToken);
    expect((await whyLost(instance, held)).lost).toEqual({ why: "expired" });
    const next = await acquireAtLast(instance, "held");
    expect((await whyLost(instance, held)).lost).toEqual({ why: "taken", newest: next.fencingToken });
  });
});
