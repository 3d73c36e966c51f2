import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import { freshName, type Instance, startInstance } from "../../helpers/service.js";

// Two instances of the service on the same three primaries: neither knows of the other.
const pair = new Pair();

const KEYS = Array.from({ length: 10_000 }, (_, i) => `user:${i}`);
const VIEW_AGE_MS = 250;

const register = (at: Instance, service: string, id: string, body: object = {}) =>
  at.call("PUT", `/v1/services/${service}/members/${id}`, { address: `${id}:9000`, ...body });

async function ownersAt(at: Instance, service: string, keys = KEYS) {
  const { status, body } = await at.call("POST", `/v1/services/${service}/owners`, { keys, replicas: 2 });
  expect(status).toBe(200);
  return body as {
    owners: { key: string; owner: string; replicas: string[] }[];
    ringId: string;
    ageMs: number;
  };
}

test("two instances agree on the owners of 10,000 keys, and on the name of the ring", async () => {
  const service = freshName();
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      register(i % 2 ? pair.one : pair.other, service, `m${i}`, { weight: 1 + (i % 3), zone: `z${i % 4}` }),
    ),
  );
  await sleep(VIEW_AGE_MS);
  const [ours, theirs] = [await ownersAt(pair.one, service), await ownersAt(pair.other, service)];
  expect(ours.ringId).toBe(theirs.ringId);
  expect(ours.owners).toEqual(theirs.owners);
  expect(new Set(ours.owners.map(({ owner }) => owner)).size).toBe(20);
  const list = await pair.other.call("GET", `/v1/services/${service}/members`);
  expect(list.body.ringId).toBe(ours.ringId);
});

describe("a change of the members", () => {
  test("shows at once at the instance that made it", async () => {
    const service = freshName();
    await register(pair.one, service, "a");
    for (let i = 0; i < 5; i++) {
      const before = await ownersAt(pair.one, service, ["k"]);
      await register(pair.one, service, `b${i}`);
      const after = await ownersAt(pair.one, service, ["k"]);
      expect(after.ringId).not.toBe(before.ringId);
      await pair.one.call("DELETE", `/v1/services/${service}/members/b${i}`);
      expect((await ownersAt(pair.one, service, ["k"])).ringId).toBe(before.ringId);
    }
  });

  test("shows at the other within its view's age, which every answer tells", async () => {
    const service = freshName();
    await register(pair.one, service, "a");
    const before = await ownersAt(pair.other, service, ["k"]);
    await register(pair.one, service, "b");
    const changedMs = performance.now();
    for (;;) {
      const askedMs = performance.now();
      const { ringId, ageMs } = await ownersAt(pair.other, service, ["k"]);
      if (ringId !== before.ringId) break;
      // An old view says so: it was read before the change.
      expect(askedMs - ageMs).toBeLessThan(changedMs);
      expect(askedMs - changedMs).toBeLessThan(VIEW_AGE_MS + 20);
      await sleep(10);
    }
  });

  test("moves only keys of the member that came or left", async () => {
    const service = freshName();
    for (const id of ["a", "b", "c"]) await register(pair.one, service, id);
    const before = await ownersAt(pair.one, service);
    await register(pair.one, service, "d");
    const after = await ownersAt(pair.one, service);
    const moved = before.owners.filter(({ owner }, i) => owner !== after.owners[i]?.owner);
    expect(moved.length).toBeGreaterThan(1_500);
    expect(moved.length).toBeLessThan(3_500);
    before.owners.forEach(({ owner }, i) => {
      expect([owner, "d"]).toContain(after.owners[i]?.owner);
    });
    await pair.one.call("DELETE", `/v1/services/${service}/members/d`);
    expect((await ownersAt(pair.one, service)).owners).toEqual(before.owners);
  });
});

test("views that nobody asks for are read by nobody, and a crowd is one read", async () => {
  await using fresh = await startInstance(pair.primaries.urls);
  await register(fresh, "s", "a");
  const calls = async () => {
    const { body } = await fresh.call("GET", "/metrics");
    return Number(/quorate_primary_call_duration_seconds_count\{[^}]*\} (\d+)/.exec(body)?.[1]);
  };
  await ownersAt(fresh, "s", ["k"]);
  await sleep(VIEW_AGE_MS + 50);
  const before = await calls();
  await Promise.all(Array.from({ length: 100 }, () => ownersAt(fresh, "s", ["k"])));
  // One read, as the view was too old, and what the instance does by itself each second.
  expect((await calls()) - before).toBeLessThan(30);
});
