import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  acquire,
  allTakePart,
  command,
  forget,
  isListed,
  noticed,
  release,
  type Shown,
  shown,
  storedField,
  untilShown,
} from "../helpers/deployment.js";
import { bulk, failure, startFakeRedis, startServer, status } from "../helpers/fake-redis.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { type Instance, type InstanceOptions, ownPrefix, startInstance, until } from "../helpers/service.js";

// Servers that cannot be primaries: each is told with its reason, in the log and in /v1/primaries, and stops nobody.

let servers: TestPrimaries;

beforeAll(async () => {
  servers = await startPrimaries(5);
});
afterAll(() => servers.close());

const server = (place: number): TestPrimary => servers.all[place] as TestPrimary;
const url = (place: number): string => server(place).url;
/** Three that make a deployment, and two of them with a third one that a test brings. */
const good = () => [url(0), url(1), url(2)];
const with3rd = (third: string) => [url(0), url(1), third];
/** The same server under another name. */
const aliasOf = (known: string): string => {
  const { hostname, port } = new URL(known);
  return `redis://${hostname === "127.0.0.1" ? "localhost" : "127.0.0.1"}:${port}`;
};
const SPARE = 3;
const OTHER_SPARE = 4;

/** Changes settings of a server for as long as it takes. */
async function setWhile(
  primary: TestPrimary,
  settings: Record<string, [value: string, before: string]>,
  use: () => Promise<void>,
): Promise<void> {
  try {
    for (const [name, [value]] of Object.entries(settings))
      await command(primary, "CONFIG", "SET", name, value);
    await use();
  } finally {
    for (const [name, [, before]] of Object.entries(settings))
      await command(primary, "CONFIG", "SET", name, before);
  }
}

/** An instance that logs, and does not wait for anything. */
function startLogging(urls: readonly string[], options: InstanceOptions = {}): Promise<Instance> {
  return startInstance(urls, { up: 0, ...options, env: { QUORATE_LOG_LEVEL: "info", ...options.env } });
}

interface Line {
  readonly level: string;
  readonly primary?: string;
  readonly state?: string;
  readonly reason?: string;
  readonly msg: string;
}

const linesOf = ({ logged }: Instance): Line[] => logged.map((line) => JSON.parse(line) as Line);

/** The place in /v1/primaries of the third primary, when it is what it should be; and what the log says of it. */
async function thirdBecomes(
  instance: Instance,
  state: string,
): Promise<{ reason: string | null; lines: Line[] }> {
  const { primaries } = await untilShown(
    instance,
    ({ primaries: all }) => all[2]?.state === state,
    `it is ${state}`,
  );
  const third = primaries[2] as Shown["primaries"][number];
  const lines = linesOf(instance).filter((line) => line.primary === third.address);
  return { reason: third.reason, lines };
}

/** A refusal is in the log once, as a warning, with the reason that /v1/primaries gives. */
function expectTold({ reason, lines }: { reason: string | null; lines: Line[] }, state: string): void {
  const told = lines.filter((line) => line.state === state);
  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject({ level: "warn", reason, msg: "primary does not participate" });
}

