import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Answer } from "../helpers/contract.js";
import { readEvents } from "../helpers/events.js";
import type { SharedPrimaries } from "../helpers/primaries.js";
import { sendRaw } from "../helpers/raw.js";
import { chosenId, freshName, type Instance, startInstance, until } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";

const OPERATOR = "the-key-of-the-operator";
const options = { env: { QUORATE_OPERATOR_KEY: OPERATOR, QUORATE_LOG_LEVEL: "trace" } };
const operator = { authorization: `Bearer ${OPERATOR}` };

let primaries: SharedPrimaries;
let instance: Instance;
beforeAll(async () => {
  primaries = await sharedPrimaries();
  instance = await startInstance(primaries.urls, options);
});
afterAll(() => instance[Symbol.asyncDispose]());

type Body = Record<string, unknown>;

/** Calls within one namespace; null: by the plain routes. No answer may show how names are spelled below the routes. */
const within = (namespace: string | null, at?: Instance) => {
  const base = namespace === null ? "/v1" : `/v1/namespaces/${namespace}`;
  return async (
    method: string,
    path: string,
    body?: Body,
    headers?: Record<string, string>,
  ): Promise<Answer> => {
    const answer = await (at ?? instance).call(method, base + path, body, headers);
    expect(JSON.stringify([answer.body, [...answer.headers]])).not.toContain("~");
    return answer;
  };
};

const [plain, a, b] = [within(null), within("team-a"), within("team-b")];
const everyone = [plain, a, b];
const TTL = { ttlMs: 20_000 };

