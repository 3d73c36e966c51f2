import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PRIMARY_STATES } from "../../../src/redis/primary.js";
import {
  acquire,
  allTakePart,
  command,
  forget,
  type Shown,
  shown,
  untilShown,
} from "../../helpers/deployment.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../../helpers/primaries.js";
import { type Instance, startInstance } from "../../helpers/service.js";

// What an operator sees of a primary that goes and comes back.

interface Line {
  readonly level: string;
  readonly primary?: string;
  readonly state?: string;
  readonly reason?: string;
  readonly version?: number;
  readonly ms?: number;
  readonly quarantineMs?: number;
  readonly msg: string;
}

let primaries: TestPrimaries;

beforeAll(async () => {
  primaries = await startPrimaries(3);
});
afterAll(() => primaries.close());

const logging = { env: { QUORATE_LOG_LEVEL: "info" } };

const at = (place: number): TestPrimary => primaries.all[place] as TestPrimary;
const addressOf = (primary: TestPrimary): string => new URL(primary.url).host;
const linesOf = ({ logged }: Instance): Line[] => logged.map((line) => JSON.parse(line) as Line);
const third = (now: Shown) => now.primaries[2] as Shown["primaries"][number];

/** All series of one metric, by their labels. */
async function series(of: Instance, name: string): Promise<Map<string, number>> {
  const { body } = await of.call("GET", "/metrics");
  return new Map(
    (body as string).split("\n").flatMap((line) => {
      const found = new RegExp(`^${name}(?:{(.*)})? (\\S+)$`).exec(line);
      return found ? [[found[1] ?? "", Number(found[2])] as const] : [];
    }),
  );
}

/** The states that the metrics give a primary: one of them, if all is well. */
async function measuredStates(of: Instance, primary: TestPrimary): Promise<string[]> {
  return [...(await series(of, "quorate_primary_state"))].flatMap(([labels, value]) =>
    labels.includes(`primary="${addressOf(primary)}"`) && value === 1
      ? [/state="(\w+)"/.exec(labels)?.[1] ?? ""]
      : [],
  );
}

describe("a primary that is killed, started again without its data and readmitted", () => {
  test("is seen in each of its states, and each is one line in the log", async () => {
    const killed = at(2);
    await using instance = await startInstance(primaries.urls, logging);
    // For as long as this lasts it has to be silent after it is back.
    await acquire(instance, "held", 60_000);
    const before = instance.logged.length;

    await killed.kill();
    const down = third(await untilShown(instance, (now) => third(now).state === "down", "it is down"));
    expect(down.reason).toMatch(/ECONNREFUSED|connection lost|ECONNRESET/);
    expect(down.quarantineMs).toBe(0);
    expect(await measuredStates(instance, killed)).toEqual(["down"]);
    expect((await shown(instance)).configurationVersion).toBe(1);

    await killed.startEmpty();
    const silent = await untilShown(
      instance,
      (now) => third(now).state === "quarantined",
      "it is readmitted",
    );
    expect(third(silent).quarantineMs).toBeGreaterThan(0);
    expect(third(silent).reason).toBeNull();
    expect(silent.configurationVersion).toBe(2);
    expect(await measuredStates(instance, killed)).toEqual(["quarantined"]);
    const seconds = await series(instance, "quorate_primary_quarantine_seconds");
    expect(seconds.get(`primary="${addressOf(killed)}"`)).toBeGreaterThan(0);
    expect(seconds.get(`primary="${addressOf(killed)}"`)).toBeLessThan(62);
    expect((await series(instance, "quorate_configuration_version")).get("")).toBe(2);

    await command(killed, "HSET", `${instance.prefix}configuration`, "quarantine_until", "0");
    await untilShown(instance, (now) => third(now).state === "up", "it is up");
    expect(await measuredStates(instance, killed)).toEqual(["up"]);

    const lines = linesOf(instance).slice(before);
    const changes = lines.filter(
      ({ primary, state }) => primary === addressOf(killed) && state !== undefined,
    );
    expect(changes.map(({ state, level }) => [state, level])).toEqual([
      ["down", "warn"],
      ["readmitting", "warn"],
      ["quarantined", "info"],
      ["up", "info"],
    ]);
    expect(changes[0]?.reason).toBeDefined();
    expect(changes[1]?.reason).toMatch(/^it restarted, or was a replica/);
    const readmitted = lines.filter(({ msg }) => msg === "primary is readmitted");
    expect(readmitted).toHaveLength(1);
    expect(readmitted[0]?.ms).toBeLessThan(20_000);
    expect(readmitted[0]?.quarantineMs).toBeGreaterThan(0);
    const inForce = lines.filter(({ msg }) => msg === "configuration is in force");
    expect(inForce.map(({ version }) => version)).toEqual([2]);
    // Nobody else is worth a line.
    expect(lines).toHaveLength(changes.length + readmitted.length + inForce.length);
  });
});

