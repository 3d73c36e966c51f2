import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { allTakePart } from "../helpers/deployment.js";
import { OwnPair } from "../helpers/pair.js";
import { freshName, type Instance } from "../helpers/service.js";
import { startAsComposed } from "./compose.js";

// Two instances of the service on the same three primaries: neither knows of the other.
const pair = new OwnPair({}, startAsComposed);

const path = (service: string, id: string) => `/v1/services/${service}/members/${id}`;
const register = (at: Instance, service: string, id: string, body: object = {}) =>
  at.call("PUT", path(service, id), { address: `${id}:9000`, ...body });
const beat = (at: Instance, service: string, id: string, body?: object) =>
  at.call("POST", `${path(service, id)}/heartbeat`, body);
const leave = (at: Instance, service: string, id: string) => at.call("DELETE", path(service, id));

async function idsAt(at: Instance, service: string): Promise<string[]> {
  const { status, body } = await at.call("GET", `/v1/services/${service}/members`);
  expect(status).toBe(200);
  return body.members.map(({ id }: { id: string }) => id);
}

/** Whether the member owns any of the keys, by what this instance says now. */
async function ownsAnything(at: Instance, service: string, id: string): Promise<boolean> {
  const { body } = await at.call("POST", `/v1/services/${service}/owners`, {
    keys: Array.from({ length: 50 }, (_, i) => `key-${i}`),
  });
  return body.members !== undefined && id in body.members;
}

describe("what one instance acknowledged, the other shows at once", () => {
  test("a registration, and the next one of the same member", async () => {
    const service = freshName();
    for (let i = 0; i < 10; i++) {
      const { body } = await register(i % 2 ? pair.one : pair.other, service, "m", { metadata: i });
      const seen = await (i % 2 ? pair.other : pair.one).call("GET", path(service, "m"));
      expect(seen.body).toMatchObject({ metadata: i, incarnation: body.incarnation });
    }
  });

  test("a leave", async () => {
    const service = freshName();
    for (let i = 0; i < 10; i++) {
      await register(pair.one, service, "m");
      expect(await idsAt(pair.other, service)).toEqual(["m"]);
      expect((await leave(pair.one, service, "m")).body).toEqual({ left: true });
      expect(await idsAt(pair.other, service)).toEqual([]);
      expect((await pair.other.call("GET", path(service, "m"))).status).toBe(404);
      expect((await beat(pair.other, service, "m")).status).toBe(404);
    }
  });
});

describe("a member without heartbeats", () => {
  test("lives for its time to live, and is gone from list, ring and services within a second after", async () => {
    const service = freshName("dying");
    await register(pair.one, service, "stays", { ttlMs: 60_000 });
    const askedMs = performance.now();
    await register(pair.one, service, "dies", { ttlMs: 1_000 });
    const registeredMs = performance.now();
    while (performance.now() < askedMs + 900) {
      const ids = await idsAt(pair.other, service);
      // A slow answer may be of a later time than it was asked at.
      if (performance.now() < askedMs + 1_000) expect(ids).toEqual(["dies", "stays"]);
      await sleep(50);
    }
    await sleep(registeredMs + 2_000 - performance.now());
    for (const at of [pair.one, pair.other]) {
      expect(await idsAt(at, service)).toEqual(["stays"]);
      expect(await ownsAnything(at, service, "dies")).toBe(false);
      expect((await at.call("GET", path(service, "dies"))).status).toBe(404);
      const { body } = await at.call("GET", "/v1/services");
      expect(body.services).toContainEqual({ service, members: 1 });
    }
    expect((await beat(pair.one, service, "dies")).body.code).toBe("unknown_member");
  });

  test("was the last of its service: then the service is gone as well", async () => {
    const service = freshName("dying");
    await register(pair.one, service, "m", { ttlMs: 1_000 });
    await sleep(2_000);
    const { body } = await pair.other.call("GET", "/v1/services");
    expect(body.services.map((each: { service: string }) => each.service)).not.toContain(service);
    const owner = await pair.other.call("GET", `/v1/services/${service}/owner?key=k`);
    expect(owner.body.code).toBe("no_members");
  });

  test("is never missed while it has them, at whichever instance", async () => {
    const service = freshName();
    const { body } = await register(pair.one, service, "m", { ttlMs: 2_000 });
    const endMs = performance.now() + 2_600;
    for (let i = 0; performance.now() < endMs; i++) {
      const pulse = await beat(
        i % 2 ? pair.one : pair.other,
        service,
        "m",
        i % 3 ? undefined : { incarnation: body.incarnation },
      );
      expect([pulse.status, pulse.body.incarnation]).toEqual([200, body.incarnation]);
      expect(await idsAt(i % 2 ? pair.other : pair.one, service)).toEqual(["m"]);
      await sleep(100);
    }
  });
});

