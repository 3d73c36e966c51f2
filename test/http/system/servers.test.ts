import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ServerReport } from "../../../src/deployment/server-report.js";
import { command } from "../../helpers/deployment.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../../helpers/primaries.js";
import { type Instance, startInstance, startOffline, until } from "../../helpers/service.js";

// What /v1/primaries says of the servers themselves.

let primaries: TestPrimaries;
beforeAll(async () => {
  primaries = await startPrimaries(3);
});
afterAll(() => primaries.close());

const at = (place: number): TestPrimary => primaries.all[place] as TestPrimary;

interface Shown {
  readonly primaries: readonly { readonly state: string; readonly server: ServerReport | null }[];
  readonly deployment: string | null;
  readonly version: string;
  readonly embedded: boolean;
}

const shown = async (instance: Instance) => (await instance.call("GET", "/v1/primaries")).body as Shown;

/** Waits until what a server says is as it should be. */
async function untilSaid(instance: Instance, place: number, isTrue: (server: ServerReport) => boolean) {
  let said: ServerReport | null = null;
  await until(async () => {
    said = (await shown(instance)).primaries[place]?.server ?? null;
    return said !== null && isTrue(said);
  }, `server ${place} says so`);
  return said as unknown as ServerReport;
}

describe("a server", () => {
  test("tells its version, persistence, memory and clock", async () => {
    await using instance = await startInstance(primaries.urls);
    const { server } = (await shown(instance)).primaries[0] as Shown["primaries"][number];
    expect(server).toMatchObject({
      role: "primary",
      persistence: { appendOnly: true, appendFsync: "always", save: "", writesSucceed: true },
      memory: { maxBytes: null, maxmemoryPolicy: "noeviction" },
    });
    expect(server?.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(server?.memory.usedBytes).toBeGreaterThan(100_000);
    const { differenceMs = Number.NaN, uncertaintyMs = Number.NaN } = server?.clock ?? {};
    // The same clock, and half a round trip rounded up.
    expect(Math.abs(differenceMs)).toBeLessThanOrEqual(uncertaintyMs + 1);
  });

  test("that keeps nothing any more says so", async () => {
    await using instance = await startInstance(primaries.urls);
    await command(at(1), "CONFIG", "SET", "appendonly", "no");
    await command(at(1), "CONFIG", "SET", "appendfsync", "everysec");
    const { persistence } = await untilSaid(instance, 1, (server) => !server.persistence.appendOnly);
    expect(persistence).toMatchObject({ appendOnly: false, appendFsync: "everysec" });
    await command(at(1), "CONFIG", "SET", "appendonly", "yes");
    await command(at(1), "CONFIG", "SET", "appendfsync", "always");
  });

  test("that takes no part since it evicts still tells its policy", async () => {
    await using instance = await startInstance(primaries.urls);
    await command(at(2), "CONFIG", "SET", "maxmemory", "100mb");
    await command(at(2), "CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    const { memory } = await untilSaid(
      instance,
      2,
      (server) => server.memory.maxmemoryPolicy === "allkeys-lru",
    );
    expect(memory.maxBytes).toBe(100 * 1024 * 1024);
    await until(
      async () => (await shown(instance)).primaries[2]?.state === "misconfigured",
      "it takes no part",
    );
    await command(at(2), "CONFIG", "SET", "maxmemory-policy", "noeviction");
    await command(at(2), "CONFIG", "SET", "maxmemory", "0");
  });

  test("whose users may not use CONFIG takes part, and what it does not tell is null", async () => {
    await command(
      at(0),
      ...["ACL", "SETUSER", "plain", "on", ">pass", "~*", "&*"],
      "+@all",
      "-@dangerous",
      "+info",
    );
    const urls = primaries.urls.map((url, place) =>
      place === 0 ? url.replace("redis://", "redis://plain:pass@") : url,
    );
    await using instance = await startInstance(urls);
    for (let i = 0; i < 3; i++) await shown(instance);
    const [first] = (await shown(instance)).primaries;
    expect(first?.state).toBe("up");
    expect(first?.server?.persistence).toMatchObject({ appendOnly: true, appendFsync: null, save: null });
  });

  test("that is paused tells nothing, and holds up nobody for long", async () => {
    await using instance = await startInstance(primaries.urls);
    await at(2).pause();
    const startedMs = performance.now();
    const { primaries: said } = await shown(instance);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(said.map(({ server }) => server === null)).toEqual([false, false, true]);
    await at(2).resume();
  });
});

describe("an instance", () => {
  test("tells its version, and that it did not start its primaries", async () => {
    await using instance = await startInstance(primaries.urls);
    expect(await shown(instance)).toMatchObject({ version: "0.1.0", embedded: false });
  });

  test("names its deployment as the others do, and not by the secret that they share", async () => {
    await using one = await startInstance(primaries.urls);
    await using other = await startInstance(primaries.urls, { prefix: one.prefix });
    await using foreign = await startInstance(primaries.urls);
    const { deployment } = await shown(one);
    expect(deployment).toMatch(/^[0-9a-f]{16}$/);
    expect((await shown(other)).deployment).toBe(deployment);
    expect((await shown(foreign)).deployment).not.toBe(deployment);
    expect(one.service.primaries.deployment).not.toContain(deployment);
  });

  test("that has never seen its primaries names no deployment", async () => {
    await using offline = await startOffline();
    const { deployment, primaries: said } = await shown(offline);
    expect(deployment).toBeNull();
    expect(said.map(({ server }) => server)).toEqual([null, null, null]);
  });
});
