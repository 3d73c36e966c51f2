import { describe, expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import {
  chosenId,
  freshName,
  type Instance,
  ownPrefix,
  startInstance,
  until,
} from "../../helpers/service.js";

// Two instances of one deployment: who waits at one is served by what happens at the other.
const pair = new Pair();

type Body = Record<string, unknown>;

const on = (instance: Instance, name: string, act: string, body: Body) =>
  instance.call("POST", `/v1/locks/${name}/${act}`, body);

const acquire = (instance: Instance, name: string, body: Body = {}) =>
  on(instance, name, "acquire", { ttlMs: 20_000, ...body });

const release = (instance: Instance, name: string, leaseId: string) =>
  on(instance, name, "release", { leaseId });

const look = async (name: string) => (await pair.one.call("GET", `/v1/locks/${name}`)).body;

const untilWaiting = (name: string, count: number) =>
  until(async () => (await look(name)).waiting === count, `${count} wait for ${name}`);

describe("who waits", () => {
  test("gets the lock when it is released at another instance, and is told how long it waited", async () => {
    const name = freshName();
    const first = await acquire(pair.one, name);
    const waiting = acquire(pair.other, name, { waitMs: 20_000, owner: "worker-8" });
    await untilWaiting(name, 1);
    await release(pair.one, name, first.body.leaseId);
    const { status, body } = await waiting;
    expect([status, body.owner]).toEqual([200, "worker-8"]);
    expect(body.fencingToken).toBeGreaterThan(first.body.fencingToken);
    expect(body.waitedMs).toBeGreaterThan(0);
    expect(body.validForMs).toBeGreaterThan(10_000);
  });

  test("is shown in its place, and those who come later behind it", async () => {
    const name = freshName();
    const { body: first } = await acquire(pair.one, name);
    const second = acquire(pair.other, name, { waitMs: 20_000, owner: "worker-8" });
    await untilWaiting(name, 1);
    const third = acquire(pair.one, name, { waitMs: 20_000, mode: "shared" });
    await untilWaiting(name, 2);
    const seen = await look(name);
    expect(seen.queue).toEqual([
      { position: 1, mode: "exclusive", owner: "worker-8" },
      { position: 2, mode: "shared", owner: null },
    ]);
    await release(pair.other, name, first.leaseId);
    const { body: next } = await second;
    await release(pair.other, name, next.leaseId);
    expect((await third).body.mode).toBe("shared");
    // It is told of its grant before its place in line is given up.
    await untilWaiting(name, 0);
    expect(await look(name)).toMatchObject({ queue: [], mode: "shared" });
  });

  test("gets it in the order in which all came, whichever instance they asked", async () => {
    const name = freshName();
    let { body: held } = await acquire(pair.one, name);
    const order: number[] = [];
    const waiters = [];
    for (let i = 1; i <= 6; i++) {
      const waiter = acquire(i % 2 ? pair.one : pair.other, name, { waitMs: 20_000 });
      void waiter.then(() => order.push(i));
      waiters.push(waiter);
      await untilWaiting(name, i);
    }
    const tokens = [held.fencingToken];
    for (const waiter of waiters) {
      await release(pair.one, name, held.leaseId);
      held = (await waiter).body;
      tokens.push(held.fencingToken);
    }
    expect(order).toEqual([1, 2, 3, 4, 5, 6]);
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
    expect(new Set(tokens).size).toBe(7);
  });

  test("is refused when its time is over, and told its place in line", async () => {
    const name = freshName();
    const { body: held } = await acquire(pair.one, name, { owner: "worker-7" });
    const first = acquire(pair.one, name, { waitMs: 20_000 });
    await untilWaiting(name, 1);
    const beganMs = performance.now();
    const { status, body, headers } = await acquire(pair.other, name, { waitMs: 200 });
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(195);
    expect([status, body.code, body.queuePosition]).toEqual([409, "held", 2]);
    expect(body.holder.owner).toBe("worker-7");
    expect(Number(headers.get("retry-after"))).toBe(Math.ceil(body.retryAfterMs / 1_000));
    await untilWaiting(name, 1);
    await release(pair.one, name, held.leaseId);
    expect((await first).status).toBe(200);
  });

  test("does not wait where the lock is free", async () => {
    const { body } = await acquire(pair.one, freshName(), { waitMs: 25_000 });
    expect(body.waitedMs).toBeLessThan(10_000);
  });

  test("gets it when the holder's time ends and nobody releases it", async () => {
    const name = freshName();
    await acquire(pair.one, name, { ttlMs: 1_000 });
    const { status, body } = await acquire(pair.other, name, { waitMs: 25_000 });
    expect(status).toBe(200);
    expect(body.waitedMs).toBeLessThan(10_000);
  });
});

describe("who does not wait", () => {
  test("does not overtake those who do, and is told where it would stand", async () => {
    const name = freshName();
    const { body: first } = await acquire(pair.one, name, { mode: "shared" });
    const writer = acquire(pair.other, name, { waitMs: 20_000 });
    await untilWaiting(name, 1);
    // A reader could stand beside the first one, but not before the writer that waits.
    const { status, body } = await acquire(pair.one, name, { mode: "shared" });
    expect([status, body.code, body.queuePosition]).toEqual([409, "held", 2]);
    await release(pair.one, name, first.leaseId);
    expect((await writer).status).toBe(200);
  });
});

describe("readers", () => {
  test("hold a lock together, with one token below the next writer's", async () => {
    const name = freshName();
    const a = await acquire(pair.one, name, { mode: "shared", owner: "reader-1" });
    const b = await acquire(pair.other, name, { mode: "shared", owner: "reader-2" });
    expect([a.status, b.status, b.body.mode]).toEqual([200, 200, "shared"]);
    expect(b.body.fencingToken).toBe(a.body.fencingToken);
    const seen = await look(name);
    expect(seen.mode).toBe("shared");
    expect(seen.holders.map(({ owner }: { owner: string }) => owner).sort()).toEqual([
      "reader-1",
      "reader-2",
    ]);
    expect(seen.fencingToken).toBe(a.body.fencingToken);
    const refused = await acquire(pair.other, name);
    expect([refused.status, refused.body.holder.mode]).toEqual([409, "shared"]);
    await release(pair.one, name, a.body.leaseId);
    await release(pair.one, name, b.body.leaseId);
    const writer = await acquire(pair.other, name);
    expect(writer.body.fencingToken).toBeGreaterThan(a.body.fencingToken);
  });

  test("that wait are let in together when the writer goes", async () => {
    const name = freshName();
    const { body: writer } = await acquire(pair.one, name);
    const readers = [pair.one, pair.other, pair.one].map((at) =>
      acquire(at, name, { mode: "shared", waitMs: 20_000 }),
    );
    await untilWaiting(name, 3);
    await release(pair.other, name, writer.leaseId);
    const tokens = (await Promise.all(readers)).map(({ body }) => body.fencingToken);
    expect(new Set(tokens).size).toBe(1);
    expect((await look(name)).holders).toHaveLength(3);
  });
});

describe("a leaseId of one's own", () => {
  test("is for one name and one mode", async () => {
    const leaseId = chosenId();
    const name = freshName();
    await acquire(pair.one, name, { leaseId });
    for (const [other, body] of [
      [freshName(), { leaseId }],
      [name, { leaseId, mode: "shared" }],
    ] as const) {
      const answer = await acquire(pair.other, other, body);
      expect([answer.status, answer.body.code]).toEqual([409, "lease_mismatch"]);
    }
  });

  test("may be repeated while its first request waits, and both get the same lease", async () => {
    const name = freshName();
    const leaseId = chosenId();
    const { body: held } = await acquire(pair.one, name);
    const one = acquire(pair.one, name, { leaseId, waitMs: 20_000 });
    await untilWaiting(name, 1);
    const other = acquire(pair.other, name, { leaseId, waitMs: 20_000 });
    await release(pair.one, name, held.leaseId);
    const [a, b] = await Promise.all([one, other]);
    expect([a.status, b.status]).toEqual([200, 200]);
    expect(a.body.fencingToken).toBe(b.body.fencingToken);
    await untilWaiting(name, 0);
  });
});

describe("a client that goes", () => {
  /** A request over a socket that can be cut. */
  async function waitAt(instance: Instance, name: string, body: Body, chunked = false) {
    const cut = new AbortController();
    const text = JSON.stringify({ ttlMs: 20_000, waitMs: 20_000, ...body });
    const answer = fetch(`${await instance.url()}/v1/locks/${name}/acquire`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: chunked ? new Blob([text]).stream() : text,
      duplex: "half",
      signal: cut.signal,
    } as RequestInit).then(
      async (response) => ({ status: response.status, body: await response.json() }),
      () => "gone" as const,
    );
    return { cut: () => cut.abort(), answer };
  }

  test.each([{ chunked: false }, { chunked: true }])("leaves the line at once, %o", async ({ chunked }) => {
    const name = freshName();
    await acquire(pair.one, name);
    const waiter = await waitAt(pair.other, name, {}, chunked);
    await untilWaiting(name, 1);
    waiter.cut();
    // Its time to wait would be over in 20 s.
    await untilWaiting(name, 0);
    expect(await waiter.answer).toBe("gone");
  });

  test("does not hold up who stands behind it, nor gets what it no longer wants", async () => {
    const name = freshName();
    const { body: held } = await acquire(pair.one, name);
    const first = await waitAt(pair.other, name, {});
    await untilWaiting(name, 1);
    const second = acquire(pair.one, name, { waitMs: 20_000, owner: "worker-9" });
    await untilWaiting(name, 2);
    first.cut();
    // One that is granted before it is known to be gone holds the lock until its time is over: nobody can help that.
    await until(() => pair.other.service.waiting.size === 0, "it is known to be gone");
    await release(pair.one, name, held.leaseId);
    const beganMs = performance.now();
    expect((await second).body.owner).toBe("worker-9");
    expect(performance.now() - beganMs, "the first would have waited for 20 s").toBeLessThan(10_000);
    expect((await look(name)).holders).toHaveLength(1);
  });

  test("keeps its place for a while if it chose its leaseId, and comes back to it at another instance", async () => {
    const name = freshName();
    const leaseId = chosenId();
    const { body: held } = await acquire(pair.one, name);
    const first = await waitAt(pair.one, name, { leaseId, owner: "first" });
    await untilWaiting(name, 1);
    const second = acquire(pair.one, name, { waitMs: 20_000, owner: "second" });
    await untilWaiting(name, 2);
    first.cut();
    await until(() => pair.one.service.waiting.size === 1, "the first has left");
    const again = acquire(pair.other, name, { leaseId, owner: "first", waitMs: 20_000 });
    await until(() => pair.other.service.waiting.size === 1, "it is back");
    expect((await look(name)).queue.map(({ owner }: { owner: string }) => owner)).toEqual([
      "first",
      "second",
    ]);
    await release(pair.one, name, held.leaseId);
    const { body: mine } = await again;
    expect(mine).toMatchObject({ leaseId, owner: "first" });
    await release(pair.one, name, mine.leaseId);
    expect((await second).body.owner).toBe("second");
  });

  test("and chose its leaseId, but does not come back, is not waited for longer than 3 s", async () => {
    const name = freshName();
    const { body: held } = await acquire(pair.one, name);
    const first = await waitAt(pair.one, name, { leaseId: chosenId() });
    await untilWaiting(name, 1);
    const second = acquire(pair.other, name, { waitMs: 20_000 });
    await untilWaiting(name, 2);
    first.cut();
    await until(() => pair.one.service.waiting.size === 0, "it is known to be gone");
    await release(pair.one, name, held.leaseId);
    const { status, body } = await second;
    expect(status).toBe(200);
    expect(body.waitedMs, "the first would have waited for 20 s").toBeLessThan(12_000);
  });
});

