import { afterAll, beforeAll, expect, test } from "vitest";
import { startPrimaries, type TestPrimaries } from "../../helpers/primaries.js";
import { freshName, type Instance, startInstance } from "../../helpers/service.js";

// A lease of several names is one thing: what ends one of them ends it all.

const OPERATOR_KEY = "an-operator-of-the-tests";
const operator = { authorization: `Bearer ${OPERATOR_KEY}` };
let primaries: TestPrimaries;
let instance: Instance;
beforeAll(async () => {
  primaries = await startPrimaries(3);
  instance = await startInstance(primaries.urls, { env: { QUORATE_OPERATOR_KEY: OPERATOR_KEY } });
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
  await primaries.close();
});

async function acquireBoth(mode = "exclusive") {
  const [a, b] = [freshName(), freshName()];
  const { body } = await instance.call("POST", "/v1/locks/acquire", { names: [a, b], mode, ttlMs: 60_000 });
  return { a, b, leaseId: body.leaseId as string, fencingToken: body.fencingToken as number };
}

const holders = async (name: string) => (await instance.call("GET", `/v1/locks/${name}`)).body.holders.length;
const tokenOf = async (name: string) =>
  (await instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 60_000 })).body.fencingToken;

test.each(["exclusive", "shared"])("a release of one name ends a %s lease of two", async (mode) => {
  const { a, b, leaseId, fencingToken } = await acquireBoth(mode);
  const { body } = await instance.call("POST", `/v1/locks/${a}/release`, { leaseId });
  expect(body).toEqual({ released: true });
  expect([await holders(a), await holders(b)]).toEqual([0, 0]);
  expect(await tokenOf(b)).toBeGreaterThan(fencingToken);
});

test.each(["exclusive", "shared"])("breaking one name ends a %s lease of two, and says why", async (mode) => {
  const { a, b, leaseId, fencingToken } = await acquireBoth(mode);
  const broken = await instance.call(
    "POST",
    `/v1/locks/${b}/break`,
    { reason: "the host is on fire" },
    operator,
  );
  expect(broken.body).toEqual({ broken: 1 });
  expect([await holders(a), await holders(b)]).toEqual([0, 0]);
  for (const token of [{ fencingToken }, {}]) {
    const renewal = { names: [a, b], leaseId, ttlMs: 60_000, ...token };
    const { status, body } = await instance.call("POST", "/v1/locks/renew", renewal);
    expect(status).toBe(410);
    expect(body.lost).toEqual({ why: "broken", reason: "the host is on fire" });
  }
  expect(await tokenOf(a)).toBeGreaterThan(fencingToken);
});

test("a renewal that names one of two is refused, and renews nothing", async () => {
  const { a, b, leaseId, fencingToken } = await acquireBoth();
  const { status, body } = await instance.call("POST", `/v1/locks/${a}/renew`, {
    leaseId,
    fencingToken,
    ttlMs: 600_000,
  });
  expect([status, body.code]).toEqual([409, "lease_mismatch"]);
  const { body: lock } = await instance.call("GET", `/v1/locks/${a}`);
  expect(lock.holders[0].expiresInMs).toBeLessThanOrEqual(60_000);
  const both = { names: [b, a], leaseId, fencingToken, ttlMs: 60_000 };
  expect((await instance.call("POST", "/v1/locks/renew", both)).status).toBe(200);
});

test("who waits for the other name is let in by the release of the first", async () => {
  const { a, b, leaseId } = await acquireBoth();
  const waiting = instance.call("POST", `/v1/locks/${b}/acquire`, { ttlMs: 1_000, waitMs: 25_000 });
  await expect.poll(async () => (await instance.call("GET", `/v1/locks/${b}`)).body.waiting).toBe(1);
  await instance.call("POST", `/v1/locks/${a}/release`, { leaseId });
  // Before its time to wait is over, and the test's.
  expect((await waiting).status).toBe(200);
});

test("permits tell their slots, whose tokens grow one by one", async () => {
  const name = freshName();
  const ask = { limit: 3, ttlMs: 60_000 };
  const path = `/v1/semaphores/${name}`;
  const two = (await instance.call("POST", `${path}/acquire`, { ...ask, permits: 2 })).body;
  const one = (await instance.call("POST", `${path}/acquire`, ask)).body;
  expect([...two.slots, ...one.slots].sort()).toEqual([1, 2, 3]);
  expect(
    (await instance.call("POST", `${path}/renew`, { leaseId: two.leaseId, ttlMs: 60_000 })).body.slots,
  ).toEqual(two.slots);
  await instance.call("POST", `${path}/release`, { leaseId: two.leaseId });
  const again = (await instance.call("POST", `${path}/acquire`, ask)).body;
  expect(two.slots).toContain(again.slots[0]);
  expect(again.fencingToken).toBeGreaterThan(two.fencingToken);
});
