import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PRIMARY_STATES } from "../../src/redis/lifecycle.js";
import { acquire, command, isListed, release, shown, untilShown } from "../helpers/deployment.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { freshName, type Instance, startInstance, until } from "../helpers/service.js";

// Primaries that answer and refuse writes: their memory or their disk is full, or they lack replicas.

let primaries: TestPrimaries;

beforeAll(async () => {
  primaries = await startPrimaries(3);
});
afterAll(() => primaries.close());

const at = (place: number): TestPrimary => primaries.all[place] as TestPrimary;
const logging = { env: { QUORATE_LOG_LEVEL: "info" } };
const OOM = "OOM command not allowed when used memory > 'maxmemory'";

const config = (places: readonly number[], name: string, value: string) =>
  Promise.all(places.map((place) => command(at(place), "CONFIG", "SET", name, value)));

/** Memory of these primaries is full for as long as it takes. */
async function whileFull(places: readonly number[], use: () => Promise<void>): Promise<void> {
  await config(places, "maxmemory", "1");
  try {
    await use();
  } finally {
    await config(places, "maxmemory", "0");
  }
}

const statesOf = async (instance: Instance) => (await shown(instance)).primaries.map(({ state }) => state);
const ready = async (instance: Instance) => (await instance.call("GET", "/readyz")).body;
const allUp = (instance: Instance) =>
  untilShown(instance, (now) => now.primaries.every(({ state }) => state === "up"), "all are up again");

const versionOf = async (primary: TestPrimary) =>
  /redis_version:(\S+)/.exec(String(await command(primary, "INFO", "server")))?.[1] ?? "";

interface Line {
  readonly level: number;
  readonly primary?: string;
  readonly state?: string;
  readonly reason?: string;
  readonly msg: string;
}

/** What was logged since of one primary. */
const toldOf = (place: number, instance: Instance, before: number): Line[] =>
  instance.logged
    .slice(before)
    .map((line) => JSON.parse(line) as Line)
    .filter(({ primary }) => primary === new URL(at(place).url).host);

describe("a full memory", () => {
  test("of a majority is told in the problem, the state, /readyz, the metrics and once in the log; and ends by itself", async () => {
    await using instance = await startInstance(primaries.urls, logging);
    const before = instance.logged.length;
    const name = freshName();
    await whileFull([1, 2], async () => {
      for (let i = 0; i < 30; i++) {
        const { status, body } = await instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 1_000 });
        expect([status, body.code, body.retryAfterMs]).toEqual([503, "no_quorum", 1_000]);
        expect(body.detail).toBe(
          `2 of 3 primaries refuse writes; 2 must accept them. The reason: ${OOM}. Try again later: GET /v1/primaries tells how each of them is.`,
        );
      }
      const now = await shown(instance);
      expect(now).toMatchObject({ quorum: false, grantsInMs: null });
      expect(now.primaries.map(({ state, reason }) => [state, reason])).toEqual([
        ["up", null],
        ["refusing", OOM],
        ["refusing", OOM],
      ]);
      expect(await ready(instance)).toEqual({
        status: "ready",
        quorum: false,
        reason: `2 of 3 primaries refuse writes; 2 must accept them. The reason: ${OOM}.`,
        grantsInMs: null,
      });
      const { body: metrics } = await instance.call("GET", "/metrics");
      expect((metrics as string).match(/^quorate_primary_state\{.*state="refusing"\} 1$/gm)).toHaveLength(2);
      // It looks at them every second: nothing else must come of that.
      await until(async () => ((await shown(instance)).primaries[2]?.forMs ?? 0) > 2_200, "two looks later");
      expect(await statesOf(instance)).toEqual(["up", "refusing", "refusing"]);
    });
    await allUp(instance);
    expect((await acquire(instance, name)).status).toBe(200);
    expect(await ready(instance)).toMatchObject({ quorum: true, reason: null, grantsInMs: 0 });
    expect(toldOf(0, instance, before)).toEqual([]);
    for (const place of [1, 2])
      expect(
        toldOf(place, instance, before).map(({ level, msg, state, reason }) => [level, msg, state, reason]),
      ).toEqual([
        ["warn", "primary refuses writes", "refusing", OOM],
        ["info", "primary participates", "up", undefined],
      ]);
  });

  test("of a majority refuses each of the requests of one moment, and keeps nothing of any", async () => {
    await using instance = await startInstance(primaries.urls);
    const names = Array.from({ length: 20 }, () => freshName());
    await whileFull([1, 2], async () => {
      const answers = await Promise.all(names.map((name) => acquire(instance, name)));
      expect(answers.map(({ status }) => status)).toEqual(names.map(() => 503));
    });
    await allUp(instance);
    for (const name of names)
      expect((await instance.call("GET", `/v1/locks/${name}`)).body.holders, name).toEqual([]);
  });

  test("is seen though nobody asks for anything", async () => {
    await using instance = await startInstance(primaries.urls);
    await whileFull([0, 1, 2], async () => {
      await until(async () => !(await ready(instance)).quorum, "it is not ready to grant");
      await untilShown(
        instance,
        (now) => now.primaries.every(({ state }) => state === "refusing"),
        "all are seen",
      );
    });
    await until(async () => (await ready(instance)).quorum, "it is again");
  });

  test("of all leaves what is held as it is: it is renewed, read and released, and members stay", async () => {
    await using instance = await startInstance(primaries.urls);
    const name = freshName();
    const reader = freshName();
    const { leaseId, fencingToken } = await acquire(instance, name, 5_000);
    const shared = await instance.call("POST", `/v1/locks/${reader}/acquire`, {
      ttlMs: 5_000,
      mode: "shared",
    });
    await instance.call("PUT", "/v1/services/s/members/a", { address: "a:1", ttlMs: 60_000 });
    await whileFull([0, 1, 2], async () => {
      const renewal = { leaseId, ttlMs: 9_000, fencingToken };
      expect((await acquire(instance, freshName())).status).toBe(503);
      expect((await instance.call("POST", `/v1/locks/${name}/renew`, renewal)).status).toBe(200);
      const { body } = await instance.call("GET", `/v1/locks/${name}`);
      expect(body.holders[0].expiresInMs).toBeGreaterThan(5_000);
      const beat = await instance.call("POST", "/v1/services/s/members/a/heartbeat", {});
      expect(beat.status).toBe(200);
      expect(await isListed(instance, "s", "a")).toBe(true);
      expect(await release(instance, name, leaseId)).toBe(true);
      expect(await release(instance, reader, shared.body.leaseId)).toBe(true);
      expect((await instance.call("POST", `/v1/locks/${name}/renew`, renewal)).body.lost).toEqual({
        why: "released",
      });
    });
    await allUp(instance);
    const next = await acquire(instance, name);
    expect(next.status).toBe(200);
    expect(next.fencingToken).toBeGreaterThan(fencingToken);
  });

  test("of a minority stops nobody, and is shown", async () => {
    await using instance = await startInstance(primaries.urls);
    await whileFull([0], async () => {
      for (let i = 0; i < 10; i++) expect((await acquire(instance, freshName(), 500)).status).toBe(200);
      await untilShown(instance, (now) => now.primaries[0]?.state === "refusing", "it is shown");
      expect(await ready(instance)).toMatchObject({ quorum: true, reason: null, grantsInMs: 0 });
    });
    await allUp(instance);
  });
});

