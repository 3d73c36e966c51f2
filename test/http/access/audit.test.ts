import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { Audit, type AuditEvent } from "../../../src/access/audit.js";
import { systemClock } from "../../../src/clock.js";
import { accessBy, bearer, EVERYTHING, secretOf, type TestAccess } from "../../helpers/access.js";
import type { Answer } from "../../helpers/contract.js";
import { chosenId, freshName, type Instance, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";
import { send } from "../../helpers/wire.js";

// What the audit says of every route in openapi.yaml.

const lines: string[] = [];
let keyed: TestAccess;
let instance: Instance;
beforeAll(async () => {
  keyed = await accessBy({ ops: [EVERYTHING], nobody: [] });
  const log = { error: () => {} };
  // Each line at a second of its own: of denials, only so many a second have one.
  let nowMs = 0;
  const clock = { ...systemClock, monotonicMs: () => (nowMs += 1000) };
  const audit = new Audit({ write: (line) => lines.push(line) > 0 }, clock, log);
  const world = { access: keyed.access, audit };
  const env = { QUORATE_HOOK_ALLOW: "127.0.0.0/8" };
  instance = await startInstance((await sharedPrimaries()).urls, { env, world });
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
  keyed[Symbol.dispose]();
});

const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const secrets = new Set<string>([secretOf("ops"), secretOf("nobody")]);

type Body = Record<string, unknown>;

/** As the key `ops`, in a namespace. What is secret in it is noted. */
async function call(method: string, path: string, body?: Body, key = "ops"): Promise<Answer> {
  const headers = { ...bearer(key), traceparent: TRACEPARENT, "x-request-id": "request-7" };
  const answer = await instance.call(method, `/v1/namespaces/team-a${path}`, body, headers);
  for (const { leaseId } of [body ?? {}, answer.body ?? {}]) if (leaseId) secrets.add(String(leaseId));
  return answer;
}

/** The audit's lines of what is done. */
async function audited(
  act: () => Promise<unknown> | unknown,
): Promise<(AuditEvent & { readonly omitted?: number })[]> {
  const before = lines.length;
  await act();
  return lines.slice(before).map((line) => JSON.parse(line));
}

const ttlMs = 20_000;
const metadata = { note: "metadata-of-the-holder" };

/** A lease, and the path and the body of what is done to it. */
async function leased(kind: string, begin: string, more: Body = {}) {
  const path = `/${kind}/${freshName("orders")}`;
  const { body } = await call("POST", `${path}/${begin}`, { ttlMs, leaseId: chosenId(), ...more });
  return { path, leaseId: body.leaseId as string, token: body.fencingToken ?? body.term };
}
async function registered() {
  const path = `/services/${freshName("search")}/members/search-1`;
  await call("PUT", path, { address: "10.0.0.7:9000", metadata });
  return path;
}
const hook = { url: "http://127.0.0.1:9/hook" };
async function hooked() {
  const path = `/services/${freshName("search")}/hooks/pager`;
  const { body } = await call("PUT", path, hook);
  secrets.add(body.secret as string);
  return path;
}
/** A transaction of one participant; with a vote it is decided. */
async function begun(voted = false) {
  const { body } = await call("POST", "/transactions", { participants: ["stock"], deadlineMs: 60_000 });
  const id = body.id as string;
  if (voted) await call("POST", `/transactions/${id}/vote`, { participant: "stock", vote: "yes" });
  return { id, path: `/transactions/${id}` };
}
const several = () => [freshName("several"), freshName("several")];

/** For each route that does more than read: how it succeeds, and the line of that; null: none. */
const SCENARIOS: Record<
  string,
  () => Promise<{ act: () => Promise<Answer>; line: Partial<AuditEvent> | null }>
> = {
  acquireLock: async () => ({
    act: () => call("POST", "/locks/orders-42/acquire", { ttlMs, leaseId: chosenId(), metadata }),
    line: { what: "locks.acquire", names: ["orders-42"], outcome: "granted", token: expect.any(Number) },
  }),
  renewLock: async () => {
    const { path, leaseId } = await leased("locks", "acquire");
    return { act: () => call("POST", `${path}/renew`, { leaseId, ttlMs }), line: null };
  },
  releaseLock: async () => {
    const { path, leaseId } = await leased("locks", "acquire");
    return {
      act: () => call("POST", `${path}/release`, { leaseId }),
      line: { what: "locks.release", names: [path.slice(7)], outcome: "released" },
    };
  },
  breakLock: async () => {
    const { path } = await leased("locks", "acquire");
    return {
      act: () => call("POST", `${path}/break`, { reason: "worker-7 hung" }),
      line: { what: "locks.break", names: [path.slice(7)], outcome: "broken", reason: "worker-7 hung" },
    };
  },
  acquireLocks: async () => {
    const names = several();
    return {
      act: () => call("POST", "/locks/acquire", { names, ttlMs, leaseId: chosenId() }),
      line: { what: "locks.acquire", names, outcome: "granted", token: expect.any(Number) },
    };
  },
  renewLocks: async () => {
    const [names, leaseId] = [several(), chosenId()];
    await call("POST", "/locks/acquire", { names, ttlMs, leaseId });
    return { act: () => call("POST", "/locks/renew", { names, leaseId, ttlMs }), line: null };
  },
  releaseLocks: async () => {
    const [names, leaseId] = [several(), chosenId()];
    await call("POST", "/locks/acquire", { names, ttlMs, leaseId });
    return {
      act: () => call("POST", "/locks/release", { names, leaseId }),
      line: { what: "locks.release", names, outcome: "released" },
    };
  },
  acquirePermits: async () => ({
    act: () => call("POST", "/semaphores/reports/acquire", { limit: 8, ttlMs }),
    line: { what: "semaphores.acquire", names: ["reports"], outcome: "granted", token: expect.any(Number) },
  }),
  renewPermits: async () => {
    const { path, leaseId } = await leased("semaphores", "acquire", { limit: 2 });
    return { act: () => call("POST", `${path}/renew`, { leaseId, ttlMs }), line: null };
  },
  releasePermits: async () => {
    const { path, leaseId } = await leased("semaphores", "acquire", { limit: 2 });
    return {
      act: () => call("POST", `${path}/release`, { leaseId }),
      line: { what: "semaphores.release", outcome: "released" },
    };
  },
  setLimit: async () => ({
    act: () => call("PUT", "/semaphores/exports", { limit: 3 }),
    line: { what: "semaphores.set-limit", names: ["exports"], outcome: "changed", limit: 3 },
  }),
  campaign: async () => ({
    act: () => call("POST", "/elections/scheduler/campaign", { ttlMs, value: metadata }),
    line: { what: "elections.campaign", names: ["scheduler"], outcome: "granted", token: expect.any(Number) },
  }),
  renewTerm: async () => {
    const { path, leaseId } = await leased("elections", "campaign");
    return { act: () => call("POST", `${path}/renew`, { leaseId, ttlMs }), line: null };
  },
  proclaim: async () => {
    const { path, leaseId, token } = await leased("elections", "campaign");
    return {
      act: () => call("POST", `${path}/proclaim`, { leaseId, value: metadata }),
      line: { what: "elections.proclaim", outcome: "proclaimed", token },
    };
  },
  resign: async () => {
    const { path, leaseId } = await leased("elections", "campaign");
    return {
      act: () => call("POST", `${path}/resign`, { leaseId }),
      line: { what: "elections.resign", outcome: "resigned" },
    };
  },
  registerMember: async () => ({
    act: () => call("PUT", "/services/mail/members/mail-1", { address: "10.0.0.7:9000", metadata }),
    line: { what: "members.register", names: ["mail"], member: "mail-1", outcome: "registered" },
  }),
  updateMember: async () => {
    const path = await registered();
    return {
      act: () => call("PATCH", path, { status: "draining", metadata }),
      line: { what: "members.update", member: "search-1", outcome: "updated" },
    };
  },
  heartbeat: async () => {
    const path = await registered();
    return { act: () => call("POST", `${path}/heartbeat`), line: null };
  },
  heartbeats: async () => {
    await registered();
    const beats = [{ service: "search", id: "search-1" }];
    return { act: () => call("POST", "/heartbeats", { beats }), line: null };
  },
  putRegister: async () => ({
    act: () => call("PUT", "/registers/config%2Fregion", { value: metadata }),
    line: { what: "registers.put", names: ["config/region"], outcome: "changed" },
  }),
  transactRegisters: async () => ({
    act: () => call("POST", "/registers/transactions", { changes: [{ key: "config/b", value: metadata }] }),
    line: { what: "registers.transact", names: ["config/b"], outcome: "changed" },
  }),
  addToCounter: async () => ({
    act: () => call("POST", "/counters/invoices/add", { by: 1 }),
    line: { what: "registers.add", names: ["invoices"], outcome: "changed" },
  }),
  arrive: async () => ({
    act: () => call("POST", "/barriers/import-done/arrive", { id: "worker-1", count: 3, ttlMs: 10_000 }),
    line: { what: "registers.arrive", names: ["import-done"], outcome: "arrived" },
  }),
  putLatch: async () => ({
    act: () => call("PUT", "/latches/migrated", { count: 3 }),
    line: { what: "registers.put", names: ["migrated"], outcome: "changed" },
  }),
  countDown: async () => {
    const name = freshName("latch");
    await call("PUT", `/latches/${name}`, { count: 3 });
    return {
      act: () => call("POST", `/latches/${name}/count-down`),
      line: { what: "registers.count-down", names: [name], outcome: "changed" },
    };
  },
  deleteLatch: async () => {
    const name = freshName("latch");
    await call("PUT", `/latches/${name}`, { count: 3 });
    return {
      act: () => call("DELETE", `/latches/${name}`),
      line: { what: "registers.delete", names: [name], outcome: "deleted" },
    };
  },
  deleteRegister: async () => {
    const name = freshName("register");
    await call("PUT", `/registers/${name}`, { value: metadata });
    return {
      act: () => call("DELETE", `/registers/${name}`),
      line: { what: "registers.delete", names: [name], outcome: "deleted" },
    };
  },
  beginTransaction: async () => ({
    act: () => call("POST", "/transactions", { participants: ["stock"], deadlineMs: 60_000 }),
    line: { what: "transactions.begin-transaction", names: [expect.any(String)], outcome: "begun" },
  }),
  voteOnTransaction: async () => {
    const { id, path } = await begun();
    return {
      act: () => call("POST", `${path}/vote`, { participant: "stock", vote: "yes" }),
      line: { what: "transactions.vote", names: [id], outcome: "voted yes" },
    };
  },
  acknowledgeTransaction: async () => {
    const { id, path } = await begun(true);
    return {
      act: () => call("POST", `${path}/acknowledge`, { participant: "stock" }),
      line: { what: "transactions.acknowledge", names: [id], outcome: "acknowledged" },
    };
  },
  abortTransaction: async () => {
    const { id, path } = await begun();
    return {
      act: () => call("POST", `${path}/abort`, { reason: "no stock" }),
      line: { what: "transactions.abort-transaction", names: [id], outcome: "aborted", reason: "no stock" },
    };
  },
  suspectMember: async () => {
    const path = await registered();
    await call("PUT", path.replace(/search-1$/, "search-2"), { address: "10.0.0.8:9000" });
    return {
      act: () => call("POST", `${path}/suspect`, { reporter: "search-2", reason: "no answer" }),
      line: null,
    };
  },
  leave: async () => {
    const path = await registered();
    return {
      act: () => call("DELETE", path),
      line: { what: "members.leave", member: "search-1", outcome: "left" },
    };
  },
  putHook: async () => ({
    act: () => call("PUT", `/services/${freshName("search")}/hooks/pager`, hook),
    line: { what: "members.put-hook", hook: "pager", outcome: "changed" },
  }),
  deleteHook: async () => {
    const path = await hooked();
    return {
      act: () => call("DELETE", path),
      line: { what: "members.delete-hook", hook: "pager", outcome: "deleted" },
    };
  },
  getHook: async () => {
    const path = await hooked();
    return { act: () => call("GET", path), line: null };
  },
  listHooks: async () => {
    const path = await hooked();
    return { act: () => call("GET", path.replace("/pager", "")), line: null };
  },
};

/** The operations of openapi.yaml that need a grant, with the action and the kind. */
const OPERATIONS = operations();
const CHANGING = OPERATIONS.filter(({ action }) => action !== "read");

function operations() {
  const url = new URL("../../../openapi.yaml", import.meta.url);
  const { paths } = parse(readFileSync(url, "utf8")) as {
    paths: Record<string, Record<string, { operationId: string; "x-grant"?: string }>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { operationId, "x-grant": grant }]) => {
      const [action = "", kind = ""] = grant?.split(" ") ?? [];
      return grant === undefined ? [] : [{ operationId, method, path, action, kind }];
    }),
  );
}

