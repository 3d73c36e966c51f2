import { describe, expect, test, vi } from "vitest";
import { readEvents } from "../../helpers/events.js";
import { Pair } from "../../helpers/pair.js";
import { startPrimaries } from "../../helpers/primaries.js";
import { type ServiceProcess, startProcess } from "../../helpers/process.js";
import { freshName, startInstance, startOffline, until } from "../../helpers/service.js";

const pair = new Pair();

type Body = Record<string, unknown>;

const on = (name: string, act: string, body: Body, at = pair.one) =>
  at.call("POST", `/v1/elections/${name}/${act}`, body);

const campaign = async (name: string, more: Body = {}) =>
  (await on(name, "campaign", { ttlMs: 20_000, ...more })).body;

const look = (name: string, at = pair.one) => at.call("GET", `/v1/elections/${name}`);

const follow = async (name: string, at = pair.one, headers: Record<string, string> = {}, query = "") =>
  readEvents(`${await at.url()}/v1/elections/${name}/events${query}`, headers);

/** The headers and the query that say where to go on. */
type Resuming = readonly [Record<string, string>, string];

const settle = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("a stream of an election", () => {
  test("begins with how it is, and tells every change, whichever instance it happened at", async () => {
    const name = freshName();
    using stream = await follow(name, pair.other);
    const { response } = stream;
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      "x-request-id": expect.any(String),
    });
    expect(await stream.at(0)).toMatchObject({ type: "state", data: { name, leader: null, known: true } });

    const { leaseId, term } = await campaign(name, { candidate: "worker-7", value: "multi\nline\r\ntext ü" });
    const led = await stream.at(1);
    expect(led.data.leader).toMatchObject({ candidate: "worker-7", term, value: "multi\nline\r\ntext ü" });

    await on(name, "proclaim", { leaseId, value: { n: 2 } });
    expect((await stream.at(2)).data.leader).toMatchObject({ term, value: { n: 2 } });

    await on(name, "resign", { leaseId });
    expect((await stream.at(3)).data.leader).toBeNull();
    expect(new Set(stream.events().map(({ id }) => id)).size).toBe(3);
  });

  test("has as data what GET answers, and as id its ETag", async () => {
    const name = freshName();
    await campaign(name, { value: 1 });
    using stream = await follow(name);
    const { id, data } = await stream.at(0);
    const { headers, body } = await look(name);
    expect(`"${id}"`).toBe(headers.get("etag"));
    const times = { heldForMs: expect.any(Number), expiresInMs: expect.any(Number) };
    expect(data).toEqual({ ...body, leader: { ...body.leader, ...times } });
  });

  test.each([
    ["the header", (id: string): Resuming => [{ "last-event-id": id }, ""]],
    ["the query", (id: string): Resuming => [{}, `?lastEventId=${encodeURIComponent(id)}`]],
  ])("that is resumed by %s tells nothing again, and what changed meanwhile at once", async (_how, by) => {
    const name = freshName();
    const { leaseId } = await campaign(name, { value: 1 });
    const first = await follow(name);
    const { id } = await first.at(0);
    first.cut();
    {
      using same = await follow(name, pair.other, ...by(id));
      await settle(300);
      expect(same.response.statusCode).toBe(200);
      expect(same.events()).toEqual([]);
      await on(name, "proclaim", { leaseId, value: 2 });
      expect((await same.at(0)).data.leader.value).toBe(2);
    }
    await on(name, "proclaim", { leaseId, value: 3 });
    using later = await follow(name, pair.other, ...by(id));
    expect((await later.at(0)).data.leader.value).toBe(3);
  });

  test("is told to many at once", async () => {
    const name = freshName();
    const streams = await Promise.all(Array.from({ length: 20 }, () => follow(name)));
    await Promise.all(streams.map((stream) => stream.at(0)));
    const { term } = await campaign(name);
    for (const stream of streams) {
      expect((await stream.at(1)).data.leader.term).toBe(term);
      stream.cut();
    }
  });

  test("costs nothing any more when the client has gone", async () => {
    const name = freshName();
    const stream = await follow(name);
    await stream.at(0);
    stream.cut();
    const looks = vi.spyOn(pair.one.service.elections, "inspect");
    const looksHere = () => looks.mock.calls.filter(([looked]) => looked === name).length;
    await settle(300);
    const before = looksHere();
    await settle(500);
    expect(looksHere()).toBe(before);
    looks.mockRestore();
  });

  test("ends when the instance stops, and takes part of no drain", async () => {
    const service: ServiceProcess = startProcess({
      REDIS_URLS: pair.primaries.urls.join(","),
      QUORATE_KEY_PREFIX: pair.prefix,
    });
    await using _ = service;
    const name = freshName();
    await campaign(name);
    const url = await service.listening;
    using stream = await readEvents(`${url}/v1/elections/${name}/events`);
    const { id } = await stream.at(0);
    const reading = fetch(`${url}/v1/elections/${name}?waitMs=20000`, {
      headers: { "if-none-match": `"${id}"` },
    });
    const waiting = fetch(`${url}/v1/elections/${name}/campaign`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ttlMs: 10_000, waitMs: 20_000 }),
    });
    await until(async () => (await look(name)).body.waiting === 1, "one waits");
    const beganMs = performance.now();
    service.kill("SIGTERM");
    await until(stream.ended, "the stream has ended");
    for (const answer of [await reading, await waiting]) {
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
        503,
        "shutting_down",
      ]);
    }
    expect(await service.ended).toBe(0);
    expect(performance.now() - beganMs, "what waits would wait for 20 s").toBeLessThan(8_000);
    // It goes on at another.
    using other = await follow(name, pair.one, { "last-event-id": id });
    await settle(100);
    expect(other.events()).toEqual([]);
  });
});

