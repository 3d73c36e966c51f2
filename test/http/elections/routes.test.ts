import { describe, expect, test } from "vitest";
import { command } from "../../helpers/deployment.js";
import { Pair } from "../../helpers/pair.js";
import { type SharedPrimary, startPrimaries } from "../../helpers/primaries.js";
import { chosenId, freshName, startInstance, until } from "../../helpers/service.js";

const pair = new Pair();

type Body = Record<string, unknown>;

const on = (name: string, act: string, body: Body, at = pair.one) =>
  at.call("POST", `/v1/elections/${name}/${act}`, body);

const campaign = (name: string, more: Body = {}, at = pair.one) =>
  on(name, "campaign", { ttlMs: 20_000, ...more }, at);

const look = (name: string, query = "", headers: Record<string, string> = {}, at = pair.one) =>
  at.call("GET", `/v1/elections/${name}${query}`, undefined, headers);

const since = (etag: string | null) => ({ "if-none-match": etag ?? "" });

describe("a campaign", () => {
  test("makes a leader, with a term and a value that everybody sees", async () => {
    const name = freshName("billing");
    const value = { url: "http://10.0.0.7:9000", nested: [null, "ü"] };
    const sentMs = performance.now();
    const { status, body } = await campaign(name, { candidate: "worker-7", value });
    const tookMs = performance.now() - sentMs;
    expect(status).toBe(200);
    expect(body).toEqual({
      leaseId: expect.stringMatching(/^q-[\w-]{22}$/),
      name,
      candidate: "worker-7",
      term: expect.any(Number),
      value,
      ttlMs: 20_000,
      validForMs: expect.any(Number),
      waitedMs: expect.any(Number),
      acks: expect.any(Number),
      primaries: 3,
    });
    // Nobody was in the way, but a busy machine may take a millisecond to begin.
    expect(body.waitedMs).toBeGreaterThanOrEqual(0);
    expect(body.waitedMs).toBeLessThanOrEqual(tookMs);
    const seen = await look(name, "", {}, pair.other);
    expect(seen.body).toEqual({
      name,
      leader: {
        candidate: "worker-7",
        term: body.term,
        value,
        heldForMs: expect.any(Number),
        expiresInMs: expect.any(Number),
      },
      known: true,
      waiting: 0,
      queue: [],
    });
    expect(JSON.stringify(seen.body)).not.toContain(body.leaseId);
  });

  test("is lost where another leads, and says who", async () => {
    const name = freshName();
    await campaign(name, { candidate: "worker-7", value: { url: "here" } });
    const { status, body } = await campaign(name, { candidate: "worker-8" }, pair.other);
    expect([status, body.code, body.queuePosition]).toEqual([409, "held", 1]);
    expect(body.holder).toMatchObject({ owner: "worker-7", metadata: { url: "here" } });
    expect(body.detail).toContain(name);
  });

  test("that waits is won when the leader resigns, with a higher term", async () => {
    const name = freshName();
    const { body: first } = await campaign(name);
    const waiting = campaign(name, { candidate: "worker-8", waitMs: 20_000 }, pair.other);
    await until(async () => (await look(name)).body.waiting === 1, "it waits");
    expect((await look(name)).body.queue).toEqual([
      { position: 1, candidate: "worker-8", mode: "exclusive", owner: "worker-8" },
    ]);
    expect((await on(name, "resign", { leaseId: first.leaseId })).body).toEqual({ resigned: true });
    const { body: second } = await waiting;
    expect(second.candidate).toBe("worker-8");
    expect(second.term).toBeGreaterThan(first.term);
    expect((await on(name, "resign", { leaseId: first.leaseId })).body).toEqual({ resigned: false });
  });

  test("is for one election by its leaseId, which gets the same term again", async () => {
    const name = freshName();
    const leaseId = chosenId();
    const first = await campaign(name, { leaseId });
    expect((await campaign(name, { leaseId }, pair.other)).body.term).toBe(first.body.term);
    expect((await campaign(freshName(), { leaseId })).body.code).toBe("lease_mismatch");
    const lock = await pair.one.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 1_000, leaseId });
    expect(lock.body.code).toBe("lease_mismatch");
  });

  test("has nothing to do with a lock of the same name", async () => {
    const name = freshName();
    await campaign(name);
    expect((await pair.one.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 1_000 })).status).toBe(200);
  });
});

