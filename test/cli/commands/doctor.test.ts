import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Finding } from "../../../src/cli/doctor/finding.js";
import type { Primaries, Primary } from "../../../src/cli/types.js";
import { accessBy } from "../../helpers/access.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../../helpers/primaries.js";
import { type Instance, type InstanceOptions, startInstance, until } from "../../helpers/service.js";
import { against, cells } from "./reading.js";

let primaries: TestPrimaries;
let one: Instance;
let two: Instance;
let urls: string;
beforeAll(async () => {
  primaries = await startPrimaries(3);
  one = await start();
  two = await start({ prefix: one.prefix });
  urls = `${await one.url()},${await two.url()}`;
});
afterAll(async () => {
  await Promise.all([one, two].map((instance) => instance[Symbol.asyncDispose]()));
  await primaries.close();
});

// The machine of a test is slow at times, and that would be a finding.
const start = (options: InstanceOptions = {}) =>
  startInstance(primaries.urls, { ...options, env: { QUORATE_COMMAND_TIMEOUT_MS: "10000" } });

const at = (place: number): TestPrimary => primaries.all[place] as TestPrimary;
const addressOf = (place: number): string => new URL(at(place).url).host;

/** Waits until both instances see a primary as it should be. */
async function seen(place: number, isTrue: (primary: Primary) => boolean): Promise<void> {
  for (const instance of [one, two])
    await until(async () => {
      const { primaries: all } = (await instance.call("GET", "/v1/primaries")).body as Primaries;
      return isTrue(all[place] as Primary);
    }, `primary ${place} is seen so`);
}

async function findings(...args: string[]): Promise<Finding[]> {
  const { code, out } = await against(urls, "doctor", "--json", ...args);
  const { healthy, findings: found } = JSON.parse(out);
  expect([code, healthy]).toEqual(found.length === 0 ? [0, true] : [1, false]);
  return found;
}
const ids = (found: readonly Finding[]) => found.map(({ id, subject }) => `${id} ${subject}`);

/** Does what a cure says: `redis-cli -u URL command…`. */
async function apply({ cure }: Finding, place: number): Promise<void> {
  const [program, , url, ...command] = (cure ?? "").split(" ");
  expect([program, url]).toEqual(["redis-cli", at(place).url]);
  await at(place).cli(...command);
}

test("where all is well it says so, and ends with 0", async () => {
  const { code, out, err } = await against(urls, "doctor");
  expect({ code, out, err }).toEqual({
    code: 0,
    out: "2 instances, 3 primaries: all is well\n",
    err: "",
  });
});

describe("what is wrong with a primary is found, and its cure cures it:", () => {
  test.each([
    { what: "no append-only file", id: "appendonly", setting: ["appendonly", "no"] },
    { what: "an fsync once a second", id: "appendfsync-everysec", setting: ["appendfsync", "everysec"] },
    { what: "no fsync at all", id: "appendfsync-no", setting: ["appendfsync", "no"] },
    { what: "a policy that would evict", id: "eviction", setting: ["maxmemory-policy", "allkeys-lru"] },
  ])("$what", async ({ id, setting }) => {
    const [name = "", wrong = ""] = setting;
    await at(1).cli("config", "set", name, wrong);
    const told = ({ server }: Primary) => JSON.stringify(server).includes(`"${wrong}"`);
    await seen(1, (primary) =>
      name === "appendonly" ? primary.server?.persistence.appendOnly === false : told(primary),
    );
    const found = await findings();
    expect(ids(found)).toEqual([`${id} ${addressOf(1)}`]);
    await apply(found[0] as Finding, 1);
    await seen(1, (primary) =>
      name === "appendonly" ? primary.server?.persistence.appendOnly === true : !told(primary),
    );
    expect(await findings()).toEqual([]);
  });

  test("one that evicts, and takes no part", async () => {
    await at(2).cli("config", "set", "maxmemory", "100mb");
    await at(2).cli("config", "set", "maxmemory-policy", "allkeys-lru");
    await seen(2, ({ state }) => state === "misconfigured");
    const found = await findings();
    expect(ids(found)).toEqual([`misconfigured ${addressOf(2)}`]);
    await apply(found[0] as Finding, 2);
    await seen(2, ({ state }) => state === "up");
    expect(await findings()).toEqual([]);
    await at(2).cli("config", "set", "maxmemory", "0");
  });

  test("one that is a replica", async () => {
    await at(2).cli("replicaof", "127.0.0.1", "1");
    await seen(2, ({ state }) => state === "wrong_role");
    const found = await findings();
    expect(ids(found)).toEqual([`wrong_role ${addressOf(2)}`]);
    await apply(found[0] as Finding, 2);
    await seen(2, ({ state }) => state === "up");
  });
});

