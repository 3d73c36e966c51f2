import { describe, expect, test } from "vitest";
import { diagnose } from "../../../src/cli/doctor/diagnosis.js";
import type { Examined } from "../../../src/cli/doctor/examination.js";
import type { Primaries, Primary, Server } from "../../../src/cli/types.js";
import { failure } from "../../../src/client/errors.js";

type Told = NonNullable<Server>;

const server = (change: Partial<{ [Part in keyof Told]: unknown }> = {}): Told => ({
  product: "redis",
  version: "7.4.2",
  role: "primary",
  persistence: { appendOnly: true, appendFsync: "always", save: "", writesSucceed: true },
  memory: { usedBytes: 1_000_000, maxBytes: null, maxmemoryPolicy: "noeviction" },
  clock: { differenceMs: 3, uncertaintyMs: 1 },
  ...(change as Partial<Told>),
});
const primary = (host: string, change: Partial<Primary> = {}): Primary => ({
  address: `${host}:6379`,
  state: "up",
  forMs: 60_000,
  reason: null,
  quarantineMs: 0,
  lag: { registers: 0, forMs: 0 },
  latencyMs: { p50: 0.3, p99: 2 },
  copies: null,
  server: server(),
  ...change,
});
const three = (change: Partial<Primary> = {}) => [primary("a", change), primary("b"), primary("c")];
const persisting = (change: Partial<Told["persistence"]>) =>
  server({ persistence: { ...server().persistence, ...change } });
const using = (change: Partial<Told["memory"]>) => server({ memory: { ...server().memory, ...change } });

function instance(url: string, primaries: Primary[] = three(), change: Partial<Primaries> = {}): Examined {
  const all: Primaries = {
    primaries,
    configurationVersion: 1,
    majority: 2,
    quorum: true,
    grantsInMs: 0,
    version: "0.1.0",
    deployment: "5f0c1d2ab8e94c77",
    embedded: false,
    commandTimeoutMs: 100,
    ...change,
  };
  const { quorum, grantsInMs } = all;
  return { url, primaries: all, ready: { status: "ready", quorum, reason: null, grantsInMs }, failure: null };
}

const one = (change: Partial<Primary>) => [instance("http://one", three(change))];
const ids = (examined: Examined[], ignored: string[] = []) =>
  diagnose(examined, ignored).findings.map(({ id, subject }) => `${id} ${subject}`);
const cureOf = (examined: Examined[]) => diagnose(examined, []).findings[0]?.cure;

test("where all is well nothing is found", () => {
  expect(diagnose([instance("http://one"), instance("http://two")], [])).toEqual({ findings: [], notes: [] });
});