describe("a leader", () => {
  test("goes on by renewing, with the term or without it", async () => {
    const name = freshName();
    const { body: first } = await campaign(name, { candidate: "worker-7", value: 7 });
    const { leaseId, term } = first;
    for (const extra of [{ term }, {}]) {
      const { body } = await on(name, "renew", { leaseId, ttlMs: 30_000, ...extra }, pair.other);
      expect(body).toMatchObject({ leaseId, name, candidate: "worker-7", term, value: 7, ttlMs: 30_000 });
    }
    expect((await look(name)).body.leader.expiresInMs).toBeGreaterThan(25_000);
  });

  test("proclaims, and everybody sees the latest", async () => {
    const name = freshName();
    const { body } = await campaign(name, { value: "zero" });
    const { leaseId, term } = body;
    for (const value of ["one", { two: 2 }, null, "x".repeat(4_094)]) {
      expect((await on(name, "proclaim", { leaseId, value }, pair.other)).body).toEqual({ term });
      expect((await look(name)).body.leader).toMatchObject({ term, value });
    }
    // Renewing keeps it.
    expect((await on(name, "renew", { leaseId, term, ttlMs: 20_000 })).body.value).toHaveLength(4_094);
  });

  test("that leads no more can neither renew nor proclaim", async () => {
    const name = freshName();
    const { body } = await campaign(name);
    const { leaseId, term } = body;
    await on(name, "resign", { leaseId });
    await campaign(name);
    for (const [act, request] of [
      ["renew", { leaseId, ttlMs: 20_000 }],
      ["renew", { leaseId, term, ttlMs: 20_000 }],
      ["proclaim", { leaseId, value: 1 }],
      ["proclaim", { leaseId: chosenId(), value: 1 }],
    ] as const) {
      const answer = await on(name, act, request);
      expect([act, answer.status, answer.body.code]).toEqual([act, 410, "lease_lost"]);
    }
  });
});

describe("the ETag of an election", () => {
  test("changes with the leader, the term and the value, not with times, who waits or renewals", async () => {
    const name = freshName();
    const tags = new Set<string>();
    const tag = async () => {
      const etag = (await look(name)).headers.get("etag") ?? "";
      expect(etag).toMatch(/^"[\w-]+"$/);
      tags.add(etag);
      return etag;
    };
    const none = await tag();
    const { body } = await campaign(name);
    const { leaseId } = body;
    const led = await tag();
    await on(name, "renew", { leaseId, ttlMs: 30_000 });
    const waiting = campaign(name, { waitMs: 20_000 }, pair.other);
    await until(async () => (await look(name)).body.waiting === 1, "one waits");
    expect(await tag()).toBe(led);
    await on(name, "proclaim", { leaseId, value: 1 });
    await tag();
    await on(name, "proclaim", { leaseId, value: 1 });
    await tag();
    await on(name, "resign", { leaseId });
    const { body: second } = await waiting;
    await tag();
    expect(tags.size).toBe(5);
    await on(name, "resign", { leaseId: second.leaseId });
    expect(await tag()).toBe(none);
  });

  test.each([
    ["as it was", (etag: string) => etag],
    ["made weak by a proxy", (etag: string) => `W/${etag}`],
    ["among others", (etag: string) => `"x", ${etag},W/"y"`],
    ["as any", () => "*"],
  ])("sent back %s, gets a 304 without a body", async (_how, change) => {
    const name = freshName();
    await campaign(name);
    const { headers } = await look(name);
    const etag = headers.get("etag") ?? "";
    const again = await look(name, "", since(change(etag)), pair.other);
    expect([again.status, again.body, again.headers.get("etag")]).toEqual([304, "", etag]);
    expect((await look(name, "", since('"other"'))).status).toBe(200);
  });
});

