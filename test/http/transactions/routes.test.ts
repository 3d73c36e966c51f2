import { describe, expect, test } from "vitest";
import { uuidV7 } from "../../../src/algorithms/two-phase.js";
import { STORED_MAX } from "../../../src/primitives/transactions/transactions.js";
import type { Answer } from "../../helpers/contract.js";
import { Pair } from "../../helpers/pair.js";

const pair = new Pair();
const participants = ["stock", "payment"];

/** One of the two instances after the other. */
let turn = 0;
const call = (method: string, path: string, body?: unknown) =>
  (turn++ % 2 === 0 ? pair.one : pair.other).call(method, `/v1/transactions${path}`, body);
const begin = async (more = {}) => {
  const { body } = await call("POST", "", { participants, deadlineMs: 60_000, ...more });
  return (body as { id: string }).id;
};
const vote = (id: string, participant: string, its: string) =>
  call("POST", `/${id}/vote`, { participant, vote: its });
const freshId = () => pair.one.service.transactions.newId();

describe("a transaction", () => {
  test("is begun, voted on, committed, acknowledged and ended", async () => {
    const begun = await call("POST", "", { participants, deadlineMs: 60_000, payload: { order: 42 } });
    expect(begun).toMatchObject({
      status: 201,
      body: {
        state: "active",
        decision: null,
        participants: participants.map((name) => ({ name, vote: null, acknowledged: false })),
        payload: { order: 42 },
      },
    });
    const { id, deadlineInMs } = begun.body as { id: string; deadlineInMs: number };
    expect(deadlineInMs).toBeGreaterThan(0);
    expect(deadlineInMs).toBeLessThanOrEqual(60_000);
    expect(await vote(id, "stock", "yes")).toMatchObject({ status: 200, body: { state: "active" } });
    expect(await vote(id, "stock", "yes")).toMatchObject({ status: 200, body: { state: "active" } });
    expect(await vote(id, "payment", "yes")).toMatchObject({
      status: 200,
      body: { state: "committed", decision: "committed", deadlineInMs: null },
    });
    for (const [participant, state] of [
      ["stock", "committed"],
      ["payment", "ended"],
    ]) {
      const told = await call("POST", `/${id}/acknowledge`, { participant });
      expect(told).toMatchObject({ status: 200, body: { state, decision: "committed" } });
    }
    expect(await call("GET", `/${id}`)).toMatchObject({ status: 200, body: { id, state: "ended" } });
  });

  test("begins once under an id of the caller's own", async () => {
    const id = freshId();
    const request = { id, participants, deadlineMs: 60_000 };
    expect((await call("POST", "", request)).status).toBe(201);
    expect((await call("POST", "", request)).status).toBe(200);
    const other = await call("POST", "", { ...request, participants: ["stock"] });
    expect(other).toMatchObject({ status: 422, body: { code: "idempotency_mismatch" } });
  });

  test("is aborted by a no, whose reason all are told; the others are told when they vote", async () => {
    const id = await begin();
    const no = await call("POST", `/${id}/vote`, { participant: "stock", vote: "no", reason: "none left" });
    expect(no).toMatchObject({ status: 200, body: { state: "aborted", reason: "none left" } });
    expect(await vote(id, "payment", "yes")).toMatchObject({
      status: 409,
      body: { code: "already_decided", decision: "aborted" },
    });
  });

  test("is not aborted any more once it is committed", async () => {
    const id = await begin();
    for (const name of participants) await vote(id, name, "yes");
    for (const answer of [await call("POST", `/${id}/abort`, { reason: "x" }), await vote(id, "stock", "no")])
      expect(answer).toMatchObject({ status: 409, body: { code: "already_decided", decision: "committed" } });
  });

  test("is told to who waits as soon as it is decided", async () => {
    const id = await begin();
    const waiting = pair.one.call("GET", `/v1/transactions/${id}?waitMs=20000`);
    await pair.other.call("POST", `/v1/transactions/${id}/abort`, { reason: "no stock" });
    expect(await waiting).toMatchObject({ status: 200, body: { state: "aborted", reason: "no stock" } });
    const active = await begin();
    expect(await call("GET", `/${active}?waitMs=1`)).toMatchObject({
      status: 200,
      body: { state: "active" },
    });
  });

  test("is aborted after its deadline though nobody looks", async () => {
    const id = await begin({ deadlineMs: 100 });
    const { body } = await call("GET", `/${id}?waitMs=20000`);
    expect(body).toMatchObject({ state: "aborted", reason: "its deadline passed" });
  });

  test("that nobody began is not there for a reader, and aborted by a vote", async () => {
    const id = freshId();
    expect(await call("GET", `/${id}`)).toMatchObject({ status: 404, body: { code: "not_found" } });
    expect((await call("POST", `/${id}/acknowledge`, { participant: "stock" })).status).toBe(404);
    expect(await vote(id, "stock", "yes")).toMatchObject({ status: 409, body: { decision: "aborted" } });
    expect(await call("GET", `/${id}`)).toMatchObject({
      status: 200,
      body: { state: "aborted", participants: [] },
    });
    expect((await call("POST", "", { id, participants, deadlineMs: 60_000 })).status).toBe(409);
  });

  test("of which nothing is known any more may have been decided either way", async () => {
    const id = uuidV7(1_700_000_000_000, "0".repeat(20));
    for (const answer of [
      await vote(id, "stock", "yes"),
      await call("POST", `/${id}/abort`, { reason: "x" }),
      await call("POST", "", { id, participants, deadlineMs: 60_000 }),
      await call("GET", `/${id}`),
    ])
      expect(answer).toMatchObject({ status: 410, body: { code: "decision_forgotten" } });
  });

  test("of one namespace is not known in another", async () => {
    const id = await begin();
    expect((await pair.one.call("GET", `/v1/namespaces/team-a/transactions/${id}`)).status).toBe(404);
  });
});