test("while no majority answers a stream goes on without news, and a new one is refused", async () => {
  const own = await startPrimaries(3);
  await using instance = await startInstance(own.urls);
  using stream = await follow("a", instance);
  await stream.at(0);
  const paused = own.all.slice(1);
  for (const primary of paused) await primary.pause();
  await until(async () => (await look("a", instance)).status === 503, "the quorum is lost");
  using refused = await follow("a", instance);
  expect(refused.response.statusCode).toBe(503);
  expect(stream.ended()).toBe(false);
  for (const primary of paused) await primary.resume();
  await until(async () => (await look("a", instance)).status === 200, "the quorum is back");
  await instance.call("POST", "/v1/elections/a/campaign", { ttlMs: 20_000, candidate: "worker-7" });
  expect((await stream.at(1)).data.leader.candidate).toBe("worker-7");
  await own.close();
});

test("a stream is kept alive by a comment", async () => {
  // Of what is told in 15 s a test waits for nothing: the first look at what is known already is such a comment.
  const name = freshName();
  const { headers } = await look(name);
  using stream = await follow(name, pair.one, { "last-event-id": (headers.get("etag") ?? "").slice(1, -1) });
  await until(() => stream.text().includes(": keep-alive\n\n"), "the comment has come");
  expect(stream.text().startsWith("retry: 1000\n\n")).toBe(true);
  expect(stream.events()).toEqual([]);
});

test("a HEAD of a stream ends", async () => {
  const response = await fetch(`${await pair.one.url()}/v1/elections/a/events`, { method: "HEAD" });
  expect([response.status, await response.text()]).toEqual([200, ""]);
});

describe("what is not taken", () => {
  test.each([
    ["name", "that is none", "/v1/elections/-a/events"],
    ["lastEventId", "that is too long", `/v1/elections/a/events?lastEventId=${"x".repeat(257)}`],
    ["since", "which there is not", "/v1/elections/a/events?since=1"],
  ])("%s %s", async (field, _what, path) => {
    await using offline = await startOffline();
    const { status, body } = await offline.call("GET", path);
    expect([status, body.field]).toEqual([400, field]);
  });
});