describe("a read that waits", () => {
  test("is answered as soon as a leader is elected at another instance", async () => {
    const name = freshName();
    const { headers } = await look(name);
    const reading = look(name, "?waitMs=20000", since(headers.get("etag")));
    const { body } = await campaign(name, { candidate: "worker-7" }, pair.other);
    const beganMs = performance.now();
    const answer = await reading;
    expect(performance.now() - beganMs, "it would wait for 20 s").toBeLessThan(8_000);
    expect([answer.status, answer.body.leader.term]).toEqual([200, body.term]);
    expect(answer.headers.get("etag")).not.toBe(headers.get("etag"));
  });

  test("is answered when the value changes, and when nobody leads any more", async () => {
    const name = freshName();
    const { body } = await campaign(name, { value: 1 });
    const { leaseId } = body;
    const first = await look(name);
    const value = look(name, "?waitMs=20000", since(first.headers.get("etag")));
    await on(name, "proclaim", { leaseId, value: 2 }, pair.other);
    const second = await value;
    expect(second.body.leader.value).toBe(2);
    const end = look(name, "?waitMs=20000", since(second.headers.get("etag")));
    await on(name, "resign", { leaseId }, pair.other);
    expect((await end).body).toMatchObject({ leader: null, known: true });
  });

  test("is a 304 where nothing changes in time", async () => {
    const name = freshName();
    const { headers } = await look(name);
    const beganMs = performance.now();
    const answer = await look(name, "?waitMs=300", since(headers.get("etag")));
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(295);
    expect(answer.status).toBe(304);
  });

  test("does not wait where it has changed already, nor without an ETag", async () => {
    const name = freshName();
    const beganMs = performance.now();
    expect((await look(name, "?waitMs=20000", since('"older"'))).status).toBe(200);
    expect((await look(name, "?waitMs=20000")).status).toBe(200);
    expect(performance.now() - beganMs, "each would wait for 20 s").toBeLessThan(8_000);
  });

  test("is not told that nothing has changed where no majority can say so", async () => {
    const own = await startPrimaries(3);
    await using instance = await startInstance(own.urls);
    const { headers } = await look("a", "", {}, instance);
    const reading = look("a", "?waitMs=600", since(headers.get("etag")), instance);
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const primary of own.all.slice(1)) await primary.pause();
    const { status, body } = await reading;
    expect([status, body.code]).toEqual([503, "no_quorum"]);
    for (const primary of own.all.slice(1)) await primary.resume();
    await own.close();
  });

  test("ends with shutting_down when the instance stops", async () => {
    const stops = await startInstance(pair.primaries.urls);
    const { headers } = await look("a", "", {}, stops);
    const reading = look("a", "?waitMs=20000", since(headers.get("etag")), stops);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const beganMs = performance.now();
    stops.service.stop();
    const { status, body } = await reading;
    expect([status, body.code]).toEqual([503, "shutting_down"]);
    expect(performance.now() - beganMs, "it would wait for 20 s").toBeLessThan(8_000);
    await stops[Symbol.asyncDispose]();
  });
});

test("an election of which no majority tells the same has no leader that is known", async () => {
  const name = freshName();
  await campaign(name);
  // As if the votes were split: one primary says it is another's, one that it is nobody's.
  const [one, other] = pair.primaries.all;
  const key = `${pair.one.prefix}hold/election/${name}`;
  await pair.untilOnAll(key);
  await command(one as SharedPrimary, "HSET", key, "lease", "somebody-else-with-22-x");
  await command(other as SharedPrimary, "DEL", key);
  const { status, body } = await look(name);
  expect([status, body.leader, body.known]).toEqual([200, null, false]);
});

describe("what is not taken", () => {
  const leaseId = chosenId();
  test.each([
    ["campaign", "ttlMs", {}],
    ["campaign", "ttlMs", { ttlMs: 99 }],
    ["campaign", "waitMs", { ttlMs: 1_000, waitMs: 25_001 }],
    ["campaign", "candidate", { ttlMs: 1_000, candidate: "" }],
    ["campaign", "candidate", { ttlMs: 1_000, candidate: 7 }],
    ["campaign", "value", { ttlMs: 1_000, value: "x".repeat(4_095) }],
    ["campaign", "value", { ttlMs: 1_000, value: "ü".repeat(2_048) }],
    ["campaign", "leaseId", { ttlMs: 1_000, leaseId: "short" }],
    ["campaign", "owner", { ttlMs: 1_000, owner: "worker-7" }],
    ["renew", "leaseId", { ttlMs: 1_000 }],
    ["renew", "ttlMs", { leaseId }],
    ["renew", "term", { leaseId, ttlMs: 1_000, term: "7" }],
    ["renew", "fencingToken", { leaseId, ttlMs: 1_000, fencingToken: 7 }],
    ["proclaim", "value", { leaseId }],
    ["proclaim", "value", { leaseId, value: "x".repeat(4_095) }],
    ["proclaim", "leaseId", { value: 1 }],
    ["resign", "leaseId", {}],
    ["resign", "value", { leaseId, value: 1 }],
  ])("%s: %s of %o", async (act, field, body) => {
    const answer = await on(freshName(), act, body);
    expect([answer.status, answer.body.code, answer.body.field]).toEqual([400, "invalid_request", field]);
  });

  test.each([
    ["waitMs", "?waitMs=25001", {}],
    ["waitMs", "?waitMs=-1", {}],
    ["waitMs", "?waitMs=soon", {}],
    ["wait", "?wait=1", {}],
    ["if-none-match", "", { "if-none-match": "none" }],
    ["if-none-match", "", { "if-none-match": '"a" "b"' }],
  ])("GET: %s of %s %o", async (field, query, headers) => {
    const { status, body } = await look(freshName(), query, headers as Record<string, string>);
    expect([status, body.field]).toEqual([400, field]);
  });
});
