import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildRing } from "../../../src/algorithms/ring.js";
import type { SharedPrimaries } from "../../helpers/primaries.js";
import { freshName, type Instance, startInstance, until } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

const MEMBERS = [
  { id: "search-1", weight: 1, zone: "eu-1a", tags: ["canary"] },
  { id: "search-2", weight: 1, zone: "eu-1b", tags: ["canary", "ssd"] },
  { id: "search-3", weight: 2, zone: "eu-1b", tags: ["ssd"] },
  { id: "idle", weight: 0, zone: "eu-1c", tags: ["ssd", "gpu"] },
];

let primaries: SharedPrimaries;
let instance: Instance;
beforeAll(async () => {
  primaries = await sharedPrimaries();
  instance = await startInstance(primaries.urls);
  await register("search", MEMBERS);
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

async function register(
  service: string,
  members: readonly { readonly id: string; readonly weight?: number }[],
) {
  for (const { id, ...rest } of members) {
    const path = `/v1/services/${service}/members/${id}`;
    await instance.call("PUT", path, { address: `${id}:9000`, ttlMs: 120_000, ...rest });
  }
}

const pick = (body: object, service = "search") =>
  instance.call("POST", `/v1/services/${service}/pick`, body);
const idsOf = (members: readonly { readonly id: string }[]) => members.map(({ id }) => id);

describe("a pick", () => {
  test.each([
    ["round-robin", {}],
    ["weighted", {}],
    ["random", {}],
    ["least-load", {}],
    ["sticky", { key: "user:42", maxLoad: 1.5 }],
  ])(
    "by %s is one of the members with a weight, and the others are its alternatives",
    async (strategy, more) => {
      const { status, body } = await pick({ strategy, ...more });
      expect(status).toBe(200);
      expect(body.members).toHaveLength(1);
      const named = idsOf([...body.members, ...body.alternatives]);
      expect(named.toSorted()).toEqual(["search-1", "search-2", "search-3"]);
      expect(body.fallbacks).toEqual([]);
      expect(body.ageMs).toBeLessThan(10_000);
      const [{ id }] = body.members;
      expect(body.members[0]).toMatchObject({ address: `${id}:9000`, status: "up", metadata: null });
    },
  );

  test("of several at once names different ones, and as many as there are", async () => {
    const { body } = await pick({ strategy: "random", count: 16 });
    expect(idsOf(body.members).toSorted()).toEqual(["search-1", "search-2", "search-3"]);
    expect(body.alternatives).toEqual([]);
  });

  test("by key is the owner of the key, and its replicas are the alternatives", async () => {
    const ring = buildRing(MEMBERS);
    for (const key of ["user:42", "user:43", "Ωmega 7/8?&=+", "\u0000"]) {
      const { body } = await pick({ strategy: "sticky", key });
      expect(idsOf([...body.members, ...body.alternatives])).toEqual(idsOf(ring.replicas(key, 3)));
    }
  });

  test("prefers the zone, and says when there is nobody", async () => {
    const inZone = await pick({ strategy: "random", zone: "eu-1a" });
    expect([idsOf(inZone.body.members), inZone.body.fallbacks]).toEqual([["search-1"], []]);
    const elsewhere = await pick({ strategy: "random", zone: "eu-1c" });
    expect([elsewhere.status, elsewhere.body.fallbacks]).toEqual([200, ["zone"]]);
  });

  test("has all the tags, and is nobody that is excluded", async () => {
    const tagged = await pick({ strategy: "round-robin", tags: ["ssd", "canary"] });
    expect(idsOf(tagged.body.members)).toEqual(["search-2"]);
    const exclude = ["search-1", "search-2", "nobody"];
    const others = await pick({ strategy: "weighted", exclude, count: 3 });
    expect(idsOf(others.body.members)).toEqual(["search-3"]);
  });

  test("shows at once what this instance has changed", async () => {
    const service = freshName();
    await register(service, [{ id: "a" }]);
    expect(idsOf((await pick({ strategy: "random" }, service)).body.members)).toEqual(["a"]);
    await register(service, [{ id: "b" }]);
    await instance.call("DELETE", `/v1/services/${service}/members/a`);
    expect(idsOf((await pick({ strategy: "random", count: 2 }, service)).body.members)).toEqual(["b"]);
  });
});

describe("a member that others report as suspect", () => {
  test("is not picked by any strategy while another can be, and then the answer says so", async () => {
    const service = freshName();
    const ids = ["m1", "m2", "m3", "m4"];
    await register(
      service,
      ids.map((id) => ({ id })),
    );
    const strategies = ["round-robin", "weighted", "random", "least-load", "sticky"];
    const pickBy = (strategy: string, more = {}) =>
      pick({ strategy, ...(strategy === "sticky" && { key: "user:42" }), ...more }, service);
    for (const reporter of ids.slice(1)) {
      const path = `/v1/services/${service}/members/m1/suspect`;
      await instance.call("POST", path, { reporter, reason: "no answer" });
    }
    await until(
      async () => (await pickBy("random", { count: 4 })).body.members.length === 3,
      "it is suspect",
    );
    for (const strategy of strategies) {
      const { body } = await pickBy(strategy, { count: 4 });
      expect(idsOf([...body.members, ...body.alternatives]).toSorted()).toEqual(["m2", "m3", "m4"]);
      const last = await pickBy(strategy, { exclude: ids.slice(1) });
      expect([idsOf(last.body.members), last.body.fallbacks]).toEqual([["m1"], ["suspect"]]);
    }
  });
});

describe("a draining member", () => {
  test("is picked by no strategy from then on, unless nobody else lives", async () => {
    const service = freshName();
    await register(service, [{ id: "m1" }, { id: "m2" }]);
    const change = (id: string, status: string) =>
      instance.call("PATCH", `/v1/services/${service}/members/${id}`, { status });
    for (const strategy of ["round-robin", "weighted", "random", "least-load", "sticky"]) {
      const request = { strategy, count: 2, ...(strategy === "sticky" && { key: "user:42" }) };
      await change("m1", "draining");
      const { body } = await pick(request, service);
      expect([idsOf(body.members), body.alternatives, body.fallbacks]).toEqual([["m2"], [], []]);
      await change("m2", "draining");
      const last = (await pick(request, service)).body;
      expect([idsOf(last.members).toSorted(), last.fallbacks]).toEqual([["m1", "m2"], ["draining"]]);
      await change("m1", "up");
      await change("m2", "up");
    }
  });
});

describe("nobody to pick is no_members", () => {
  test.each([
    ["of a service without members", [], {}],
    ["of members without weight", [{ id: "idle", weight: 0 }], {}],
    ["with the tags", [{ id: "a" }, { id: "b" }], { tags: ["gpu"] }],
    ["if everybody is excluded", [{ id: "a" }, { id: "b" }], { exclude: ["a", "b"] }],
  ])("%s", async (_, members, more) => {
    const service = freshName();
    await register(service, members);
    for (const strategy of ["random", "sticky"]) {
      const key = strategy === "sticky" ? { key: "k" } : {};
      const { status, body } = await pick({ strategy, ...key, ...more }, service);
      expect([status, body.code]).toEqual([404, "no_members"]);
      expect(body.detail).toContain(service);
      if ("tags" in more || "exclude" in more) expect(body.detail).toContain("2 live members");
    }
  });
});

describe("at its bounds", () => {
  test("a request names 16 members, 64 to exclude, 8 tags and a key of 1 KB", async () => {
    const service = freshName();
    const tags = Array.from({ length: 16 }, (_, i) => `${i}`.padEnd(64, "t"));
    const members = Array.from({ length: 90 }, (_, i) => ({ id: `${i}`.padEnd(128, "i"), tags }));
    await Promise.all(members.map((member) => register(service, [member])));
    const exclude = idsOf(members).slice(0, 64);
    const more = { exclude, tags: tags.slice(8), count: 16, zone: "z".repeat(64) };
    for (const request of [
      { strategy: "least-load", ...more },
      { strategy: "sticky", key: "k".repeat(1_024), maxLoad: 100, ...more },
    ]) {
      const { status, body } = await pick(request, service);
      expect([status, body.members.length, body.alternatives.length]).toEqual([200, 16, 2]);
      for (const id of idsOf([...body.members, ...body.alternatives])) expect(exclude).not.toContain(id);
    }
  });
});

describe("what is not taken", () => {
  test.each([
    ["strategy", {}],
    ["strategy", { strategy: "fastest" }],
    ["strategy", { strategy: "Random" }],
    ["strategy", { strategy: null }],
    ["key", { strategy: "sticky" }],
    ["key", { strategy: "sticky", key: "" }],
    ["key", { strategy: "sticky", key: "x".repeat(1_025) }],
    ["key", { strategy: "sticky", key: "a\ud800" }],
    ["key", { strategy: "random", key: "k" }],
    ["maxLoad", { strategy: "least-load", maxLoad: 2 }],
    ["maxLoad", { strategy: "sticky", key: "k", maxLoad: 0.99 }],
    ["maxLoad", { strategy: "sticky", key: "k", maxLoad: 101 }],
    ["zone", { strategy: "random", zone: "" }],
    ["zone", { strategy: "random", zone: "z".repeat(65) }],
    ["zone", { strategy: "random", zone: null }],
    ["tags", { strategy: "random", tags: Array(9).fill("t") }],
    ["tags", { strategy: "random", tags: "ssd" }],
    ["tags.1", { strategy: "random", tags: ["t", ""] }],
    ["tags.0", { strategy: "random", tags: ["t".repeat(65)] }],
    ["exclude", { strategy: "random", exclude: Array(65).fill("a") }],
    ["exclude.0", { strategy: "random", exclude: ["a/b"] }],
    ["exclude.0", { strategy: "random", exclude: [""] }],
    ["count", { strategy: "random", count: 0 }],
    ["count", { strategy: "random", count: 17 }],
    ["count", { strategy: "random", count: 1.5 }],
    ["count", { strategy: "random", count: "2" }],
    ["zones", { strategy: "random", zones: ["eu-1a"] }],
    ["stratgy", { strategy: "random", stratgy: "random" }],
  ])("%s of %j", async (field, body) => {
    const answer = await pick(body);
    expect([answer.status, answer.body.code, answer.body.field]).toEqual([400, "invalid_request", field]);
  });

  test("a name that no service can have, a query, and a GET", async () => {
    const strategy = "random";
    expect((await pick({ strategy }, "a%20b")).body).toMatchObject({
      code: "invalid_request",
      field: "service",
    });
    const query = await instance.call("POST", "/v1/services/search/pick?count=2", { strategy });
    expect(query.body).toMatchObject({ code: "invalid_request", field: "count" });
    const got = await instance.call("GET", "/v1/services/search/pick");
    expect(got.body).toMatchObject({ code: "method_not_allowed", allow: ["POST"] });
  });
});

test("namespaces have members and turns of their own", async () => {
  const service = freshName();
  const of = (namespace: string) => `/v1/namespaces/${namespace}/services/${service}`;
  const ids = ["a", "b"];
  for (const id of ids) {
    await instance.call("PUT", `/v1/services/${service}/members/${id}`, { address: "plain" });
    await instance.call("PUT", `${of("team-a")}/members/${id}`, { address: "team-a" });
  }
  const turns = { plain: [] as string[], "team-a": [] as string[] };
  for (let i = 0; i < 4; i++)
    for (const [namespace, path] of [
      ["plain", `/v1/services/${service}`],
      ["team-a", of("team-a")],
    ] as const) {
      const { body } = await instance.call("POST", `${path}/pick`, { strategy: "round-robin" });
      expect(body.members[0].address).toBe(namespace);
      turns[namespace].push(body.members[0].id);
    }
  for (const each of Object.values(turns)) {
    expect(each[0]).not.toBe(each[1]);
    expect(each.slice(2)).toEqual(each.slice(0, 2));
  }
  const none = await instance.call("POST", `${of("team-b")}/pick`, { strategy: "random" });
  expect(none.body).toMatchObject({ code: "no_members" });
  expect(none.body.detail).toContain(`/v1/namespaces/team-b/services/${service}`);
});
