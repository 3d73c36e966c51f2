import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { CoordinationError } from "../../../src/errors.js";
import { accessBy, bearer } from "../../helpers/access.js";
import { freshName, type Instance, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance((await sharedPrimaries()).urls);
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const path = (service: string, id: string) => `/v1/services/${service}/members/${id}`;
const register = async (service: string, id: string, body: object = {}): Promise<number> =>
  (await instance.call("PUT", path(service, id), { address: "10.0.0.7:9000", ...body })).body.incarnation;
const beat = (service: string, id: string, body: object) =>
  instance.call("POST", `${path(service, id)}/heartbeat`, body);
const send = (beats: readonly object[]) => instance.call("POST", "/v1/heartbeats", { beats });
const loadOf = async (service: string, id: string) =>
  (await instance.call("GET", path(service, id))).body.load;

describe("many heartbeats in one request", () => {
  test("are answered each by itself, in their order", async () => {
    const [one, other] = [freshName(), freshName()];
    const first = await register(one, "a", { ttlMs: 9_000 });
    const second = await register(other, "a");
    await register(one, "gone");
    await instance.call("DELETE", path(one, "gone"));
    const { status, body } = await send([
      { service: one, id: "nobody" },
      { service: other, id: "a", incarnation: second },
      { service: one, id: "gone" },
      { service: one, id: "a" },
      { service: freshName(), id: "a" },
    ]);
    expect(status).toBe(200);
    const unknown = { outcome: "failed", code: "unknown_member", detail: expect.any(String) };
    expect(body.outcomes).toEqual([
      unknown,
      {
        outcome: "alive",
        incarnation: second,
        revision: 1,
        ttlMs: 15_000,
        heartbeatIntervalMs: 5_000,
        ringId: null,
      },
      unknown,
      expect.objectContaining({ outcome: "alive", incarnation: first, heartbeatIntervalMs: 3_000 }),
      unknown,
    ]);
    expect(body.outcomes[0].detail).toContain(`Service ${one} has no member nobody`);
  });

  test("keep their members alive", async () => {
    const service = freshName();
    for (const id of ["a", "b"]) await register(service, id);
    const ageOf = async (id: string) =>
      (await instance.call("GET", path(service, id))).body.lastHeartbeatAgeMs;
    await expect.poll(() => ageOf("b")).toBeGreaterThanOrEqual(100);
    await send([{ service, id: "a" }]);
    expect(await ageOf("a")).toBeLessThan(await ageOf("b"));
  });

  test("of an earlier incarnation are superseded, of one that never was unknown_member", async () => {
    const service = freshName();
    const incarnation = await register(service, "m");
    await register(service, "n");
    const { body } = await send([
      { service, id: "m", incarnation: incarnation - 1 },
      { service, id: "n", incarnation: incarnation + 3_600_000 },
    ]);
    expect(body.outcomes.map(({ code }: { code: string }) => code)).toEqual(["superseded", "unknown_member"]);
  });

  test("may be 1,000, as members live or not", async () => {
    const service = freshName();
    await register(service, "m-500");
    const beats = Array.from({ length: 1_000 }, (_, i) => ({ service, id: `m-${i}` }));
    const { status, body } = await send(beats);
    expect(status).toBe(200);
    expect(body.outcomes).toHaveLength(1_000);
    const alive = body.outcomes.flatMap(({ outcome }: { outcome: string }, index: number) =>
      outcome === "alive" ? [index] : [],
    );
    expect(alive).toEqual([500]);
  });

  test.each([
    ["none", [], "beats"],
    ["1,001", Array.from({ length: 1_001 }, (_, i) => ({ service: "s", id: `m-${i}` })), "beats"],
    ["two of one member", [...["a", "b", "a"].map((id) => ({ service: "s", id }))], "beats.2"],
    ["one without an id", [{ service: "s", id: "a" }, { service: "s" }], "beats.1.id"],
    ["one with a wrong service", [{ service: "-s", id: "a" }], "beats.0.service"],
    ["one with a wrong incarnation", [{ service: "s", id: "a", incarnation: 0 }], "beats.0.incarnation"],
    ["one with a field that there is not", [{ service: "s", id: "a", ttlMs: 1 }], "beats.0.ttlMs"],
  ])("%s are refused", async (_, beats, field) => {
    const { status, body } = await send(beats);
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", field]);
  });

  test("that are too many for one member at once fail by themselves, with a time to try again", async () => {
    const service = freshName();
    const help = { retryAfterMs: 200 };
    const busy = new CoordinationError("overloaded", "Too many others change it.", { help });
    const alive = { incarnation: 7, revision: 1, ttlMs: 15_000, ringId: null };
    vi.spyOn(instance.service.membership, "heartbeats").mockResolvedValueOnce([{ error: busy }, alive]);
    const { status, body } = await send([
      { service, id: "busy" },
      { service, id: "a" },
    ]);
    expect(status).toBe(200);
    expect(body.outcomes).toMatchObject([
      { outcome: "failed", code: "overloaded", retryAfterMs: 200 },
      { outcome: "alive", incarnation: 7 },
    ]);
  });

  test("are those of the namespace of the request", async () => {
    const service = freshName();
    const team = "/v1/namespaces/team-a";
    await instance.call("PUT", `${team}/services/${service}/members/m`, { address: "10.0.0.7:9000" });
    const beats = [{ service, id: "m" }];
    const outcomeIn = async (base: string) =>
      (await instance.call("POST", `${base}/heartbeats`, { beats })).body.outcomes[0];
    expect(await outcomeIn(team)).toMatchObject({ outcome: "alive" });
    expect(await outcomeIn("/v1")).toMatchObject({ code: "unknown_member" });
    const other = await outcomeIn("/v1/namespaces/team-b");
    expect(other.detail).toContain(`Service ${service} has no member m`);
  });

  test("need a grant for each of their services, or none is touched", async () => {
    const service = freshName("search");
    const foreign = freshName("mail");
    const grant = { namespace: "default", kinds: ["members" as const], actions: ["use" as const] };
    using keyed = await accessBy({ search: [{ ...grant, names: ["search*"] }] });
    await using own = await startInstance((await sharedPrimaries()).urls, {
      prefix: instance.prefix,
      world: { access: keyed.access },
    });
    await register(service, "m");
    await register(foreign, "m");
    const ask = (...services: string[]) =>
      own.call(
        "POST",
        "/v1/heartbeats",
        { beats: services.map((one) => ({ service: one, id: "m", load: { cpu: 0.5 } })) },
        bearer("search"),
      );
    const { status, body } = await ask(service, foreign);
    expect([status, body.code]).toEqual([403, "forbidden"]);
    expect(await loadOf(service, "m")).toBeNull();
    expect((await ask(service)).status).toBe(200);
    expect(await loadOf(service, "m")).toMatchObject({ cpu: 0.5 });
  });
});

describe("a memberKey", () => {
  const registered = async (service: string, id: string) =>
    (await instance.call("PUT", path(service, id), { address: "10.0.0.7:9000" })).body;

  test("is told to whoever registers, and to nobody else", async () => {
    const service = freshName();
    const { memberKey } = await registered(service, "m");
    expect(memberKey).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect((await registered(service, "m")).memberKey).not.toBe(memberKey);
    for (const where of [
      path(service, "m"),
      `/v1/services/${service}/members`,
      `${path(service, "m")}/history`,
    ])
      expect(JSON.stringify((await instance.call("GET", where)).body)).not.toContain("memberKey");
    const changed = await instance.call("PATCH", path(service, "m"), { weight: 2 });
    expect(changed.body).not.toHaveProperty("memberKey");
  });

  test("keeps its member alive with the incarnation, alone and with others, also after a change", async () => {
    const service = freshName();
    const { incarnation, memberKey } = await registered(service, "m");
    expect((await beat(service, "m", { incarnation, memberKey })).status).toBe(200);
    await instance.call("PATCH", path(service, "m"), { weight: 2 });
    const { outcomes } = (await send([{ service, id: "m", incarnation, memberKey }])).body;
    expect(outcomes).toMatchObject([{ outcome: "alive", incarnation, revision: 2 }]);
  });

  test("of another member or process renews nothing", async () => {
    const service = freshName();
    const earlier = await registered(service, "m");
    const { incarnation, memberKey } = await registered(service, "m");
    const other = await registered(service, "n");
    const load = { cpu: 0.5 };
    for (const wrong of [other.memberKey, earlier.memberKey]) {
      const refused = await beat(service, "m", { incarnation, memberKey: wrong, load });
      expect([refused.status, refused.body.code]).toEqual([403, "forbidden"]);
      expect(JSON.stringify(refused.body)).not.toContain(wrong);
    }
    const { outcomes } = (
      await send([
        { service, id: "m", incarnation, memberKey: other.memberKey, load },
        { service, id: "n", incarnation: other.incarnation, memberKey: other.memberKey, load },
        { service, id: "m2", incarnation, memberKey },
      ])
    ).body;
    expect(outcomes).toMatchObject([{ code: "forbidden" }, { outcome: "alive" }, { code: "unknown_member" }]);
    expect(await loadOf(service, "m")).toBeNull();
    const old = await beat(service, "m", { incarnation: earlier.incarnation, memberKey: earlier.memberKey });
    expect([old.status, old.body.code]).toEqual([409, "superseded"]);
    // Who knows no key may keep it alive all the same.
    expect((await beat(service, "m", {})).status).toBe(200);
  });

  test.each([
    ["without the incarnation", { memberKey: "x".repeat(22) }],
    ["that is too short", { incarnation: 1, memberKey: "x".repeat(21) }],
    ["that is no text", { incarnation: 1, memberKey: 7 }],
  ])("%s is refused", async (_, body) => {
    const service = freshName();
    const alone = await beat(service, "m", body);
    expect([alone.status, alone.body.code, alone.body.field]).toEqual([400, "invalid_request", "memberKey"]);
    const among = await send([{ service, id: "m", ...body }]);
    expect([among.status, among.body.field]).toEqual([400, "beats.0.memberKey"]);
  });
});

describe("the load of a member", () => {
  const full = {
    cpu: 0.25,
    memory: 1,
    disk: 0,
    inFlight: 3,
    custom: Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`n${i}`, i - 1.5])),
  };

  test("is what a heartbeat reported, alone or with others, and null before", async () => {
    const service = freshName();
    const incarnation = await register(service, "m");
    expect(await loadOf(service, "m")).toBeNull();
    await beat(service, "m", { load: full });
    expect(await loadOf(service, "m")).toEqual(full);
    await send([{ service, id: "m", incarnation, load: { inFlight: 0 } }]);
    const part = { cpu: null, memory: null, disk: null, inFlight: 0, custom: {} };
    expect(await loadOf(service, "m")).toEqual(part);
    const { members } = (await instance.call("GET", `/v1/services/${service}/members`)).body;
    expect(members).toMatchObject([{ id: "m", load: part, revision: 1 }]);
  });

  test("stays when a heartbeat reports none, and goes with the incarnation", async () => {
    const service = freshName();
    await register(service, "m");
    await beat(service, "m", { load: full });
    await beat(service, "m", {});
    expect(await loadOf(service, "m")).toEqual(full);
    await register(service, "m");
    expect(await loadOf(service, "m")).toBeNull();
  });

  test.each([
    ["load.cpu", "above 1", { cpu: 1.01 }],
    ["load.memory", "below 0", { memory: -0.01 }],
    ["load.disk", "a text", { disk: "0.5" }],
    ["load.cpu", "null", { cpu: null }],
    ["load.inFlight", "below 0", { inFlight: -1 }],
    ["load.inFlight", "half a request", { inFlight: 0.5 }],
    ["load.custom", "9 numbers", { custom: { ...full.custom, ninth: 9 } }],
    ["load.custom.n", "a text among them", { custom: { n: "1" } }],
    ["load.custom.__proto__", "a name that would be lost", { custom: JSON.parse('{"__proto__": 1}') }],
    ["load.gpu", "a field that there is not", { gpu: 0.5 }],
    ["load", "a number", 0.5],
  ])("%s does not take %s", async (field, _what, load) => {
    const service = freshName();
    await register(service, "m");
    const alone = await beat(service, "m", { load });
    expect([alone.status, alone.body.code, alone.body.field]).toEqual([400, "invalid_request", field]);
    const among = await send([{ service, id: "m", load }]);
    expect([among.status, among.body.field]).toEqual([400, `beats.0.${field}`]);
    expect(await loadOf(service, "m")).toBeNull();
  });

  test.each(["NaN", "1e999", "Infinity"])("does not take %s", async (number) => {
    const url = await instance.url();
    const post = (where: string, body: string) =>
      fetch(`${url}${where}`, { method: "POST", headers: { "content-type": "application/json" }, body });
    const load = `{"custom": {"n": ${number}}}`;
    expect((await post(`${path("s", "m")}/heartbeat`, `{"load": ${load}}`)).status).toBe(400);
    const beats = `{"beats": [{"service": "s", "id": "m", "load": ${load}}]}`;
    expect((await post("/v1/heartbeats", beats)).status).toBe(400);
  });
});

test("a heartbeat tells the ringId of its service soon, and another one soon after the ring has changed", async () => {
  const service = freshName();
  await register(service, "a");
  const told = async () => (await beat(service, "a", {})).body.ringId;
  const current = async () => (await instance.call("GET", `/v1/services/${service}/members`)).body.ringId;
  await expect.poll(told).toBe(await current());
  await register(service, "b");
  const after = await current();
  await expect.poll(told).toBe(after);
  expect((await send([{ service, id: "a" }])).body.outcomes[0].ringId).toBe(after);
});