test("every route that does more than read has its scenario here", () => {
  expect(CHANGING.length).toBeGreaterThan(15);
  expect(CHANGING.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(SCENARIOS).sort());
});

describe.each(CHANGING)("the audit of $operationId", ({ operationId, kind }) => {
  test("has one line for what it has changed", async () => {
    const { act, line } = await (SCENARIOS[operationId] as (typeof SCENARIOS)[string])();
    const events = await audited(async () => expect((await act()).status).toBeLessThan(300));
    expect(events).toEqual(
      line === null
        ? []
        : [
            expect.objectContaining({
              ...line,
              time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
              keyId: "ops",
              namespace: "team-a",
              requestId: "request-7",
              traceparent: TRACEPARENT,
            }),
          ],
    );
    if (line) expect(events[0]?.what.split(".")[0]).toBe(kind);
  });
});

/** An address of the route, and a body that its schema may well refuse: who may not is told so before. */
function asked(path: string): string {
  return path.replace(/^\/v1/, "").replaceAll(/\{\w+\}/g, "x");
}

describe.each(OPERATIONS.filter(({ kind }) => kind !== "*"))(
  "a denial at $operationId",
  ({ method, path, action, kind }) => {
    test("has a line: for a key without the grant, and for nobody", async () => {
      const forbidden = await audited(() => call(method.toUpperCase(), asked(path), undefined, "nobody"));
      expect(forbidden).toEqual([
        expect.objectContaining({ keyId: "nobody", namespace: "team-a", outcome: "forbidden" }),
      ]);
      const { what = "", names = [] } = forbidden[0] ?? {};
      expect(what).toMatch(new RegExp(`^${kind}\\.${action === "read" ? "read" : "[a-z-]+"}$`));
      expect(names).toEqual(path.includes("{") ? ["x"] : []);
      const unauthenticated = await audited(() =>
        instance.service.app.request(`/v1${asked(path)}`, {
          method,
          headers: { "x-request-id": "request-8" },
        }),
      );
      expect(unauthenticated).toEqual([
        expect.objectContaining({ outcome: "unauthenticated", requestId: "request-8" }),
      ]);
      expect(unauthenticated[0]).not.toHaveProperty("keyId");
    });
  },
);

