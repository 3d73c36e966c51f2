import { expect, test } from "vitest";
import { GUARD_MS } from "../../../src/algorithms/guard.js";
import { readEvents } from "../../helpers/events.js";
import { freshName, type Instance, ownPrefix, startInstance, until } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

const IDS = ["m1", "m2", "m3", "m4", "m5"];

async function serviceWithoutHeartbeats({ call }: Instance): Promise<string> {
  const service = freshName("search");
  await Promise.all(
    IDS.map((id) =>
      call("PUT", `/v1/services/${service}/members/${id}`, { address: "10.0.0.7:9000", ttlMs: 4_000 }),
    ),
  );
  return service;
}

test("a list tells of the guard that keeps its members, and so do metrics and the log", async () => {
  await using instance = await startInstance((await sharedPrimaries()).urls, {
    env: { QUORATE_LOG_LEVEL: "warn" },
  });
  const service = await serviceWithoutHeartbeats(instance);
  const list = async () => (await instance.call("GET", `/v1/services/${service}/members`)).body;
  expect((await list()).guardEndsInMs).toBeNull();
  await until(async () => (await list()).guardEndsInMs !== null, "a guard begins");
  await until(
    async () => (await list()).members.every(({ status }: { status: string }) => status === "suspect"),
    "all are suspect",
  );
  const { members, guardEndsInMs } = await list();
  expect(members).toHaveLength(IDS.length);
  expect(guardEndsInMs).toBeGreaterThan(GUARD_MS - 10_000);
  expect(guardEndsInMs).toBeLessThanOrEqual(GUARD_MS);
  await until(
    async () => /quorate_guards_total 1/.test((await instance.call("GET", "/metrics")).body),
    "it counts",
  );
  expect(
    instance.logged.some((line) => line.includes("its members are kept") && line.includes(service)),
  ).toBe(true);

  // Whoever is kept can leave at once, and come back by a heartbeat.
  await instance.call("DELETE", `/v1/services/${service}/members/m1`);
  expect((await instance.call("POST", `/v1/services/${service}/members/m2/heartbeat`)).status).toBe(200);
  expect((await list()).members.map(({ id, status }: Record<string, string>) => `${id} ${status}`)).toEqual([
    "m2 up",
    "m3 suspect",
    "m4 suspect",
    "m5 suspect",
  ]);
});

test("the streams of events at two instances tell who is kept as suspect, and who is not any more", async () => {
  const { urls } = await sharedPrimaries();
  const prefix = ownPrefix();
  await using one = await startInstance(urls, { prefix });
  await using other = await startInstance(urls, { prefix });
  const service = await serviceWithoutHeartbeats(one);
  await one.call("PATCH", `/v1/services/${service}/members/m1`, { status: "draining" });
  const path = `/v1/services/${service}/events`;
  using first = await readEvents(`${await one.url()}${path}`);
  using second = await readEvents(`${await other.url()}${path}`);
  const told = (stream: typeof first, kind: string) =>
    stream.events().flatMap(({ type, data }) => (type === kind ? data.member.id : []));
  for (const stream of [first, second])
    await until(
      () => told(stream, "suspect").length === IDS.length - 1,
      "all but the draining one are suspect",
    );
  const suspect = (stream: typeof first) =>
    stream
      .events()
      .flatMap(({ type, data }) => (type === "suspect" && data.member.id === "m2" ? [data] : []));
  expect(suspect(first)).toMatchObject([
    { member: { status: "suspect", revision: 1 }, why: expect.stringContaining("heartbeat") },
  ]);
  expect(suspect(second)).toEqual(suspect(first));

  // Whoever begins now, and whoever comes back, knows it as well.
  using late = await readEvents(`${await other.url()}${path}`);
  await until(() => told(late, "member").length === IDS.length, "a snapshot");
  const statuses = late.events().flatMap(({ type, data }) => (type === "member" ? data.member.status : []));
  expect(statuses.sort()).toEqual(["draining", "suspect", "suspect", "suspect", "suspect"]);

  expect((await one.call("POST", `/v1/services/${service}/members/m2/heartbeat`)).status).toBe(200);
  for (const stream of [first, second, late])
    await until(() => told(stream, "updated").includes("m2"), "m2 is not suspect any more");
  const last = first.events().findLast(({ data }) => data.member?.id === "m2");
  expect(last?.data).toMatchObject({ member: { status: "up" }, why: "not suspect any more" });
});

test("nothing is guarded where the share is 100", async () => {
  await using instance = await startInstance((await sharedPrimaries()).urls, {
    env: { QUORATE_GUARD_PERCENT: "100" },
  });
  const service = await serviceWithoutHeartbeats(instance);
  await until(
    async () => (await instance.call("GET", `/v1/services/${service}/members`)).body.members.length === 0,
    "all are gone",
  );
});
