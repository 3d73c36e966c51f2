import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, type TestContext, test } from "vitest";
import { SCRIPTS } from "../../src/scripts/scripts.js";
import {
  acquire,
  acquireAtLast,
  allTakePart,
  caughtUp,
  command,
  forget,
  noticed,
  shown,
  storedField,
  tokenOf,
  untilShown,
} from "../helpers/deployment.js";
import { Dying } from "../helpers/dying.js";
import { Gate } from "../helpers/gate.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { type Instance, ownPrefix, startInstance, until } from "../helpers/service.js";

// What happens when a majority of the primaries, or all, restarted or forgot together.

// Everything here is waited for with a limit of its own; this one is for machines that do many things at once.
const SLOW = { timeout: 60_000 };

let shared: TestPrimaries;

beforeAll(async () => {
  shared = await startPrimaries(3);
});
afterAll(() => shared.close());

const at = (place: number): TestPrimary => shared.all[place] as TestPrimary;
const TTL_MAX_MS = 2_000;
const env = { QUORATE_TTL_MAX_MS: String(TTL_MAX_MS) };

/** All at once, as by a power cut. */
async function all(
  primaries: Pick<TestPrimaries, "all">,
  does: (primary: TestPrimary) => Promise<unknown>,
): Promise<void> {
  await Promise.all(primaries.all.map(does));
}

interface Held {
  readonly token: number;
  readonly untilMs: number;
}

async function hold(instance: Instance, ttlMs = TTL_MAX_MS): Promise<Held> {
  const { fencingToken } = await acquireAtLast(instance, "held", ttlMs);
  return { token: fencingToken, untilMs: performance.now() + ttlMs };
}

/** Waits for the next grant, which must come after the end of the last and with a higher token. */
async function expectSuccession(
  { expect }: TestContext,
  instance: Instance,
  held: Held,
  when = "",
): Promise<void> {
  const next = await acquireAtLast(instance, "held", 1_000);
  expect(performance.now(), `granted before the lease of before had ended ${when}`).toBeGreaterThan(
    held.untilMs - 50,
  );
  expect(next.fencingToken, when).toBeGreaterThan(held.token);
}

async function register(instance: Instance, ttlMs = TTL_MAX_MS): Promise<void> {
  const member = { address: "a:1", ttlMs };
  const { status, body } = await instance.call("PUT", "/v1/services/s/members/a", member);
  if (status !== 201) throw new Error(JSON.stringify(body));
}

/** As soon as a majority can tell: a cold start may still be under way. */
async function membersAtLast(instance: Instance): Promise<string[]> {
  for (;;) {
    const { status, body } = await instance.call("GET", "/v1/services/s/members");
    if (status === 200) return body.members.map((member: { id: string }) => member.id);
    if (status !== 503) throw new Error(JSON.stringify(body));
    await sleep(20);
  }
}