test("a request that was turned away at the door has a line, with its address", async () => {
  const events = await audited(async () => {
    const url = await instance.url();
    const headers = { traceparent: TRACEPARENT, authorization: "Bearer quorate_guessed" };
    expect((await send(url, { method: "GET", path: "/v1/locks", headers })).status).toBe(401);
  });
  expect(events).toEqual([
    expect.objectContaining({
      what: "request",
      outcome: "unauthenticated",
      address: "127.0.0.1",
      traceparent: TRACEPARENT,
      requestId: expect.any(String),
    }),
  ]);
});

test("what changes nothing has none: what is held by another, was not held, or is not valid", async () => {
  const { path } = await leased("locks", "acquire");
  const events = await audited(async () => {
    expect((await call("POST", `${path}/acquire`, { ttlMs })).body.code).toBe("held");
    expect((await call("POST", `${path}/release`, { leaseId: chosenId() })).body.released).toBe(false);
    expect((await call("POST", `${path}/acquire`, { ttlMs: 1 })).body.code).toBe("invalid_request");
    expect((await call("GET", path)).status).toBe(200);
  });
  expect(events).toEqual([]);
});

test("the configuration of the primaries that an instance uses has a line", () => {
  expect(lines.map((line) => JSON.parse(line))).toContainEqual({
    time: expect.any(String),
    what: "configuration.adopt",
    names: [],
    outcome: "changed",
    version: instance.service.primaries.version,
  });
});

test("no secret is in any of it, and no metadata", () => {
  expect(lines.length).toBeGreaterThan(50);
  expect(secrets.size).toBeGreaterThan(15);
  const text = lines.join("");
  for (const secret of [...secrets, "metadata-of-the-holder", "quorate_guessed", "Bearer"])
    expect(text.includes(secret), secret).toBe(false);
});
