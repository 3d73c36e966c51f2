import { beforeAll, describe, expect, test } from "vitest";
import { Quorate } from "../../src/client/quorate.js";
import { settled } from "../helpers/fake-clock.js";
import { Pair } from "../helpers/pair.js";
import { freshName } from "../helpers/service.js";
import { FakeService, problem, type Received, type Reply } from "./fake-service.js";

const ADDRESS = "10.0.0.1:9000";

/** A service that takes every member, unless `reply` has something else. */
function member(
  reply: (request: Received) => Reply | "as usual" | Promise<Reply | "as usual"> = () => "as usual",
) {
  let incarnation = 0;
  const service: FakeService = new FakeService(async (request) => {
    const own = await reply(request);
    if (own !== "as usual") return own;
    if (request.method === "DELETE") return { status: 200, body: { left: true } };
    if (request.method === "PUT") incarnation++;
    return { status: 200, body: { id: "search-1", incarnation, ttlMs: 9_000, heartbeatIntervalMs: 3_000 } };
  });
  const quorate = new Quorate({ urls: ["http://a"] }, service.world);
  const join = () => quorate.join("search", { id: "search-1", address: ADDRESS, ttlMs: 9_000 });
  return {
    service,
    quorate,
    clock: service.clock,
    join,
    methods: () => service.received.map(({ method }) => method),
  };
}

describe("a member", () => {
  test("registers, sends heartbeats within the interval that it was told, and leaves", async () => {
    const { service, clock, join } = member();
    const membership = await join();
    await clock.advance(9_000);
    expect(await membership.leave()).toBe(true);
    const path = "/v1/services/search/members/search-1";
    const beats = [2_700, 5_400, 8_100].map((atMs) => ({
      method: "POST",
      path: `${path}/heartbeat`,
      body: { incarnation: 1 },
      atMs,
    }));
    expect(service.received).toMatchObject([
      { method: "PUT", path, body: { address: ADDRESS, ttlMs: 9_000 } },
      ...beats,
      { method: "DELETE", path: `${path}?incarnation=1` },
    ]);
    expect(clock.pending).toBe(0);
  });

  test("reports its load with each heartbeat, and not in its registration", async () => {
    const { service, quorate, clock } = member();
    let inFlight = 0;
    const load = () => {
      inFlight++;
      if (inFlight === 2) throw new Error("cannot be told");
      return { inFlight };
    };
    await quorate.join("search", { id: "search-1", address: ADDRESS, load });
    await clock.advance(9_000);
    expect(service.received.map(({ body }) => body)).toEqual([
      { address: ADDRESS },
      { incarnation: 1, load: { inFlight: 1 } },
      { incarnation: 1 },
      { incarnation: 1, load: { inFlight: 3 } },
    ]);
  });

  test("whose load is refused lives on without it", async () => {
    const { service, quorate, clock } = member(({ method, body }) =>
      method === "POST" && body.load ? problem(400, "invalid_request") : "as usual",
    );
    await quorate.join("search", { id: "search-1", address: ADDRESS, load: () => ({ cpu: 1.5 }) });
    await clock.advance(6_000);
    const beats = service.received.filter(({ method }) => method === "POST").map(({ body }) => body);
    expect(beats).toEqual([
      { incarnation: 1, load: { cpu: 1.5 } },
      { incarnation: 1 },
      { incarnation: 1, load: { cpu: 1.5 } },
      { incarnation: 1 },
    ]);
  });

  test("that was forgotten registers again, and goes on as its new incarnation", async () => {
    const { service, clock, join } = member(({ method, body }) =>
      method === "POST" && body.incarnation === 1 ? problem(404, "unknown_member") : "as usual",
    );
    const membership = await join();
    await clock.advance(6_000);
    expect(service.received.map(({ method, body }) => [method, body.incarnation])).toEqual([
      ["PUT", undefined],
      ["POST", 1],
      ["PUT", undefined],
      ["POST", 2],
    ]);
    expect(membership.member.incarnation).toBe(2);
  });

  test("whose id another process has taken is told so, and does not remove that one", async () => {
    const { clock, join, methods } = member(({ method }) =>
      method === "POST" ? problem(409, "superseded") : "as usual",
    );
    const membership = await join();
    await clock.advance(30_000);
    expect(membership.signal.reason).toMatchObject({ code: "superseded" });
    expect(await membership.leave()).toBe(false);
    expect(methods()).toEqual(["PUT", "POST"]);
  });

  test("that leaves removes nobody who has taken its id since its last heartbeat", async () => {
    const { join } = member(({ method }) => (method === "DELETE" ? problem(409, "superseded") : "as usual"));
    expect(await (await join()).leave()).toBe(false);
  });

  test("that an instance registers late, after the answer of another, does not take itself for a rival", async () => {
    let registered = 0;
    const { clock, join, methods } = member(async ({ method, body }) => {
      // The first request arrives, is carried out behind the second, and nobody hears its answer.
      if (method === "PUT") return ++registered === 1 ? undefined : registration(registered === 2 ? 1 : 3);
      return method === "POST" && body.incarnation === 1 ? problem(409, "superseded") : registration(3);
    });
    const joining = join();
    await clock.advance(2_100);
    const membership = await joining;
    await clock.advance(6_000);
    expect([membership.signal.aborted, membership.member.incarnation]).toEqual([false, 3]);
    expect(methods()).toEqual(["PUT", "PUT", "POST", "PUT", "POST"]);
  });

  test("goes on while nobody answers", async () => {
    const { clock, join, methods } = member(({ method, atMs }) =>
      method === "POST" && atMs < 60_000 ? new Error("reset") : "as usual",
    );
    const membership = await join();
    await clock.advance(70_000);
    expect(membership.signal.aborted).toBe(false);
    const before = methods().length;
    await clock.advance(9_000);
    expect(methods().length - before).toBe(3);
  });

  test("that drains says so once, and goes on with its heartbeats", async () => {
    const { service, clock, join, methods } = member();
    const membership = await join();
    await membership.drain({ drainMs: 60_000 });
    expect(service.received.at(-1)).toMatchObject({
      method: "PATCH",
      path: "/v1/services/search/members/search-1",
      body: { incarnation: 1, status: "draining", drainMs: 60_000 },
    });
    await clock.advance(6_000);
    expect(methods()).toEqual(["PUT", "PATCH", "POST", "POST"]);
    await membership.leave();
  });

  test("that drains is not registered again when its time is over: it would get work", async () => {
    const { clock, join, methods } = member(({ method }) =>
      method === "POST" ? problem(404, "unknown_member") : "as usual",
    );
    const membership = await join();
    await membership.drain();
    await clock.advance(60_000);
    expect(methods()).toEqual(["PUT", "PATCH", "POST"]);
    expect(membership.signal.aborted).toBe(false);
    await membership.leave();
    expect(clock.pending).toBe(0);
  });

  test("that drains while it registers again says so after that, as the new incarnation", async () => {
    const { service, clock, join, methods } = member(
      async ({ method, atMs, body }): Promise<Reply | "as usual"> => {
        if (method === "POST" && body.incarnation === 1) return problem(404, "unknown_member");
        if (method === "PUT" && atMs > 0) {
          await clock.sleep(1_000);
          return registration(2);
        }
        return "as usual";
      },
    );
    const membership = await join();
    await clock.advance(2_800);
    const draining = membership.drain();
    await settled();
    expect(methods()).toEqual(["PUT", "POST", "PUT"]);
    await clock.advance(1_000);
    await draining;
    expect(service.received.at(-1)).toMatchObject({ method: "PATCH", body: { incarnation: 2 } });
    await membership.leave();
  });

  test("that leaves for a restart says for how long its place is to be kept", async () => {
    const { service, join } = member();
    await (await join()).leave({ restart: true, restartGraceMs: 5_000 });
    const query = "?incarnation=1&restart=true&restartGraceMs=5000";
    expect(service.received.at(-1)?.path).toBe(`/v1/services/search/members/search-1${query}`);
  });

  test("that leaves while it registers again leaves after that", async () => {
    const { clock, join, methods } = member(async ({ method, atMs }) => {
      if (method === "POST") return problem(404, "unknown_member");
      if (method === "PUT" && atMs > 0) await clock.sleep(1_000);
      return method === "DELETE" ? { status: 200, body: { left: true } } : { status: 200, body: REGISTERED };
    });
    const membership = await join();
    await clock.advance(2_800);
    const leaving = membership.leave();
    await settled();
    expect(methods()).toEqual(["PUT", "POST", "PUT"]);
    await clock.advance(1_000);
    expect(await leaving).toBe(true);
    expect(methods()).toEqual(["PUT", "POST", "PUT", "DELETE"]);
  });
});

