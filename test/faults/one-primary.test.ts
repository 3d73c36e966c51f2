import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { countUp, freshName, type Instance, startInstance, until } from "../helpers/service.js";

// One primary of three is away. How soon all is answered then is measured in virtual time: test/primitives/promptness.test.ts.
let primaries: TestPrimaries;
let instance: Instance;
beforeAll(async () => {
  // The disk of a test's machine may be slow, and nothing here is about what survives on it.
  primaries = await startPrimaries(3, { args: ["--appendfsync", "no"] });
});
afterAll(() => primaries.close());
beforeEach(async () => {
  instance = await startInstance(primaries.urls);
});
afterEach(async () => {
  await Promise.all(primaries.all.map((primary) => primary.resume().then(() => primary.start())));
  await instance[Symbol.asyncDispose]();
});

/** A request that must succeed. */
async function ask(method: string, path: string, body?: unknown, expected = 200) {
  const answer = await instance.call(method, path, body);
  expect([method, path, answer.status, answer.body.detail]).toEqual([method, path, expected, undefined]);
  return answer.body;
}

/** Every operation there is, once. */
async function everything(): Promise<void> {
  const lock = freshName("lock");
  const lease = await ask("POST", `/v1/locks/${lock}/acquire`, { ttlMs: 10_000, owner: "worker-7" });
  expect(lease.acks).toBeGreaterThanOrEqual(2);
  const { leaseId, fencingToken } = lease;
  expect((await ask("GET", `/v1/locks/${lock}`)).holders).toHaveLength(1);
  await ask("POST", `/v1/locks/${lock}/renew`, { leaseId, ttlMs: 10_000 });
  await ask("POST", `/v1/locks/${lock}/renew`, { leaseId, ttlMs: 10_000, fencingToken });
  const held = await instance.call("POST", `/v1/locks/${lock}/acquire`, { ttlMs: 10_000 });
  expect([held.status, held.body.holder?.owner ?? held.body]).toEqual([409, "worker-7"]);
  expect(await ask("POST", `/v1/locks/${lock}/release`, { leaseId })).toEqual({ released: true });

  const service = `/v1/services/${freshName("service")}`;
  await ask("PUT", `${service}/members/a`, { address: "a:1" }, 201);
  await ask("PUT", `${service}/members/b`, { address: "b:1" }, 201);
  await ask("POST", `${service}/members/a/heartbeat`);
  expect((await ask("GET", `${service}/members`)).members).toHaveLength(2);
  expect((await ask("GET", `${service}/members/a`)).address).toBe("a:1");
  const { owner } = await ask("GET", `${service}/owner?key=k`);
  expect((await ask("POST", `${service}/owners`, { keys: ["k"] })).owners[0].owner).toBe(owner.id);
  expect(await ask("DELETE", `${service}/members/b`)).toEqual({ left: true });
  await ask("PUT", `${service}/members/a`, { address: "a:2" });
  expect((await ask("GET", `${service}/members`)).members).toMatchObject([{ id: "a", address: "a:2" }]);
  expect((await ask("GET", "/v1/services")).services).not.toHaveLength(0);
}

const FAULTS: [string, (primary: TestPrimary) => Promise<void>][] = [
  ["stopped", (primary) => primary.stop()],
  ["killed", (primary) => primary.kill()],
  ["paused", (primary) => primary.pause()],
];

describe.each(FAULTS)("with one primary %s", (_what, hurt) => {
  test.each([0, 1, 2])("(number %i) every operation succeeds, from the first moment on", async (place) => {
    await everything();
    await hurt(primaries.all[place] as TestPrimary);
    // Before the instance has noticed, and after.
    await everything();
    await until(() => countUp(instance) === 2, "the fault is noticed");
    await everything();
    expect((await instance.call("GET", "/readyz")).body.quorum).toBe(true);
  });
});

test("while one primary is away, a request costs no time-out", async () => {
  await primaries.all[1]?.pause();
  await ask("POST", `/v1/locks/${freshName()}/acquire`, { ttlMs: 10_000 });
  await until(() => countUp(instance) === 2, "the fault is noticed");
  const beganMs = performance.now();
  for (let i = 0; i < 50; i++) await ask("POST", `/v1/locks/${freshName()}/acquire`, { ttlMs: 10_000 });
  // With a time-out of a second each it would be 50 s.
  expect(performance.now() - beganMs).toBeLessThan(10_000);
});

describe("a primary that comes back", () => {
  test("from a pause takes part again, and has nothing against the next acquire", async () => {
    const [first, second, third] = primaries.all as [TestPrimary, TestPrimary, TestPrimary];
    const names = Array.from({ length: 10 }, () => freshName("late"));
    await third.pause();
    // The paused one gets these messages, and executes them when it is resumed.
    await Promise.all(
      names.map(async (name) => {
        const { leaseId } = await ask("POST", `/v1/locks/${name}/acquire`, { ttlMs: 600_000 });
        await ask("POST", `/v1/locks/${name}/release`, { leaseId });
      }),
    );
    await third.resume();
    await until(() => countUp(instance) === 3, "it takes part again");
    // Now it is needed: with what it executed late it could refuse.
    await first.pause();
    for (const name of names) {
      await expect
        .poll(() => instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 10_000 }))
        .toMatchObject({ status: 200 });
    }
    await second.cli("PING");
  });

  test("from a pause has no member back that left meanwhile", async () => {
    const [first, , third] = primaries.all as [TestPrimary, TestPrimary, TestPrimary];
    const service = `/v1/services/${freshName("service")}`;
    await ask("PUT", `${service}/members/a`, { address: "a:1", ttlMs: 60_000 }, 201);
    await until(
      async () => (await third.cli("EXISTS", `${instance.prefix}member/${service.slice(13)}/a`)) === "1",
      "the third has it",
    );
    await third.pause();
    await ask("DELETE", `${service}/members/a`);
    await third.resume();
    await until(() => countUp(instance) === 3, "it takes part again");
    await first.pause();
    await until(() => countUp(instance) === 2, "the fault is noticed");
    for (let i = 0; i < 5; i++) expect((await ask("GET", `${service}/members`)).members).toEqual([]);
  });
});