describe("two namespaces with the same names", () => {
  test("do not meet in a lock, exclusive or shared", async () => {
    for (const more of [{}, { mode: "shared" }, { mode: "exclusive", leaseId: undefined }]) {
      const name = freshName();
      const grants = await Promise.all(
        everyone.map((call, at) =>
          call("POST", `/locks/${name}/acquire`, { ...TTL, ...more, owner: `o${at}` }),
        ),
      );
      expect(grants.map(({ status }) => status)).toEqual([200, 200, 200]);
      for (const [at, call] of everyone.entries()) {
        expect(grants[at]?.body).toMatchObject({ names: [name], owner: `o${at}` });
        const { body } = await call("GET", `/locks/${name}`);
        expect(body).toMatchObject({ name, holders: [{ owner: `o${at}` }], waiting: 0 });
        const { holders } = (await call("GET", `/locks/${name}/holders`)).body;
        expect(holders).toMatchObject([{ owner: `o${at}` }]);
        const { fencingToken } = grants[at]?.body ?? {};
        const checked = await call("POST", `/locks/${name}/check`, { fencingToken });
        expect(checked.body).toEqual({ current: true, newest: fencingToken });
        expect(
          (await call("POST", `/locks/${name}/acquire`, { ...TTL, mode: "exclusive" })).body,
        ).toMatchObject({
          code: "held",
          detail: expect.stringContaining(name),
          holder: { owner: `o${at}` },
        });
      }
    }
  });

  test("do not meet in several names at once", async () => {
    const names = [freshName(), freshName()].sort();
    for (const call of everyone) {
      const { body } = await call("POST", "/locks/acquire", { ...TTL, names: names.toReversed() });
      expect(body.names).toEqual(names);
      const { leaseId, fencingToken } = body;
      const renewed = await call("POST", "/locks/renew", { ...TTL, names, leaseId, fencingToken });
      expect(renewed.body).toMatchObject({ leaseId, names, fencingToken });
    }
    for (const call of everyone)
      expect((await call("POST", `/locks/${names[1]}/acquire`, TTL)).body.code).toBe("held");
  });

  test("renew and release their own leases only", async () => {
    const name = freshName();
    const { leaseId, fencingToken } = (await a("POST", `/locks/${name}/acquire`, TTL)).body;
    await b("POST", `/locks/${name}/acquire`, TTL);
    for (const call of [b, plain]) {
      for (const extra of [{}, { fencingToken }]) {
        const { status, body } = await call("POST", `/locks/${name}/renew`, { ...TTL, leaseId, ...extra });
        expect([status, body.code]).toEqual([410, "lease_lost"]);
      }
      const released = await call("POST", `/locks/${name}/release`, { leaseId });
      expect(released.body).toEqual({ released: false });
    }
    expect((await a("POST", `/locks/${name}/renew`, { ...TTL, leaseId })).body.fencingToken).toBe(
      fencingToken,
    );
    expect((await a("POST", `/locks/${name}/release`, { leaseId })).body).toEqual({ released: true });
    expect((await b("GET", `/locks/${name}`)).body.holders).toHaveLength(1);
  });

  test("choose the same leaseId for different leases", async () => {
    const [name, other, leaseId] = [freshName(), freshName(), chosenId()];
    // One of the form that the service generates as well.
    for (const id of [leaseId, `q-${leaseId.slice(0, 22)}`]) {
      const first = await a("POST", `/locks/${name}/acquire`, { ...TTL, leaseId: id });
      expect((await b("POST", `/locks/${other}/acquire`, { ...TTL, leaseId: id })).body.leaseId).toBe(id);
      expect((await plain("POST", `/elections/${name}/campaign`, { ...TTL, leaseId: id })).status).toBe(200);
      const again = await a("POST", `/locks/${name}/acquire`, { ...TTL, leaseId: id });
      expect(again.body.fencingToken).toBe(first.body.fencingToken);
      // Its tombstone ends no lease of another namespace.
      expect((await b("POST", `/locks/${other}/release`, { leaseId: id })).body).toEqual({ released: true });
      expect((await plain("POST", `/elections/${name}/resign`, { leaseId: id })).body).toEqual({
        resigned: true,
      });
      expect((await a("POST", `/locks/${name}/renew`, { ...TTL, leaseId: id })).status).toBe(200);
      expect((await a("POST", `/locks/${name}/release`, { leaseId: id })).body).toEqual({ released: true });
    }
    const used = await a("POST", `/locks/${name}/acquire`, { ...TTL, leaseId });
    expect(used.body).toMatchObject({ code: "lease_lost", lost: { why: "released" } });
    expect((await within("team-c")("POST", `/locks/${name}/acquire`, { ...TTL, leaseId })).status).toBe(200);
  });

  test("wait in queues of their own", async () => {
    const name = freshName();
    const holders = await Promise.all(everyone.map((call) => call("POST", `/locks/${name}/acquire`, TTL)));
    const wait = { ...TTL, waitMs: 20_000 };
    const waiting = [1, 2].map((at) => a("POST", `/locks/${name}/acquire`, { ...wait, owner: `w${at}` }));
    await until(() => instance.service.waiting.size === 2, "both wait");
    await until(async () => (await a("GET", `/locks/${name}`)).body.waiting === 2, "both are in the queue");
    for (const call of [plain, b])
      expect((await call("GET", `/locks/${name}`)).body).toMatchObject({ waiting: 0, queue: [] });
    const held = await b("POST", `/locks/${name}/acquire`, { ...TTL, waitMs: 1 });
    expect(held.body.queuePosition).toBe(1);
    expect((await a("POST", `/locks/${name}/acquire`, { ...TTL, waitMs: 1 })).body.queuePosition).toBe(3);
    // A release elsewhere gives it to nobody here.
    await b("POST", `/locks/${name}/release`, { leaseId: holders[2]?.body.leaseId });
    await plain("POST", `/locks/${name}/release`, { leaseId: holders[0]?.body.leaseId });
    expect((await a("GET", `/locks/${name}`)).body.waiting).toBe(2);
    await a("POST", `/locks/${name}/release`, { leaseId: holders[1]?.body.leaseId });
    const first = await Promise.race(waiting);
    expect(first?.body).toMatchObject({ names: [name] });
    await a("POST", `/locks/${name}/release`, { leaseId: first?.body.leaseId });
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200]);
  });

  test("have permits and limits of their own", async () => {
    const name = freshName();
    const grants = await Promise.all(
      everyone.map((call, at) =>
        call("POST", `/semaphores/${name}/acquire`, { ...TTL, limit: at + 1, permits: at + 1 }),
      ),
    );
    for (const [at, call] of everyone.entries()) {
      expect(grants[at]?.body).toMatchObject({ name, limit: at + 1, permits: at + 1 });
      expect((await call("GET", `/semaphores/${name}`)).body).toMatchObject({
        name,
        limit: at + 1,
        held: at + 1,
      });
      expect((await call("POST", `/semaphores/${name}/acquire`, { ...TTL, limit: at + 1 })).body.code).toBe(
        "held",
      );
    }
    expect((await a("PUT", `/semaphores/${name}`, { limit: 9 }, operator)).body).toEqual({ name, limit: 9 });
    expect(
      await Promise.all(everyone.map(async (call) => (await call("GET", `/semaphores/${name}`)).body.limit)),
    ).toEqual([1, 9, 3]);
    expect((await a("POST", `/semaphores/${name}/acquire`, { ...TTL, limit: 2 })).body).toMatchObject({
      code: "limit_mismatch",
      limit: 9,
    });
    const { leaseId } = grants[1]?.body ?? {};
    expect((await b("POST", `/semaphores/${name}/renew`, { ...TTL, leaseId })).body.code).toBe("lease_lost");
    expect((await b("POST", `/semaphores/${name}/release`, { leaseId })).body).toEqual({ released: false });
    expect((await a("POST", `/semaphores/${name}/renew`, { ...TTL, leaseId })).body).toMatchObject({
      name,
      leaseId,
      permits: 2,
    });
    expect((await a("POST", `/semaphores/${name}/release`, { leaseId })).body).toEqual({ released: true });
  });

  test("have leaders, events and blocking reads of their own", async () => {
    const name = freshName();
    const url = await instance.url();
    const streams = await Promise.all(
      ["/v1", "/v1/namespaces/team-a", "/v1/namespaces/team-b"].map((base) =>
        readEvents(`${url}${base}/elections/${name}/events`),
      ),
    );
    for (const stream of streams) expect((await stream.at(0)).data).toMatchObject({ name, leader: null });
    const read = await b("GET", `/elections/${name}`);
    const etag = { "if-none-match": read.headers.get("etag") ?? "" };
    const unchanged = b("GET", `/elections/${name}?waitMs=900`, undefined, etag);
    const changed = a("GET", `/elections/${name}?waitMs=20000`, undefined, etag);
    const { body } = await a("POST", `/elections/${name}/campaign`, { ...TTL, candidate: "c", value: 1 });
    expect(body).toMatchObject({ name, candidate: "c" });
    expect((await changed).body).toMatchObject({ name, leader: { candidate: "c", term: body.term } });
    expect((await streams[1]?.at(1))?.data).toMatchObject({ name, leader: { candidate: "c" } });
    expect((await unchanged).status).toBe(304);
    const { leaseId } = body;
    expect((await b("POST", `/elections/${name}/proclaim`, { leaseId, value: 2 })).body.code).toBe(
      "lease_lost",
    );
    expect((await b("POST", `/elections/${name}/renew`, { ...TTL, leaseId })).body.code).toBe("lease_lost");
    expect((await b("POST", `/elections/${name}/resign`, { leaseId })).body).toEqual({ resigned: false });
    expect((await a("POST", `/elections/${name}/proclaim`, { leaseId, value: 3 })).body).toEqual({
      term: body.term,
    });
    expect((await a("POST", `/elections/${name}/renew`, { ...TTL, leaseId })).body).toMatchObject({
      name,
      leaseId,
      value: 3,
    });
    expect((await streams[1]?.at(2))?.data.leader.value).toBe(3);
    for (const at of [0, 2]) expect(streams[at]?.events()).toHaveLength(1);
    for (const stream of streams) {
      expect(stream.text()).not.toContain("~");
      stream.cut();
    }
  });

  test("have members and rings of their own", async () => {
    const [service, other] = [freshName("service"), freshName("service")];
    const member = (address: string) => ({ address, ttlMs: 20_000 });
    for (const [at, call] of everyone.entries())
      expect((await call("PUT", `/services/${service}/members/m`, member(`host-${at}`))).status).toBe(201);
    await a("PUT", `/services/${service}/members/only-a`, member("x"));
    await a("PUT", `/services/${other}/members/m`, member("x"));
    for (const [at, call] of everyone.entries()) {
      expect((await call("GET", `/services/${service}/members/m`)).body.address).toBe(`host-${at}`);
      const ids = at === 1 ? ["m", "only-a"] : ["m"];
      const { members } = (await call("GET", `/services/${service}/members`)).body;
      expect(members.map(({ id }: { id: string }) => id)).toEqual(ids);
      const { owner } = (await call("GET", `/services/${service}/owner?key=k`)).body;
      if (at !== 1) expect(owner.address).toBe(`host-${at}`);
      const { owners } = (await call("POST", `/services/${service}/owners`, { keys: ["k"], replicas: 2 }))
        .body;
      expect(owners[0].replicas.toSorted()).toEqual(ids);
    }
    for (const call of [plain, b]) {
      const unknown = await call("GET", `/services/${service}/members/only-a`);
      expect(unknown.body).toMatchObject({
        code: "unknown_member",
        detail: expect.stringContaining(`Service ${service} `),
      });
      expect((await call("POST", `/services/${service}/members/only-a/heartbeat`, {})).body.code).toBe(
        "unknown_member",
      );
      expect((await call("DELETE", `/services/${service}/members/only-a`)).body).toEqual({ left: false });
      expect((await call("GET", `/services/${other}/owner?key=k`)).body.code).toBe("no_members");
    }
    expect((await b("GET", `/services/${other}/owner?key=k`)).body.detail).toContain(
      `(PUT /v1/namespaces/team-b/services/${other}/members/{id})`,
    );
    expect((await a("POST", `/services/${service}/members/m/heartbeat`, {})).status).toBe(200);
    expect((await a("DELETE", `/services/${service}/members/m`)).body).toEqual({ left: true });
    expect((await b("GET", `/services/${service}/members/m`)).status).toBe(200);
    // A page of members, with its cursor.
    await b("PUT", `/services/${service}/members/n`, member("y"));
    const page = (await b("GET", `/services/${service}/members?limit=1`)).body;
    expect((await b("GET", `/services/${service}/members?limit=1&cursor=${page.cursor}`)).body).toMatchObject(
      {
        members: [{ id: "n" }],
        ringId: page.ringId,
        cursor: null,
      },
    );
  });

  test("break their own leases only, and the log names the namespace", async () => {
    const name = freshName();
    const { leaseId } = (await a("POST", `/locks/${name}/acquire`, TTL)).body;
    await b("POST", `/locks/${name}/acquire`, TTL);
    expect((await plain("POST", `/locks/${name}/break`, { reason: "r" }, operator)).body).toEqual({
      broken: 0,
    });
    expect((await b("POST", `/locks/${name}/break`, { reason: "r" }, operator)).body).toEqual({ broken: 1 });
    expect((await a("POST", `/locks/${name}/renew`, { ...TTL, leaseId })).status).toBe(200);
    expect((await a("POST", `/locks/${name}/break`, { reason: "of a" }, operator)).body).toEqual({
      broken: 1,
    });
    const lost = await a("POST", `/locks/${name}/renew`, { ...TTL, leaseId });
    expect(lost.body).toMatchObject({ code: "lease_lost", lost: { why: "broken", reason: "of a" } });
    expect((await a("POST", `/locks/${name}/break`, { reason: "r" })).body.code).toBe("forbidden");
    const line = instance.logged.map((text) => JSON.parse(text)).find(({ reason }) => reason === "of a");
    expect(line).toMatchObject({ namespace: "team-a", lock: name, broken: 1 });
  });

  test("leave no trace of how names are spelled below the routes in log lines", () => {
    expect(instance.logged.length).toBeGreaterThan(50);
    expect(instance.logged.filter((line) => line.includes("~"))).toEqual([]);
  });
});

