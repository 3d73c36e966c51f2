import { afterAll, beforeAll, expect, test } from "vitest";
import type { Limits } from "../../src/access/grants-schema.js";
import { ERROR_CODES, type ErrorCode } from "../../src/errors.js";
import { problemExamples } from "../../src/http/problem.js";
import { problemRequestId } from "../../src/http/problem-examples.js";
import { systemIds } from "../../src/ids.js";
import { STORED_MAX } from "../../src/primitives/transactions/transactions.js";
import { accessBy, bearer, EVERYTHING, type Keys } from "../helpers/access.js";
import { type Answer, Contract } from "../helpers/contract.js";
import { startPrimaries, type TestPrimaries } from "../helpers/primaries.js";
import { sendRaw } from "../helpers/raw.js";
import { type Instance, startInstance, startOffline, until } from "../helpers/service.js";

// The problems that the description shows, each beside what a request of the same names really gets.

let primaries: TestPrimaries;

let contract: Contract;

beforeAll(async () => {
  primaries = await startPrimaries(3, { args: ["--appendfsync", "no"] });
  await using offline = await startOffline();
  contract = new Contract((await offline.call("GET", "/openapi.json")).body);
});
afterAll(() => primaries.close());

type Provoke = (instance: Instance) => Promise<Pick<Answer, "status" | "body">>;

const KEY = "the-key-of-the-operator";
const LOCK = "/v1/locks/orders-42";
const REGISTER = "/v1/registers/config";
const MEMBER = "/v1/services/search/members/search-1";
const member = { address: "10.0.0.7:9000" };
const holding = { ttlMs: 20_000, owner: "worker-7", metadata: { build: "7f3a" } };

const raw =
  (bytes: string): Provoke =>
  async () => {
    await using offline = await startOffline({
      env: { QUORATE_HEADERS_TIMEOUT_MS: "100", QUORATE_REQUEST_TIMEOUT_MS: "100" },
    });
    return (await sendRaw(await offline.url(), bytes)) ?? { status: 0, body: {} };
  };

/** What a service with these keys, and with an issuer of JWTs whose keys it cannot read, answers. */
const asked = async (keys: Keys, headers: Record<string, string>, path = `${LOCK}/acquire`) => {
  const jwt = { issuer: "i", audience: "a", claim: "c", keySet: "https://issuer.example/jwks" };
  const fetch = () => Promise.reject(new Error("not reachable"));
  using keyed = await accessBy(keys, { jwt }, { fetch });
  await using offline = await startOffline({ world: { access: keyed.access } });
  return await offline.call("POST", path, holding, headers);
};

/** Acquires locks of the namespace `team-a` with a key that has these limits. */
const limited = async (limits: Limits, ask: (call: (name: string) => Promise<Answer>) => Promise<Answer>) => {
  using keyed = await accessBy({ ops: { grants: [EVERYTHING], limits } });
  await using instance = await startInstance(primaries.urls, { world: { access: keyed.access } });
  return await ask((name) =>
    instance.call("POST", `/v1/namespaces/team-a/locks/${name}/acquire`, holding, bearer("ops")),
  );
};

/** The path of a transaction. */
async function begun({ call }: Instance, participants = ["stock"]): Promise<string> {
  const { body } = await call("POST", "/v1/transactions", { participants, deadlineMs: 20_000 });
  return `/v1/transactions/${(body as { id: string }).id}`;
}

