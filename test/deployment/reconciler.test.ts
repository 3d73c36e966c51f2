import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import type { Configuration } from "../../src/algorithms/configuration.js";
import { systemClock } from "../../src/clock.js";
import { acquire, allTakePart, command, forget, noticed, shown, storedField } from "../helpers/deployment.js";
import { Dying } from "../helpers/dying.js";
import { Gate } from "../helpers/gate.js";
import {
  type SharedPrimaries,
  type SharedPrimary,
  startPrimaries,
  type TestPrimary,
} from "../helpers/primaries.js";
import { type Instance, ownPrefix, startInstance, until } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";

// Everything here is waited for with a limit of its own; this one is for machines that do many things at once.
const SLOW = { timeout: 60_000 };

let primaries: SharedPrimaries;

beforeAll(async () => {
  primaries = await sharedPrimaries();
});

const at = (place: number): SharedPrimary => primaries.all[place] as SharedPrimary;
const never = new Promise<never>(() => {});

async function configurationOf(primary: SharedPrimary, prefix: string): Promise<Configuration> {
  return JSON.parse((await storedField(primary, prefix, "configuration")) ?? "null");
}

describe.concurrent("the first start", SLOW, () => {
  test("instances that race at it agree on one configuration", async ({ expect }) => {
    const prefix = ownPrefix();
    const instances = await Promise.all(
      Array.from({ length: 4 }, () => startInstance(primaries.urls, { prefix })),
    );
    const stored = await Promise.all(primaries.all.map((one) => storedField(one, prefix, "configuration")));
    expect(new Set(stored).size).toBe(1);
    for (const instance of instances) expect((await shown(instance)).configurationVersion).toBe(1);
    expect((await acquire(instances[3] as Instance, "at-once")).status, "nothing waits").toBe(200);
    for (const instance of instances) await instance[Symbol.asyncDispose]();
  });

  test("an instance that dies after any step of it is followed by one that ends it, and nothing waits", async ({
    expect,
  }) => {
    const died = await Promise.all(
      Array.from({ length: 17 }, async (_, steps) => {
        const prefix = ownPrefix();
        const dying = new Dying();
        dying.dieAfter(steps + 1);
        await using first = await startInstance(primaries.urls, { prefix, up: 0, world: dying });
        await until(
          async () => dying.dead || (await shown(first)).quorum,
          "the first start ends, or its instance",
        );
        await using second = await startInstance(primaries.urls, { prefix });
        expect((await acquire(second, "at-once")).status, `after step ${steps + 1}`).toBe(200);
        expect((await shown(second)).configurationVersion, `after step ${steps + 1}`).toBe(1);
        return dying.dead;
      }),
    );
    expect(died.filter(Boolean).length, "steps that there are").toBeGreaterThan(8);
    expect(died, "all steps were tried").toContain(false);
  });
});

describe.concurrent("a primary that forgot", SLOW, () => {
  test("is noticed at its next answer, and does not vote before it is readmitted", async ({ expect }) => {
    // It does not look by itself, so only an answer can tell it.
    const clock = { ...systemClock, sleep: (ms: number) => (ms === 1_000 ? never : systemClock.sleep(ms)) };
    await using instance = await startInstance(primaries.urls, { world: { clock } });
    await forget(at(2), instance.prefix);
    expect((await acquire(instance, "x")).status, "the others are a majority").toBe(200);
    await allTakePart(instance, 1);
  });

  test("is noticed before long where nobody asks it anything", async () => {
    await using instance = await startInstance(primaries.urls);
    await forget(at(2), instance.prefix);
    const isReadmitted = async () => (await configurationOf(at(2), instance.prefix))?.version === 2;
    await until(isReadmitted, "it is readmitted");
  });

  test("has nobody wait where no lease is outstanding", async ({ expect }) => {
    await using instance = await startInstance(primaries.urls);
    await forget(at(1), instance.prefix);
    await noticed(instance);
    const { primaries: seen } = await allTakePart(instance, 1);
    expect(seen.map(({ state, quarantineMs }) => [state, quarantineMs])).toEqual([
      ["up", 0],
      ["up", 0],
      ["up", 0],
    ]);
  });

  test("grants nothing for longer than the lease that it forgot lasts, and not much longer", async ({
    expect,
  }) => {
    await using instance = await startInstance(primaries.urls);
    await acquire(instance, "held", 6_000);
    await forget(at(0), instance.prefix);
    await noticed(instance);
    const { primaries: seen } = await allTakePart(instance, 1);
    const [first] = seen;
    expect(first?.state).toBe("quarantined");
    // It runs down while this looks.
    expect(first?.quarantineMs).toBeGreaterThan(1_000);
    // The mark is written up to a second ahead, and clocks may differ by 1 %.
    expect(first?.quarantineMs).toBeLessThan(7_200);
    expect(seen.slice(1).map(({ state }) => state)).toEqual(["up", "up"]);
  });

  test("that only got a replica of its own did not forget", async ({ expect }) => {
    await using primaries = await startPrimaries(1);
    const master = primaries.all[0] as TestPrimary;
    const replid = async () =>
      /master_replid:(\w+)/.exec(String(await command(master, "INFO", "replication")))?.[1];
    await using instance = await startInstance(primaries.urls);
    const before = await replid();
    // What the server does when its first replica says hello: it gets a new replid.
    await command(master, "CONFIG", "SET", "repl-diskless-sync-delay", "0");
    await Promise.race([command(master, "PSYNC", "?", "-1"), sleep(300)]).catch(() => {});
    await until(async () => (await replid()) !== before, "the replica is known");
    await sleep(1_100);
    expect(await shown(instance)).toMatchObject({ configurationVersion: 1, primaries: [{ state: "up" }] });
  });
});

