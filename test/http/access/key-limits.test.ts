import { once } from "node:events";
import { get } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Limits } from "../../../src/access/grants-schema.js";
import { accessBy, bearer, EVERYTHING, type TestAccess } from "../../helpers/access.js";
import { chosenId, freshName, type Instance, startInstance, until } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

// What a key with limits may do, at one instance.

const limited = (limits: Limits, namespace = "*") => ({ grants: [{ ...EVERYTHING, namespace }], limits });

let keyed: TestAccess;
let instance: Instance;
beforeAll(async () => {
  keyed = await accessBy({
    free: [EVERYTHING],
    slow: limited({ requestsPerSecond: 1, burstSeconds: 20 }),
    narrow: limited({ requestsPerSecond: 1, burstSeconds: 20 }, "mine"),
    patient: limited({ waiting: 2 }),
    watcher: limited({ streams: 2 }),
    holder: limited({ leases: 2 }),
    member: limited({ members: 2 }),
  });
  instance = await startInstance((await sharedPrimaries()).urls, { world: { access: keyed.access } });
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
  keyed[Symbol.dispose]();
});

type Body = Record<string, unknown>;
const ttlMs = 20_000;

const call = (key: string, method: string, path: string, body?: Body) =>
  instance.call(method, path, body, bearer(key));
const acquire = (key: string, path: string, body: Body = {}) =>
  call(key, "POST", `${path}/acquire`, { ttlMs, ...body });
const lock = (namespace = "default") => `/v1/namespaces/${namespace}/locks/${freshName()}`;

describe("requests a second", () => {
  test("beyond the limit are 429 with Retry-After; every answer says how many are left", async () => {
    const answers = [];
    // Some more than the burst, since the bucket fills meanwhile.
    while (answers.length < 60 && answers.at(-1)?.status !== 429)
      answers.push(await call("slow", "GET", "/v1/namespaces/a/locks"));
    const [first, refused] = [answers[0], answers.at(-1)];
    expect(first?.headers.get("ratelimit-policy")).toBe('"default";q=20;w=20');
    expect(first?.headers.get("ratelimit")).toMatch(/^"default";r=19;t=[01]$/);
    expect([refused?.status, refused?.body.code]).toEqual([429, "rate_limited"]);
    expect(refused?.headers.get("retry-after")).toBe("1");
    expect(refused?.body.retryAfterMs).toBeLessThanOrEqual(1_000);
    expect(refused?.headers.get("ratelimit")).toMatch(/^"default";r=0;t=\d+$/);
    // Another namespace, and another key.
    expect((await call("slow", "GET", "/v1/namespaces/b/locks")).status).toBe(200);
    const free = await call("free", "GET", "/v1/namespaces/a/locks");
    expect([free.status, free.headers.get("ratelimit")]).toEqual([200, null]);
  });

  test("that are forbidden count as well, in whichever namespaces they are", async () => {
    const codes = [];
    for (let i = 0; i < 25; i++)
      codes.push((await call("narrow", "GET", `/v1/namespaces/n${i}/locks`)).status);
    expect(new Set(codes)).toEqual(new Set([403, 429]));
    expect((await call("narrow", "GET", "/v1/namespaces/mine/locks")).status).toBe(200);
  });
});

describe("requests that wait", () => {
  test("beyond the limit are quota_exceeded, and there is room again when one has its answer", async () => {
    const path = lock("w");
    await acquire("free", path);
    const waiting = [1, 2].map(() => acquire("patient", path, { waitMs: 1_500 }));
    const { status, body, headers } = await acquire("patient", path, { waitMs: 1_500 });
    expect([status, body.code, headers.get("retry-after")]).toEqual([429, "quota_exceeded", "1"]);
    expect(body.detail).toContain("2 requests that wait in namespace w");
    // One that does not wait, another key, another namespace.
    expect((await acquire("patient", path)).body.code).toBe("held");
    expect((await acquire("free", path, { waitMs: 1 })).body.code).toBe("held");
    expect((await acquire("patient", lock("x"), { waitMs: 1_500 })).status).toBe(200);
    for (const answer of waiting) expect((await answer).body.code).toBe("held");
    expect((await acquire("patient", lock("w"), { waitMs: 1_500 })).status).toBe(200);
  });
});

describe("streams", () => {
  test("and blocking reads beyond the limit are quota_exceeded, until a client has gone", async () => {
    const path = `/v1/namespaces/s/elections/${freshName()}`;
    const url = await instance.url();
    const follow = async () => {
      const request = get(`${url}${path}/events`, { headers: bearer("watcher") });
      const [response] = await once(request, "response");
      response.resume().on("error", () => {});
      return { status: response.statusCode as number, hangUp: () => request.on("error", () => {}).destroy() };
    };
    const [one, two] = [await follow(), await follow()];
    expect([one.status, two.status, (await follow()).status]).toEqual([200, 200, 429]);
    const version = { ...bearer("watcher"), "if-none-match": '"none"' };
    expect((await instance.call("GET", `${path}?waitMs=100`, undefined, version)).status).toBe(429);
    expect((await call("watcher", "GET", path)).status).toBe(200);
    one.hangUp();
    await until(async () => {
      const { status } = await instance.call("GET", `${path}?waitMs=100`, undefined, version);
      return status === 304;
    }, "there is room for one more");
    two.hangUp();
  });
});

