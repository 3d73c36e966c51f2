import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  acquire,
  allTakePart,
  command,
  forget,
  type Shown,
  shown,
  storedField,
  untilShown,
} from "../helpers/deployment.js";
import { bulk, failure, startFakeRedis, startServer, status } from "../helpers/fake-redis.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { type Instance, type InstanceOptions, ownPrefix, startInstance } from "../helpers/service.js";

// Servers that cannot be primaries: each is told with its reason, in the log and in /v1/primaries, and stops nobody.

let good: TestPrimaries;

beforeAll(async () => {
  good = await startPrimaries(2);
});
afterAll(() => good.close());

const others = () => good.urls;

/** An instance that logs, and does not wait for anything. */
function startLogging(urls: readonly string[], options: InstanceOptions = {}): Promise<Instance> {
  return startInstance(urls, { up: 0, ...options, env: { QUORATE_LOG_LEVEL: "info", ...options.env } });
}

interface Line {
  readonly level: number;
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
  expect(told[0]).toMatchObject({ level: 40, reason, msg: "primary takes no part" });
}

describe("a server", () => {
  test.each<[what: string, args: string[], url: (url: string) => string, state: string, reason: RegExp]>([
    [
      "that wants a password, and is given none",
      ["--requirepass", "secret"],
      (url) => url,
      "misconfigured",
      /^NOAUTH/,
    ],
    [
      "that wants another password",
      ["--requirepass", "secret"],
      (url) => url.replace("//", "//:wrong@"),
      "misconfigured",
      /WRONGPASS/,
    ],
    ["in cluster mode", ["--cluster-enabled", "yes"], (url) => url, "misconfigured", /cluster-enabled no/],
    [
      "that would evict keys",
      ["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"],
      (url) => url,
      "misconfigured",
      /allkeys-lru: an evicted key is a lost lock \(CONFIG SET maxmemory-policy noeviction\)/,
    ],
  ])("%s, is left out with a clear reason", async (_what, args, url, state, reason) => {
    await using bad = await startPrimaries(1, { args });
    await using instance = await startLogging([...others(), url(bad.urls[0] as string)]);
    const told = await thirdBecomes(instance, state);
    expect(told.reason).toMatch(reason);
    expectTold(told, state);
    expect(JSON.stringify(instance.logged)).not.toMatch(/secret|:wrong@/);
  });

  test("that is a replica, is left out with the name of its master", async () => {
    await using bad = await startPrimaries(1);
    const [replica] = bad.all as [TestPrimary];
    await command(replica, "REPLICAOF", "127.0.0.1", "1");
    await using instance = await startLogging([...others(), replica.url]);
    const told = await thirdBecomes(instance, "wrong_role");
    expect(told.reason).toBe(
      "it is a replica of 127.0.0.1:1: primaries must be independent of each other (REPLICAOF NO ONE)",
    );
    expectTold(told, "wrong_role");
  });

  test("that is an HTTP server, is left out", async () => {
    const server = createServer((_request, response) => response.end("hello"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
      await using instance = await startLogging([...others(), url]);
      const told = await thirdBecomes(instance, "misconfigured");
      expect(told.reason).toMatch(/does not speak the protocol of Redis: name a Redis or Valkey server/);
      expectTold(told, "misconfigured");
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test("that hangs up on everybody, is asked about", async () => {
    await using server = await startServer((socket) => socket.end());
    await using instance = await startLogging([...others(), server.url]);
    const { reason } = await thirdBecomes(instance, "down");
    await untilShown(
      instance,
      ({ primaries: all }) => /is it a Redis or Valkey server\?$/.test(all[2]?.reason ?? ""),
      `the reason helps, and not only ${reason}`,
    );
  });

  test("that never says anything, is down", async () => {
    await using server = await startServer(() => {});
    await using instance = await startLogging([...others(), server.url]);
    const { reason } = await thirdBecomes(instance, "down");
    expect(reason).toMatch(/no answer within 100 ms|not connected yet/);
  });

  test("that is too old, is left out with its version", async () => {
    const old = "redis_version:5.0.14\r\nrun_id:0123\r\nrole:master\r\nmaster_replid:4567\r\n";
    await using server = await startFakeRedis((name) => {
      if (name === "PING") return status("PONG");
      if (name === "SCRIPT") return bulk("0".repeat(40));
      return name === "INFO" ? bulk(old) : status("OK");
    });
    await using instance = await startLogging([...others(), server.url]);
    const told = await thirdBecomes(instance, "misconfigured");
    expect(told.reason).toBe("Redis 5.0.14 is too old: 6.2 is the oldest that works");
    expectTold(told, "misconfigured");
    expect(server.commands, "nothing was tried on it").not.toContain("EVALSHA");
  });

  test("whose user may not run scripts, is left out with what it may not", async () => {
    await using server = await startFakeRedis((name) =>
      name === "PING" ? status("PONG") : failure(`NOPERM this user has no permissions to run '${name}'`),
    );
    await using instance = await startLogging([...others(), server.url]);
    const told = await thirdBecomes(instance, "misconfigured");
    expect(told.reason).toMatch(/^NOPERM .*SCRIPT/i);
    expectTold(told, "misconfigured");
  });
});

describe("a list of primaries", () => {
  test("with one server under two names, is refused as a whole", async () => {
    await using third = await startPrimaries(1);
    const [url] = third.urls as [string];
    await using instance = await startLogging([
      others()[0] as string,
      url,
      url.replace("127.0.0.1", "localhost"),
    ]);
    const { primaries } = await untilShown(
      instance,
      ({ primaries: all }) => all.every(({ state }) => state === "misconfigured"),
      "all are refused",
    );
    for (const { reason } of primaries)
      expect(reason).toMatch(/127\.0\.0\.1:(\d+) and localhost:\1 are one and the same server/);
    expect((await acquire(instance, "x")).status).toBe(503);
    const told = linesOf(instance).filter(({ msg }) => msg === "these primaries cannot be used");
    expect(told).toHaveLength(1);
  });

  test("of another length than the stored one, is refused, and names the stored one", async () => {
    await using more = await startPrimaries(3);
    const prefix = ownPrefix();
    await using _three = await startInstance(more.urls, { prefix });
    await using five = await startLogging([...more.urls, ...others()], { prefix });
    const { primaries } = await untilShown(
      five,
      ({ primaries: all }) => all.every(({ state }) => state === "misconfigured"),
      "all are refused",
    );
    const addresses = more.urls.map((url) => new URL(url).host).join(", ");
    expect(primaries[0]?.reason).toBe(
      `the stored configuration has 3 primaries (${addresses}), REDIS_URLS names 5`,
    );
    // Nothing was written to those that are not in it.
    for (const one of good.all) expect(await command(one, "EXISTS", `${prefix}configuration`)).toBe(0);
    expect((await acquire(_three, "x")).status, "who has the right list goes on").toBe(200);
  });

  test("one of which belongs to another deployment, does without it, and leaves it alone", async () => {
    const prefix = ownPrefix();
    await using theirs = await startPrimaries(1);
    await using stranger = await startInstance(theirs.urls, { prefix });
    await using third = await startPrimaries(1);
    const ours = [...others(), third.urls[0] as string];
    await using right = await startInstance(ours, { prefix });
    await using wrong = await startLogging([...others(), theirs.urls[0] as string], { prefix });
    const told = await thirdBecomes(wrong, "misconfigured");
    expect(told.reason).toMatch(/^it belongs to another deployment/);
    expectTold(told, "misconfigured");
    expect((await acquire(wrong, "x")).status, "two of three are ours").toBe(200);
    expect((await acquire(right, "x")).status).toBe(409);
    expect((await acquire(stranger, "x")).status, "it knows nothing of us").toBe(200);
    expect((await shown(stranger)).configurationVersion).toBe(1);
  });

  test("no majority of which belongs to one deployment, is refused", async () => {
    const prefix = ownPrefix();
    await using third = await startPrimaries(1);
    const urls = [...others(), third.urls[0] as string];
    {
      await using _ours = await startInstance(urls, { prefix });
    }
    const [one, other] = good.all as [TestPrimary, TestPrimary];
    const stored = JSON.parse((await storedField(one, prefix, "configuration")) as string);
    const theirs = JSON.stringify({ ...stored, deployment: "theirs" });
    await command(one, "HSET", `${prefix}configuration`, "configuration", theirs);
    await forget(other, prefix);
    await using wrong = await startLogging(urls, { prefix });
    await untilShown(
      wrong,
      ({ primaries: all }) =>
        all.every(({ reason }) => reason === "the primaries belong to different deployments"),
      "it is refused",
    );
  });

  test("with a new server at an address that the deployment does not know, does without it", async () => {
    const prefix = ownPrefix();
    await using third = await startPrimaries(1);
    await using _right = await startInstance([...others(), third.urls[0] as string], { prefix });
    await using unknown = await startPrimaries(1);
    await using wrong = await startLogging([...others(), unknown.urls[0] as string], { prefix });
    const told = await thirdBecomes(wrong, "misconfigured");
    expect(told.reason).toBe("it is empty, and its address is not in the configuration of this deployment");
    expectTold(told, "misconfigured");
    expect((await acquire(wrong, "x")).status).toBe(200);
  });

  test("written by a later version of Quorate, is refused", async () => {
    const prefix = ownPrefix();
    await using own = await startPrimaries(1);
    const later = JSON.stringify({ protocol: 2, deployment: "d", version: 1, primaries: [] });
    await command(
      own.all[0] as TestPrimary,
      "HSET",
      `${prefix}configuration`,
      "configuration",
      later,
      "id",
      "a",
    );
    await using instance = await startLogging(own.urls, { prefix });
    await untilShown(
      instance,
      ({ primaries: all }) => /protocol 2, this version of Quorate knows 1/.test(all[0]?.reason ?? ""),
      "it is refused",
    );
  });
});

describe("what was put right is noticed", () => {
  test("within a second: a policy of eviction, a replica", async () => {
    await using own = await startPrimaries(3, {
      args: ["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"],
    });
    const [first, second, third] = own.all as [TestPrimary, TestPrimary, TestPrimary];
    const keepAll = (primary: TestPrimary) =>
      command(primary, "CONFIG", "SET", "maxmemory-policy", "noeviction");
    await keepAll(first);
    await keepAll(second);
    await using instance = await startLogging(own.urls);
    await thirdBecomes(instance, "misconfigured");
    await command(third, "REPLICAOF", "127.0.0.1", "1");
    await keepAll(third);
    await thirdBecomes(instance, "wrong_role");
    expect((await acquire(instance, "x")).status, "a first start needs all").toBe(503);
    await command(third, "REPLICAOF", "NO", "ONE");
    const { primaries } = await untilShown(instance, ({ quorum }) => quorum, "it starts");
    expect(primaries.map(({ state }) => state)).toEqual(["up", "up", "up"]);
    expect((await acquire(instance, "x")).status).toBe(200);
  });
});

describe("a primary without an append-only file", () => {
  test("is told once, with what it means and what to set, and takes part", async () => {
    await using own = await startPrimaries(1, { args: ["--appendonly", "no"] });
    await using instance = await startLogging([...others(), own.urls[0] as string], { up: 3 });
    await instance.service.primaries.all[2]?.onDoubt(instance.service.primaries.all[2]);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const warnings = linesOf(instance).filter(({ msg }) => msg.startsWith("no append-only file"));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ level: 40, primary: new URL(own.urls[0] as string).host });
    expect(warnings[0]?.msg).toContain("CONFIG SET appendonly yes");
    expect((await shown(instance)).primaries[2]?.state).toBe("up");
  });

  test("is not worth a warning where it keeps one", async () => {
    await using own = await startPrimaries(1);
    await using instance = await startLogging(own.urls, { up: 1 });
    expect(linesOf(instance).filter(({ level }) => level > 30)).toEqual([]);
  });
});

describe("a primary that forgot and cannot be written to", () => {
  /** A deployment whose third primary has no memory left, and an instance of it. */
  async function withFullThird(
    use: (instance: Instance, third: TestPrimary, all: TestPrimaries) => Promise<void>,
  ) {
    await using own = await startPrimaries(3);
    await using instance = await startLogging(own.urls, { up: 3 });
    const third = own.all[2] as TestPrimary;
    await command(third, "CONFIG", "SET", "maxmemory", "1");
    await forget(third, instance.prefix);
    await use(instance, third, own);
  }

  test("is shown with what keeps it, and the configuration does not change for it again and again", async () => {
    await withFullThird(async (instance, third) => {
      await instance.call("GET", "/v1/locks/any");
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
      expect(told[0]).toMatchObject({ level: 40, reason: expect.stringMatching(/^OOM/) });

      await command(third, "CONFIG", "SET", "maxmemory", "0");
      const { primaries: after } = await allTakePart(instance, 1);
      expect(after[2]?.reason).toBeNull();
    });
  });

  test("or only a part of it, is tried once a second, and told once", async () => {
    await withFullThird(async (instance, third, { all }) => {
      const fill =
        "for i = 1, 20000 do redis.call('HSET', KEYS[1], 'lock/' .. i, '9000000000000000') end redis.call('HSET', KEYS[1], 'max', '9000000000000000')";
      for (const one of all.slice(0, 2)) await command(one, "EVAL", fill, 1, `${instance.prefix}counters`);
      const memory = String(await command(third, "INFO", "memory"));
      const used = Number(/used_memory:(\d+)/.exec(memory)?.[1]);
      await command(third, "CONFIG", "SET", "maxmemory", used + 500_000);
      await untilShown(
        instance,
        ({ primaries }) => /; but OOM/.test(primaries[2]?.reason ?? ""),
        "the reason is seen",
      );
      const before = (await shown(instance)).configurationVersion;
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      expect((await shown(instance)).configurationVersion).toBe(before);
      const told = linesOf(instance).filter(({ msg }) => msg === "readmission is interrupted");
      expect(told.length).toBeLessThanOrEqual(2);
      await command(third, "CONFIG", "SET", "maxmemory", "0");
      await allTakePart(instance, 1);
    });
  });
});

test("a primary that stores what cannot be read is told to do so", async () => {
  const prefix = ownPrefix();
  await using own = await startPrimaries(1);
  const [primary] = own.all as [TestPrimary];
  await command(primary, "HSET", `${prefix}configuration`, "configuration", "{", "id", "a");
  await using instance = await startLogging([...others(), primary.url], { prefix });
  const { reason } = await thirdBecomes(instance, "misconfigured");
  expect(reason).toMatch(/^what it stores of the configuration cannot be read/);
});
