import { describe, expect, test } from "vitest";
import { Keys } from "../../../src/scripts/keys.js";
import { command } from "../../helpers/deployment.js";
import { Pair } from "../../helpers/pair.js";
import { freshName, until } from "../../helpers/service.js";

// Two instances on the same three primaries: neither knows of the other.
const pair = new Pair();

const path = (service: string, id = "m") => `/v1/services/${service}/members/${id}`;
const register = (service: string, body: object = {}) =>
  pair.one.call("PUT", path(service), { address: "m:1", ttlMs: 1_000, ...body });
const beat = (service: string, incarnation?: number) =>
  pair.other.call("POST", `${path(service)}/heartbeat`, { incarnation });
const list = async (service: string) =>
  (await pair.one.call("GET", `/v1/services/${service}/members`)).body.members;

const key = (service: string) => new Keys(pair.prefix).member(service, "m");
const fieldsAt = async (place: number, service: string, ...fields: string[]) =>
  (await command(pair.primary(place), "HMGET", key(service), ...fields)) as (string | null)[];
const leftEverywhere = async (service: string) =>
  (await Promise.all([0, 1, 2].map((place) => fieldsAt(place, service, "left")))).flat();

/** As this primary does when its own deadline has passed. */
async function expireAt(place: number, service: string): Promise<void> {
  const primary = pair.primary(place);
  await command(primary, "HSET", key(service), "left", "2", "deadline", String(Date.now() + 70_000));
  await command(primary, "PEXPIRE", key(service), "70000");
}

describe("a member without heartbeats", () => {
  test("is found by itself, though nobody reads, and becomes a tombstone on each primary", async () => {
    const service = freshName();
    await register(service);
    await until(async () => (await leftEverywhere(service)).every((left) => left === "2"), "all say so");
    expect(await list(service)).toEqual([]);
    expect((await beat(service)).body.code).toBe("unknown_member");
    expect((await pair.one.call("DELETE", path(service))).body).toEqual({ left: false });
    expect((await pair.one.call("PATCH", path(service), { weight: 2 })).body.code).toBe("unknown_member");
    expect((await register(service, { ttlMs: 20_000 })).status).toBe(201);
    expect((await list(service)).length).toBe(1);
  });

  test("is counted once at each primary, whichever instance finds it", async () => {
    const total = async () => {
      const answers = await Promise.all([pair.one, pair.other].map((at) => at.call("GET", "/metrics")));
      const found = answers.flatMap(({ body }) => [
        ...String(body).matchAll(/^quorate_members_expired_total\{.*\} (\d+)$/gm),
      ]);
      return found.reduce((sum, [, count]) => sum + Number(count), 0);
    };
    const before = await total();
    const services = Array.from({ length: 20 }, () => freshName());
    await Promise.all(services.map((service) => register(service)));
    const all = async () => (await Promise.all(services.map(leftEverywhere))).flat();
    await until(async () => (await all()).every((left) => left === "2"), "all have expired");
    // Where a majority had said so before its own deadline was looked at, a primary has a copy, which is not counted.
    const counted = (await total()) - before;
    expect(counted).toBeGreaterThanOrEqual(40);
    expect(counted).toBeLessThanOrEqual(60);
  });
});

describe("a member that one primary says has expired", () => {
  test("is listed though another has got a copy of that, whichever two are asked", async () => {
    const service = freshName();
    await register(service, { ttlMs: 20_000 });
    await expireAt(0, service);
    await expireAt(2, service);
    await command(pair.primary(2), "HSET", key(service), "copied", "1");
    for (let i = 0; i < 30; i++) expect(await list(service)).toMatchObject([{ id: "m" }]);
  });

  test("stays listed as it is; a heartbeat that meets that raises its revision, and that primary has it again", async () => {
    const service = freshName();
    const { body } = await register(service, { ttlMs: 20_000 });
    await expireAt(1, service);
    expect(await list(service)).toMatchObject([{ id: "m", status: "up", revision: 1 }]);
    // One that the two others answer first does not meet it.
    await until(async () => {
      const pulse = await beat(service, body.incarnation);
      expect([pulse.status, pulse.body.incarnation]).toEqual([200, body.incarnation]);
      return pulse.body.revision === 2;
    }, "a heartbeat meets it");
    await until(async () => {
      await list(service);
      return (await fieldsAt(1, service, "left", "revision")).join() === "0,2";
    }, "it is repaired");
    expect((await beat(service, body.incarnation)).body.revision).toBe(2);
  });

  test("and that another follows is gone, wherever it lives, and its heartbeats are told so", async () => {
    const service = freshName();
    const { body } = await register(service, { ttlMs: 20_000 });
    for (const place of [0, 2]) await expireAt(place, service);
    expect(await list(service)).toEqual([]);
    expect((await beat(service, body.incarnation)).body.code).toBe("unknown_member");
    await until(async () => {
      // Whoever reads a majority with the third brings it there.
      await list(service);
      return (await fieldsAt(1, service, "left")).join() === "2";
    }, "all say so");
    expect(await fieldsAt(1, service, "copied")).toEqual(["1"]);
    expect((await register(service)).status).toBe(201);
  });

  test("leaves as any other", async () => {
    const service = freshName();
    await register(service, { ttlMs: 20_000 });
    await expireAt(0, service);
    expect((await pair.one.call("DELETE", path(service))).body).toEqual({ left: true });
    await until(async () => (await leftEverywhere(service)).every((left) => left === "1"), "it left");
    expect(await list(service)).toEqual([]);
  });

  test("can be changed", async () => {
    const service = freshName();
    await register(service, { ttlMs: 20_000 });
    await expireAt(2, service);
    expect((await pair.other.call("PATCH", path(service), { weight: 3 })).body).toMatchObject({ weight: 3 });
    expect(await list(service)).toMatchObject([{ weight: 3 }]);
  });
});