describe("a server", () => {
  test.each<[what: string, args: string[], password: string, reason: RegExp]>([
    ["that wants a password, and is given none", ["--requirepass", "secret"], "", /^NOAUTH/],
    ["that wants another password", ["--requirepass", "secret"], ":wrong@", /WRONGPASS/],
    ["in cluster mode", ["--cluster-enabled", "yes"], "", /cluster-enabled no/],
  ])("%s, is left out with a clear reason", async (_what, args, password, reason) => {
    await using bad = await startPrimaries(1, { args });
    const [address] = bad.urls as [string];
    await using instance = await startLogging(with3rd(address.replace("//", `//${password}`)));
    const told = await thirdBecomes(instance, "misconfigured");
    expect(told.reason).toMatch(reason);
    expectTold(told, "misconfigured");
    expect(JSON.stringify(instance.logged)).not.toMatch(/secret|:wrong@/);
  });

  test("that would evict keys, is left out with what to set", async () => {
    const settings: Record<string, [string, string]> = {
      maxmemory: ["64mb", "0"],
      "maxmemory-policy": ["allkeys-lru", "noeviction"],
    };
    await setWhile(server(SPARE), settings, async () => {
      await using instance = await startLogging(with3rd(url(SPARE)));
      const told = await thirdBecomes(instance, "misconfigured");
      expect(told.reason).toBe(
        "maxmemory-policy is allkeys-lru: an evicted key is a lost lock (CONFIG SET maxmemory-policy noeviction)",
      );
      expectTold(told, "misconfigured");
    });
  });

  test("that is a replica, is left out with the name of its master", async () => {
    await command(server(SPARE), "REPLICAOF", "127.0.0.1", "1");
    try {
      await using instance = await startLogging(with3rd(url(SPARE)));
      const told = await thirdBecomes(instance, "wrong_role");
      expect(told.reason).toBe(
        "it is a replica of 127.0.0.1:1: primaries must be independent of each other (REPLICAOF NO ONE)",
      );
      expectTold(told, "wrong_role");
    } finally {
      await command(server(SPARE), "REPLICAOF", "NO", "ONE");
    }
  });

  test("that is an HTTP server, is left out", async () => {
    const http = createServer((_request, response) => response.end("hello"));
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    try {
      const address = `redis://127.0.0.1:${(http.address() as AddressInfo).port}`;
      await using instance = await startLogging(with3rd(address));
      const told = await thirdBecomes(instance, "misconfigured");
      expect(told.reason).toMatch(/does not speak the protocol of Redis: name a Redis or Valkey server/);
      expectTold(told, "misconfigured");
    } finally {
      http.closeAllConnections();
      http.close();
    }
  });

  test("that hangs up on everybody, is asked about", async () => {
    await using fake = await startServer((socket) => socket.end());
    await using instance = await startLogging(with3rd(fake.url));
    const { reason } = await thirdBecomes(instance, "down");
    await untilShown(
      instance,
      ({ primaries: all }) => /is it a Redis or Valkey server\?$/.test(all[2]?.reason ?? ""),
      `the reason helps, and not only ${reason}`,
    );
  });

  test("that never says anything, is down", async () => {
    await using fake = await startServer(() => {});
    await using instance = await startLogging(with3rd(fake.url));
    const { reason } = await thirdBecomes(instance, "down");
    expect(reason).toMatch(/no answer within 100 ms|not connected yet/);
  });

  test("that is too old, is left out with its version", async () => {
    const old = "redis_version:5.0.14\r\nrun_id:0123\r\nrole:master\r\nmaster_replid:4567\r\n";
    await using fake = await startFakeRedis((name) => {
      if (name === "PING") return status("PONG");
      if (name === "SCRIPT") return bulk("0".repeat(40));
      return name === "INFO" ? bulk(old) : status("OK");
    });
    await using instance = await startLogging(with3rd(fake.url));
    const told = await thirdBecomes(instance, "misconfigured");
    expect(told.reason).toBe("Redis 5.0.14 is too old: 6.2 is the oldest that works");
    expectTold(told, "misconfigured");
    expect(fake.commands, "nothing was tried on it").not.toContain("EVALSHA");
  });

  test("whose user may not run scripts, is left out with what it may not", async () => {
    await using fake = await startFakeRedis((name) =>
      name === "PING" ? status("PONG") : failure(`NOPERM this user has no permissions to run '${name}'`),
    );
    await using instance = await startLogging(with3rd(fake.url));
    const told = await thirdBecomes(instance, "misconfigured");
    expect(told.reason).toMatch(/^NOPERM .*SCRIPT/i);
    expectTold(told, "misconfigured");
  });
});

