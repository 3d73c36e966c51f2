import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildRing } from "../../../src/algorithms/ring.js";
import type { SharedPrimaries } from "../../helpers/primaries.js";
import { freshName, type Instance, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

const MEMBERS = [
  { id: "search-1", weight: 1, zone: "eu-1a" },
  { id: "search-2", weight: 1, zone: "eu-1b" },
  { id: "search-3", weight: 2, zone: "eu-1b" },
  { id: "idle", weight: 0, zone: "eu-1c" },
];
const ring = buildRing(MEMBERS);

let primaries: SharedPrimaries;
let instance: Instance;
beforeAll(async () => {
  primaries = await sharedPrimaries();
  instance = await startInstance(primaries.urls);
  for (const { id, ...rest } of MEMBERS) {
    await instance.call("PUT", `/v1/services/search/members/${id}`, {
      address: `${id}:9000`,
      ttlMs: 120_000,
      ...rest,
    });
  }
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const owner = (query: string, service = "search") =>
  instance.call("GET", `/v1/services/${service}/owner?${query}`);
const owners = (body: object, service = "search") =>
  instance.call("POST", `/v1/services/${service}/owners`, body);

describe("the owner of a key", () => {
  test("is the one that the ring of the members says", async () => {
    for (const key of ["user:42", "user:43", "Ωmega 7/8?&=+", "a b", "\u0000"]) {
      const { status, body } = await owner(`key=${encodeURIComponent(key)}`);
      expect(status).toBe(200);
      expect(body.key).toBe(key);
      expect(body.owner.id).toBe(ring.replicas(key, 1)[0]?.id);
      expect(body.replicas).toEqual([body.owner]);
      expect(body.ringId).toBe(ring.ringId);
      expect(body.ageMs).toBeGreaterThanOrEqual(0);
      expect(body.ageMs).toBeLessThan(10_000);
    }
  });

  test("comes with all that is known of it", async () => {
    const { body } = await owner("key=user:42");
    expect(body.owner).toMatchObject({
      address: `${body.owner.id}:9000`,
      status: "up",
      tags: [],
      metadata: null,
    });
  });

  test("is the first of the replicas, which are distinct and in distinct zones first", async () => {
    const { body } = await owner("key=user:42&replicas=3");
    expect(body.replicas.map(({ id }: { id: string }) => id)).toEqual(
      ring.replicas("user:42", 3).map(({ id }) => id),
    );
    expect(body.replicas[0]).toEqual(body.owner);
    expect(body.replicas[1].zone).not.toBe(body.replicas[0].zone);
  });

  test("there are no more replicas than members with a weight", async () => {
    expect((await owner("key=k&replicas=64")).body.replicas).toHaveLength(3);
  });
});

describe("the owners of many keys", () => {
  test("are the same as those of each, in the order asked for", async () => {
    const keys = Array.from({ length: 200 }, (_, i) => `user:${i % 150}`);
    const { status, body } = await owners({ keys, replicas: 2 });
    expect(status).toBe(200);
    expect(body.owners).toEqual(
      keys.map((key) => {
        const replicas = ring.replicas(key, 2).map(({ id }) => id);
        return { key, owner: replicas[0], replicas };
      }),
    );
    expect(body.ringId).toBe(ring.ringId);
    expect(Object.keys(body.members).sort()).toEqual(["search-1", "search-2", "search-3"]);
    expect(body.members["search-1"]).toMatchObject({ id: "search-1", address: "search-1:9000" });
  });

  test("name only the members that own something", async () => {
    const { body } = await owners({ keys: ["user:42"] });
    expect(Object.keys(body.members)).toEqual([body.owners[0].owner]);
  });

  test("may be 50,000 members to name, each of which is told once", async () => {
    const keys = Array.from({ length: 10_000 }, (_, i) => `user:${i}`);
    const { status, body } = await owners({ keys, replicas: 5 });
    expect(status).toBe(200);
    expect(body.owners).toHaveLength(10_000);
    for (const i of [0, 4_999, 9_999]) {
      expect(body.owners[i].replicas).toEqual(ring.replicas(`user:${i}`, 5).map(({ id }) => id));
    }
    expect(Object.keys(body.members)).toHaveLength(3);
  });

  test.each([
    [10_000, 6],
    [782, 64],
  ])("%s keys times %s replicas are refused in words", async (count, replicas) => {
    const keys = Array.from({ length: count }, (_, i) => `user:${i}`);
    const { status, body } = await owners({ keys, replicas });
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", "replicas"]);
    expect(body.detail).toContain(`${count} keys times ${replicas} replicas`);
    expect(body.detail).toContain("50000");
  });

  test("may be 10,000 with long keys", async () => {
    const keys = Array.from({ length: 10_000 }, (_, i) => `${"k".repeat(150)}${i}`);
    const { status, body } = await owners({ keys });
    expect(status).toBe(200);
    expect(body.owners).toHaveLength(10_000);
  });
});

describe("a service without members that could own", () => {
  test.each([
    { what: "any members", members: [] },
    { what: "members with a weight", members: [{ id: "idle", weight: 0 }] },
  ])("without $what is no_members", async ({ members }) => {
    const service = freshName();
    for (const { id, weight } of members) {
      await instance.call("PUT", `/v1/services/${service}/members/${id}`, { address: "x:1", weight });
    }
    const one = await owner("key=k", service);
    expect([one.status, one.body.code]).toEqual([404, "no_members"]);
    const many = await owners({ keys: ["k"] }, service);
    expect([many.status, many.body.code]).toEqual([404, "no_members"]);
  });
});

describe("a service whose members have more points than a ring may have", () => {
  test("is told so where an owner is asked for, and has everything else", async () => {
    const service = freshName();
    const put = (id: string, weight: number) =>
      instance.call("PUT", `/v1/services/${service}/members/${id}`, { address: "x:1", weight });
    await Promise.all(Array.from({ length: 65 }, (_, i) => put(`m${i}`, 256)));
    const one = await owner("key=k", service);
    expect([one.status, one.body.code]).toEqual([409, "too_many"]);
    expect(one.body.detail).toContain("lower");
    const many = await owners({ keys: ["k"] }, service);
    expect([many.status, many.body.code]).toEqual([409, "too_many"]);
    const list = await instance.call("GET", `/v1/services/${service}/members`);
    expect(list.body.members).toHaveLength(65);
    expect(list.body.ringId).toMatch(/^[0-9a-f]{16}$/);
    for (let i = 0; i < 65; i++) await put(`m${i}`, 1);
    expect((await owner("key=k", service)).status).toBe(200);
  });
});

describe("what is not taken", () => {
  test.each([
    ["key", ""],
    ["key", "key="],
    ["key", `key=${"x".repeat(1_025)}`],
    ["key", `key=${encodeURIComponent("ü".repeat(513))}`],
    [undefined, "key=%ED%A0%80"],
    ["replicas", "key=k&replicas=0"],
    ["replicas", "key=k&replicas=65"],
    ["replicas", "key=k&replicas=-1"],
    ["replicas", "key=k&replicas=1.5"],
    ["replicas", "key=k&replicas=two"],
    ["replicas", "key=k&replicas="],
  ])("%s of ?%s", async (field, query) => {
    const { status, body } = await owner(query);
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", field]);
  });

  test.each([
    ["keys", {}],
    ["keys", { keys: [] }],
    ["keys", { keys: "k" }],
    ["keys", { keys: Array.from({ length: 10_001 }, () => "k") }],
    ["keys.1", { keys: ["k", ""] }],
    ["keys.0", { keys: [7] }],
    ["keys.0", { keys: ["x".repeat(1_025)] }],
    ["keys.1", { keys: ["k", "a\ud800"] }],
    ["keys.0", { keys: ["\udc00\ud800"] }],
    ["replicas", { keys: ["k"], replicas: 0 }],
    ["replicas", { keys: ["k"], replicas: "2" }],
    ["count", { keys: ["k"], count: 2 }],
  ])("%s of a batch", async (field, body) => {
    const answer = await owners(body);
    expect([answer.status, answer.body.code, answer.body.field]).toEqual([400, "invalid_request", field]);
    expect(answer.body.errors.length).toBeLessThanOrEqual(10);
  });

  test("a batch whose body ends before its time", async () => {
    const cutOff = new ReadableStream({ start: (controller) => controller.error(new Error("aborted")) });
    const response = await instance.service.app.request("/v1/services/search/owners", {
      method: "POST",
      headers: { "content-type": "application/json", "content-length": "20000" },
      body: cutOff,
      duplex: "half",
    } as RequestInit);
    expect(response.status).toBe(400);
  });

  test("but a surrogate pair, and the character that stands for what cannot be decoded", async () => {
    for (const key of ["😀", "\ufffd"]) {
      expect((await owner(`key=${encodeURIComponent(key)}`)).body.key).toBe(key);
      expect((await owners({ keys: [key] })).body.owners[0].key).toBe(key);
    }
  });

  test("but a key of 1024 bytes", async () => {
    expect((await owner(`key=${encodeURIComponent("ü".repeat(512))}`)).status).toBe(200);
  });
});
