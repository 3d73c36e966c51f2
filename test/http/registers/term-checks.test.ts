import { describe, expect, test } from "vitest";
import { accessBy, bearer } from "../../helpers/access.js";
import { Pair } from "../../helpers/pair.js";
import { freshName, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

const pair = new Pair();
const transact = (body: object, at = pair.one) => at.call("POST", "/v1/registers/transactions", body);
const elect = (election: string, what: string, body: object, at = pair.one) =>
  at.call("POST", `/v1/elections/${election}/${what}`, { ...body, consensus: true });

interface Leader {
  readonly leaseId: string;
  readonly term: number;
}
const lead = async (election: string, at = pair.one): Promise<Leader> =>
  (await elect(election, "campaign", { ttlMs: 10_000, waitMs: 20_000 }, at)).body as Leader;

describe("a transaction that checks a term", () => {
  test("is made while its leader leads, and not any more once another does", async () => {
    const [election, key] = [freshName(), freshName()];
    const set = (term: number, value: number) =>
      transact({ checks: [{ election, term }], changes: [{ key, value }] });
    const over = { status: 412, body: { code: "version_mismatch", field: "checks.0.term" } };
    expect(await set(1, 0)).toMatchObject(over);
    const first = await lead(election);
    expect((await set(first.term, 1)).status).toBe(200);
    // A beat is no other term.
    await elect(election, "renew", { leaseId: first.leaseId, ttlMs: 10_000 }, pair.other);
    expect((await set(first.term, 2)).status).toBe(200);
    await elect(election, "resign", { leaseId: first.leaseId });
    expect(await set(first.term, 3)).toMatchObject(over);
    const second = await lead(election, pair.other);
    expect(await set(first.term, 4)).toMatchObject(over);
    expect((await set(second.term, 5)).status).toBe(200);
    expect((await pair.other.call("GET", `/v1/registers/${key}`)).body).toMatchObject({
      value: 5,
      version: 3,
    });
    // The office is as it was.
    expect((await elect(election, "renew", { leaseId: second.leaseId, ttlMs: 10_000 })).status).toBe(200);
  });

  test("is never made behind a change of a later leader, whoever takes over in between", async () => {
    expect(await lateWrites(true)).toBe(0);
  });

  test("is needed for that: without it the same leaders write behind later ones", async () => {
    expect(await lateWrites(false)).toBeGreaterThan(0);
  });

  test.each([
    [{ key: "a" }, "checks.0.etag"],
    [{ election: "a" }, "checks.0.term"],
    [{ election: "a", etag: null, term: 1 }, "checks.0.etag"],
    [{ key: "a", etag: null, term: 1 }, "checks.0.term"],
    [{ key: "a", etag: null, election: "a", term: 1 }, "checks.0.key"],
    [{ etag: null }, "checks.0.key"],
    [{ election: "a b", term: 1 }, "checks.0.election"],
    [{ election: "a", term: 0 }, "checks.0.term"],
  ])("with the check %j is refused", async (check, field) => {
    const answer = await transact({ checks: [check], changes: [{ key: "k", value: 1 }] });
    expect(answer.status).toBe(400);
    expect(answer.body.errors.map((error: { field: string }) => error.field)).toContain(field);
  });

  test("names an election once, and at most 16 registers and elections", async () => {
    const check = { election: "a", term: 1 };
    expect((await transact({ checks: [check, check], changes: [{ key: "k", value: 1 }] })).status).toBe(400);
    const checks = Array.from({ length: 16 }, (_, i) => ({ election: `e${i}`, term: 1 }));
    expect((await transact({ checks, changes: [{ key: "k", value: 1 }] })).status).toBe(400);
    expect((await transact({ checks: [check] })).status).toBe(400);
  });
});

/**
 * Leaders follow each other, and none of them stops writing: how often one of them wrote after a later one had. Each writes its
 * term, and reads which one was there.
 */
async function lateWrites(isChecked: boolean): Promise<number> {
  const [election, key] = [freshName(), freshName()];
  let late = 0;
  const writing: Promise<void>[] = [];
  const write = async (term: number, at: typeof pair.one) => {
    for (let i = 0; i < 12; i++) {
      const checks = isChecked ? [{ election, term }] : [];
      const { status, body } = await transact({ checks, reads: [key], changes: [{ key, value: term }] }, at);
      if (status === 412) return;
      if (status === 200 && Number(body.reads[0].value) > term) late += 1;
    }
  };
  for (let i = 0; i < 4; i++) {
    const { leaseId, term } = await lead(election, pair.at(i));
    const first = await transact(
      { changes: [{ key, value: term }], checks: [{ election, term }] },
      pair.at(i),
    );
    expect(first.status).toBe(200);
    writing.push(write(term, pair.at(i)));
    await elect(election, "resign", { leaseId });
  }
  await Promise.all(writing);
  return late;
}

test("to check the term of an election takes a grant for that election, too", async () => {
  using keyed = await accessBy({
    both: [
      { namespace: "default", kinds: ["registers"], names: ["*"], actions: ["use"] },
      { namespace: "default", kinds: ["elections"], names: ["mine-*"], actions: ["use"] },
    ],
  });
  await using instance = await startInstance((await sharedPrimaries()).urls, {
    world: { access: keyed.access },
  });
  const body = (election: string) => ({ checks: [{ election, term: 1 }], changes: [{ key: "k", value: 1 }] });
  const transact = (election: string) =>
    instance.call("POST", "/v1/registers/transactions", body(election), bearer("both"));
  expect(await transact("mine-a")).toMatchObject({ status: 412 });
  expect(await transact("theirs")).toMatchObject({ status: 403, body: { code: "forbidden" } });
});