test("one that lacks replicas is shown, and what it was to be told meanwhile it is told after", async () => {
  await using instance = await startInstance(primaries.urls);
  const name = freshName();
  const { leaseId } = await acquire(instance, name, 60_000);
  const holdAt1 = () => command(at(1), "EXISTS", `${instance.prefix}hold/lock/${name}`);
  await config([1], "min-replicas-to-write", "1");
  try {
    expect(await release(instance, name, leaseId)).toBe(true);
    const { primaries: now } = await untilShown(
      instance,
      ({ primaries: all }) => all[1]?.state === "refusing",
      "it is shown",
    );
    expect(now[1]?.reason).toBe("NOREPLICAS Not enough good replicas to write");
    expect(await holdAt1()).toBe(1);
  } finally {
    await config([1], "min-replicas-to-write", "0");
  }
  await allUp(instance);
  await until(async () => (await holdAt1()) === 0, "the release arrives");
});

test("those whose snapshots fail are shown, and can be read, by one that begins meanwhile as well", async (context) => {
  // In the place of the file there is a folder, as Redis 7 has one: no snapshot can be written.
  await using failing = await startPrimaries(3, { args: ["--dbfilename", "appendonlydir"] });
  await using instance = await startInstance(failing.urls);
  const status = async (primary: TestPrimary) =>
    /rdb_last_bgsave_status:(\w+)/.exec(String(await command(primary, "INFO", "persistence")))?.[1];
  const broken = failing.all.slice(1);
  if (/^[0-6]\./.test(await versionOf(failing.all[0] as TestPrimary)))
    context.skip("Redis before 7 writes its files in another way");
  for (const primary of broken) {
    await command(primary, "CONFIG", "SET", "save", "3600 1");
    await command(primary, "BGSAVE");
    await until(async () => (await status(primary)) === "err", "the snapshot failed");
  }
  const { status: refused, body } = await instance.call("POST", "/v1/locks/a/acquire", { ttlMs: 500 });
  expect([refused, body.code]).toEqual([503, "no_quorum"]);
  expect(body.detail).toMatch(/^2 of 3 primaries refuse writes; .* The reason: MISCONF /);
  expect(await statesOf(instance)).toEqual(["up", "refusing", "refusing"]);
  expect((await instance.call("GET", "/v1/locks/any")).status).toBe(200);
  await using late = await startInstance(failing.urls, { prefix: instance.prefix });
  await untilShown(late, (now) => now.primaries[2]?.state === "refusing", "it sees that");
  expect((await late.call("GET", "/v1/locks/any")).status).toBe(200);
  for (const primary of broken) await command(primary, "CONFIG", "SET", "save", "");
  await allUp(instance);
  expect((await acquire(instance, "a")).status).toBe(200);
});

test("every state has a meaning in the description", async () => {
  await using instance = await startInstance(primaries.urls);
  const { body } = await instance.call("GET", "/openapi.json");
  const { description } = (
    body as { components: { schemas: { Primary: { properties: { state: { description: string } } } } } }
  ).components.schemas.Primary.properties.state;
  for (const state of PRIMARY_STATES) expect(description).toContain(`${state}: `);
});
