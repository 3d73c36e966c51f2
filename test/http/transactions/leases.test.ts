import { describe, expect, test } from "vitest";
import { uuidV7 } from "../../../src/algorithms/two-phase.js";
import { systemIds } from "../../../src/ids.js";
import { accessBy, bearer } from "../../helpers/access.js";
import { Pair } from "../../helpers/pair.js";
import { chosenId, freshName } from "../../helpers/service.js";

const pair = new Pair();
const freshId = () => uuidV7(Date.now(), systemIds.hexNonce());
const participants = ["stock", "payment"];

async function lockOf(names: readonly string[] = [freshName()], base = "/v1") {
  const { body } = await pair.one.call("POST", `${base}/locks/acquire`, { names, ttlMs: 60_000 });
  return { kind: "locks", names, leaseId: body.leaseId, fencingToken: body.fencingToken };
}

async function permitOf(name = freshName()) {
  const { body } = await pair.one.call("POST", `/v1/semaphores/${name}/acquire`, { limit: 3, ttlMs: 60_000 });
  return { kind: "semaphores", names: [name], leaseId: body.leaseId, fencingToken: body.fencingToken };
}

async function termOf(name = freshName()) {
  const { body } = await pair.one.call("POST", `/v1/elections/${name}/campaign`, { ttlMs: 60_000 });
  return { kind: "elections", names: [name], leaseId: body.leaseId, fencingToken: body.term };
}

type Lease = Awaited<ReturnType<typeof lockOf>>;

const begin = (leases: unknown, more: object = {}, base = "/v1") =>
  pair.one.call("POST", `${base}/transactions`, { participants, deadlineMs: 60_000, leases, ...more });
const vote = (id: string, participant: string) =>
  pair.other.call("POST", `/v1/transactions/${id}/vote`, { participant, vote: "yes" });
const get = (id: string, query = "") => pair.one.call("GET", `/v1/transactions/${id}${query}`);
const shown = ({ leaseId: _, ...told }: Lease) => told;
const release = ({ names, leaseId }: Lease) => pair.one.call("POST", "/v1/locks/release", { names, leaseId });

describe("the leases that a transaction names", () => {
  test("are told with their tokens by whatever tells of it, and never with their leaseIds", async () => {
    const leases = [await lockOf([freshName("a"), freshName("b")]), await permitOf(), await termOf()];
    const begun = await begin(leases);
    expect(begun).toMatchObject({ status: 201, body: { state: "active" } });
    const { id } = begun.body;
    const waiting = get(id, "?waitMs=20000");
    const told = [
      begun,
      await vote(id, "stock"),
      await get(id),
      await vote(id, "payment"),
      await waiting,
      await pair.one.call("POST", `/v1/transactions/${id}/acknowledge`, { participant: "stock" }),
      await get(id),
    ];
    for (const { status, body } of told) {
      expect(status).toBeLessThan(300);
      expect(body.leases).toEqual(leases.map(shown));
    }
    expect(told[3]?.body.state).toBe("committed");
    const active = (await begin(leases)).body;
    const list = await pair.one.call("GET", "/v1/transactions?state=active&limit=1000");
    expect(list.body.transactions).toContainEqual(
      expect.objectContaining({ id: active.id, leases: leases.map(shown) }),
    );
    for (const { leaseId } of leases) expect(JSON.stringify([told, list])).not.toContain(leaseId);
  });

  test("are none where none were named", async () => {
    expect((await begin(undefined)).body.leases).toEqual([]);
    expect((await begin([])).body.leases).toEqual([]);
  });

  test("belong to the request: with others under the same id it is another", async () => {
    const [one, other] = [await lockOf(), await lockOf()];
    const id = freshId();
    expect((await begin([one], { id })).status).toBe(201);
    expect((await begin([one], { id })).status).toBe(200);
    for (const leases of [[other], [one, other], [], undefined, [{ ...one, leaseId: other.leaseId }]])
      expect(await begin(leases, { id })).toMatchObject({
        status: 422,
        body: { code: "idempotency_mismatch" },
      });
    await release(one);
    // Sent again, it is not judged again.
    expect((await begin([one], { id })).status).toBe(200);
  });

  test("make a transaction abort that finds one of them ended, which all are told", async () => {
    const [one, other] = [await lockOf(), await lockOf()];
    const { id } = (await begin([one, other])).body;
    await vote(id, "stock");
    await release(other);
    const aborted = { state: "aborted", decision: "aborted", reason: "lease_lost" };
    const last = await vote(id, "payment");
    expect(last).toMatchObject({ status: 200, body: aborted });
    expect(await vote(id, "payment")).toMatchObject({ status: 200, body: aborted });
    expect(await get(id, "?waitMs=1000")).toMatchObject({ status: 200, body: aborted });
    expect(JSON.stringify(last)).not.toContain(other.leaseId);
  });

  test("may be eight, of sixteen locks each", async () => {
    const names = Array.from({ length: 16 }, (_, i) => freshName(`${i}`).padEnd(128, "x"));
    const leases = await Promise.all(
      Array.from({ length: 8 }, (_, i) => lockOf(names.map((name) => `${name.slice(0, -1)}${i}`))),
    );
    const all = Array.from({ length: 64 }, (_, i) => `p${i}`.padEnd(128, "x"));
    const { status, body } = await begin(leases, { participants: all, payload: "x".repeat(16_000) });
    expect([status, body.leases]).toEqual([201, leases.map(shown)]);
    const { id } = (await begin(leases)).body;
    await vote(id, "stock");
    expect((await vote(id, "payment")).body.state).toBe("committed");
  });
});

