import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ACTIONS, type Action, type Grant, KINDS, type Kind } from "../../../src/access/grants.js";
import { accessBy, bearer, EVERYTHING, type TestAccess } from "../../helpers/access.js";
import { type Operation, operations } from "../../helpers/operations.js";
import type { SharedPrimaries } from "../../helpers/primaries.js";
import { type Instance, startInstance, startOffline } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

const ALL = { kinds: ["*"], actions: ["read", "use", "operate"] } as const;

let primaries: SharedPrimaries;
let keyed: TestAccess;
let instance: Instance;
let url: string;
beforeAll(async () => {
  primaries = await sharedPrimaries();
  keyed = await accessBy({
    ops: [EVERYTHING],
    team: [{ ...ALL, namespace: "team-a", names: ["*"] }],
    orders: [{ ...ALL, namespace: "default", names: ["orders-*"] }],
  });
  instance = await startInstance(primaries.urls, { world: { access: keyed.access } });
  url = await instance.url();
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
  keyed[Symbol.dispose]();
});

/** A request with exactly this path: URL and fetch would resolve some of them. */
async function raw(method: string, path: string, key: string, body?: unknown) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const { port } = new URL(url);
  const headers = {
    ...bearer(key),
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text ?? ""),
  };
  const sent = request({ port, host: "127.0.0.1", method, path, headers, agent: false });
  sent.end(text);
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  let answer = "";
  for await (const part of response.setEncoding("utf8")) answer += part;
  return { status: response.statusCode ?? 0, body: answer };
}

const locksOf = async (namespace: string): Promise<string[]> => {
  const { body } = await instance.call("GET", `/v1/namespaces/${namespace}/locks`, undefined, bearer("ops"));
  return body.locks.map(({ name }: { name: string }) => name).sort();
};

describe("no spelling of a path leaves what is granted", () => {
  const BODY = { ttlMs: 20_000 };
  const team = [
    "/v1/namespaces/team-a/../team-b/locks/x/acquire",
    "/v1/namespaces/team-a/%2e%2e/team-b/locks/x/acquire",
    "/v1/namespaces/team-a/.%2E/team-b/locks/x/acquire",
    "/v1/namespaces/team-a/./locks/../../../locks/x/acquire",
    "/v1/namespaces/team-a%2f..%2fteam-b/locks/x/acquire",
    "/v1/namespaces/team-a%2F..%2Fdefault/locks/x/acquire",
    "/v1/namespaces/team-a%00/locks/x/acquire",
    "/v1/namespaces/team-a%20/locks/x/acquire",
    "/v1/namespaces/TEAM-A/locks/x/acquire",
    "/v1/namespaces/Team-a/locks/x/acquire",
    "/v1/namespaces/team%EF%BC%8Da/locks/x/acquire",
    "/v1/namespaces/te%C3%A4m-a/locks/x/acquire",
    "/v1/namespaces/%EF%BD%94eam-a/locks/x/acquire",
    "/v1/namespaces/team-a;x=1/locks/x/acquire",
    "/v1/namespaces/~team-a/locks/x/acquire",
    "/v1/namespaces/team-b/locks/x/acquire?namespace=team-a",
    "/v1/namespaces/team-b/locks/x/acquire#/../../team-a",
    "/v1/namespaces//locks/x/acquire",
    "/v1/namespaces/*/locks/x/acquire",
    "/v1//namespaces/team-a/locks/x/acquire",
    "//v1/namespaces/team-a/locks/x/acquire",
    "/v1/namespaces/team-a//locks/x/acquire",
    "/v1/namespaces/team-a/v1/locks/x/acquire",
    "/v1/namespaces/team-a/namespaces/team-b/locks/x/acquire",
    "/v1/locks/~team-a~x/acquire",
    "/v1/locks/x/acquire",
    "/V1/namespaces/team-b/locks/x/acquire",
  ];

  test.each(team)("by a key of a namespace: %s", async (path) => {
    const { status, body } = await raw("POST", path, "team", BODY);
    expect([400, 401, 403, 404]).toContain(status);
    expect(body).not.toContain("leaseId");
  });

  test("nor did any of them take a lock; an encoded spelling of what is granted is granted", async () => {
    for (const namespace of ["default", "team-a", "team-b", "TEAM-A"])
      expect(await locksOf(namespace)).toEqual([]);
    expect((await raw("POST", "/v1/namespaces/team%2Da/locks/%78/acquire", "team", BODY)).status).toBe(200);
    expect((await raw("POST", "/%76%31/namespaces/team-a/locks/y/acquire", "team", BODY)).status).toBe(200);
    expect((await raw("POST", "/%76%31/namespaces/team-b/locks/y/acquire", "team", BODY)).status).toBe(403);
    expect(await locksOf("team-a")).toEqual(["x", "y"]);
    expect(await locksOf("team-b")).toEqual([]);
  });

  test.each([
    "Orders-1",
    "ORDERS-1",
    "orders",
    "xorders-1",
    "%6frderz-1",
    "orders%2F-1",
    "orders-1%2F..%2Fsearch",
    "orders-%00",
    "orders-%EF%BC%91",
    "orders%E2%80%901",
    "%EF%BD%8Frders-1",
    "orders%252D1",
    "..%2Forders-1",
    "search%3Forders-1",
  ])("by a key of some names: %s", async (name) => {
    const { status, body } = await raw("POST", `/v1/locks/${name}/acquire`, "orders", BODY);
    expect([400, 403, 404]).toContain(status);
    expect(body).not.toContain("leaseId");
    expect(await locksOf("default")).toEqual([]);
  });

  test("by names in a body: each must be granted, and no field twice makes up for it", async () => {
    const acquire = (names: string) => `{"ttlMs": 20000, "names": ${names}}`;
    const bodies = [
      acquire('["orders-1", "search"]'),
      acquire('["search", "orders-1"]'),
      `{"names": ["orders-1"], "ttlMs": 20000, "names": ["search"]}`,
      `{"n\\u0061mes": ["search"], "ttlMs": 20000}`,
      acquire('["orders-1", "Orders-2"]'),
    ];
    for (const text of bodies) {
      const answer = await instance.service.app.request("/v1/locks/acquire", {
        method: "POST",
        headers: {
          ...bearer("orders"),
          "content-type": "application/json",
          "content-length": String(Buffer.byteLength(text)),
        },
        body: text,
      });
      expect([text, answer.status]).toEqual([text, 403]);
    }
    expect(await locksOf("default")).toEqual([]);
  });
});