test("a user with the rights that docs/operating.md names is enough", async () => {
  const all = [server(0), server(1), server(2)];
  const prefix = ownPrefix();
  const rights = ["on", ">secret", `~${prefix}*`, "+@all", "-@dangerous", "+info"];
  for (const primary of all) await command(primary, "ACL", "SETUSER", "quorate", ...rights);
  try {
    const urls = good().map((each) => each.replace("//", "//quorate:secret@"));
    await using instance = await startLogging(urls, { prefix, up: 3 });
    await instance.call("PUT", "/v1/services/s/members/a", { address: "a:1", ttlMs: 60_000 });
    const { status, leaseId } = await acquire(instance, "x");
    expect(status).toBe(200);
    expect(await release(instance, "x", leaseId)).toBe(true);
    await forget(server(2), prefix);
    await noticed(instance);
    await allTakePart(instance, 1);
    expect(await isListed(instance, "s", "a")).toBe(true);
    expect(linesOf(instance).filter(({ msg }) => /interrupted|failed/.test(msg))).toEqual([]);
  } finally {
    for (const primary of all) await command(primary, "ACL", "DELUSER", "quorate");
  }
});

describe("a list of primaries", () => {
  test("with one server under two names, is refused as a whole", async () => {
    const [known, alias] = [url(1), aliasOf(url(1))].map((each) => new URL(each).host);
    await using instance = await startLogging(with3rd(aliasOf(url(1))));
    const { primaries } = await untilShown(
      instance,
      ({ primaries: all }) => all.every(({ state }) => state === "misconfigured"),
      "all are refused",
    );
    for (const { reason } of primaries)
      expect(reason).toBe(`${known} and ${alias} are one and the same server`);
    expect((await acquire(instance, "x")).status).toBe(503);
    const told = linesOf(instance).filter(({ msg }) => msg === "these primaries cannot be used");
    expect(told).toHaveLength(1);
  });

  test("of another length than the stored one, is refused, and names the stored one", async () => {
    const prefix = ownPrefix();
    await using three = await startInstance(good(), { prefix });
    await using five = await startLogging(servers.urls, { prefix });
    const addresses = good()
      .map((each) => new URL(each).host)
      .join(", ");
    await untilShown(
      five,
      ({ primaries: all }) =>
        all.every(
          ({ state, reason }) =>
            state === "misconfigured" &&
            reason === `the stored configuration has 3 primaries (${addresses}), REDIS_URLS names 5`,
        ),
      "all are refused",
    );
    // Nothing was written to those that are not in it.
    for (const place of [SPARE, OTHER_SPARE])
      expect(await command(server(place), "EXISTS", `${prefix}configuration`)).toBe(0);
    expect((await acquire(three, "x")).status, "who has the right list goes on").toBe(200);
  });

  test("one of which belongs to another deployment, does without it, and leaves it alone", async () => {
    const prefix = ownPrefix();
    await using stranger = await startInstance([url(SPARE)], { prefix });
    await using right = await startInstance(good(), { prefix });
    await using wrong = await startLogging(with3rd(url(SPARE)), { prefix });
    await untilShown(
      wrong,
      ({ primaries: all }) =>
        all.map(({ state }) => state).join() === "up,up,misconfigured" &&
        /^it belongs to another deployment/.test(all[2]?.reason ?? ""),
      "it is left out",
    );
    expect((await acquire(wrong, "x")).status, "two of three are ours").toBe(200);
    expect((await acquire(right, "x")).status).toBe(409);
    expect((await acquire(stranger, "x")).status, "it knows nothing of us").toBe(200);
    expect((await shown(stranger)).configurationVersion).toBe(1);
  });

  test("one of which belongs to another deployment, leaves it alone when another one forgot, too", async () => {
    const prefix = ownPrefix();
    const five = [...good(), url(SPARE), url(OTHER_SPARE)];
    {
      await using _stranger = await startInstance([url(OTHER_SPARE)], { prefix });
    }
    const theirs = await storedField(server(OTHER_SPARE), prefix, "configuration");
    // A deployment of five that knows that address, and has never met who lives there now.
    await forget(server(OTHER_SPARE), prefix);
    await using ours = await startInstance(five, { prefix });
    await forget(server(OTHER_SPARE), prefix);
    await command(
      server(OTHER_SPARE),
      "HSET",
      `${prefix}configuration`,
      "configuration",
      String(theirs),
      "id",
      "x",
      "stamp",
      "theirs",
      "stage",
      "member",
    );
    await forget(server(SPARE), prefix);
    await noticed(ours);
    await untilShown(
      ours,
      ({ primaries: all, configurationVersion }) =>
        (configurationVersion ?? 0) > 1 &&
        all.map(({ state }) => state).join() === "up,up,up,up,misconfigured",
      "the one that forgot is readmitted, the other one is not",
    );
    expect(await storedField(server(OTHER_SPARE), prefix, "configuration")).toBe(theirs);
  });

  test("no majority of which belongs to one deployment, is refused", async () => {
    const prefix = ownPrefix();
    {
      await using _ours = await startInstance(good(), { prefix });
    }
    const stored = JSON.parse((await storedField(server(0), prefix, "configuration")) as string);
    const theirs = JSON.stringify({ ...stored, deployment: "theirs" });
    await command(server(0), "HSET", `${prefix}configuration`, "configuration", theirs);
    await forget(server(1), prefix);
    await using wrong = await startLogging(good(), { prefix });
    await untilShown(
      wrong,
      ({ primaries: all }) =>
        all.every(({ reason }) => reason === "the primaries belong to different deployments"),
      "it is refused",
    );
  });

  test("with a new server at an address that the deployment does not know, does without it", async () => {
    const prefix = ownPrefix();
    await using _right = await startInstance(good(), { prefix });
    await using wrong = await startLogging(with3rd(url(SPARE)), { prefix });
    const told = await thirdBecomes(wrong, "misconfigured");
    expect(told.reason).toBe("it is empty, and its address is not in the configuration of this deployment");
    expectTold(told, "misconfigured");
    expect((await acquire(wrong, "x")).status).toBe(200);
  });

  test("that names a server anew, knows it by what it stores, and after a readmission by its new name", async () => {
    const prefix = ownPrefix();
    {
      await using _before = await startInstance(good(), { prefix });
    }
    await using instance = await startInstance(with3rd(aliasOf(url(2))), { prefix });
    await command(server(2), "REPLICAOF", "127.0.0.1", "1");
    await command(server(2), "REPLICAOF", "NO", "ONE");
    await allTakePart(instance, 1);
    await forget(server(2), prefix);
    await noticed(instance);
    expect((await allTakePart(instance, 2)).primaries[2]?.state).toBe("up");
  });

  test("written by a later version of Quorate, is refused", async () => {
    const prefix = ownPrefix();
    const later = JSON.stringify({ protocol: 3, deployment: "d", version: 1, primaries: [] });
    await command(server(0), "HSET", `${prefix}configuration`, "configuration", later, "id", "a");
    await using instance = await startLogging([url(0)], { prefix });
    await untilShown(
      instance,
      ({ primaries: all }) => /protocol 3, this version of Quorate knows 2/.test(all[0]?.reason ?? ""),
      "it is refused",
    );
  });

  test("with a server that stores what cannot be read, says so", async () => {
    const prefix = ownPrefix();
    await command(server(2), "HSET", `${prefix}configuration`, "configuration", "{", "id", "a");
    await using instance = await startLogging(good(), { prefix });
    const { reason } = await thirdBecomes(instance, "misconfigured");
    expect(reason).toMatch(/^what it stores of the configuration cannot be read/);
  });
});