describe("each mistake of a primary is found, with the command that cures it:", () => {
  const cli = "redis-cli -u redis://a:6379";
  test.each([
    {
      id: "appendonly",
      change: { server: persisting({ appendOnly: false }) },
      cure: `${cli} config set appendonly yes`,
    },
    {
      id: "appendfsync-everysec",
      change: { server: persisting({ appendFsync: "everysec" }) },
      cure: `${cli} config set appendfsync always`,
    },
    {
      id: "appendfsync-no",
      change: { server: persisting({ appendFsync: "no" }) },
      cure: `${cli} config set appendfsync always`,
    },
    {
      id: "disk",
      change: { server: persisting({ writesSucceed: false }) },
      cure: `${cli} info persistence   # and free the disk of its machine`,
    },
    {
      id: "eviction",
      change: { server: using({ maxmemoryPolicy: "allkeys-lru" }) },
      cure: `${cli} config set maxmemory-policy noeviction`,
    },
    {
      id: "memory",
      change: { server: using({ usedBytes: 95, maxBytes: 100 }) },
      cure: `${cli} config set maxmemory 200`,
    },
    { id: "latency", change: { latencyMs: { p50: 5, p99: 51 } }, cure: `${cli} slowlog get` },
    {
      id: "clock-of-primary",
      change: { server: server({ clock: { differenceMs: -700, uncertaintyMs: 2 } }) },
      cure: "timedatectl set-ntp true   # on a",
    },
    {
      id: "down",
      change: { state: "down" as const, reason: "connect ECONNREFUSED", server: null },
      cure: "systemctl start redis-server   # on a",
    },
    { id: "wrong_role", change: { state: "wrong_role" as const }, cure: `${cli} replicaof no one` },
    {
      id: "misconfigured",
      change: { state: "misconfigured" as const, reason: "maxmemory-policy is allkeys-lru: an evicted" },
      cure: `${cli} config set maxmemory-policy noeviction`,
    },
    {
      id: "refusing",
      change: {
        state: "refusing" as const,
        reason: "OOM command not allowed",
        server: using({ maxBytes: 100, usedBytes: 10 }),
      },
      cure: `${cli} config set maxmemory 200`,
    },
    {
      id: "refusing",
      change: { state: "refusing" as const, reason: "NOREPLICAS Not enough good replicas" },
      cure: `${cli} config set min-replicas-to-write 0`,
    },
    { id: "readmitting", change: { state: "readmitting" as const }, cure: "sleep 10; quorate doctor" },
    {
      id: "quarantined",
      change: { state: "quarantined" as const, quarantineMs: 8_214 },
      cure: "sleep 9; quorate doctor",
    },
  ])("$id", ({ id, change, cure }) => {
    expect(ids(one(change))).toEqual([`${id} a:6379`]);
    expect(cureOf(one(change))).toBe(cure);
  });

  test("and what is just within its bounds is not", () => {
    const clock = { differenceMs: 505, uncertaintyMs: 3 };
    const told = { ...server({ clock }), memory: { usedBytes: 90, maxBytes: 100, maxmemoryPolicy: null } };
    expect(ids(one({ latencyMs: { p50: 5, p99: 50 }, server: told as Told }))).toEqual([]);
  });
});

describe("findings of instances", () => {
  const lost = (url: string): Examined => ({
    url,
    primaries: null,
    ready: null,
    failure: failure(
      "unreachable",
      "no answer",
      {},
      new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") }),
    ),
  });

  test("tell of those that do not answer, which is critical where none does", () => {
    const { findings } = diagnose([instance("http://one"), lost("http://two:8080")], []);
    expect(findings).toMatchObject([
      { id: "unreachable", weight: "serious", what: "it does not answer: ECONNREFUSED" },
    ]);
    expect(findings[0]?.cure).toBe("systemctl restart quorate   # on two");
    expect(diagnose([lost("http://127.0.0.1:8080")], []).findings).toMatchObject([
      { weight: "critical", cure: "quorate serve" },
    ]);
  });

  test("tell of those that stop, and of those that do not know the key", () => {
    const stopping = {
      ...instance("http://one"),
      ready: null,
      failure: failure("shutting_down", "stopping", {}),
    };
    const closed = { ...lost("http://two"), failure: failure("unauthenticated", "no key", {}) };
    expect(ids([stopping, closed])).toEqual(["not-ready http://one", "key http://two"]);
  });

  test("tell of an instance that a later version has left behind", () => {
    const outdated = {
      ...instance("http://one", three(), { quorum: false }),
      ready: null,
      failure: failure("no_quorum", "This instance is outdated", {}),
    };
    expect(ids([outdated, instance("http://two")])).toEqual(["outdated http://one"]);
  });

  test("tell of a lost quorum, and of leases that are not granted yet", () => {
    expect(ids([instance("http://one", three(), { quorum: false, grantsInMs: null })])).toEqual([
      "no-quorum http://one",
    ]);
    const waiting = [instance("http://one", three(), { grantsInMs: 8_214 })];
    expect(ids(waiting)).toEqual(["no-grants http://one"]);
    expect(cureOf(waiting)).toBe("sleep 9; quorate doctor");
  });

  test("tell of primaries that were started for a trial, and not of what these lack besides", () => {
    const bare = three({ server: persisting({ appendOnly: false }) });
    expect(ids([instance("http://one", bare, { embedded: true })])).toEqual(["embedded http://one"]);
  });

  test("tell of an instance that belongs to another deployment than most", () => {
    const other = instance("http://one", three(), { deployment: "0000000000000000" });
    expect(ids([other, instance("http://two"), instance("http://three")])).toEqual([
      "other-deployment http://one",
    ]);
    const starting = instance("http://one", three(), { deployment: null });
    expect(ids([starting, instance("http://two")])).toEqual([]);
  });

  test("tell of versions that differ, and which are the old ones", () => {
    const old = instance("http://one", three(), { version: "0.9.0" });
    const { findings } = diagnose([old, instance("http://two", three(), { version: "0.10.0" })], []);
    expect(findings).toMatchObject([{ id: "versions", weight: "minor", subject: "http://one" }]);
  });

  test("tell of an instance whose clock differs from those of most primaries, and not of these", () => {
    const ahead = { clock: { differenceMs: -5_000, uncertaintyMs: 1 } };
    const told = ["a", "b", "c"].map((host) => primary(host, { server: server(ahead) }));
    const { findings } = diagnose([instance("http://one", told), instance("http://two")], []);
    expect(findings).toMatchObject([
      {
        id: "clock-of-instance",
        subject: "http://one",
        what: "its clock is 5 s ahead of those of the primaries",
      },
    ]);
  });

  test("blame the primary where one of two is wrong, since the instance agrees with the other", () => {
    const wrong = { clock: { differenceMs: -5_000, uncertaintyMs: 1 } };
    const told = [primary("a", { server: server(wrong) }), primary("b"), primary("c", { server: null })];
    expect(ids([instance("http://one", told)])).toEqual(["clock-of-primary a:6379"]);
  });

  test("tell who sees a primary otherwise than the others", () => {
    const cut = three({ state: "down", reason: "timeout", server: null });
    const { findings } = diagnose([instance("http://one", cut), instance("http://two")], []);
    expect(findings).toMatchObject([{ id: "down", subject: "a:6379" }]);
    expect(findings[0]?.what).toContain("as http://one sees it, and others do not");
    expect(findings[0]?.why).toContain("cut off");
  });
});

