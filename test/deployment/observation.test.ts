import { describe, expect, test } from "vitest";
import type { Configuration } from "../../src/algorithms/configuration.js";
import { parseInfo, readObservation, refusalOf } from "../../src/deployment/observation.js";

/** What INFO of a server that can be a primary says, with changes. */
const info = (changes: Record<string, string> = {}): ReadonlyMap<string, string> =>
  new Map(
    Object.entries({
      redis_version: "7.2.4",
      run_id: "run",
      role: "master",
      master_replid: "replid",
      master_replid2: "0".repeat(40),
      cluster_enabled: "0",
      aof_enabled: "1",
      maxmemory: "0",
      maxmemory_policy: "noeviction",
      ...changes,
    }).filter(([, value]) => value !== ""),
  );

describe("a server is refused as a primary", () => {
  test.each([
    ["when it is too old", { redis_version: "5.0.14" }, "misconfigured", "Redis 5.0.14 is too old: 6.2"],
    [
      "when it is a little too old",
      { redis_version: "6.0.20" },
      "misconfigured",
      "6.2 is the oldest that works",
    ],
    [
      "when it says nothing of its version",
      { redis_version: "" },
      "misconfigured",
      "does not answer INFO as Redis",
    ],
    ["when it says nothing of its run", { run_id: "" }, "misconfigured", "does not answer INFO as Redis"],
    ["in cluster mode", { cluster_enabled: "1" }, "misconfigured", "cluster-enabled no"],
    [
      "as a replica",
      { role: "slave", master_host: "10.0.0.7", master_port: "6379" },
      "wrong_role",
      "replica of 10.0.0.7:6379: primaries must be independent of each other (REPLICAOF NO ONE)",
    ],
    [
      "when it would evict keys of any kind",
      { maxmemory: "1000", maxmemory_policy: "allkeys-lru" },
      "misconfigured",
      "allkeys-lru: an evicted key is a lost lock (CONFIG SET maxmemory-policy noeviction)",
    ],
    [
      "when it would evict those that expire: all of ours do",
      { maxmemory: "1000", maxmemory_policy: "volatile-ttl" },
      "misconfigured",
      "volatile-ttl",
    ],
  ])("%s", (_when, changes, state, reason) => {
    const refusal = refusalOf(info(changes), false);
    expect(refusal?.state).toBe(state);
    expect(refusal?.reason).toContain(reason);
  });
});

describe("a server is accepted as a primary", () => {
  test.each([
    ["in its oldest version", { redis_version: "6.2.0" }],
    ["in a later one", { redis_version: "8.2.1" }],
    ["in one whose numbers have two digits", { redis_version: "10.11.12" }],
    ["with a limit of memory at which it refuses writes", { maxmemory: "1000" }],
    ["with a policy of eviction and no limit that would call for it", { maxmemory_policy: "allkeys-lru" }],
    ["without persistence, which is told elsewhere", { aof_enabled: "0" }],
    ["though it does not say what it is allowed to use", { maxmemory: "", maxmemory_policy: "" }],
  ])("%s", (_how, changes) => {
    expect(refusalOf(info(changes), false)).toBeNull();
  });

  test("without a run_id, if it is the embedded stand-in", () => {
    expect(refusalOf(info({ run_id: "" }), true)).toBeNull();
  });
});

test("INFO is read line by line, whatever is in a value", () => {
  const fields = parseInfo(
    "# Server\r\nredis_version:7.0.0\r\nexecutable:/a:b\r\n\r\n# Replication\r\nrole:master\r\n",
  );
  expect(Object.fromEntries(fields)).toEqual({ redis_version: "7.0.0", executable: "/a:b", role: "master" });
});

describe("a look at a primary", () => {
  const configuration = { version: 3 } as Configuration;
  const stored = (fields: Record<string, string>) => Object.entries(fields).flat();
  const time = ["1000", "500000"];
  const member = {
    configuration: JSON.stringify(configuration),
    id: "a",
    stage: "member",
    stamp: "3:nonce:a",
    leases_until: "1005000",
  };

  test("shows what it stores", () => {
    expect(readObservation("a:6379", info(), stored(member), time)).toMatchObject({
      address: "a:6379",
      runId: "run",
      replid: "replid",
      promoted: false,
      stored: { configuration, id: "a", stage: "member" },
      configurationEpoch: "3:nonce:a",
      hasLeaseHighWaterMark: true,
      persistent: true,
    });
  });

  test("shows one that stores nothing, whose scripts have the empty epoch", () => {
    expect(readObservation("a:6379", info(), [], time)).toMatchObject({
      stored: null,
      configurationEpoch: "",
      hasLeaseHighWaterMark: false,
    });
  });

  test("shows one that got a floor and a mark, but no configuration, as one that stores none", () => {
    const { configuration: _, ...rest } = member;
    expect(readObservation("a:6379", info(), stored(rest), time).stored).toBeNull();
  });

  test("takes any stage that it does not know for one that does not take part", () => {
    const look = readObservation("a:6379", info(), stored({ ...member, stage: "something new" }), time);
    expect(look.stored?.stage).toBe("copying");
  });

  test("counts the quarantine by the server's own clock, and never below zero", () => {
    const quarantineMs = (until: string) =>
      readObservation("a:6379", info(), stored({ ...member, quarantine_until: until }), time).quarantineMs;
    expect(quarantineMs("1002500")).toBe(2_000);
    expect(quarantineMs("1000500")).toBe(0);
    expect(quarantineMs("7")).toBe(0);
  });

  test("tells one that was a replica from one that got a replica", () => {
    const promoted = (changes: Record<string, string>) =>
      readObservation("a:6379", info(changes), [], time).promoted;
    expect(promoted({ master_replid2: "57ab76a02c8b952ec9ad8325c3cbded4b987494e" })).toBe(true);
    expect(promoted({ master_replid: "another" })).toBe(false);
    expect(promoted({ master_replid2: "" })).toBe(false);
  });

  test("takes the address for the run where there is none: of the embedded stand-in", () => {
    expect(readObservation("a:6379", info({ run_id: "" }), [], time).runId).toBe("a:6379");
  });
});