describe("/v1/primaries", () => {
  test("says since when a state lasts, and counts anew with the next one", async () => {
    await using instance = await startInstance(primaries.urls);
    await sleep(120);
    const before = third(await shown(instance));
    expect(before.forMs).toBeGreaterThanOrEqual(100);
    const forgotMs = performance.now();
    await forget(at(2), instance.prefix);
    await instance.call("GET", "/v1/locks/any");
    const after = third(await allTakePart(instance, 1));
    expect(after.forMs).toBeLessThanOrEqual(Math.ceil(performance.now() - forgotMs));
  });

  test("does not count anew while nothing changes, however often it is looked at", async () => {
    await using instance = await startInstance(primaries.urls);
    await sleep(30);
    const forMs: number[] = [];
    for (let i = 0; i < 5; i++) {
      await instance.call("GET", "/v1/locks/any");
      forMs.push(third(await shown(instance)).forMs);
      await sleep(5);
    }
    expect(forMs).toEqual(forMs.toSorted((a, b) => a - b));
    expect(forMs.at(-1)).toBeGreaterThanOrEqual(40);
  });

  test("has the latencies of this instance's calls, and none before the first", async () => {
    await using instance = await startInstance(primaries.urls);
    for (let i = 0; i < 20; i++) await instance.call("GET", "/v1/locks/any");
    for (const { latencyMs } of (await shown(instance)).primaries) {
      expect(latencyMs.p50).toBeGreaterThan(0);
      expect(latencyMs.p99).toBeGreaterThanOrEqual(latencyMs.p50 ?? 0);
    }
    await using offline = await startInstance(["redis://127.0.0.1:1"], { up: 0 });
    expect((await shown(offline)).primaries[0]?.latencyMs).toEqual({ p50: null, p99: null });
  });

  test("has no configuration version before the first configuration", async () => {
    await using offline = await startInstance(["redis://127.0.0.1:1"], { up: 0 });
    expect(await shown(offline)).toMatchObject({ configurationVersion: null, quorum: false });
    expect((await series(offline, "quorate_configuration_version")).get("")).toBe(0);
  });

  test("tells of a replica, and of its return", async () => {
    await using instance = await startInstance(primaries.urls, logging);
    const replica = at(2);
    await command(replica, "REPLICAOF", "127.0.0.1", "1");
    const seen = await untilShown(instance, (now) => third(now).state === "wrong_role", "it is a replica");
    expect(third(seen).reason).toContain("replica of 127.0.0.1:1");
    expect(await measuredStates(instance, replica)).toEqual(["wrong_role"]);
    expect((await acquire(instance, "x", 500)).status, "two are enough").toBe(200);
    await command(replica, "REPLICAOF", "NO", "ONE");
    await allTakePart(instance, 1);
    const states = linesOf(instance).flatMap(({ primary, state }) =>
      primary === addressOf(replica) && state ? [state] : [],
    );
    expect(states.slice(0, 3)).toEqual(["up", "wrong_role", "readmitting"]);
  });
});

describe("/metrics", () => {
  test("give every primary one state and every state a series", async () => {
    await using instance = await startInstance(primaries.urls);
    const states = await series(instance, "quorate_primary_state");
    expect(states.size).toBe(3 * PRIMARY_STATES.length);
    for (const primary of primaries.all) expect(await measuredStates(instance, primary)).toEqual(["up"]);
    const up = await series(instance, "quorate_primary_up");
    expect([...up.values()]).toEqual([1, 1, 1]);
  });

  test("count what the fence refused", async () => {
    await using instance = await startInstance(primaries.urls);
    await forget(at(1), instance.prefix);
    await instance.call("GET", "/v1/locks/any");
    await allTakePart(instance, 1);
    const errors = await series(instance, "quorate_primary_errors_total");
    const fenced = [...errors].filter(([labels]) => labels.includes('kind="stale_epoch"'));
    expect(fenced.length).toBeGreaterThan(0);
  });
});
