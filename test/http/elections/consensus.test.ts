import { expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import { freshName } from "../../helpers/service.js";

const pair = new Pair();
const consensus = true;
const post = (name: string, what: string, body: object, at = pair.one) =>
  at.call("POST", `/v1/elections/${name}/${what}`, body);
const campaign = (name: string, body: object = {}, at = pair.one) =>
  post(name, "campaign", { ttlMs: 10_000, consensus, ...body }, at);

test("an election by consensus is led, renewed, proclaimed, watched and resigned at any instance", async () => {
  const name = freshName();
  const elected = await campaign(name, { candidate: "worker-7", value: 1 });
  expect(elected).toMatchObject({ status: 200, body: { name, candidate: "worker-7", value: 1 } });
  const { leaseId, term } = elected.body as { leaseId: string; term: number };
  const path = `/v1/elections/${name}?consensus=true`;
  const seen = await pair.other.call("GET", path);
  expect(seen.body).toMatchObject({ name, known: true, leader: { candidate: "worker-7", term, value: 1 } });
  const headers = { "if-none-match": seen.headers.get("etag") as string };

  const renewed = await post(name, "renew", { leaseId, term, ttlMs: 20_000, consensus }, pair.other);
  expect(renewed.body).toMatchObject({ term, ttlMs: 20_000, value: 1 });
  // A beat is no change that anybody is told of.
  expect((await pair.one.call("GET", path, undefined, headers)).status).toBe(304);
  const waiting = pair.other.call("GET", `${path}&waitMs=20000`, undefined, headers);
  expect((await post(name, "proclaim", { leaseId, value: 2, consensus })).body).toEqual({ term });
  expect(await waiting).toMatchObject({ status: 200, body: { leader: { value: 2 } } });

  expect(await campaign(name, {}, pair.other)).toMatchObject({
    status: 409,
    body: { code: "held", holder: { owner: "worker-7" } },
  });
  const next = campaign(name, { waitMs: 20_000 }, pair.other);
  expect((await post(name, "resign", { leaseId, consensus })).body).toEqual({ resigned: true });
  expect(await next).toMatchObject({ status: 200, body: { term: term + 1 } });
  expect(await post(name, "renew", { leaseId, ttlMs: 10_000, consensus })).toMatchObject({
    status: 410,
    body: { code: "lease_lost", lost: { why: "taken" } },
  });
});

test("it has nothing to do with the election of the same name that is none by consensus, nor with another namespace", async () => {
  const name = freshName();
  const { leaseId } = (await campaign(name)).body as { leaseId: string };
  expect((await pair.one.call("GET", `/v1/elections/${name}`)).body.leader).toBeNull();
  const there = await pair.one.call("GET", `/v1/namespaces/team-a/elections/${name}?consensus=true`);
  expect(there.body).toMatchObject({ name, leader: null });
  expect((await campaign(name, { consensus: false })).status).toBe(200);
  expect((await post(name, "renew", { leaseId, ttlMs: 10_000 })).status).toBe(410);
  expect((await post(name, "resign", { leaseId })).body).toEqual({ resigned: false });
  expect((await post(name, "renew", { leaseId, ttlMs: 10_000, consensus })).status).toBe(200);
});

test("its events tell who leads", async () => {
  const name = freshName();
  const path = `${await pair.one.url()}/v1/elections/${name}/events?consensus=true`;
  const gone = new AbortController();
  const { body } = await fetch(path, { signal: gone.signal });
  const chunks = (body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const until = async (part: string) => {
    while (!text.includes(part)) text += (await chunks.read()).value ?? "";
  };
  await until('"leader":null');
  await campaign(name, { candidate: "worker-7" }, pair.other);
  await until('"candidate":"worker-7"');
  gone.abort();
});

test.each([
  ["campaign", { ttlMs: 1_000, consensus: "yes" }],
  ["renew", { ttlMs: 1_000, leaseId: "x".repeat(22), consensus: 1 }],
  ["resign", { leaseId: "x".repeat(22), consensus: null }],
])("%s with a consensus that is neither true nor false is refused", async (what, body) => {
  expect(await post(freshName(), what, body)).toMatchObject({ status: 400, body: { field: "consensus" } });
});

test("reading with a consensus that is neither true nor false is refused", async () => {
  const answer = await pair.one.call("GET", `/v1/elections/${freshName()}?consensus=1`);
  expect(answer).toMatchObject({ status: 400, body: { field: "consensus" } });
});
