import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { TestPrimaries, TestPrimary } from "../helpers/primaries.js";
import { countUp, freshName, type Instance, startInstance, until } from "../helpers/service.js";
import { startAsComposed } from "./compose.js";

// One primary of three is away. The time-out is twice what users have, for a machine that runs many tests.
let primaries: TestPrimaries;
let instance: Instance;
beforeAll(async () => {
  primaries = await startAsComposed();
});
afterAll(() => primaries.close());
beforeEach(async () => {
  instance = await startInstance(primaries.urls, { env: { QUORATE_COMMAND_TIMEOUT_MS: "200" } });
});
afterEach(async () => {
  await Promise.all(primaries.all.map((primary) => primary.resume().then(() => primary.start())));
  await instance[Symbol.asyncDispose]();
});

const MS_MAX = 500;

/** A request that must succeed, and soon. */
async function soon(method: string, path: string, body?: unknown, expected = 200) {
  const beganMs = performance.now();
  const answer = await instance.call(method, path, body);
  const ms = performance.now() - beganMs;
  expect([method, path, answer.status, answer.body.detail]).toEqual([method, path, expected, undefined]);
  expect(ms, `${method} ${path}`).toBeLessThan(MS_MAX);
  return answer.body;
}

/** Every operation there is, once. */
async function everything(): Promise<void> {
  const lock = freshName("lock");
  const lease = await soon("POST", `/v1/locks/${lock}/acquire`, { ttlMs: 10_000, owner: "worker-7" });
  expect(lease.acks).toBeGreaterThanOrEqual(2);
  const { leaseId, fencingToken } = lease;
  expect((await soon("GET", `/v1/locks/${lock}`)).holders).toHaveLength(1);
  await soon("POST", `/v1/locks/${lock}/renew`, { leaseId, ttlMs: 10_000 });
  await soon("POST", `/v1/locks/${lock}/renew`, { leaseId, ttlMs: 10_000, fencingToken });
  const held = await instance.call("POST", `/v1/locks/${lock}/acquire`, { ttlMs: 10_000 });
  expect([held.status, held.body.holder?.owner ?? held.body]).toEqual([409, "worker-7"]);
  expect(await soon("POST", `/v1/locks/${lock}/release`, { leaseId })).toEqual({ released: true });

  const service = `/v1/services/${freshName("service")}`;
  await soon("PUT", `${service}/members/a`, { address: "a:1" }, 201);
  await soon("PUT", `${service}/members/b`, { address: "b:1" }, 201);
  await soon("POST", `${service}/members/a/heartbeat`);
  expect((await soon("GET", `${service}/members`)).members).toHaveLength(2);
  expect((await soon("GET", `${service}/members/a`)).address).toBe("a:1");
  const { owner } = await soon("GET", `${service}/owner?key=k`);
  expect((await soon("POST", `${service}/owners`, { keys: ["k"] })).owners[0].owner).toBe(owner.id);
  expect(await soon("DELETE", `${service}/members/b`)).toEqual({ left: true });
  await soon("PUT", `${service}/members/a`, { address: "a:2" });
  expect((await soon("GET", `${service}/members`)).members).toMatchObject([{ id: "a", address: "a:2" }]);
  expect((await soon("GET", "/v1/services")).services).not.toHaveLength(0);
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
  await soon("POST", `/v1/locks/${freshName()}/acquire`, { ttlMs: 10_000 });
  await until(() => countUp(instance) === 2, "the fault is noticed");
  const took: number[] = [];
  for (let i = 0; i < 50; i++) {
    const beganMs = performance.now();
    await soon("POST", `/v1/locks/${freshName()}/acquire`, { ttlMs: 10_000 });
    took.push(performance.now() - beganMs);
  }
  expect(took.sort((a, b) => a - b)[25]).toBeLessThan(50);
});

describe("a primary that comes back", () => {
  test("from a pause takes part again, and has nothing against the next acquire", async () => {
    const [first, second, third] = primaries.all as [TestPrimary, TestPrimary, TestPrimary];
    const names = Array.from({ length: 10 }, () => freshName("late"));
    await third.pause();
    // The paused one gets these messages, and executes them when it is resumed.
    await Promise.all(
      names.map(async (name) => {
        const { leaseId } = await soon("POST", `/v1/locks/${name}/acquire`, { ttlMs: 600_000 });
        await soon("POST", `/v1/locks/${name}/release`, { leaseId });
      }),
    );
    await third.resume();
    await until(() => countUp(instance) === 3, "it takes part again");
    // Now it is needed: with what it executed late it could refuse.
    await first.pause();
    for (const name of names) {
      await expect
        .poll(() => instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 10_000 }), { timeout: 3_000 })
        .toMatchObject({ status: 200 });
    }
    await second.cli("PING");
  });

  test("from a pause has no member back that left meanwhile", async () => {
    const [first, , third] = primaries.all as [TestPrimary, TestPrimary, TestPrimary];
    const service = `/v1/services/${freshName("service")}`;
    await soon("PUT", `${service}/members/a`, { address: "a:1", ttlMs: 60_000 }, 201);
    await until(
      async () => (await third.cli("EXISTS", `${instance.prefix}member/${service.slice(13)}/a`)) === "1",
      "the third has it",
    );
    await third.pause();
    await soon("DELETE", `${service}/members/a`);
    await third.resume();
    await until(() => countUp(instance) === 3, "it takes part again");
    await first.pause();
    await until(() => countUp(instance) === 2, "the fault is noticed");
    for (let i = 0; i < 5; i++) expect((await soon("GET", `${service}/members`)).members).toEqual([]);
  });
});
