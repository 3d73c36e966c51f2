import { expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import { freshName } from "../../helpers/service.js";

const pair = new Pair();

interface Arrival {
  readonly id: string;
  readonly generation?: number;
  readonly count?: number;
  readonly ttlMs?: number;
  readonly waitMs?: number;
}

const arrive = (name: string, { count = 2, ttlMs = 60_000, ...arrival }: Arrival, at = pair.one) =>
  at.call("POST", `/v1/barriers/${name}/arrive`, { count, ttlMs, ...arrival });

test("those that wait at a barrier are released together, at any instance, when all have arrived", async () => {
  const name = freshName();
  const first = arrive(name, { id: "a", count: 3, waitMs: 20_000 });
  const second = arrive(name, { id: "b", count: 3, waitMs: 20_000 }, pair.other);
  const third = arrive(name, { id: "c", count: 3, waitMs: 20_000 }, pair.other);
  const answers = await Promise.all([first, second, third]);
  const { generation } = answers[0].body as { generation: number };
  for (const { body } of answers) expect(body).toEqual({ generation, arrived: 3, released: true });
});

test("an id counts once in each generation, and an older generation is told as released", async () => {
  const name = freshName();
  const { body } = await arrive(name, { id: "a" });
  expect(body).toMatchObject({ arrived: 1, released: false });
  const { generation } = body as { generation: number };
  expect((await arrive(name, { id: "a", generation }, pair.other)).body).toEqual(body);
  const released = { generation, arrived: 2, released: true };
  expect((await arrive(name, { id: "b", generation })).body).toEqual(released);
  expect((await arrive(name, { id: "b", generation })).body).toEqual(released);
  const next = { generation: generation + 1, arrived: 1, released: false };
  expect((await arrive(name, { id: "a" })).body).toEqual(next);
  expect((await arrive(name, { id: "a", generation })).body).toEqual(released);
});

test("a wait that is over tells how many have arrived", async () => {
  const name = freshName();
  const { body } = await arrive(name, { id: "a", waitMs: 250 });
  expect(body).toMatchObject({ arrived: 1, released: false });
});

test("an arrival ends after its ttlMs, and does not count any more", async () => {
  const name = freshName();
  await arrive(name, { id: "a", ttlMs: 100 });
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect((await arrive(name, { id: "b" })).body).toMatchObject({ arrived: 1, released: false });
});

test("another count than that of those who wait is refused with theirs, and nothing changes", async () => {
  const name = freshName();
  await arrive(name, { id: "a", count: 3 });
  const refused = await arrive(name, { id: "b", count: 2 });
  expect(refused).toMatchObject({ status: 409, body: { code: "limit_mismatch", limit: 3 } });
  expect((await arrive(name, { id: "c", count: 3 })).body).toMatchObject({ arrived: 2, released: false });
});

test("a barrier takes 256 arrivals with the longest ids", async () => {
  const name = freshName();
  const ids = Array.from({ length: 256 }, (_, i) => `${i}:`.padEnd(128, "x"));
  const all = [];
  for (const id of ids) all.push((await arrive(name, { id, count: 256 })).body);
  expect(all.at(-2)).toMatchObject({ arrived: 255, released: false });
  expect(all.at(-1)).toMatchObject({ arrived: 256, released: true });
});

test("a generation that nothing is known of is 404: it may not be told as released", async () => {
  const name = freshName();
  expect(await arrive(name, { id: "a", generation: 7 })).toMatchObject({ status: 404 });
  const { generation } = (await arrive(name, { id: "a" })).body as { generation: number };
  for (const unknown of [generation - 1, generation + 1])
    expect(await arrive(name, { id: "b", generation: unknown })).toMatchObject({
      status: 404,
      body: { code: "not_found" },
    });
});

test.each([
  ["no id", { id: undefined }],
  ["an id that is no name", { id: "a b" }],
  ["an id that is too long", { id: "a".repeat(129) }],
  ["a count of 0", { count: 0 }],
  ["a count beyond the bound", { count: 257 }],
  ["half a count", { count: 1.5 }],
  ["a generation of 0", { generation: 0 }],
  ["a ttlMs that is too short", { ttlMs: 99 }],
  ["a ttlMs that is too long", { ttlMs: 86_400_001 }],
  ["a waitMs that is too long", { waitMs: 25_001 }],
  ["a field that there is not", { by: 2 }],
])("an arrival with %s is refused", async (_, wrong) => {
  const answer = await arrive(freshName(), { id: "a", ...(wrong as object) });
  expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
});
