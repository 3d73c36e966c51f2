import { expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import { freshName } from "../../helpers/service.js";

const pair = new Pair();
const put = (name: string, count: number, at = pair.one) => at.call("PUT", `/v1/latches/${name}`, { count });
const countDown = (name: string, headers: Record<string, string> = {}, at = pair.one) =>
  at.call("POST", `/v1/latches/${name}/count-down`, undefined, headers);
const get = (name: string, query = "", at = pair.one) => at.call("GET", `/v1/latches/${name}${query}`);

test("those that wait for a latch are answered when it was counted down to 0, at any instance", async () => {
  const name = freshName();
  expect(await put(name, 2)).toMatchObject({ status: 201, body: { name, count: 2, remaining: 2 } });
  const waiting = [get(name, "?waitMs=20000"), get(name, "?waitMs=20000", pair.other)];
  expect((await countDown(name, {}, pair.other)).body).toEqual({ name, count: 2, remaining: 1 });
  expect((await get(name)).body).toEqual({ name, count: 2, remaining: 1 });
  await countDown(name);
  for (const { body } of await Promise.all(waiting)) expect(body).toEqual({ name, count: 2, remaining: 0 });
});

test("an open latch stays open", async () => {
  const name = freshName();
  await put(name, 1);
  for (let i = 0; i < 2; i++) expect((await countDown(name)).body).toMatchObject({ remaining: 0 });
});

test("making it again changes nothing; with another count it is refused with the count that it has", async () => {
  const name = freshName();
  await put(name, 3);
  await countDown(name);
  expect(await put(name, 3, pair.other)).toMatchObject({ status: 200, body: { count: 3, remaining: 2 } });
  expect(await put(name, 4)).toMatchObject({ status: 409, body: { code: "limit_mismatch", limit: 3 } });
  expect((await get(name)).body).toMatchObject({ count: 3, remaining: 2 });
});

test("counting down with an Idempotency-Key counts once, and is told what it made", async () => {
  const name = freshName();
  await put(name, 5);
  const key = { "idempotency-key": "c7b1" };
  expect((await countDown(name, key)).body).toMatchObject({ remaining: 4 });
  await countDown(name);
  expect((await countDown(name, key, pair.other)).body).toMatchObject({ remaining: 4 });
  expect((await get(name)).body).toMatchObject({ remaining: 3 });
});

test("of many that count down at once, each counts", async () => {
  const name = freshName();
  await put(name, 10);
  await Promise.all(Array.from({ length: 10 }, (_, i) => countDown(name, {}, pair.at(i))));
  expect((await get(name)).body).toMatchObject({ remaining: 0 });
});

test("a wait that is over tells what remains, and one for a latch that goes ends", async () => {
  const name = freshName();
  await put(name, 2);
  expect((await get(name, "?waitMs=250")).body).toMatchObject({ remaining: 2 });
  const waiting = get(name, "?waitMs=20000");
  const deleted = await pair.other.call("DELETE", `/v1/latches/${name}`);
  expect(deleted.body).toEqual({ deleted: true });
  expect((await waiting).status).toBe(404);
  expect((await pair.one.call("DELETE", `/v1/latches/${name}`)).body).toEqual({ deleted: false });
  expect(await countDown(name)).toMatchObject({ status: 404, body: { code: "not_found" } });
  expect((await put(name, 7)).status).toBe(201);
});

test.each([0, 1_000_001, 1.5, "2"])("a count of %s is refused", async (count) => {
  const answer = await put(freshName(), count as number);
  expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request", field: "count" } });
});

test("a latch counts up to 1,000,000, and a wait of more than 25 s is refused", async () => {
  const name = freshName();
  expect((await put(name, 1_000_000)).status).toBe(201);
  expect((await get(name, "?waitMs=25001")).status).toBe(400);
});

test("a latch and a barrier are no registers, nor those of another namespace", async () => {
  const name = freshName();
  await put(name, 1);
  expect((await pair.one.call("GET", `/v1/registers/${name}`)).status).toBe(404);
  expect((await pair.one.call("GET", `/v1/namespaces/team-a/latches/${name}`)).status).toBe(404);
});