const PROVOCATIONS: Record<Exclude<ErrorCode, "overloaded" | "contended" | "outcome_unknown">, Provoke> = {
  invalid_request: ({ call }) => call("POST", `${LOCK}/acquire`, { ttlMs: 50, waitMS: 20_000 }),
  not_found: ({ call }) => call("GET", "/nothing"),
  method_not_allowed: ({ call }) => call("POST", "/v1/primaries"),
  request_timeout: raw(`POST ${LOCK}/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{`),
  too_large: ({ call }) => call("POST", `${LOCK}/acquire`, { owner: "x".repeat(65_536) }),
  unsupported_media_type: ({ call }) =>
    call("POST", `${LOCK}/acquire`, holding, { "content-type": "text/plain" }),
  expectation_failed: raw("GET /livez HTTP/1.1\r\nHost: localhost\r\nExpect: wonders\r\n\r\n"),
  headers_too_large: raw(`GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(17_000)}\r\n\r\n`),
  unknown_member: ({ call }) => call("POST", `${MEMBER}/heartbeat`),
  version_mismatch: async ({ call }) => {
    await call("PUT", MEMBER, { address: "10.0.0.7:9000" });
    return call("PATCH", MEMBER, { weight: 2 }, { "if-match": '"1-1"' });
  },
  no_members: ({ call }) => call("GET", "/v1/services/search/owner?key=user:42"),
  unauthenticated: () => asked({ ops: [] }, {}),
  forbidden: () => asked({ ops: [] }, bearer("ops"), "/v1/namespaces/team-a/locks/orders-42/acquire"),
  authentication_unavailable: () => asked({}, { authorization: "Bearer a.b.c" }),
  rate_limited: () =>
    limited({ requestsPerSecond: 1, burstSeconds: 10 }, async (call) => {
      for (let i = 0; i < 10; i++) await call("orders-42");
      return call("orders-42");
    }),
  quota_exceeded: () =>
    limited({ leases: 2 }, async (call) => {
      for (const name of ["orders-1", "orders-2"]) await call(name);
      return call("orders-42");
    }),
  held: async ({ call }) => {
    await call("POST", `${LOCK}/acquire`, holding);
    return call("POST", `${LOCK}/acquire`, holding);
  },
  lease_mismatch: async ({ call }) => {
    const leaseId = "kVYgQ3QzZ0u3m0n6mPpWqA";
    await call("POST", "/v1/locks/acquire", { ...holding, leaseId, names: ["orders-42", "stock-7"] });
    return call("POST", `${LOCK}/acquire`, { ...holding, leaseId });
  },
  limit_mismatch: async ({ call }) => {
    await call("POST", "/v1/semaphores/reports/acquire", { ttlMs: 20_000, limit: 8 });
    return call("POST", "/v1/semaphores/reports/acquire", { ttlMs: 20_000, limit: 9 });
  },
  superseded: async ({ call }) => {
    const { body } = await call("PUT", MEMBER, member);
    await call("PUT", MEMBER, member);
    return call("POST", `${MEMBER}/heartbeat`, { incarnation: body.incarnation });
  },
  too_many: async ({ call }) => {
    const paths = Array.from({ length: 80 }, (_, i) => `/v1/services/search/members/search-${i}`);
    await Promise.all(paths.map((path) => call("PUT", path, { ...member, weight: 256 })));
    return call("GET", "/v1/services/search/owner?key=user:42");
  },
  idempotency_mismatch: async ({ call }) => {
    const headers = { "idempotency-key": "c7b1" };
    await call("PUT", REGISTER, { value: 1 }, headers);
    return call("PUT", REGISTER, { value: 2 }, headers);
  },
  too_many_keyed: async ({ call }) => {
    const put = (i: number) => call("PUT", `${REGISTER}2`, { value: i }, { "idempotency-key": `k${i}` });
    for (let i = 0; i < 64; i++) await put(i);
    return put(64);
  },
  already_decided: async (instance) => {
    const path = await begun(instance);
    await instance.call("POST", `${path}/vote`, { participant: "stock", vote: "yes" });
    return instance.call("POST", `${path}/abort`, { reason: "late" });
  },
  not_decided: async (instance) =>
    instance.call("POST", `${await begun(instance)}/acknowledge`, { participant: "stock" }),
  contrary_vote: async (instance) => {
    const path = await begun(instance, ["stock", "payment"]);
    await instance.call("POST", `${path}/vote`, { participant: "stock", vote: "yes" });
    return instance.call("POST", `${path}/vote`, { participant: "stock", vote: "no" });
  },
  unknown_participant: async (instance) =>
    instance.call("POST", `${await begun(instance)}/vote`, { participant: "shipping", vote: "yes" }),
  decision_forgotten: ({ call }) =>
    call("POST", "/v1/transactions/01900000-0000-7000-8000-000000000000/vote", {
      participant: "stock",
      vote: "yes",
    }),
  too_many_transactions: async (instance) => {
    instance.service.transactions.sawStored(STORED_MAX);
    return instance.call("POST", "/v1/transactions", { participants: ["stock"], deadlineMs: 30_000 });
  },
  lease_lost: async ({ call }) => {
    const { body } = await call("POST", `${LOCK}/acquire`, holding);
    const reason = "worker-7 was taken down by hand";
    await call("POST", `${LOCK}/break`, { reason }, { authorization: `Bearer ${KEY}` });
    const { leaseId, fencingToken } = body;
    return call("POST", `${LOCK}/renew`, { leaseId, fencingToken, ttlMs: 20_000 });
  },
  internal: async () => {
    const ids = {
      ...systemIds,
      leaseId: () => {
        throw new Error("a mistake");
      },
    };
    await using broken = await startOffline({ world: { ids } });
    return broken.call("POST", `${LOCK}/acquire`, holding, { "x-request-id": problemRequestId });
  },
  no_quorum: async ({ call, service }) => {
    const [, ...others] = primaries.all;
    try {
      await Promise.all(others.map((primary) => primary.kill()));
      await until(() => service.primaries.all.filter(({ up }) => up).length === 1, "two are noticed");
      return await call("POST", `${LOCK}/acquire`, holding);
    } finally {
      await Promise.all(others.map((primary) => primary.start()));
    }
  },
  shutting_down: async () => {
    await using stopping = await startOffline();
    stopping.service.stop();
    return stopping.call("POST", `${LOCK}/acquire`, holding);
  },
};

// That of `overloaded` is in admission.test.ts, where there is an overload; the others are in primitives/registers.
const CODES = ERROR_CODES.filter(
  (code) => code !== "overloaded" && code !== "contended" && code !== "outcome_unknown",
);

test.each(CODES)("the example of %s says what a request is told", async (code) => {
  await using instance = await startInstance(primaries.urls, { env: { QUORATE_OPERATOR_KEY: KEY } });
  const { status, body } = await PROVOCATIONS[code](instance);
  const { value } = problemExamples()[code] as { value: Record<string, unknown> };
  expect(status).toBe(value.status);
  expect(Object.keys(body).sort(), "has what the example has").toEqual(Object.keys(value).sort());
  expect(wordsOf(body)).toEqual(wordsOf(value));
  contract.checkProblem(code, body);
});

/** Without what each request has of its own. */
function wordsOf(problem: Record<string, unknown>) {
  const {
    requestId: _id,
    retryAfterMs: _time,
    queuePosition: _position,
    holder: _holder,
    etag: _etag,
    ...words
  } = problem;
  return words;
}
