import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { type Instance, ownPrefix, startInstance } from "../helpers/service.js";

interface Shown {
  readonly primaries: { readonly address: string; readonly state: string; readonly quarantineMs: number }[];
  readonly configurationVersion: number | null;
}

let primaries: TestPrimaries;

beforeAll(async () => {
  primaries = await startPrimaries(3);
});

afterAll(async () => {
  await primaries.close();
});

const at = (place: number): TestPrimary => primaries.all[place] as TestPrimary;

async function shown(instance: Instance): Promise<Shown> {
  return (await instance.call("GET", "/v1/primaries")).body as Shown;
}

/** Waits until all primaries take part, whether in quarantine or not. */
async function allTakePart(instance: Instance, withinMs = 5_000): Promise<Shown> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const now = await shown(instance);
    if (now.primaries.every(({ state }) => state === "up" || state === "quarantined")) return now;
    if (performance.now() > deadline) throw new Error(`not all take part: ${JSON.stringify(now)}`);
    await sleep(10);
  }
}

async function acquire(instance: Instance, name: string, ttlMs = 10_000) {
  const { status, body } = await instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs });
  return { status, ...(body as { leaseId: string; fencingToken: number; code?: string }) };
}

async function release(instance: Instance, name: string, leaseId: string) {
  return (await instance.call("POST", `/v1/locks/${name}/release`, { leaseId })).body;
}

describe("the first start", () => {
  it("two instances that race at it agree on one configuration", async () => {
    const prefix = ownPrefix();
    const instances = await Promise.all(
      Array.from({ length: 4 }, () => startInstance(primaries.urls, { prefix })),
    );
    const stored = await Promise.all(
      primaries.all.map((one) => one.cli("HGET", `${prefix}configuration`, "configuration")),
    );
    expect(new Set(stored).size).toBe(1);
    for (const instance of instances) expect((await shown(instance)).configurationVersion).toBe(1);
    for (const instance of instances) await instance[Symbol.asyncDispose]();
  });
});

describe("a primary that forgot", () => {
  it.each([
    ["restarted empty", (primary: TestPrimary) => primary.startEmpty()],
    [
      "was killed and came back with its data",
      async (primary: TestPrimary) => {
        await primary.kill();
        await primary.start();
      },
    ],
    [
      "was flushed",
      async (primary: TestPrimary) => {
        await primary.cli("FLUSHALL");
      },
    ],
    [
      "was a replica for a while",
      async (primary: TestPrimary) => {
        const master = at(0);
        await primary.cli("REPLICAOF", "127.0.0.1", String(master.port));
        await sleep(300);
        await primary.cli("REPLICAOF", "NO", "ONE");
      },
    ],
  ])("%s: it is readmitted, and nothing promised breaks", async (_what, forget) => {
    const prefix = ownPrefix();
    await using instance = await startInstance(primaries.urls, { prefix });
    await using other = await startInstance(primaries.urls, { prefix });
    const before = await allTakePart(instance);
    // Held by a majority that includes the one that will forget.
    await at(0).pause();
    const held = await acquire(instance, "held", 3_000);
    const heldUntil = performance.now() + 3_000;
    expect(held.status).toBe(200);
    await at(0).resume();
    await allTakePart(instance);
    const earlier = await acquire(instance, "used");
    await release(instance, "used", earlier.leaseId);

    await forget(at(1));
    await sleep(1_100);
    const after = await allTakePart(instance);
    await allTakePart(other);
    expect(after.configurationVersion).toBeGreaterThan(before.configurationVersion ?? 0);

    let grantedAt = 0;
    let granted = await acquire(other, "held");
    while (granted.status !== 200) {
      expect(granted.status).toBe(409);
      await sleep(20);
      granted = await acquire(other, "held");
      grantedAt = performance.now();
    }
    expect(grantedAt).toBeGreaterThan(heldUntil - 50);
    expect(granted.fencingToken).toBeGreaterThan(held.fencingToken);
    expect((await acquire(other, "used")).fencingToken).toBeGreaterThan(earlier.fencingToken);
  });

  it("a member registered before is known to the one that came back empty", async () => {
    const prefix = ownPrefix();
    await using instance = await startInstance(primaries.urls, { prefix });
    await allTakePart(instance);
    await instance.call("PUT", "/v1/services/s/members/a", { address: "a:1" });
    await at(2).startEmpty();
    await sleep(200);
    await allTakePart(instance);
    expect(await at(2).cli("EXISTS", `${prefix}member/s/a`)).toContain("1");
  });
});

describe("a start of all", () => {
  it("with their data: tokens go on, and a lease is not granted again before it ends", async () => {
    await using instance = await startInstance(primaries.urls);
    await allTakePart(instance);
    const held = await acquire(instance, "held", 3_000);
    const heldUntil = performance.now() + 3_000;
    await Promise.all(primaries.all.map((primary) => primary.kill()));
    expect((await acquire(instance, "held")).status).toBe(503);
    await Promise.all(primaries.all.map((primary) => primary.start()));
    const after = await allTakePart(instance, 8_000);
    expect(after.configurationVersion).toBe(2);
    let granted = await acquire(instance, "held");
    while (granted.status !== 200) {
      await sleep(20);
      granted = await acquire(instance, "held");
    }
    expect(performance.now()).toBeGreaterThan(heldUntil - 50);
    expect(granted.fencingToken).toBeGreaterThan(held.fencingToken);
  });

  it("without their data: tokens go on, and nobody is granted anything for the longest time to live", async () => {
    await using instance = await startInstance(primaries.urls, { env: { QUORATE_TTL_MAX_MS: "2000" } });
    await allTakePart(instance);
    const held = await acquire(instance, "held", 2_000);
    await Promise.all(primaries.all.map((primary) => primary.startEmpty()));
    const began = performance.now();
    await allTakePart(instance, 8_000);
    const refused = await acquire(instance, "other", 1_000);
    expect(refused).toMatchObject({ status: 503, code: "no_quorum" });
    let granted = await acquire(instance, "held", 1_000);
    while (granted.status !== 200) {
      await sleep(20);
      granted = await acquire(instance, "held", 1_000);
    }
    expect(performance.now() - began).toBeGreaterThan(1_900);
    expect(granted.fencingToken).toBeGreaterThan(held.fencingToken);
  });
});