describe("a transaction is refused that names", () => {
  const lease = { kind: "locks", names: ["a"], leaseId: chosenId(), fencingToken: 7 };
  test.each<[string, unknown, string]>([
    ["nine leases", Array.from({ length: 9 }, () => ({ ...lease, leaseId: chosenId() })), "leases"],
    ["one twice", [lease, lease], "leases"],
    ["one of members", [{ ...lease, kind: "members" }], "leases.0.kind"],
    ["one without names", [{ ...lease, names: [] }], "leases.0.names"],
    [
      "one of 17 names",
      [{ ...lease, names: Array.from({ length: 17 }, (_, i) => `n${i}`) }],
      "leases.0.names",
    ],
    ["two semaphores in one", [{ ...lease, kind: "semaphores", names: ["a", "b"] }], "leases.0.names"],
    ["two elections in one", [{ ...lease, kind: "elections", names: ["a", "b"] }], "leases.0.names"],
    ["a name that is none", [{ ...lease, names: ["~a~b"] }], "leases.0.names.0"],
    ["one without a leaseId", [{ ...lease, leaseId: undefined }], "leases.0.leaseId"],
    ["a leaseId that is none", [{ ...lease, leaseId: "short" }], "leases.0.leaseId"],
    ["one without a token", [{ ...lease, fencingToken: undefined }], "leases.0.fencingToken"],
    ["a token of 0", [{ ...lease, fencingToken: 0 }], "leases.0.fencingToken"],
    ["something more of one", [{ ...lease, ttlMs: 1_000 }], "leases.0.ttlMs"],
    ["no list", lease, "leases"],
  ])("%s", async (_, leases, field) => {
    expect(await begin(leases)).toMatchObject({ status: 400, body: { code: "invalid_request", field } });
  });

  test.each<[string, (lease: Lease) => Promise<object> | object]>([
    ["an unknown lease", (one) => ({ ...one, leaseId: chosenId() })],
    ["an earlier token", (one) => ({ ...one, fencingToken: one.fencingToken - 2 })],
    ["a later token", (one) => ({ ...one, fencingToken: one.fencingToken + 2 })],
    [
      "the token of another lease",
      async (one) => ({ ...one, fencingToken: (await lockOf()).fencingToken + 2 }),
    ],
    [
      "one that was released",
      async (one) => {
        await release(one);
        return one;
      },
    ],
    ["another lock than it holds", (one) => ({ ...one, names: [freshName()] })],
    ["a lease of another kind", (one) => ({ ...one, kind: "elections" })],
    ["one of another namespace", (one) => lockOf(one.names, "/v1/namespaces/team-a")],
    [
      "one that an operator broke",
      async (one) => {
        await pair.one.service.locks.break(one.names[0] ?? "", "stuck");
        return one;
      },
    ],
  ])("%s, which it tells, and is not begun", async (_, wrong) => {
    const id = freshId();
    const one = await lockOf();
    const leases = [await lockOf(), await wrong(one)];
    const answer = await begin(leases, { id });
    expect(answer).toMatchObject({ status: 410, body: { code: "lease_lost", field: "leases.1" } });
    for (const { leaseId } of leases as Lease[]) expect(JSON.stringify(answer)).not.toContain(leaseId);
    expect((await get(id)).status).toBe(404);
  });

  test("some of the locks of a lease", async () => {
    const one = await lockOf([freshName("a"), freshName("b")]);
    const answer = await begin([{ ...one, names: one.names.slice(1) }]);
    expect(answer).toMatchObject({ status: 409, body: { code: "lease_mismatch" } });
  });
});

test("a lease can be named by who may use what it holds, whoever votes", async () => {
  const [mine, theirs] = [freshName("orders"), freshName("stock")];
  const grant = (
    kinds: ["transactions"] | ["locks"],
    names: string[],
    actions: ("read" | "use")[] = ["use"],
  ) => ({
    namespace: "default",
    kinds,
    names,
    actions,
  });
  using keyed = await accessBy({
    begins: [
      grant(["transactions"], ["*"]),
      grant(["locks"], ["orders*"]),
      grant(["locks"], ["*"], ["read"]),
    ],
    votes: [grant(["transactions"], ["*"])],
  });
  await using own = await pair.instance({ world: { access: keyed.access } });
  const [one, other] = [await lockOf([mine]), await lockOf([theirs])];
  const ask = (path: string, body: object, key: string) =>
    own.call("POST", `/v1/transactions${path}`, body, bearer(key));
  const terms = { participants: ["a"], deadlineMs: 60_000 };
  // Whether there is such a lease is not told.
  for (const lease of [other, { ...other, leaseId: chosenId() }]) {
    const { status, body } = await ask("", { ...terms, leases: [one, lease] }, "begins");
    expect([status, body.code]).toEqual([403, "forbidden"]);
    expect(body.detail).toContain(theirs);
  }
  const { status, body } = await ask("", { ...terms, leases: [one] }, "begins");
  expect(status).toBe(201);
  expect(await ask(`/${body.id}/vote`, { participant: "a", vote: "yes" }, "votes")).toMatchObject({
    status: 200,
    body: { state: "committed" },
  });
});