describe("what is forbidden tells nothing of what exists", () => {
  test("the answer is the same whether or not a lock is held, a member registered, a service known", async () => {
    const { body } = await instance.call(
      "POST",
      "/v1/locks/hidden-1/acquire",
      { ttlMs: 20_000 },
      bearer("ops"),
    );
    await instance.call("PUT", "/v1/services/hidden-1/members/one", { address: "x" }, bearer("ops"));
    const requests: [string, string, unknown?][] = [
      ["GET", "/v1/locks/NAME"],
      ["POST", "/v1/locks/NAME/acquire", { ttlMs: 1_000 }],
      ["POST", "/v1/locks/NAME/release", { leaseId: body.leaseId }],
      ["POST", "/v1/locks/NAME/renew", { leaseId: body.leaseId, ttlMs: 1_000 }],
      ["GET", "/v1/services/NAME/members/one"],
      ["GET", "/v1/services/NAME/owner?key=x"],
      ["POST", "/v1/services/NAME/members/one/heartbeat"],
      ["PATCH", "/v1/services/NAME/members/one", { weight: 2 }],
      ["DELETE", "/v1/services/NAME/members/one"],
    ];
    for (const [method, path, sent] of requests) {
      const told = async (name: string) => {
        const answer = await instance.call(method, path.replace("NAME", name), sent, bearer("orders"));
        const { requestId: _, ...rest } = answer.body;
        return JSON.stringify([answer.status, rest]).replaceAll(name, "NAME");
      };
      const [known, unknown] = [await told("hidden-1"), await told("hidden-2")];
      expect(known).toBe(unknown);
      expect(known).toContain("[403,");
    }
    await instance.call("POST", "/v1/locks/hidden-1/release", { leaseId: body.leaseId }, bearer("ops"));
  });
});

describe("a lease on several names", () => {
  test("is broken by a key that may operate on all of them, and by no other", async () => {
    const names = ["orders-7", "payments-7"];
    const base = "/v1/locks";
    await instance.call("POST", `${base}/acquire`, { names, ttlMs: 20_000 }, bearer("ops"));
    const stuck = { reason: "stuck" };
    const refused = await instance.call("POST", `${base}/orders-7/break`, stuck, bearer("orders"));
    expect([refused.status, refused.body.code]).toEqual([403, "forbidden"]);
    expect(JSON.stringify(refused.body)).not.toContain("payments");
    expect(await locksOf("default")).toEqual(names);
    expect((await instance.call("POST", `${base}/orders-7/break`, stuck, bearer("ops"))).body).toEqual({
      broken: 1,
    });
    await instance.call("POST", `${base}/orders-8/acquire`, { ttlMs: 20_000 }, bearer("orders"));
    expect((await instance.call("POST", `${base}/orders-8/break`, stuck, bearer("orders"))).body).toEqual({
      broken: 1,
    });

    await instance.call(
      "POST",
      "/v1/namespaces/team-a/locks/acquire",
      { names, ttlMs: 20_000 },
      bearer("team"),
    );
    const broken = await instance.call(
      "POST",
      "/v1/namespaces/team-a/locks/orders-7/break",
      stuck,
      bearer("team"),
    );
    expect(broken.body).toEqual({ broken: 1 });
  });
});