describe.concurrent("a cold start", SLOW, () => {
  let primaries: TestPrimaries;

  beforeAll(async () => {
    primaries = await startPrimaries(3);
  });
  afterAll(() => primaries.close());

  test.sequential("with two thirds of their data each: tokens go on above those that were forgotten", async ({
    expect,
  }) => {
    await using instance = await startInstance(primaries.urls, { env });
    // Most of the file is about one name, so that the end of it is what is cut off.
    let last = 0;
    for (let i = 0; i < 60; i++) last = await tokenOf(instance, "used", 200);
    await all(primaries, (primary) => primary.startCut(0.3));
    await allTakePart(instance, 1);
    for (const primary of primaries.all) {
      const kept = await command(primary, "HGET", `${instance.prefix}counters`, "lock/used");
      expect(Number(kept), "the cut had an effect").toBeLessThan(last);
      expect(Number(kept), "and left something").toBeGreaterThan(0);
    }
    expect(await tokenOf(instance, "used", 200)).toBeGreaterThan(last);
  });

  test.sequential("with their data: leases are known, members as well, tokens go on", async (context) => {
    const { expect } = context;
    await using instance = await startInstance(primaries.urls);
    await register(instance, 60_000);
    const held = await hold(instance);
    await all(primaries, (primary) => primary.kill());
    expect((await acquire(instance, "held")).status).toBe(503);
    await all(primaries, (primary) => primary.start());
    expect((await allTakePart(instance, 1)).configurationVersion).toBe(2);
    // Longest to live was one of 2 s, not the 10 minutes that are allowed.
    for (const { quarantineMs } of (await shown(instance)).primaries)
      expect(quarantineMs).toBeLessThan(3_100);
    expect(await membersAtLast(instance)).toEqual(["a"]);
    await expectSuccession(context, instance, held);
  });

  test.sequential("without their data: nobody is granted anything for the longest time to live, tokens go on", async (context) => {
    const { expect } = context;
    await using instance = await startInstance(primaries.urls, { env });
    const held = await hold(instance);
    await all(primaries, (primary) => primary.startEmpty());
    await allTakePart(instance);
    const refused = await acquire(instance, "other", 1_000);
    expect(refused).toMatchObject({ status: 503, code: "no_quorum" });
    await expectSuccession(context, instance, held);
  });

  test.sequential("waits for the last one, and answers nothing before", async ({ expect }) => {
    await using instance = await startInstance(primaries.urls);
    const last = await tokenOf(instance, "used", 200);
    await all(primaries, (primary) => primary.kill());
    await Promise.all(primaries.all.slice(1).map((primary) => primary.start()));
    const { primaries: seen } = await untilShown(
      instance,
      (now) => now.primaries.filter(({ state }) => state === "readmitting").length === 2,
      "two wait",
    );
    expect(seen[0]?.state).toBe("down");
    expect(seen[1]?.reason).toBe("waits for more primaries to begin anew with");
    expect((await acquire(instance, "used")).status).toBe(503);
    // A new server under the old address will do: what it had is on the others, or gone.
    await primaries.all[0]?.startEmpty();
    await allTakePart(instance, 1);
    expect(await tokenOf(instance, "used", 200)).toBeGreaterThan(last);
  });
});

describe.concurrent("a cold start of which many know", SLOW, () => {
  test("is told once, with what it means", async ({ expect }) => {
    const prefix = ownPrefix();
    await using instance = await startInstance(shared.urls, {
      prefix,
      env: { ...env, QUORATE_LOG_LEVEL: "warn" },
    });
    await all(shared, (primary) => forget(primary, prefix));
    await caughtUp(instance);
    await allTakePart(instance);
    const warnings = instance.logged.filter((line) => line.includes("what their disks had not kept is gone"));
    expect(warnings).toHaveLength(1);
    expect(JSON.parse(warnings[0] as string)).toMatchObject({ level: "warn", coldQuarantine: TTL_MAX_MS });
  });

  test("is told by an instance that knew more than the one that began anew", async () => {
    const prefix = ownPrefix();
    const gate = new Gate();
    await using knowing = await startInstance(shared.urls, {
      prefix,
      env: { QUORATE_LOG_LEVEL: "warn", QUORATE_COMMAND_TIMEOUT_MS: "5000" },
      world: gate,
    });
    gate.shut();
    await all(shared, (primary) => forget(primary, prefix));
    await using _unknowing = await startInstance(shared.urls, { prefix });
    gate.open();
    await until(
      () => knowing.logged.some((line) => line.includes("leases from before are not waited for")),
      "it has seen that",
    );
  });

  test("takes as long as it takes, for which no request waits", async ({ expect }) => {
    const prefix = ownPrefix();
    const gate = new Gate((_command, sha1) => sha1 === SCRIPTS["announce-incarnation"].sha1);
    await using instance = await startInstance(shared.urls, {
      prefix,
      env: { ...env, QUORATE_COMMAND_TIMEOUT_MS: "5000" },
      world: gate,
    });
    gate.shut();
    await all({ all: [at(0), at(1)] }, (primary) => forget(primary, prefix));
    // The gate is still shut when it is answered.
    const answer = await acquire(instance, "used", 1_000);
    expect(answer).toMatchObject({ status: 503, code: "no_quorum" });
    await until(() => gate.waiting > 0, "it is copied to those that forgot");
    gate.open();
    await allTakePart(instance, 1);
  });
});

