import { expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import { freshName } from "../../helpers/service.js";

const pair = new Pair();
const add = (name: string, by: number, headers: Record<string, string> = {}, at = pair.one) =>
  at.call("POST", `/v1/counters/${name}/add`, { by }, headers);
const get = async (name: string, at = pair.one) => (await at.call("GET", `/v1/counters/${name}`)).body;

test("a counter is 0 at first, and then what was added and taken away at any instance", async () => {
  const name = freshName();
  expect(await get(name)).toEqual({ name, value: 0 });
  expect((await add(name, 5)).body).toEqual({ value: 5 });
  expect((await add(name, -7, {}, pair.other)).body).toEqual({ value: -2 });
  expect(await get(name, pair.other)).toEqual({ name, value: -2 });
});

test("of additions at the same time each is counted, and gets another value", async () => {
  const name = freshName();
  const added = await Promise.all(Array.from({ length: 20 }, (_, i) => add(name, 1, {}, pair.at(i))));
  const values = added.map(({ body }) => body.value as number).sort((a, b) => a - b);
  expect(values).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
});

test("an addition with an Idempotency-Key counts once, and is told its own value, whatever was added since", async () => {
  const name = freshName();
  const key = { "idempotency-key": "c7b1" };
  expect((await add(name, 3, key)).body).toEqual({ value: 3 });
  await add(name, 10, {}, pair.other);
  expect((await add(name, 3, key, pair.other)).body).toEqual({ value: 3 });
  expect(await get(name)).toMatchObject({ value: 13 });
  expect(await add(name, 4, key)).toMatchObject({ status: 422, body: { code: "idempotency_mismatch" } });
});

test("a counter stays exact: what would leave the range is refused, and changes nothing", async () => {
  const name = freshName();
  await add(name, Number.MAX_SAFE_INTEGER);
  expect(await add(name, 1)).toMatchObject({ status: 400, body: { field: "by" } });
  expect(await get(name)).toMatchObject({ value: Number.MAX_SAFE_INTEGER });
  expect(await add(name, 0.5)).toMatchObject({ status: 400 });
});

test("a counter is no register of the same name, nor that of another namespace", async () => {
  const name = freshName();
  await add(name, 1);
  expect((await pair.one.call("GET", `/v1/registers/${name}`)).status).toBe(404);
  expect((await pair.one.call("GET", `/v1/namespaces/team-a/counters/${name}`)).body.value).toBe(0);
});