describe("random grants", () => {
  /** As simple as can be: one grant of the list covers each name. */
  function allowed(grants: readonly Grant[], asked: Asked): boolean {
    const isOfDeployment = asked.kind === "*";
    const fits = (name: string | null) =>
      grants.some(
        ({ namespace, kinds, names, actions }) =>
          matches(namespace, isOfDeployment ? "*" : asked.namespace) &&
          (kinds.includes("*") || (!isOfDeployment && kinds.includes(asked.kind))) &&
          actions.includes(asked.action) &&
          (name === null || names.some((pattern) => matches(pattern, name))),
      );
    return asked.names.length === 0 ? fits(null) : asked.names.every(fits);
  }
  const matches = (pattern: string, name: string) =>
    new RegExp(
      `^${pattern
        .split("*")
        .map((part) => part.replaceAll(/[.\\+?()[\]{}|^$]/g, "\\$&"))
        .join(".*")}$`,
    ).test(name);

  interface Asked {
    readonly namespace: string;
    readonly kind: Kind | "*";
    readonly action: Action;
    readonly names: readonly string[];
  }

  const some = <T>(items: readonly T[]) => fc.subarray([...items], { minLength: 1, maxLength: 3 });
  const PATTERNS = ["*", "a*", "*b", "a*b", "a", "b", "ab", "a.b", "a:*", "A", "**"];
  const grants = fc.array(
    fc.record({
      namespace: fc.constantFrom("*", "default", "team", "team*", "*m", "other"),
      kinds: some([...KINDS, "*"] as const),
      names: some(PATTERNS),
      actions: some(ACTIONS),
    }),
    { maxLength: 4 },
  );
  const underV1 = operations.filter(({ path }) => path(null, "x").startsWith("/v1/"));
  const question = fc.record({
    operation: fc.constantFrom(...underV1),
    namespace: fc.constantFrom(null, "default", "team", "teams", "other"),
    names: fc.uniqueArray(fc.constantFrom("a", "b", "ab", "a.b", "a:b", "axb", "A", "x"), {
      minLength: 1,
      maxLength: 3,
    }),
  });

  test("allow through HTTP exactly what a simple model allows", async () => {
    using random = await accessBy({});
    await using offline = await startOffline({ world: { access: random.access } });
    const verdicts = { allowed: 0, forbidden: 0 };
    await fc.assert(
      fc.asyncProperty(
        grants,
        fc.array(question, { minLength: 4, maxLength: 8 }),
        async (granted, questions) => {
          await random.replace({ someone: granted });
          for (const { operation, namespace, names } of questions) {
            const expected = allowed(granted, askedOf(operation, namespace, names));
            verdicts[expected ? "allowed" : "forbidden"] += 1;
            const within = operation.needs?.kind === "*" ? null : namespace;
            const [name = ""] = names;
            const body = operation.body(name) as object | undefined;
            const { status } = await offline.call(
              operation.method,
              operation.path(within, name),
              body && ("names" in body ? { ...body, names } : body),
              bearer("someone"),
            );
            expect(status === 403, `${operation.id} in ${namespace} for ${names}: ${status}`).toBe(!expected);
            expect(status).not.toBe(401);
          }
        },
      ),
      { numRuns: 300 },
    );
    // Both were seen often.
    expect(verdicts.allowed).toBeGreaterThan(150);
    expect(verdicts.forbidden).toBeGreaterThan(500);
  });

  function askedOf(operation: Operation, namespace: string | null, names: readonly string[]): Asked {
    const { action, kind } = operation.needs ?? { action: "operate", kind: "*" };
    const inBody = "names" in ((operation.body("x") as object | undefined) ?? {});
    const touched = operation.isNameless ? [] : inBody ? names : names.slice(0, 1);
    return { namespace: namespace ?? "default", kind, action, names: touched };
  }
});