describe("live leases", () => {
  test("beyond the quota are quota_exceeded, whatever their kind, until one is released", async () => {
    const { body } = await acquire("holder", lock("l"));
    const path = `/v1/namespaces/l/elections/${freshName()}`;
    const { body: term } = await call("holder", "POST", `${path}/campaign`, { ttlMs });
    const semaphore = `/v1/namespaces/l/semaphores/${freshName()}`;
    const refused = await acquire("holder", semaphore, { limit: 2 });
    expect([refused.status, refused.body.code]).toEqual([429, "quota_exceeded"]);
    expect(refused.body.detail).toContain("2 leases in namespace l");
    expect((await acquire("holder", lock("other"))).status).toBe(200);
    expect((await acquire("free", semaphore, { limit: 2 })).status).toBe(200);
    // What is held may be renewed.
    const { leaseId } = term;
    expect((await call("holder", "POST", `${path}/renew`, { leaseId, ttlMs })).status).toBe(200);
    await call("holder", "POST", `${path}/resign`, { leaseId });
    expect((await acquire("holder", semaphore, { limit: 2 })).status).toBe(200);
    expect(body.leaseId).toBeDefined();
  });

  test("may be asked for again by their leaseId, and a refusal takes no room", async () => {
    const [path, leaseId] = [lock("again"), chosenId()];
    await acquire("holder", lock("again"));
    for (let i = 0; i < 3; i++) expect((await acquire("holder", path, { leaseId })).status).toBe(200);
    expect((await acquire("holder", lock("again"))).status).toBe(429);
    await acquire("free", `${path}-held`);
    for (let i = 0; i < 3; i++) expect((await acquire("holder", `${path}-held`)).status).toBe(429);
    await call("holder", "POST", `${path}/release`, { leaseId });
    for (let i = 0; i < 3; i++) expect((await acquire("holder", `${path}-held`)).body.code).toBe("held");
    expect((await acquire("holder", lock("again"))).status).toBe(200);
  });
});

describe("live members", () => {
  test("beyond the quota are quota_exceeded, until one has left; those that live may register again", async () => {
    const service = `/v1/namespaces/m/services/${freshName()}/members`;
    const register = (id: string) => call("member", "PUT", `${service}/${id}`, { address: "10.0.0.7:9000" });
    expect([(await register("one")).status, (await register("two")).status]).toEqual([201, 201]);
    expect((await register("three")).body.code).toBe("quota_exceeded");
    expect((await register("two")).status).toBe(200);
    expect((await call("member", "POST", `${service}/one/heartbeat`)).status).toBe(200);
    await call("member", "DELETE", `${service}/one`);
    expect((await register("three")).status).toBe(201);
  });

  test("count while the place of one that restarts is kept", async () => {
    const service = `/v1/namespaces/m3/services/${freshName()}/members`;
    const register = (id: string) => call("member", "PUT", `${service}/${id}`, { address: "10.0.0.7:9000" });
    const leave = (id: string, query: string) => call("member", "DELETE", `${service}/${id}?${query}`);
    for (const id of ["one", "two"]) expect((await register(id)).status).toBe(201);
    expect((await leave("one", "restart=true")).body).toEqual({ left: true });
    expect((await register("three")).body.code).toBe("quota_exceeded");
    expect((await register("one")).status).toBeLessThan(300);
    await leave("two", "restart=false");
    expect((await register("three")).status).toBe(201);
    await leave("three", "restart=true&restartGraceMs=1000");
    await expect.poll(async () => (await register("four")).status, { timeout: 5_000 }).toBe(201);
  });

  test("count for the key whose heartbeats keep them alive, alone or with others", async () => {
    const service = freshName();
    const path = `/v1/namespaces/m2/services/${service}/members`;
    const ids = ["one", "two", "three"];
    for (const id of ids) await call("free", "PUT", `${path}/${id}`, { address: "10.0.0.7:9000" });
    const register = () => call("member", "PUT", `${path}/four`, { address: "10.0.0.7:9000" });
    const beats = [...ids, "nobody"].map((id) => ({ service, id }));
    const { body } = await call("member", "POST", "/v1/namespaces/m2/heartbeats", { beats });
    expect(body.outcomes.map(({ outcome }: { outcome: string }) => outcome)).toEqual([
      "alive",
      "alive",
      "alive",
      "failed",
    ]);
    expect((await register()).body.code).toBe("quota_exceeded");
    for (const id of ids.slice(0, 2)) await call("member", "DELETE", `${path}/${id}`);
    expect((await register()).status).toBe(201);
  });
});