describe("what was put right is noticed", () => {
  test("within a second: a policy of eviction, a replica", async () => {
    const settings: Record<string, [string, string]> = {
      maxmemory: ["64mb", "0"],
      "maxmemory-policy": ["allkeys-lru", "noeviction"],
    };
    const third = server(SPARE);
    await setWhile(third, settings, async () => {
      await using instance = await startLogging(with3rd(third.url));
      await thirdBecomes(instance, "misconfigured");
      await command(third, "REPLICAOF", "127.0.0.1", "1");
      await command(third, "CONFIG", "SET", "maxmemory-policy", "noeviction");
      await thirdBecomes(instance, "wrong_role");
      expect((await acquire(instance, "x")).status, "a first start needs all").toBe(503);
      await command(third, "REPLICAOF", "NO", "ONE");
      const { primaries } = await untilShown(instance, ({ quorum }) => quorum, "it starts");
      expect(primaries.map(({ state }) => state)).toEqual(["up", "up", "up"]);
      expect((await acquire(instance, "x")).status).toBe(200);
    });
  });
});

describe("a primary without an append-only file", () => {
  test("is told once, with what it means and what to set, and takes part", async () => {
    await setWhile(server(SPARE), { appendonly: ["no", "yes"] }, async () => {
      await using instance = await startLogging(with3rd(url(SPARE)), { up: 3 });
      // Looked at again, it is nothing new.
      await forget(server(0), instance.prefix);
      await noticed(instance);
      await allTakePart(instance, 1);
      const warnings = linesOf(instance).filter(({ msg }) => msg.startsWith("no append-only file"));
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatchObject({ level: "warn", primary: new URL(url(SPARE)).host });
      expect(warnings[0]?.msg).toContain("CONFIG SET appendonly yes");
      expect((await shown(instance)).primaries[2]?.state).toBe("up");
    });
  });

  test("is not worth a warning where it keeps one", async () => {
    await using instance = await startLogging(good(), { up: 3 });
    expect(linesOf(instance).filter(({ level }) => level !== "info")).toEqual([]);
  });
});

