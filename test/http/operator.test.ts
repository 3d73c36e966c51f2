import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SharedPrimaries } from "../helpers/primaries.js";
import {
  chosenId,
  freshName,
  type Instance,
  startInstance,
  startOffline,
  until,
} from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";

const KEY = "the-key-of-the-operator";
const operator = { authorization: `Bearer ${KEY}` };

let primaries: SharedPrimaries;
let instance: Instance;
beforeAll(async () => {
  primaries = await sharedPrimaries();
  instance = await startInstance(primaries.urls, {
    env: { QUORATE_OPERATOR_KEY: KEY, QUORATE_LOG_LEVEL: "trace" },
  });
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const on = (name: string, act: string, body: unknown, headers?: Record<string, string>) =>
  instance.call("POST", `/v1/locks/${name}/${act}`, body, headers);

const acquire = async (name: string, more: object = {}) =>
  (await on(name, "acquire", { ttlMs: 20_000, ...more })).body;

describe("a lock that an operator breaks", () => {
  test("is free at once, and its holder is told the reason", async () => {
    const name = freshName();
    const { leaseId, fencingToken } = await acquire(name);
    const reason = "worker-7 burnt down;\nsee #42";
    expect((await on(name, "break", { reason }, operator)).body).toEqual({ broken: 1 });
    for (const extra of [{ fencingToken }, {}]) {
      const { status, body } = await on(name, "renew", { leaseId, ttlMs: 20_000, ...extra });
      expect([status, body.code]).toEqual([410, "lease_lost"]);
      if ("fencingToken" in extra) {
        expect(body.lost).toEqual({ why: "broken", reason });
        expect(body.detail).toContain(reason);
      }
    }
    const next = await acquire(name);
    expect(next.fencingToken).toBeGreaterThan(fencingToken);
  });

  test("goes to who waits for it", async () => {
    const name = freshName();
    await acquire(name);
    const waiting = acquire(name, { waitMs: 20_000, owner: "worker-8" });
    await until(() => instance.service.waiting.size === 1, "it waits");
    await on(name, "break", { reason: "stuck" }, operator);
    expect((await waiting).owner).toBe("worker-8");
  });

  test("is taken from all who share it", async () => {
    const name = freshName();
    const readers = [await acquire(name, { mode: "shared" }), await acquire(name, { mode: "shared" })];
    expect((await on(name, "break", { reason: "stuck" }, operator)).body).toEqual({ broken: 2 });
    for (const { leaseId, fencingToken } of readers) {
      const { body } = await on(name, "renew", { leaseId, fencingToken, ttlMs: 20_000 });
      expect(body.lost).toEqual({ why: "broken", reason: "stuck" });
    }
  });

  test("may be free: then nothing is ended", async () => {
    expect((await on(freshName(), "break", { reason: "stuck" }, operator)).body).toEqual({ broken: 0 });
  });

  test("is in the log with its reason, but without the key", async () => {
    const name = freshName();
    await acquire(name);
    await on(name, "break", { reason: "worker-7 burnt down" }, operator);
    const line = instance.logged.map((text) => JSON.parse(text)).find(({ lock }) => lock === name);
    expect(line).toMatchObject({ reason: "worker-7 burnt down", broken: 1 });
    expect(line.requestId).toMatch(/\w/);
    expect(instance.logged.join("\n")).not.toContain(KEY);
  });
});

describe("lease_lost says what is known of why", () => {
  test("released, taken by a later token, or expired", async () => {
    const name = freshName();
    const { leaseId, fencingToken } = await acquire(name, { leaseId: chosenId() });
    await on(name, "release", { leaseId });
    const renew = { leaseId, fencingToken, ttlMs: 5_000 };
    expect((await on(name, "renew", renew)).body.lost).toEqual({ why: "released" });

    const other = freshName();
    const first = await acquire(other, { ttlMs: 1_000 });
    const second = await acquire(other, { waitMs: 15_000 });
    const taken = await on(other, "renew", {
      ...renew,
      leaseId: first.leaseId,
      fencingToken: first.fencingToken,
    });
    expect(taken.body.lost.why).toBe("taken");
    // A primary may have counted an attempt that did not become a lease.
    expect(taken.body.lost.newest).toBeGreaterThanOrEqual(second.fencingToken);

    const never = await on(freshName(), "renew", { leaseId: chosenId(), fencingToken: 7, ttlMs: 5_000 });
    expect([never.status, never.body.lost.why]).toEqual([
      410,
      expect.stringMatching(/expired|taken|restarted/),
    ]);
  });
});

const routes = [
  ["POST", "/v1/locks/a/break", { reason: "stuck" }],
  ["PUT", "/v1/semaphores/a", { limit: 3 }],
] as const;

describe.each(routes)("%s %s", (method, path, body) => {
  test.each([
    ["no key", {}],
    ["another key", { authorization: "Bearer the-key-of-somebody-else" }],
    ["a part of the key", { authorization: `Bearer ${KEY.slice(0, -1)}` }],
    ["more than the key", { authorization: `Bearer ${KEY}x` }],
    ["the key with another scheme", { authorization: `Basic ${KEY}` }],
    ["the key alone", { authorization: KEY }],
    ["an empty key", { authorization: "Bearer " }],
  ])("is forbidden with %s", async (_what, headers) => {
    const answer = await instance.call(method, path, body, headers);
    expect([answer.status, answer.body.code]).toEqual([403, "forbidden"]);
    expect(JSON.stringify(answer.body)).not.toContain(KEY);
  });

  test("is forbidden to everybody where no key is set", async () => {
    await using keyless = await startOffline();
    for (const authorization of [`Bearer ${KEY}`, "Bearer undefined", "Bearer "]) {
      const answer = await keyless.call(method, path, body, { authorization });
      expect([answer.status, answer.body.code]).toEqual([403, "forbidden"]);
      expect(answer.body.detail).toContain("QUORATE_OPERATOR_KEY");
    }
  });

  test("takes the key however the scheme is written", async () => {
    for (const scheme of ["bearer", "BEARER", "Bearer "]) {
      const answer = await instance.call(method, path, body, { authorization: `${scheme} ${KEY}` });
      expect(answer.status).toBe(200);
    }
  });

  test("says nothing of a body before it knows who asks", async () => {
    expect((await instance.call(method, path, { nonsense: 1 })).status).toBe(403);
    expect((await instance.call(method, path, { nonsense: 1 }, operator)).status).toBe(400);
  });
});

test.each([
  ["break", "reason", {}],
  ["break", "reason", { reason: "" }],
  ["break", "reason", { reason: 7 }],
  ["break", "reason", { reason: "x".repeat(257) }],
  ["break", "leaseId", { reason: "stuck", leaseId: chosenId() }],
])("%s does not take %s of %o", async (act, field, body) => {
  const answer = await on(freshName(), act, body, operator);
  expect([answer.status, answer.body.field]).toEqual([400, field]);
});
