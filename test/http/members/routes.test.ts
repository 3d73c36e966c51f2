import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SharedPrimaries } from "../../helpers/primaries.js";
import { freshName, type Instance, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

let primaries: SharedPrimaries;
let instance: Instance;
beforeAll(async () => {
  primaries = await sharedPrimaries();
  instance = await startInstance(primaries.urls);
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const ADDRESS = "10.0.0.7:9000";
const path = (service: string, id: string) => `/v1/services/${service}/members/${id}`;
const register = (service: string, id: string, body: object = {}) =>
  instance.call("PUT", path(service, id), { address: ADDRESS, ...body });
const beat = (service: string, id: string, body?: object) =>
  instance.call("POST", `${path(service, id)}/heartbeat`, body);

describe("an answer to registering", () => {
  test("is the member, with 201 when it is new", async () => {
    const service = freshName("search");
    const before = Date.now();
    const { status, body } = await register(service, "search-1", {
      weight: 2.5,
      zone: "eu-1a",
      tags: ["canary", "ssd"],
      metadata: { build: "7f3a" },
      ttlMs: 6_000,
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      memberKey: expect.any(String),
      id: "search-1",
      address: ADDRESS,
      weight: 2.5,
      zone: "eu-1a",
      tags: ["canary", "ssd"],
      metadata: { build: "7f3a" },
      status: "up",
      incarnation: expect.any(Number),
      revision: 1,
      ttlMs: 6_000,
      lastHeartbeatAgeMs: 0,
      endsInMs: null,
      load: null,
      heartbeatIntervalMs: 2_000,
    });
    // By the servers' clock, which here is this machine's.
    expect(Math.abs(body.incarnation - before)).toBeLessThan(10_000);
  });

  test("has the defaults where nothing was said", async () => {
    const { body } = await register(freshName(), "m");
    expect(body).toMatchObject({ weight: 1, zone: null, tags: [], metadata: null, ttlMs: 15_000 });
    expect(body.heartbeatIntervalMs).toBe(5_000);
  });

  test("is 200 with a later incarnation when it is known, and what it says now counts", async () => {
    const service = freshName();
    const first = await register(service, "m", { zone: "eu-1a", tags: ["old"] });
    const { status, body } = await register(service, "m", { address: "10.0.0.8:9000" });
    expect(status).toBe(200);
    expect(body.incarnation).toBeGreaterThan(first.body.incarnation);
    expect((await instance.call("GET", path(service, "m"))).body).toMatchObject({
      address: "10.0.0.8:9000",
      zone: null,
      tags: [],
      incarnation: body.incarnation,
    });
  });

  test("is too_many for a new member of a service that is full, and never for one that it has", async () => {
    await using small = await startInstance((await sharedPrimaries()).urls, {
      env: { QUORATE_SERVICE_MEMBERS_MAX: "3" },
    });
    const put = (id: string, service = "search") =>
      small.call("PUT", `/v1/services/${service}/members/${id}`, { address: "10.0.0.7:9000" });
    for (const id of ["one", "two", "three"]) expect((await put(id)).status).toBe(201);
    const { status, body, headers } = await put("four");
    expect([status, body.code, body.retryAfterMs]).toEqual([409, "too_many", 1_000]);
    expect(body.detail).toContain("Service search has 3 members");
    expect(headers.get("retry-after")).toBe("1");
    expect((await put("two")).status).toBe(200);
    expect((await put("four", "other")).status).toBe(201);
    await small.call("DELETE", "/v1/services/search/members/two");
    expect((await put("four")).status).toBe(201);
  });

  test("is 201 again after a leave", async () => {
    const service = freshName();
    const first = await register(service, "m");
    await instance.call("DELETE", path(service, "m"));
    const again = await register(service, "m");
    expect(again.status).toBe(201);
    expect(again.body.incarnation).toBeGreaterThan(first.body.incarnation);
  });
});

describe("an answer to a heartbeat", () => {
  test.each([
    { what: "no body", body: undefined },
    { what: "an empty object", body: {} },
  ])("with $what says which incarnation lives on, and how often to come back", async ({ body }) => {
    const service = freshName();
    const registered = await register(service, "m", { ttlMs: 9_000 });
    const pulse = await beat(service, "m", body);
    expect(pulse.status).toBe(200);
    expect(pulse.body).toEqual({
      incarnation: registered.body.incarnation,
      revision: 1,
      ttlMs: 9_000,
      heartbeatIntervalMs: 3_000,
      ringId: null,
    });
    const again = await beat(service, "m", { incarnation: pulse.body.incarnation });
    expect(again.body).toMatchObject({ incarnation: registered.body.incarnation, revision: 1, ttlMs: 9_000 });
  });

  test("of an unknown member is unknown_member, and says what to do", async () => {
    const service = freshName();
    const { status, body } = await beat(service, "nobody");
    expect([status, body.code]).toEqual([404, "unknown_member"]);
    expect(body.detail).toContain("Register it again");
  });

  test("of a member that left is unknown_member", async () => {
    const service = freshName();
    const { body } = await register(service, "m");
    await instance.call("DELETE", path(service, "m"));
    expect((await beat(service, "m")).body.code).toBe("unknown_member");
    expect((await beat(service, "m", { incarnation: body.incarnation })).body.code).toBe("unknown_member");
  });

  test("of an earlier incarnation is superseded, of one that never was unknown_member", async () => {
    const service = freshName();
    const { body } = await register(service, "m");
    const earlier = await beat(service, "m", { incarnation: body.incarnation - 1 });
    expect([earlier.status, earlier.body.code]).toEqual([409, "superseded"]);
    const later = await beat(service, "m", { incarnation: body.incarnation + 1 });
    expect([later.status, later.body.code]).toEqual([404, "unknown_member"]);
  });

  test("resets the age of the last one", async () => {
    const service = freshName();
    await register(service, "m");
    await expect
      .poll(async () => (await instance.call("GET", path(service, "m"))).body.lastHeartbeatAgeMs)
      .toBeGreaterThanOrEqual(200);
    const beforeMs = performance.now();
    await beat(service, "m");
    const { body } = await instance.call("GET", path(service, "m"));
    expect(body.lastHeartbeatAgeMs).toBeLessThanOrEqual(Math.ceil(performance.now() - beforeMs) + 1);
  });
});

describe("an answer to leaving", () => {
  test("says whether it was a member until now", async () => {
    const service = freshName();
    await register(service, "m");
    expect((await instance.call("DELETE", path(service, "m"))).body).toEqual({ left: true });
    expect((await instance.call("DELETE", path(service, "m"))).body).toEqual({ left: false });
    expect((await instance.call("DELETE", path(service, "nobody"))).body).toEqual({ left: false });
    const { status, body } = await instance.call("GET", path(service, "m"));
    expect([status, body.code]).toEqual([404, "unknown_member"]);
  });
});

describe("the list of members", () => {
  test("has all of them in the order of their ids, and the ringId", async () => {
    const service = freshName();
    for (const id of ["b", "a", "c"]) await register(service, id);
    const { body } = await instance.call("GET", `/v1/services/${service}/members`);
    expect(body.members.map(({ id }: { id: string }) => id)).toEqual(["a", "b", "c"]);
    expect(body.ringId).toMatch(/^[0-9a-f]{16}$/);
    const owner = await instance.call("GET", `/v1/services/${service}/owner?key=k`);
    expect(owner.body.ringId).toBe(body.ringId);
  });

  test("is empty for a service that nobody registered at, and its ringId is that of no members", async () => {
    const one = await instance.call("GET", `/v1/services/${freshName()}/members`);
    const other = await instance.call("GET", `/v1/services/${freshName()}/members`);
    expect(one.status).toBe(200);
    expect(one.body.members).toEqual([]);
    expect(one.body).toEqual(other.body);
  });

  test("has a ringId that only what matters for the ring changes", async () => {
    const service = freshName();
    const ringId = async () => (await instance.call("GET", `/v1/services/${service}/members`)).body.ringId;
    await register(service, "a", { zone: "eu-1a" });
    const first = await ringId();
    await beat(service, "a");
    await register(service, "a", { zone: "eu-1a", address: "10.0.0.9:1", metadata: 7, tags: ["x"] });
    expect(await ringId()).toBe(first);
    await register(service, "a", { zone: "eu-1b" });
    const second = await ringId();
    expect(second).not.toBe(first);
    await register(service, "a", { zone: "eu-1b", weight: 2 });
    expect(await ringId()).not.toBe(second);
  });
});

describe("the list of services", () => {
  test("has those with members, by name, and how many they have", async () => {
    await using own = await startInstance(primaries.urls);
    expect((await own.call("GET", "/v1/services")).body).toEqual({ services: [], cursor: null });
    for (const [service, id] of [
      ["search", "a"],
      ["search", "b"],
      ["checkout", "a"],
      ["gone", "a"],
    ]) {
      await own.call("PUT", `/v1/services/${service}/members/${id}`, { address: ADDRESS });
    }
    await own.call("DELETE", "/v1/services/gone/members/a");
    expect((await own.call("GET", "/v1/services")).body).toEqual({
      services: [
        { service: "checkout", members: 1 },
        { service: "search", members: 2 },
      ],
      cursor: null,
    });
  });
});

describe("what registering does not take", () => {
  test.each([
    ["address", "nothing", { address: undefined }],
    ["address", "empty", { address: "" }],
    ["address", "too long", { address: "x".repeat(513) }],
    ["address", "a number", { address: 7 }],
    ["weight", "below 0", { weight: -1 }],
    ["weight", "too much", { weight: 256.5 }],
    ["weight", "a text", { weight: "1" }],
    ["zone", "empty", { zone: "" }],
    ["zone", "too long", { zone: "x".repeat(65) }],
    ["tags", "no list", { tags: "canary" }],
    ["tags", "too many", { tags: Array.from({ length: 17 }, (_, i) => `t${i}`) }],
    ["tags.1", "an empty one", { tags: ["a", ""] }],
    ["metadata", "too large", { metadata: "x".repeat(2_047) }],
    ["ttlMs", "below 1000", { ttlMs: 999 }],
    ["ttlMs", "above the most allowed", { ttlMs: 600_001 }],
    ["status", "a field that there is not", { status: "up" }],
  ])("%s: %s", async (field, _what, body) => {
    const answer = await register(freshName(), "m", body);
    expect([answer.status, answer.body.code, answer.body.field]).toEqual([400, "invalid_request", field]);
  });

  test.each(["-m", "m m", "%2F", "x".repeat(129)])("the id %s", async (id) => {
    const { status, body } = await register(freshName(), id.replace(" ", "%20"));
    expect([status, body.field]).toEqual([400, "id"]);
  });

  test("the service -s", async () => {
    const { status, body } = await register("-s", "m");
    expect([status, body.field]).toEqual([400, "service"]);
  });
});

describe("a change of a member", () => {
  const patch = (service: string, id: string, body: object, ifMatch?: string) =>
    instance.call("PATCH", path(service, id), body, ifMatch === undefined ? {} : { "if-match": ifMatch });
  const get = (service: string, id: string) => instance.call("GET", path(service, id));
  const list = (service: string) => instance.call("GET", `/v1/services/${service}/members`);
  const owner = (service: string) => instance.call("GET", `/v1/services/${service}/owner?key=user:42`);

  test("has what was said, keeps the rest, and raises the revision", async () => {
    const service = freshName();
    const { body: before, headers } = await register(service, "m", { zone: "eu-1a", tags: ["old"] });
    expect(headers.get("etag")).toBe(`"${before.incarnation}-1"`);
    const changed = await patch(service, "m", { weight: 3, zone: null, metadata: { build: 2 } });
    expect(changed.status).toBe(200);
    const { incarnation, ttlMs } = before;
    expect(changed.body).toMatchObject({
      weight: 3,
      zone: null,
      tags: ["old"],
      metadata: { build: 2 },
      address: ADDRESS,
      status: "up",
      incarnation,
      ttlMs,
      revision: 2,
      endsInMs: null,
    });
    expect(changed.headers.get("etag")).toBe(`"${incarnation}-2"`);
    const { lastHeartbeatAgeMs: _, ...kept } = changed.body;
    const read = await get(service, "m");
    expect(read.body).toMatchObject(kept);
    expect(read.headers.get("etag")).toBe(`"${incarnation}-2"`);
    const { body } = await patch(service, "m", { tags: [], metadata: null });
    expect(body).toMatchObject({ weight: 3, tags: [], metadata: null, revision: 3 });
    expect((await beat(service, "m", { incarnation })).body.revision).toBe(3);
  });

  test("with If-Match on a weak tag, or on another's, is not made", async () => {
    const service = freshName();
    const etag = (await register(service, "m")).headers.get("etag") ?? "";
    for (const other of [`W/${etag}`, '"other"', `W/${etag}, "other"`]) {
      const { status, body } = await patch(service, "m", { weight: 2 }, other);
      expect([status, body.code, body.revision]).toEqual([412, "version_mismatch", 1]);
    }
    expect((await patch(service, "m", { weight: 2 }, "1-1")).status).toBe(400);
    expect((await patch(service, "m", { weight: 2 }, `"other", ${etag}`)).status).toBe(200);
  });

  test("moves the ring", async () => {
    const service = freshName();
    await register(service, "a");
    await register(service, "b");
    const before = (await list(service)).body.ringId;
    await patch(service, "a", { tags: ["x"] });
    expect((await list(service)).body.ringId).toBe(before);
    await patch(service, "a", { weight: 2 });
    const after = (await list(service)).body.ringId;
    expect(after).not.toBe(before);
    expect((await owner(service)).body.ringId).toBe(after);
  });

  test("to draining takes it out of the ring at once, keeps it listed, and up brings it back", async () => {
    const service = freshName();
    const { body } = await register(service, "m", { ttlMs: 60_000 });
    const before = (await list(service)).body.ringId;
    const drained = await patch(service, "m", { status: "draining" });
    expect(drained.body).toMatchObject({ status: "draining", revision: 2, endsInMs: null });
    expect((await owner(service)).body.code).toBe("no_members");
    expect((await list(service)).body.members).toMatchObject([{ id: "m", status: "draining", weight: 1 }]);
    expect((await beat(service, "m", { incarnation: body.incarnation })).status).toBe(200);
    expect((await get(service, "m")).body.status).toBe("draining");
    await patch(service, "m", { weight: 2 });
    expect((await owner(service)).body.code).toBe("no_members");
    await patch(service, "m", { status: "up", weight: 1 });
    expect((await owner(service)).body.owner.id).toBe("m");
    expect((await list(service)).body.ringId).toBe(before);
  });

  test("to draining for a time removes it then, whatever its heartbeats do", async () => {
    const service = freshName();
    await register(service, "m", { ttlMs: 60_000 });
    const { body } = await patch(service, "m", { status: "draining", drainMs: 600 });
    expect(body.endsInMs).toBe(600);
    expect((await beat(service, "m")).status).toBe(200);
    expect((await get(service, "m")).body.endsInMs).toBeLessThanOrEqual(600);
    await sleep(650);
    expect((await beat(service, "m")).body.code).toBe("unknown_member");
    expect((await list(service)).body.members).toEqual([]);
  });

  test("for a time that is taken back leaves it the time of its heartbeats", async () => {
    const service = freshName();
    await register(service, "m", { ttlMs: 60_000 });
    await patch(service, "m", { status: "draining", drainMs: 600 });
    expect((await patch(service, "m", { status: "up" })).body.endsInMs).toBeNull();
    await sleep(650);
    expect((await list(service)).body.members).toMatchObject([{ id: "m", status: "up" }]);
  });

  test("ends with the next registration", async () => {
    const service = freshName();
    await register(service, "m");
    await patch(service, "m", { status: "draining", drainMs: 60_000 });
    const { status, body } = await register(service, "m");
    expect([status, body.status, body.endsInMs, body.revision]).toEqual([200, "up", null, 1]);
    expect((await owner(service)).status).toBe(200);
  });

  test("of another version than If-Match names is version_mismatch, with the current one", async () => {
    const service = freshName();
    const first = (await register(service, "m")).headers.get("etag") as string;
    expect((await patch(service, "m", { weight: 2 }, `"1-1", ${first}`)).status).toBe(200);
    for (const stale of [first, '"anything"', '"1-1", "2-2"']) {
      const { status, body, headers } = await patch(service, "m", { weight: 3 }, stale);
      const etag = first.replace("-1", "-2");
      expect([status, body.code, body.revision, body.etag]).toEqual([412, "version_mismatch", 2, etag]);
      expect(headers.get("etag")).toBe(etag);
    }
    expect((await patch(service, "m", { weight: 4 }, "*")).body).toMatchObject({ weight: 4, revision: 3 });
  });

  test("of an earlier incarnation is superseded; of one that never was, or has left, unknown_member", async () => {
    const service = freshName();
    const { body: first, headers } = await register(service, "m");
    const { incarnation } = (await register(service, "m")).body;
    const refused = async (body: object, ifMatch?: string) => {
      const answer = await patch(service, "m", { weight: 2, ...body }, ifMatch);
      return [answer.status, answer.body.code];
    };
    expect(await refused({ incarnation: first.incarnation })).toEqual([409, "superseded"]);
    expect(await refused({}, headers.get("etag") as string)).toEqual([412, "version_mismatch"]);
    expect(await refused({ incarnation: incarnation + 1 })).toEqual([404, "unknown_member"]);
    expect((await patch(service, "m", { weight: 2, incarnation })).status).toBe(200);
    await instance.call("DELETE", path(service, "m"));
    expect(await refused({})).toEqual([404, "unknown_member"]);
    expect((await patch(service, "nobody", { weight: 2 })).body.code).toBe("unknown_member");
  });

  test.each([
    [{}, "", "says what to change"],
    [{ incarnation: 5 }, "", "says what to change"],
    [{ weight: -1 }, "weight", ""],
    [{ weight: 257 }, "weight", ""],
    [{ status: "suspect" }, "status", ""],
    [{ status: "left" }, "status", ""],
    [{ drainMs: 1_000 }, "drainMs", "only with status draining"],
    [{ status: "up", drainMs: 1_000 }, "drainMs", "only with status draining"],
    [{ status: "draining", drainMs: 600_001 }, "drainMs", ""],
    [{ address: "10.0.0.8:9000" }, "address", ""],
    [{ tags: Array.from({ length: 17 }, () => "x") }, "tags", ""],
  ])("%j is refused", async (body, field, detail) => {
    const answer = await patch(freshName(), "m", body);
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    expect(answer.body.errors[0].field).toBe(field);
    expect(answer.body.errors[0].detail).toContain(detail);
  });

  test("with an If-Match that is none is refused", async () => {
    for (const ifMatch of ["2", "W/1-1", ""])
      expect((await patch(freshName(), "m", { weight: 2 }, ifMatch)).status).toBe(400);
  });
});

describe("a leave", () => {
  const leave = (service: string, id: string, query = "") =>
    instance.call("DELETE", `${path(service, id)}${query}`);
  const ringId = async (service: string) =>
    (await instance.call("GET", `/v1/services/${service}/members`)).body.ringId;

  test("of an earlier incarnation is superseded, and changes nothing", async () => {
    const service = freshName();
    const { body: first } = await register(service, "m");
    const { body: second } = await register(service, "m");
    const { status, body } = await leave(service, "m", `?incarnation=${first.incarnation}`);
    expect([status, body.code]).toEqual([409, "superseded"]);
    expect((await beat(service, "m")).status).toBe(200);
    expect((await leave(service, "m", `?incarnation=${second.incarnation}`)).body).toEqual({ left: true });
    expect((await leave(service, "m", `?incarnation=${second.incarnation}`)).body).toEqual({ left: false });
  });

  test("for a restart keeps the place: in the ring as suspect, until it is registered again", async () => {
    const service = freshName();
    await register(service, "m", { ttlMs: 1_000, zone: "eu-1a" });
    await register(service, "other", { ttlMs: 60_000 });
    const before = await ringId(service);
    expect((await leave(service, "m", "?restart=true&restartGraceMs=20000")).body).toEqual({ left: true });
    const { body } = await instance.call("GET", path(service, "m"));
    expect(body).toMatchObject({ status: "suspect", revision: 2 });
    expect(body.endsInMs).toBeGreaterThan(19_000);
    await sleep(1_100);
    expect(await ringId(service)).toBe(before);
    const again = await register(service, "m", { zone: "eu-1a" });
    expect([again.status, again.body.status, again.body.endsInMs]).toEqual([200, "up", null]);
    expect(await ringId(service)).toBe(before);
  });

  test("for a restart that does not happen ends after the grace", async () => {
    const service = freshName();
    await register(service, "m", { ttlMs: 60_000 });
    await leave(service, "m", "?restart=true&restartGraceMs=1000");
    await sleep(1_050);
    expect((await instance.call("GET", path(service, "m"))).status).toBe(404);
    expect((await register(service, "m")).status).toBe(201);
  });

  test("for a restart takes place out of no ring, and never puts it back into one", async () => {
    const service = freshName();
    await register(service, "m");
    await instance.call("PATCH", path(service, "m"), { status: "draining" });
    await leave(service, "m", "?restart=true");
    const { body } = await instance.call("GET", path(service, "m"));
    expect([body.status, body.endsInMs > 29_000]).toEqual(["draining", true]);
    expect((await leave(freshName(), "nobody", "?restart=true")).body).toEqual({ left: false });
  });

  test.each(["", "&restart=true"])("of a later incarnation than there is ends nothing%s", async (how) => {
    const service = freshName();
    const { body: before } = await register(service, "m");
    const left = await leave(service, "m", `?incarnation=${before.incarnation + 1}${how}`);
    expect(left.body).toEqual({ left: false });
    const { body: after } = await instance.call("GET", path(service, "m"));
    expect([after.incarnation, after.status]).toEqual([before.incarnation, "up"]);
  });

  test("for a restart that is called off: heartbeats decide again", async () => {
    const service = freshName();
    await register(service, "m", { ttlMs: 20_000 });
    await leave(service, "m", "?restart=true&restartGraceMs=1000");
    const up = await instance.call("PATCH", path(service, "m"), { status: "up" });
    expect([up.body.status, up.body.endsInMs]).toEqual(["up", null]);
    await new Promise((over) => setTimeout(over, 1_500));
    expect((await instance.call("GET", path(service, "m"))).status).toBe(200);
  });

  test("after one for a restart ends it at once", async () => {
    const service = freshName();
    await register(service, "m");
    await leave(service, "m", "?restart=true");
    expect((await leave(service, "m")).body).toEqual({ left: true });
    expect((await instance.call("GET", path(service, "m"))).status).toBe(404);
  });

  test.each([
    "?restart=yes",
    "?restart=true&restartGraceMs=999",
    "?restart=true&restartGraceMs=600001",
    "?incarnation=0",
    "?grace=1",
  ])("%s is refused", async (query) => {
    expect((await leave(freshName(), "m", query)).body.code).toBe("invalid_request");
  });

  test.each(["", "&restart=false"])(
    "with a grace, but for no restart, is refused, and ends nothing%s",
    async (how) => {
      const service = freshName();
      await register(service, "m");
      const { body } = await leave(service, "m", `?restartGraceMs=20000${how}`);
      expect(body.detail).toBe("restartGraceMs: only with restart=true");
      expect((await instance.call("GET", path(service, "m"))).status).toBe(200);
    },
  );
});