test("an instance that stops sends those who wait away, and they find another", async () => {
  const prefix = ownPrefix();
  await using stays = await startInstance(pair.primaries.urls, { prefix });
  const stops = await startInstance(pair.primaries.urls, { prefix });
  const name = freshName();
  const { body: held } = await acquire(stays, name);
  const waiting = acquire(stops, name, { waitMs: 20_000 });
  await until(() => stops.service.waiting.size === 1, "it waits");
  stops.service.stop();
  const { status, body, headers } = await waiting;
  expect([status, body.code]).toEqual([503, "shutting_down"]);
  expect(headers.get("connection")).toBe("close");
  await release(stays, name, held.leaseId);
  expect((await acquire(stays, name, { waitMs: 5_000 })).status).toBe(200);
  await stops[Symbol.asyncDispose]();
});

test("who is sent away so, and chose its leaseId, finds its place at another instance", async () => {
  const prefix = ownPrefix();
  await using stays = await startInstance(pair.primaries.urls, { prefix });
  const stops = await startInstance(pair.primaries.urls, { prefix });
  const name = freshName();
  const { body: held } = await acquire(stays, name);
  const wish = { leaseId: chosenId(), owner: "first", waitMs: 20_000 };
  const first = acquire(stops, name, wish);
  await until(() => stops.service.waiting.size === 1, "the first waits");
  const second = acquire(stays, name, { owner: "second", waitMs: 20_000 });
  await until(() => stays.service.waiting.size === 1, "the second waits behind it");
  stops.service.stop();
  expect((await first).body.code).toBe("shutting_down");
  await stops[Symbol.asyncDispose]();
  const again = acquire(stays, name, wish);
  await until(() => stays.service.waiting.size === 2, "the first is back");
  const { queue } = (await stays.call("GET", `/v1/locks/${name}`)).body;
  expect(queue.map(({ owner }: { owner: string }) => owner)).toEqual(["first", "second"]);
  await release(stays, name, held.leaseId);
  expect((await again).status).toBe(200);
  await release(stays, name, wish.leaseId);
  expect((await second).status).toBe(200);
});

test("metrics tell how many wait here", async () => {
  const name = freshName();
  const { body: held } = await acquire(pair.one, name);
  const waiting = acquire(pair.other, name, { waitMs: 20_000 });
  await untilWaiting(name, 1);
  const metrics = await (await pair.other.service.app.request("/metrics")).text();
  expect(metrics).toMatch(/^quorate_waiting_requests 1$/m);
  await release(pair.one, name, held.leaseId);
  await waiting;
});