test("findings come by weight, and those that are ignored not at all", () => {
  const told = [
    primary("a", { server: persisting({ appendFsync: "everysec" }) }),
    primary("b", { server: persisting({ appendOnly: false }) }),
    primary("c", { server: persisting({ writesSucceed: false }) }),
  ];
  const examined = [instance("http://one", told)];
  expect(ids(examined)).toEqual(["disk c:6379", "appendonly b:6379", "appendfsync-everysec a:6379"]);
  expect(ids(examined, ["appendonly", "disk"])).toEqual(["appendfsync-everysec a:6379"]);
});

test("a primary that both instances see is told of once", () => {
  const bare = () => three({ server: persisting({ appendOnly: false }) });
  expect(ids([instance("http://one", bare()), instance("http://two", bare())])).toEqual([
    "appendonly a:6379",
  ]);
});

describe("notes", () => {
  const notes = (examined: Examined[]) => diagnose(examined, []).notes.join("\n");

  test("say what could not be seen", () => {
    expect(notes(one({ server: persisting({ appendFsync: null }) }))).toBe(
      "appendfsync is unknown, since CONFIG GET is refused: a:6379",
    );
    const { server: _, ...ofEarlierVersion } = primary("a");
    const told = [ofEarlierVersion as Primary, primary("b"), primary("c")];
    expect(notes([instance("http://one", told)])).toMatch(/unknown.*: a:6379$/);
  });

  test("say that versions are mixed, and that one primary is no deployment", () => {
    expect(notes(one({ server: server({ version: "6.2.1" }) }))).toContain("redis 6.2.1, redis 7.4.2");
    expect(notes([instance("http://one", [primary("a")])])).toContain("one primary only");
  });
});

test("what is to be pasted into a shell is quoted, whatever the service says", () => {
  const evil = primary("a", { address: "$(reboot)'x:1", server: persisting({ appendOnly: false }) });
  expect(cureOf([instance("http://one", [evil, primary("b"), primary("c")])])).toBe(
    `redis-cli -u 'redis://$(reboot)'\\''x:1' config set appendonly yes`,
  );
});