describe.concurrent("clients of a deployment one of whose primaries is readmitted", SLOW, () => {
  test("that asked before, and are answered after, see nothing of it", async ({ expect }) => {
    const prefix = ownPrefix();
    const gate = new Gate();
    const env = { QUORATE_COMMAND_TIMEOUT_MS: "5000" };
    await using slowly = await startInstance(primaries.urls, { prefix, env, world: gate });
    await using quick = await startInstance(primaries.urls, { prefix });
    const { leaseId, fencingToken } = await acquire(slowly, "held", 60_000);
    await slowly.call("PUT", "/v1/services/s/members/a", { address: "a:1", ttlMs: 60_000 });
    gate.shut();
    const requests = [
      slowly.call("POST", "/v1/locks/fresh/acquire", { ttlMs: 60_000 }),
      slowly.call("POST", "/v1/locks/held/renew", { leaseId, fencingToken, ttlMs: 60_000 }),
      slowly.call("GET", "/v1/locks/held"),
      slowly.call("PUT", "/v1/services/s/members/b", { address: "b:1", ttlMs: 60_000 }),
      slowly.call("POST", "/v1/services/s/members/a/heartbeat"),
      slowly.call("GET", "/v1/services/s/members"),
      slowly.call("GET", "/v1/services"),
    ];
    await forget(at(2), prefix);
    await noticed(quick);
    await allTakePart(quick, 1);
    gate.open();
    const statuses = (await Promise.all(requests)).map(({ status }) => status);
    expect(statuses).toEqual([200, 200, 200, 201, 200, 200, 200]);
    const fenced = slowly.service.primaries.all.reduce((sum, primary) => sum + primary.staleEpochs, 0);
    expect(fenced, "they met the fence").toBeGreaterThan(5);
  });
});

// By itself: it asks as much as a machine can answer.
test("clients see no error while one primary after the other is readmitted", SLOW, async () => {
  await using own = await startPrimaries(3);
  const prefix = ownPrefix();
  const env = { QUORATE_COMMAND_TIMEOUT_MS: "5000" };
  await using one = await startInstance(own.urls, { prefix, env });
  await using other = await startInstance(own.urls, { prefix, env });
  const failures: string[] = [];
  let answers = 0;
  let on = true;
  await one.call("PUT", "/v1/services/s/members/a", { address: "a:1", ttlMs: 60_000 });
  const ask = async (instance: Instance, method: string, path: string, body?: unknown) => {
    const answer = await instance.call(method, path, body);
    answers += 1;
    if (answer.status !== 200) failures.push(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const client = async (work: (i: number) => Promise<unknown>) => {
    for (let i = 0; on; i++) {
      await work(i);
      await sleep(1);
    }
  };
  const clients = [one, other].flatMap((instance, place) => [
    client(async (i) => {
      const name = `l${place}-${i}`;
      const { leaseId, fencingToken } = await ask(instance, "POST", `/v1/locks/${name}/acquire`, {
        ttlMs: 10_000,
      });
      await ask(instance, "POST", `/v1/locks/${name}/renew`, { leaseId, fencingToken, ttlMs: 10_000 });
      await ask(instance, "POST", `/v1/locks/${name}/release`, { leaseId });
    }),
    client(() => ask(instance, "POST", "/v1/services/s/members/a/heartbeat")),
    client(() => ask(instance, "GET", "/v1/services/s/members")),
  ]);
  const forgets = [
    () => own.all[2]?.startEmpty(),
    () => forget(own.all[1] as TestPrimary, prefix),
    () => own.all[0]?.kill().then(() => own.all[0]?.start()),
  ];
  try {
    for (const [round, forgetting] of forgets.entries()) {
      await sleep(150);
      await forgetting();
      await allTakePart(one, round + 1);
      // Two in quarantine together would grant nothing: that is another promise.
      for (const primary of own.all) {
        await command(primary, "HSET", `${prefix}configuration`, "quarantine_until", "0");
      }
    }
  } finally {
    on = false;
    await Promise.all(clients);
  }
  expect(failures.slice(0, 5), `${failures.length} of ${answers} failed`).toEqual([]);
  expect(answers).toBeGreaterThan(300);
  expect((await shown(other)).configurationVersion).toBe(4);
});