describe("two processes with one id", () => {
  test("the later registration wins: the earlier process hears of it at its next heartbeat", async () => {
    const service = freshName();
    const { body: earlier } = await register(pair.one, service, "m", { address: "earlier:1" });
    const { body: later } = await register(pair.other, service, "m", { address: "later:1" });
    expect(later.incarnation).toBeGreaterThan(earlier.incarnation);
    for (const at of [pair.one, pair.other]) {
      const superseded = await beat(at, service, "m", { incarnation: earlier.incarnation });
      expect([superseded.status, superseded.body.code]).toEqual([409, "superseded"]);
      expect((await beat(at, service, "m", { incarnation: later.incarnation })).status).toBe(200);
      expect((await at.call("GET", path(service, "m"))).body.address).toBe("later:1");
    }
  });

  test("that register at the same moment: exactly one of them is the member", async () => {
    for (let round = 0; round < 5; round++) {
      const service = freshName();
      const registered = await Promise.all(
        Array.from({ length: 6 }, (_, i) =>
          register(i % 2 ? pair.one : pair.other, service, "m", { address: `p${i}:1` }),
        ),
      );
      const winners = registered.filter(({ status }) => status < 300);
      expect(winners.length).toBeGreaterThan(0);
      for (const { status, body } of registered) {
        if (status >= 300) expect([status, body.code]).toEqual([409, "superseded"]);
      }
      expect(new Set(winners.map(({ body }) => body.incarnation)).size).toBe(winners.length);
      const alive = await Promise.all(
        winners.map(({ body }) => beat(pair.one, service, "m", { incarnation: body.incarnation })),
      );
      expect(alive.filter(({ status }) => status === 200)).toHaveLength(1);
      const survivor = winners[alive.findIndex(({ status }) => status === 200)];
      const { body } = await pair.other.call("GET", path(service, "m"));
      expect(body.incarnation).toBe(survivor?.body.incarnation);
      expect(body.address).toBe(survivor?.body.address);
    }
  });
});

describe("a primary that lacks a member", () => {
  const missing = (place: number, service: string) =>
    pair.primaries.all[place]?.cli("DEL", `${pair.one.prefix}member/${service}/m`);
  // Its record is kept for longer.
  const untilDeadline = `
    local time, deadline = redis.call('TIME'), redis.call('HGET', KEYS[1], 'deadline')
    return deadline and string.format('%.0f', deadline - time[1] * 1000 - time[2] / 1000) or '0'`;
  const lives = async (place: number, service: string) =>
    Number(
      await pair.primaries.all[place]?.cli(
        "EVAL",
        untilDeadline,
        "1",
        `${pair.one.prefix}member/${service}/m`,
      ),
    );

  test("gets it back from a read, for what is left of its time and no longer", async () => {
    const service = freshName();
    await register(pair.one, service, "m", { ttlMs: 20_000 });
    await sleep(300);
    await missing(0, service);
    // A read asks all and takes the first two answers: it sees the one that lacks it sooner or later.
    await expect
      .poll(async () => {
        expect(await idsAt(pair.one, service)).toEqual(["m"]);
        return lives(0, service);
      })
      .toBeGreaterThan(0);
    expect(await lives(0, service)).toBeLessThanOrEqual(19_700);
  });

  test("gets it back from a heartbeat, even when two of three lack it", async () => {
    const service = freshName();
    const { body } = await register(pair.one, service, "m");
    for (const place of [0, 1]) await missing(place, service);
    await expect
      .poll(async () => {
        const pulse = await beat(pair.other, service, "m");
        // While the one that has it is not among the first two to answer, nobody knows the member.
        if (pulse.status === 200) expect(pulse.body.incarnation).toBe(body.incarnation);
        return Math.min(...(await Promise.all([0, 1, 2].map((place) => lives(place, service)))));
      })
      .toBeGreaterThan(0);
  });

  test("does not hide it from a leave", async () => {
    for (let i = 0; i < 5; i++) {
      const service = freshName();
      await register(pair.one, service, "m");
      for (const place of [0, 1]) await missing(place, service);
      expect((await leave(pair.one, service, "m")).body).toEqual({ left: true });
      expect(await idsAt(pair.other, service)).toEqual([]);
    }
  });

  test("has a leave that found nothing stand before what the one that did not answer has still", async () => {
    const service = freshName();
    await register(pair.one, service, "m", { ttlMs: 60_000 });
    for (const place of [0, 1]) await missing(place, service);
    await pair.primary(2).pause();
    expect((await leave(pair.one, service, "m")).body).toEqual({ left: false });
    await pair.primary(2).resume();
    await Promise.all([pair.one, pair.other].map((instance) => allTakePart(instance)));
    // A read takes the first two answers: it hears the one that has it sooner or later.
    for (let i = 0; i < 10; i++) expect(await idsAt(pair.at(i), service)).toEqual([]);
    expect((await beat(pair.one, service, "m")).status).toBe(404);
    const { body } = await register(pair.one, service, "m");
    expect((await beat(pair.other, service, "m")).body).toMatchObject({ incarnation: body.incarnation });
  });
});