describe.concurrent("a majority that forgot", SLOW, () => {
  test.for([
    ["two of three, in the first configuration", 0, [0, 1]],
    ["two of three, in a later one", 1, [1, 2]],
    ["all three", 0, [0, 1, 2]],
  ] as const)(
    "%s: nobody is granted anything for the longest time to live, tokens go on",
    async ([_which, readmissions, places], context) => {
      const { expect } = context;
      const prefix = ownPrefix();
      await using instance = await startInstance(shared.urls, { prefix, env });
      await using other = await startInstance(shared.urls, { prefix, env });
      for (let i = 0; i < readmissions; i++) {
        await forget(at(0), prefix);
        await noticed(instance);
        await allTakePart(instance, i + 1);
      }
      const held = await hold(instance);
      const registeredMs = performance.now();
      await register(instance);
      const forgotMs = performance.now();
      await Promise.all(places.map((place) => forget(at(place), prefix)));
      await Promise.all([caughtUp(instance), caughtUp(other)]);
      await allTakePart(instance);
      await allTakePart(other);
      const refused = await acquire(other, "other", 1_000);
      // On a slow machine it may be over by now.
      if (performance.now() < forgotMs + TTL_MAX_MS)
        expect(refused).toMatchObject({ status: 503, code: "no_quorum" });
      // What one has kept, all have; but on a slow machine it has expired by now.
      const members = await membersAtLast(other);
      if (performance.now() < registeredMs + TTL_MAX_MS)
        expect(members).toEqual(places.length === 2 ? ["a"] : []);
      const stored = await Promise.all(shared.all.map((one) => storedField(one, prefix, "configuration")));
      expect(new Set(stored).size).toBe(1);
      await expectSuccession(context, other, held);
    },
  );

  test("together with all instances of the service: nobody knows what to wait for, but tokens go on", async ({
    expect,
  }) => {
    const prefix = ownPrefix();
    let last = 0;
    {
      await using instance = await startInstance(shared.urls, { prefix, env });
      last = await tokenOf(instance, "used");
    }
    await all(shared, (primary) => forget(primary, prefix));
    await using instance = await startInstance(shared.urls, { prefix, env });
    const next = await acquire(instance, "used", 1_000);
    expect(next.status).toBe(200);
    expect(next.fencingToken).toBeGreaterThan(last);
  });

  test("again and again within a second: tokens go on each time", async ({ expect }) => {
    const prefix = ownPrefix();
    let last = 0;
    for (let round = 0; round < 4; round++) {
      {
        // Closed before they forget: it would know how long leases of before last, and have all wait for that.
        await using instance = await startInstance(shared.urls, { prefix });
        const next = await acquire(instance, "used", 1_000);
        expect(next.status).toBe(200);
        expect(next.fencingToken).toBeGreaterThan(last);
        last = next.fencingToken;
      }
      await all(shared, (primary) => forget(primary, prefix));
    }
  });
});

describe.concurrent("a cold start that is left after any step", SLOW, () => {
  test("is ended by another instance, though one more primary forgets in between", async (context) => {
    const { expect } = context;
    const died = await Promise.all(
      Array.from({ length: 28 }, async (_, steps) => {
        const prefix = ownPrefix();
        const dying = new Dying();
        await using first = await startInstance(shared.urls, { prefix, env, world: dying });
        const held = await hold(first);
        await forget(at(0), prefix);
        await forget(at(1), prefix);
        dying.dieAfter(steps + 1);
        await noticed(first);
        await until(
          async () =>
            dying.dead || (await shown(first)).primaries.every(({ state }) => state === "quarantined"),
          "the cold start ends, or its instance",
        );
        if (steps % 3 < 2) await forget(at(steps % 3), prefix);

        const when = `after step ${steps + 1}`;
        await using second = await startInstance(shared.urls, { prefix, env });
        await expectSuccession(context, second, held, when);
        return dying.dead;
      }),
    );
    expect(died.filter(Boolean).length, "steps that there are").toBeGreaterThan(8);
    expect(died, "all steps were tried").toContain(false);
  });
});