test("findings are told with the reason, the place to read and the cure, and can be ignored", async () => {
  await at(0).cli("config", "set", "appendfsync", "everysec");
  await seen(0, ({ server }) => server?.persistence.appendFsync === "everysec");
  const { code, out } = await against(urls, "doctor");
  expect(code).toBe(1);
  expect(out.split("\n").slice(0, 6)).toEqual([
    "2 instances, 3 primaries: 1 finding",
    "",
    `MINOR  ${addressOf(0)}: it writes to its disk once a second (appendfsync everysec)`,
    "  why:  when machines lose power, the last second of what was acknowledged may be forgotten (docs/operating.md#what-each-persistence-setting-survives)",
    `  cure: redis-cli -u redis://${addressOf(0)} config set appendfsync always`,
    "  id:   appendfsync-everysec",
  ]);
  expect(await findings("--ignore", "latency, appendfsync-everysec")).toEqual([]);
  await at(0).cli("config", "set", "appendfsync", "always");
  await seen(0, ({ server }) => server?.persistence.appendFsync === "always");
});

test("instances are compared: another deployment, one that is gone, and one that does not know the key", async () => {
  await using foreign = await start();
  using keys = await accessBy({});
  const { access } = keys;
  await using closed = await start({ prefix: one.prefix, world: { access } });
  const named = [urls, await foreign.url(), "http://127.0.0.1:9", await closed.url()].join(",");
  expect(ids(await findings("--url", named))).toEqual([
    `other-deployment ${await foreign.url()}`,
    "unreachable http://127.0.0.1:9",
    `key ${await closed.url()}`,
  ]);
});

test("a primary that is down is told of by all, and a quorum that is lost comes first", async () => {
  await Promise.all([at(1).kill(), at(2).kill()]);
  for (const place of [1, 2]) await seen(place, ({ state }) => state === "down");
  const found = await findings();
  const told = ids(found);
  expect(told.slice(0, 2)).toEqual(urls.split(",").map((url) => `no-quorum ${url}`));
  // The third may wait for them, and is then found as well.
  expect(told).toEqual(expect.arrayContaining([`down ${addressOf(1)}`, `down ${addressOf(2)}`]));
  const { code, out } = await against(urls, "primaries");
  expect(code).toBe(0);
  expect(out).toContain("no quorum: 2 of 3 are needed");
  await Promise.all([at(1).start(), at(2).start()]);
  for (const place of [0, 1, 2]) await seen(place, ({ state }) => state === "up");
});

describe("quorate primaries", () => {
  test("shows states, latencies and settings, also where a namespace is set", async () => {
    const { code, out, err } = await against(urls, "primaries", "--namespace", "team-a");
    expect([code, err]).toEqual([0, ""]);
    const [head, first] = cells(out);
    expect(head).toEqual([
      "ADDRESS",
      "STATE",
      "FOR",
      "P50",
      "P99",
      "SERVER",
      "APPEND-ONLY FILE",
      "MEMORY",
      "CLOCK",
    ]);
    expect(first?.slice(0, 2)).toEqual([addressOf(0), "up"]);
    expect(first?.[3]).toMatch(/^\d+(\.\d\d)? ms$/);
    expect(first?.[5]).toMatch(/^(redis|valkey) \d+\.\d+\.\d+$/);
    expect(first?.[6]).toBe("always");
    expect(out).toMatch(/\nquorum: 2 of 3 are needed; configuration: version \d+\n$/);
  });

  test("prints what the API answers with --json", async () => {
    const { out } = await against(urls, "primaries", "--json");
    const { body } = await one.call("GET", "/v1/primaries");
    expect(Object.keys(JSON.parse(out))).toEqual(Object.keys(body));
    expect(JSON.parse(out).deployment).toBe(body.deployment);
  });
});

test("wrong use is one line, and ends with 64", async () => {
  for (const args of [
    ["doctor", "x"],
    ["doctor", "--url", "ftp://a"],
    ["primaries", "x"],
  ]) {
    const { code, out, err } = await against(urls, ...args);
    expect([code, out]).toEqual([64, ""]);
    expect(err).toMatch(/^quorate: [^\n]+\n$/);
  }
});
