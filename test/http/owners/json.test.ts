import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { buildRing } from "../../../src/algorithms/ring.js";
import { ownersJson } from "../../../src/http/owners/json.js";
import { slicedBody } from "../../../src/http/responses/sliced-body.js";
import type { Member } from "../../../src/primitives/members/membership.js";
import { TimeSlices } from "../../../src/primitives/rings/time-slices.js";
import { FakeClock } from "../../helpers/fake-clock.js";

const MEMBERS = Array.from({ length: 100 }, (_, i) => ({
  id: `m${i}`,
  weight: 1,
  metadata: "x".repeat(2_000),
}));
const view = {
  ring: buildRing(MEMBERS),
  members: new Map(MEMBERS.map((member) => [member.id, member as unknown as Member])),
  ageMs: 7,
};
const keysOf = (count: number) => Array.from({ length: count }, (_, i) => `key "${i}" \n ü😀`);

function expected(keys: readonly string[], replicas: number) {
  const owners = keys.map((key) => {
    const ids = view.ring.replicas(key, replicas).map(({ id }) => id);
    return { key, owner: ids[0], replicas: ids };
  });
  const named = [...new Set(owners.flatMap((each) => each.replicas))];
  return {
    owners,
    members: Object.fromEntries(named.map((id) => [id, view.members.get(id)])),
    ringId: view.ring.ringId,
    ageMs: 7,
  };
}

const textOf = (body: string | ReadableStream<Uint8Array>) => new Response(body).text();
const turns = () => new TimeSlices(new FakeClock());

test.each([
  [1, 1],
  [3, 64],
  [10_000, 5],
  [781, 64],
])("%s keys with %s replicas are one JSON text, whatever slices it was made in", async (count, replicas) => {
  const keys = keysOf(count);
  const text = await textOf(slicedBody(ownersJson(keys, replicas, view), turns()));
  expect(JSON.parse(text)).toEqual(expected(keys, replicas));
});

test("a small answer is a text, and a large one is made in slices of about 64 KB", () => {
  expect(typeof slicedBody(ownersJson(["k"], 3, view), turns())).toBe("string");
  const slices = [...ownersJson(keysOf(10_000), 5, view)];
  expect(slices.length).toBeGreaterThan(12);
  // One key or member more at the most.
  expect(Math.max(...slices.map(({ length }) => length))).toBeLessThan(65_536 + 3_000);
});

test("a large answer lets others in between, and eight of them do not take more of a turn", async () => {
  const bodies = Array.from({ length: 8 }, () => slicedBody(ownersJson(keysOf(10_000), 5, view), shared));
  let turnsPassed = 0;
  let isDone = false;
  const others = (async () => {
    while (!isDone) {
      turnsPassed++;
      await turn();
    }
  })();
  await Promise.all(bodies.map(textOf));
  isDone = true;
  await others;
  expect(turnsPassed).toBeGreaterThan(8 * 12);
});
const shared = turns();

test("a client that has gone, or takes nothing, costs nothing more", async () => {
  let made = 0;
  const slices = (function* () {
    for (; made < 100; made++) yield "x".repeat(10);
    return "";
  })();
  const body = slicedBody(slices, turns()) as ReadableStream<Uint8Array>;
  const reader = body.getReader();
  await reader.read();
  await reader.read();
  for (let i = 0; i < 10; i++) await turn();
  expect(made).toBeLessThanOrEqual(2);
  await reader.cancel();
  expect(slices.next()).toEqual({ value: undefined, done: true });
});
