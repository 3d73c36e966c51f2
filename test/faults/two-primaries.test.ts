import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { chosenId, countUp, freshName, type Instance, startInstance, until } from "../helpers/service.js";

// Two primaries of three are away: no majority. How soon that is told is measured in virtual time:
// test/primitives/promptness.test.ts.
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

const REQUESTS: [string, string, unknown?][] = [
  ["POST", "/v1/locks/held/acquire", { ttlMs: 10_000 }],
  ["POST", "/v1/locks/free/acquire", { ttlMs: 10_000, leaseId: chosenId() }],
  ["POST", "/v1/locks/held/renew", { leaseId: chosenId(), ttlMs: 10_000 }],
  ["POST", "/v1/locks/held/renew", { leaseId: chosenId(), ttlMs: 10_000, fencingToken: 7 }],
  ["POST", "/v1/locks/held/release", { leaseId: chosenId() }],
  ["GET", "/v1/locks/held"],
  ["PUT", "/v1/services/s/members/a", { address: "a:1" }],
  ["POST", "/v1/services/s/members/a/heartbeat"],
  ["DELETE", "/v1/services/s/members/a"],
  ["GET", "/v1/services/s/members/a"],
  ["GET", "/v1/services/s/members"],
  ["GET", "/v1/services"],
  ["GET", "/v1/services/s/owner?key=k"],
  ["POST", "/v1/services/s/owners", { keys: ["k"] }],
];

async function expectNoQuorum(): Promise<void> {
  await Promise.all(
    REQUESTS.map(async ([method, path, body]) => {
      const answer = await instance.call(method, path, body);
      expect([method, path, answer.status, answer.body.code]).toEqual([method, path, 503, "no_quorum"]);
      expect(answer.body.detail).toMatch(/^[01] of 3 primaries .*2 are needed/);
      expect(answer.headers.get("retry-after")).toBe("1");
    }),
  );
}

const FAULTS: [string, (primary: TestPrimary) => Promise<void>][] = [
  ["stopped", (primary) => primary.stop()],
  ["paused", (primary) => primary.pause()],
];

describe.each(FAULTS)("with two primaries %s", (what, hurt) => {
  test("every operation is no_quorum, from the first moment on", async () => {
    expect((await instance.call("POST", "/v1/locks/held/acquire", { ttlMs: 60_000 })).status).toBe(200);
    await instance.call("PUT", "/v1/services/s/members/a", { address: "a:1", ttlMs: 60_000 });
    // Views of the members may be as old as this.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await Promise.all(primaries.all.slice(1).map(hurt));
    await expectNoQuorum();
    await until(() => countUp(instance) <= 1, "the faults are noticed");
    await expectNoQuorum();
    expect((await instance.call("GET", "/readyz")).body).toMatchObject({ status: "ready", quorum: false });
    expect((await instance.call("GET", "/v1/primaries")).body.quorum).toBe(false);
    expect((await instance.call("GET", "/livez")).status).toBe(200);
  });

  test("what was promised before is kept when they are back, and what failed blocks nothing", async () => {
    const name = freshName();
    const held = await instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 60_000 });
    const free = freshName();
    await Promise.all(primaries.all.slice(1).map(hurt));
    for (let i = 0; i < 3; i++) {
      expect((await instance.call("POST", `/v1/locks/${free}/acquire`, { ttlMs: 60_000 })).status).toBe(503);
    }
    if (what === "stopped") {
      // Restarts are the matter of the fence (test/redis/configuration.test.ts).
      return;
    }
    await Promise.all(primaries.all.map((primary) => primary.resume()));
    await until(() => countUp(instance) === 3, "they take part again");
    const { leaseId, fencingToken } = held.body;
    const renewed = await instance.call("POST", `/v1/locks/${name}/renew`, { leaseId, ttlMs: 60_000 });
    expect([renewed.status, renewed.body.fencingToken]).toEqual([200, fencingToken]);
    await expect
      .poll(() => instance.call("POST", `/v1/locks/${free}/acquire`, { ttlMs: 10_000 }))
      .toMatchObject({ status: 200 });
  });
});