describe("a transaction is refused", () => {
  test.each([
    [{ participants: [] }, "participants"],
    [{ participants: Array.from({ length: 65 }, (_, i) => `p${i}`) }, "participants"],
    [{ participants: ["a", "a"] }, "participants"],
    [{ deadlineMs: 0 }, "deadlineMs"],
    [{ deadlineMs: -1 }, "deadlineMs"],
    [{ deadlineMs: 86_400_001 }, "deadlineMs"],
    [{ id: "6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b" }, "id"],
    [{ id: "orders-42" }, "id"],
    [{ id: "ffffffff-0000-7000-8000-000000000000" }, "id"],
    [{ payload: "x".repeat(16_384) }, "payload"],
  ])("with %j", async (wrong, field) => {
    const answer = await call("POST", "", { participants, deadlineMs: 60_000, ...wrong });
    expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request", field } });
  });

  test.each<[string, number, string, (id: string) => Promise<Answer>]>([
    ["a contrary vote", 409, "contrary_vote", (id) => vote(id, "stock", "no")],
    ["a vote of a stranger", 404, "unknown_participant", (id) => vote(id, "nobody", "no")],
    ["a vote that is none", 400, "invalid_request", (id) => vote(id, "payment", "maybe")],
    ["a vote of nobody", 400, "invalid_request", (id) => call("POST", `/${id}/vote`, { vote: "no" })],
    [
      "a reason that is too long",
      400,
      "invalid_request",
      (id) => call("POST", `/${id}/vote`, { participant: "payment", vote: "no", reason: "x".repeat(257) }),
    ],
    [
      "an acknowledgement before the decision",
      409,
      "not_decided",
      (id) => call("POST", `/${id}/acknowledge`, { participant: "stock" }),
    ],
    [
      "a stranger's acknowledgement",
      404,
      "unknown_participant",
      (id) => call("POST", `/${id}/acknowledge`, { participant: "nobody" }),
    ],
    ["an abort without a reason", 400, "invalid_request", (id) => call("POST", `/${id}/abort`, {})],
    [
      "another beginning",
      422,
      "idempotency_mismatch",
      (id) => call("POST", "", { id, participants: ["stock"], deadlineMs: 60_000 }),
    ],
  ])("%s, which leaves it as it was", async (_, status, code, act) => {
    const id = await begin();
    await vote(id, "stock", "yes");
    const { deadlineInMs: _left, ...before } = (await call("GET", `/${id}`)).body;
    expect(await act(id)).toMatchObject({ status, body: { code } });
    expect((await call("GET", `/${id}`)).body).toMatchObject(before);
    expect(await vote(id, "payment", "yes")).toMatchObject({ status: 200, body: { state: "committed" } });
  });

  test.each([
    ["vote", { participant: "a", vote: "yes" }],
    ["acknowledge", { participant: "a" }],
    ["abort", { reason: "x" }],
  ])("whose id is none, at %s", async (act, body) => {
    for (const id of ["orders-42", freshId().toUpperCase(), "6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b"]) {
      const answer = await call("POST", `/${id}/${act}`, body);
      expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request", field: "id" } });
    }
  });

  test("where as many as may be are stored, and so is a vote on one that nobody knows", async () => {
    const known = await begin();
    const stored = (count: number) => {
      for (const { service } of [pair.one, pair.other]) service.transactions.sawStored(count);
    };
    const id = freshId();
    for (const act of [
      () => call("POST", "", { id, participants, deadlineMs: 60_000 }),
      () => vote(id, "stock", "yes"),
      () => call("POST", `/${id}/abort`, { reason: "x" }),
    ]) {
      stored(STORED_MAX);
      const { status, body, headers } = await act();
      expect([status, body.code, body.retryAfterMs]).toEqual([503, "too_many_transactions", 60_000]);
      expect(headers.get("retry-after")).toBe("60");
    }
    expect((await call("GET", `/${id}`)).status).toBe(404);
    stored(STORED_MAX);
    expect((await vote(known, "stock", "yes")).status).toBe(200);
    stored(0);
  });

  test("unless it is as large as it may be", async () => {
    const most = Array.from({ length: 64 }, (_, i) => `p${i}`.padEnd(128, "x"));
    const answer = await call("POST", "", {
      participants: most,
      deadlineMs: 86_400_000,
      payload: "x".repeat(16_382),
    });
    expect(answer.status).toBe(201);
  });
});