const REGISTERED = { id: "search-1", incarnation: 1, ttlMs: 9_000, heartbeatIntervalMs: 3_000 };
const registration = (incarnation: number): Reply => ({ status: 200, body: { ...REGISTERED, incarnation } });

describe("against real instances", () => {
  const pair = new Pair();
  let quorate: Quorate;
  beforeAll(async () => {
    quorate = new Quorate({ urls: [await pair.one.url(), await pair.other.url()] });
  });
  const idsOf = async (service: string) => {
    const { body } = await pair.one.call("GET", `/v1/services/${service}/members`);
    return body.members.map(({ id }: { id: string }) => id);
  };

  test("a member outlives its time to live, comes back when it was removed, and leaves at the end of its scope", async () => {
    const service = freshName("search");
    {
      await using member = await quorate.join(service, { id: "search-1", address: ADDRESS, ttlMs: 2_000 });
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect(await idsOf(service)).toEqual(["search-1"]);
      const { incarnation } = member.member;
      await pair.one.call("DELETE", `/v1/services/${service}/members/search-1`);
      await expect.poll(() => member.member.incarnation).toBeGreaterThan(incarnation);
      expect(await idsOf(service)).toEqual(["search-1"]);
    }
    expect(await idsOf(service)).toEqual([]);
  });

  test("a member that drains gets no more work, and is there until it leaves; a pick names who gets it", async () => {
    const service = freshName("search");
    await using one = await quorate.join(service, { id: "one", address: ADDRESS });
    await using _other = await quorate.join(service, { id: "other", address: ADDRESS, zone: "z" });
    const pick = () => quorate.pick(service, { strategy: "random", count: 2, zone: "z" });
    expect((await pick()).members.map(({ id }) => id)).toEqual(["other", "one"]);
    await one.drain();
    await expect.poll(async () => (await pick()).members.map(({ id }) => id)).toEqual(["other"]);
    expect(await pick()).toMatchObject({ alternatives: [], fallbacks: [], ageMs: expect.any(Number) });
    expect(await idsOf(service)).toEqual(["one", "other"]);
    await expect(
      quorate.pick(service, { strategy: "sticky", key: "k", tags: ["none"] }),
    ).rejects.toMatchObject({ code: "no_members" });
  });
});
