import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { acquireAtLast, allTakePart, command, forget, shown, untilShown } from "../helpers/deployment.js";
import type { TestPrimary } from "../helpers/primaries.js";
import { freshName, type Instance, startInstance } from "../helpers/service.js";
import { startTestCluster, type TestCluster } from "./cluster/cluster.js";

// Wall clocks of primaries need not show the same time: what is stored with one of them must not be read with another.
const AHEAD_MS = 60_000;
let cluster: TestCluster;
let instance: Instance;
beforeAll(async () => {
  cluster = await startTestCluster({ primaries: 3, kind: "process", withServices: false, withLinks: false });
  await cluster.clocks?.jump(2, AHEAD_MS);
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(async () => {
  instance = await startInstance(cluster.urlsFor("one"), { env: { QUORATE_TTL_MAX_MS: "2000" } });
});
afterEach(() => instance[Symbol.asyncDispose]());

const at = (place: number) => cluster.primaries[place] as TestPrimary;

/** The first was a replica of another, whose clock is ahead: it has that one's data. */
async function copiesOf(master: TestPrimary): Promise<void> {
  await command(at(0), "REPLICAOF", "127.0.0.1", master.port);
  await expect
    .poll(async () => String(await command(at(0), "INFO", "replication")), { timeout: 5_000 })
    .toContain("master_link_status:up");
  await command(at(0), "REPLICAOF", "NO", "ONE");
}

/** The same of the third, and it takes part again. */
async function wasReplica(): Promise<void> {
  const { configurationVersion } = await shown(instance);
  await copiesOf(at(2));
  await allTakePart(instance, configurationVersion ?? 0);
}

describe("a primary that was a replica of one whose clock is ahead", () => {
  test("has no others wait for leases that ended long ago", async (context) => {
    if (!cluster.clocks) context.skip("clocks cannot be made to jump here");
    await acquireAtLast(instance, freshName(), 500);
    await wasReplica();
    await sleep(600);
    const { configurationVersion } = await shown(instance);
    await forget(at(1), instance.prefix);
    const { primaries } = await allTakePart(instance, configurationVersion ?? 0);
    for (const { quarantineMs } of primaries) expect(quarantineMs).toBeLessThan(2_000);
  });

  test("does not keep members alive that are dead", async (context) => {
    if (!cluster.clocks) context.skip("clocks cannot be made to jump here");
    const service = `/v1/services/${freshName("service")}`;
    await instance.call("PUT", `${service}/members/a`, { address: "a:1", ttlMs: 1_000 });
    await wasReplica();
    await sleep(2_100);
    expect((await instance.call("GET", `${service}/members`)).body.members).toEqual([]);
  });

  test("does not keep them alive either where it is readmitted later than the clocks differ", async (context) => {
    if (!cluster.clocks) context.skip("clocks cannot be made to jump here");
    await cluster.clocks?.jump(1, 2_000);
    const { configurationVersion } = await shown(instance);
    const service = `/v1/services/${freshName("service")}`;
    await instance.call("PUT", `${service}/members/a`, { address: "a:1", ttlMs: 2_000 });
    const deadMs = performance.now() + 2_000;
    // Nobody looks, so it is readmitted only when the time that is left seems to be one that its own clock may have written.
    await instance[Symbol.asyncDispose]();
    await copiesOf(at(1));
    await sleep(deadMs + 50 - performance.now());
    instance = await startInstance(cluster.urlsFor("one"), { prefix: instance.prefix });
    await allTakePart(instance, configurationVersion ?? 0);
    for (let looks = 0; looks < 10; looks++)
      expect((await instance.call("GET", `${service}/members`)).body.members).toEqual([]);
  });
});

test("a clock that is set back keeps nobody waiting for longer than the longest lease", async (context) => {
  if (!cluster.clocks) context.skip("clocks cannot be made to jump here");
  await acquireAtLast(instance, freshName(), 500);
  await cluster.clocks?.jump(2, -AHEAD_MS);
  const { configurationVersion } = await shown(instance);
  await forget(at(1), instance.prefix);
  const { primaries } = await untilShown(
    instance,
    (now) =>
      (now.configurationVersion ?? 0) > (configurationVersion ?? 0) &&
      now.primaries.every(({ state }) => state === "up" || state === "quarantined"),
    "all take part",
  );
  for (const { quarantineMs } of primaries) expect(quarantineMs).toBeLessThanOrEqual(3_100);
});