describe("lists", () => {
  /** All pages, which may be empty: names, and how many pages there were. */
  const pages = async (call: typeof a, path: string, of: "locks" | "services", query = "limit=3") => {
    const names: string[] = [];
    let cursor: string | null = null;
    for (let count = 1; ; count++) {
      const next: string = cursor === null ? "" : `&cursor=${cursor}`;
      const { status, body }: Answer = await call("GET", `${path}?${query}${next}`);
      expect(status).toBe(200);
      for (const one of body[of]) names.push(of === "locks" ? one.name : one.service);
      cursor = body.cursor;
      if (cursor === null) return { names, count };
    }
  };

  test("have the names of their own namespace, whatever the others are called, in pages and by prefix", async () => {
    await using own = await startInstance(primaries.urls, options);
    const spaces = [null, "a", "a.b", "aa", "z", "A", "default-1"];
    const names = ["a", "a.b", "a-1", "b", "z", "zz", "Z", "0"];
    for (const space of spaces)
      for (const name of names) {
        const call = within(space, own);
        // Each namespace lacks one name and has one of its own.
        if (name === space) continue;
        await call("POST", `/locks/${name}/acquire`, TTL);
        await call("PUT", `/services/${name}/members/m`, { address: "x", ttlMs: 20_000 });
      }
    for (const space of spaces) {
      const call = within(space, own);
      const expected = names.filter((name) => name !== space).sort();
      expect((await pages(call, "/locks", "locks")).names).toEqual(expected);
      expect((await pages(call, "/locks", "locks", "limit=100")).count).toBe(1);
      expect((await pages(call, "/services", "services")).names).toEqual(expected);
      const some = expected.filter((name) => name.startsWith("a"));
      expect((await pages(call, "/locks", "locks", "limit=1&prefix=a")).names).toEqual(some);
    }
    const count = (space: string | null) =>
      pages(within(space, own), "/locks", "locks", `limit=${names.length + 1}`);
    // The page that ends with the last own name says so, though names of other namespaces follow.
    for (const space of spaces) expect((await count(space)).count).toBe(1);
    expect((await pages(within("nobody", own), "/locks", "locks")).names).toEqual([]);
    expect((await pages(within("nobody", own), "/services", "services")).names).toEqual([]);
  });

  test("refuse the cursor of a name that is none", async () => {
    for (const call of everyone)
      for (const path of ["/locks", "/services"])
        for (const cursor of ["%7Eteam-a%7Ex", "~team-a~x"]) {
          const answer = await instance.call("GET", `/v1${path}?cursor=${cursor}`);
          expect([answer.status, answer.body.code, answer.body.field]).toEqual([
            400,
            "invalid_request",
            "cursor",
          ]);
          expect((await call("GET", `${path}?cursor=x`)).status).toBe(200);
        }
    expect((await instance.call("GET", "/v1/locks?prefix=~team-a~")).body.code).toBe("invalid_request");
  });
});