describe("a primary that forgot and cannot be written to", () => {
  const third = () => server(SPARE);

  /** A deployment whose third primary has no memory left, and an instance of it. */
  async function withFullThird(use: (instance: Instance) => Promise<void>): Promise<void> {
    await setWhile(third(), { maxmemory: ["0", "0"] }, async () => {
      await using instance = await startLogging(with3rd(third().url), { up: 3 });
      await command(third(), "CONFIG", "SET", "maxmemory", "1");
      await forget(third(), instance.prefix);
      await use(instance);
    });
  }

  test("is shown with what keeps it, and the configuration does not change for it again and again", async () => {
    await withFullThird(async (instance) => {
      await noticed(instance);
      const { primaries, configurationVersion } = await untilShown(
        instance,
        ({ primaries: all }) => /; but OOM/.test(all[2]?.reason ?? ""),
        "the reason is seen",
      );
      expect(primaries[2]?.state).toBe("readmitting");
      expect(configurationVersion).toBe(1);
      for (let i = 0; i < 20; i++) expect((await acquire(instance, `n${i}`, 500)).status).toBe(200);
      const told = linesOf(instance).filter(({ msg }) => msg === "readmission is interrupted");
      expect(told).toHaveLength(1);
      expect(told[0]).toMatchObject({ level: "warn", reason: expect.stringMatching(/^OOM/) });

      await command(third(), "CONFIG", "SET", "maxmemory", "0");
      const { primaries: after } = await allTakePart(instance, 1);
      expect(after[2]?.reason).toBeNull();
    });
  });

  test("beyond a part of it, is tried again without changing the configuration, and told once", async () => {
    await withFullThird(async (instance) => {
      const fill =
        "for i = 1, 20000 do redis.call('HSET', KEYS[1], 'lock/' .. i, '9000000000000000') end redis.call('HSET', KEYS[1], 'max', '9000000000000000')";
      for (const place of [0, 1]) await command(server(place), "EVAL", fill, 1, `${instance.prefix}counters`);
      const memory = String(await command(third(), "INFO", "memory"));
      const used = Number(/used_memory:(\d+)/.exec(memory)?.[1]);
      await command(third(), "CONFIG", "SET", "maxmemory", used + 500_000);
      const attempts = () => linesOf(instance).filter(({ msg }) => msg === "readmission is interrupted");
      await until(
        () => attempts().some(({ reason }) => reason?.includes("@user_script")),
        "the copying is interrupted",
      );
      const version = (await shown(instance)).configurationVersion;
      for (let i = 0; i < 3; i++) {
        await sleep(200);
        expect(await shown(instance)).toMatchObject({
          configurationVersion: version,
          primaries: [{ state: "up" }, { state: "up" }, { state: "readmitting" }],
        });
      }
      expect(attempts().length).toBeLessThanOrEqual(2);
      await command(third(), "CONFIG", "SET", "maxmemory", "0");
      await allTakePart(instance, 1);
    });
  });
});