describe("what is stored", () => {
  /** One lease of each kind, one waiter, and one member, under names and leaseIds that occur nowhere else. */
  const NAMES = [
    "orders",
    "stock",
    "reports",
    "leaders",
    "search",
    ...["l", "s", "e", "w"].map((c) => `chosen-${c.repeat(22)}`),
  ];
  const use = async (call: typeof a) => {
    const [lock, several, permits, term, waiter] = [NAMES[5], undefined, NAMES[6], NAMES[7], NAMES[8]];
    await call("POST", "/locks/orders/acquire", { ...TTL, leaseId: lock });
    await call("POST", "/locks/acquire", { ...TTL, leaseId: several, names: ["stock"] });
    await call("POST", "/semaphores/reports/acquire", { ...TTL, limit: 1, leaseId: permits });
    await call("POST", "/elections/leaders/campaign", { ...TTL, leaseId: term });
    await call("PUT", "/services/search/members/m", { address: "x", ttlMs: 20_000 });
    await call("POST", "/locks/orders/acquire", { ...TTL, leaseId: waiter, waitMs: 200 });
    await call("POST", "/elections/leaders/resign", { leaseId: term });
  };

  /** Keys on all primaries together, without the prefix, and without those of the instance. */
  const keysOf = async ({ prefix }: Instance) => {
    const found = await Promise.all(
      primaries.urls.map(async (url) => {
        const redis = new Redis(url, { protocol: 2, disableClientInfo: true });
        const keys = await redis.keys(`${prefix}*`);
        redis.disconnect();
        return keys;
      }),
    );
    const keys = found.flat().map((key) => key.slice(prefix.length));
    return [...new Set(keys)]
      .filter((key) => !/^(waiting\/instance|configuration|agreement)/.test(key))
      .sort();
  };

  test("of `default` is the same by both paths, and of another namespace has it in front of each name and leaseId", async () => {
    await using byPlain = await startInstance(primaries.urls, options);
    await using byDefault = await startInstance(primaries.urls, options);
    await using ofTeam = await startInstance(primaries.urls, options);
    await use(within(null, byPlain));
    await use(within("default", byDefault));
    await use(within("team-a", ofTeam));
    const stored = await keysOf(byPlain);
    expect(stored).toEqual(
      expect.arrayContaining([
        "held",
        "hold/lock/orders",
        "hold/permit/reports/1",
        "member/search/m",
        "services",
      ]),
    );
    expect(stored.filter((key) => key.includes("~"))).toEqual([]);
    expect(await keysOf(byDefault)).toEqual(stored);
    const spelled = stored.map((key) =>
      NAMES.reduce(
        (text, name) => text.replace(new RegExp(`(?<=^|/)${name}(?=/|$)`), `~team-a~${name}`),
        key,
      ),
    );
    expect(await keysOf(ofTeam)).toEqual(spelled.sort());
  });

  test("by a plain route is what /v1/namespaces/default reads, and the reverse", async () => {
    const [name, other] = [freshName(), freshName()];
    const byName = within("default");
    const { leaseId } = (await plain("POST", `/locks/${name}/acquire`, TTL)).body;
    expect((await byName("POST", `/locks/${name}/renew`, { ...TTL, leaseId })).body).toMatchObject({
      leaseId,
      names: [name],
    });
    await byName("PUT", `/services/${other}/members/m`, { address: "x", ttlMs: 20_000 });
    expect((await plain("GET", `/services/${other}/members/m`)).status).toBe(200);
    expect((await within("Default")("GET", `/locks/${name}`)).body.holders).toEqual([]);
    expect((await within("DEFAULT")("GET", `/locks/${name}`)).body.holders).toEqual([]);
  });
});

describe("paths", () => {
  test.each([
    "~team-a",
    "%7Eteam-a",
    "team-a~x",
    ".team",
    "team-a%2Flocks",
    "team%20a",
    "t%C3%A9am",
    "%EF%BC%8E%EF%BC%8E",
    "team-a%00",
    "%252e%252e",
    "x".repeat(129),
  ])("with %s for a namespace are refused, with the field", async (namespace) => {
    for (const [method, path] of [
      ["GET", "/locks/a"],
      ["GET", "/locks"],
      ["POST", "/locks/acquire"],
      ["GET", "/services"],
    ] as const) {
      const body = method === "POST" ? { ...TTL, names: ["a"] } : undefined;
      const answer = await instance.call(method, `/v1/namespaces/${namespace}${path}`, body);
      expect([path, answer.status, answer.body.code, answer.body.field]).toEqual([
        path,
        400,
        "invalid_request",
        "namespace",
      ]);
    }
  });

  test("name the same namespace however they are encoded, and another one where letters differ", async () => {
    const name = freshName();
    await within("team:a")("POST", `/locks/${name}/acquire`, TTL);
    for (const same of ["team%3Aa", "team%3aa", "te%61m:a"])
      expect((await within(same)("GET", `/locks/${name}`)).body.holders).toHaveLength(1);
    for (const other of ["Team:a", "team:a.", "team:A"])
      expect((await within(other)("GET", `/locks/${name}`)).body.holders).toEqual([]);
  });

  test("with the longest names and ids are served", async () => {
    const [space, name, leaseId] = ["s", "n", "l"].map((letter) => letter.repeat(letter === "l" ? 64 : 128));
    const call = within(space ?? "");
    const { body } = await call("POST", `/locks/${name}/acquire`, { ...TTL, leaseId });
    expect(body).toMatchObject({ names: [name], leaseId });
    expect((await call("GET", "/locks")).body.locks).toMatchObject([{ name }]);
    expect((await call("POST", `/locks/${name}/release`, { leaseId })).body).toEqual({ released: true });
  });

  test("with a name that is none are refused inside a namespace as well", async () => {
    for (const name of ["~team-b~x", "%7Eteam-b%7Ex", "..%2Fteam-b", "%2e%2e%2fx"])
      expect((await instance.call("GET", `/v1/namespaces/team-a/locks/${name}`)).body).toMatchObject({
        code: "invalid_request",
        field: "name",
      });
  });

  test.each([
    "/v1/namespaces/team-a/../team-b/locks/x",
    "/v1/namespaces/team-a/../../locks/x",
    "/v1/namespaces/team-a/%2e%2e/team-b/locks/x",
    "/v1/namespaces/team-a/locks/%2E%2E/x",
    "/v1/namespaces/team-a\\..\\team-b/locks/x",
  ])("that are to be resolved are refused over a socket: %s", async (path) => {
    const answer = await sendRaw(
      await instance.url(),
      `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
    );
    expect([answer?.status, answer?.body.code]).toEqual([400, "invalid_request"]);
  });

  test("that have other methods say so, and those of the deployment exist once", async () => {
    for (const base of ["/v1", "/v1/namespaces/team-a"]) {
      const { status, headers, body } = await instance.call("POST", `${base}/semaphores/a`);
      expect([status, body.code, headers.get("allow")]).toEqual([405, "method_not_allowed", "GET, PUT"]);
      expect((await instance.call("DELETE", `${base}/locks/acquire`)).headers.get("allow")).toBe("GET, POST");
    }
    expect((await instance.call("GET", "/v1/primaries")).status).toBe(200);
    const inner = ["/primaries", "", "/", "/namespaces/team-b/locks", "/v1/locks", "/nothing", "//locks"];
    const none = inner.map((path) => `/v1/namespaces/team-a${path}`);
    for (const path of [...none, "/v1/namespaces", "/v1/namespaces/", "/v1/namespaces//locks/a"])
      expect([path, (await instance.service.app.request(path)).status]).toEqual([path, 404]);
  });
});

test("metrics count a route of all namespaces together, and name none", async () => {
  await using own = await startInstance(primaries.urls, options);
  for (const space of [null, "team-a", "team-b"]) await within(space, own)("GET", "/locks/a");
  const { body } = await own.call("GET", "/metrics");
  expect(body).toContain(
    'quorate_http_requests_total{method="GET",route="/v1/locks/:name",status="200",code=""} 3\n',
  );
  expect(body).not.toContain("team-");
});

test("a flood of namespaces keeps nothing but what the bounded caches keep by inner names", async () => {
  await using own = await startInstance(primaries.urls, options);
  const { membership, owners, waiting } = own.service;
  for (let at = 0; at < 300; at++) {
    const call = within(`space-${at}`, own);
    await call("GET", "/locks/a");
    await call("GET", "/services/search/owner?key=k");
  }
  expect([membership.views.kept, owners.kept, waiting.size]).toEqual([
    { views: 0, members: 0 },
    { rings: 0, points: 0 },
    0,
  ]);
  for (const space of ["a", "b"]) {
    const call = within(space, own);
    await call("PUT", "/services/search/members/m", { address: "x", ttlMs: 20_000 });
    await call("GET", "/services/search/owner?key=k");
  }
  // The rings of all namespaces share one cache, and so its bound.
  expect(owners.kept.rings).toBe(2);
});
