import { expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import { chosenId, freshName, type Instance, until } from "../../helpers/service.js";

// Two instances of one deployment, whose queues may have three requests each.
const QUEUE_MAX = 3;
const pair = new Pair({ env: { QUORATE_QUEUE_LENGTH_MAX: String(QUEUE_MAX) } });

type Body = Record<string, unknown>;

const acquire = (at: Instance, name: string, body: Body = {}) =>
  at.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 20_000, ...body });

const waiting = async (name: string): Promise<number> =>
  (await pair.one.call("GET", `/v1/locks/${name}`)).body.waiting;

/** A held lock, and as many requests as may wait for it, at both instances. */
async function fill(name: string, body: Body = {}) {
  const { body: holder } = await acquire(pair.one, name);
  const queued = [];
  for (let i = 0; i < QUEUE_MAX; i++) {
    queued.push(acquire(pair.at(i), name, { waitMs: 20_000, ...body }));
    await until(async () => (await waiting(name)) === i + 1, `${i + 1} wait`);
  }
  const release = ({ leaseId }: Body) => pair.one.call("POST", `/v1/locks/${name}/release`, { leaseId });
  return { holder, queued, release };
}

test.each([
  ["a writer behind writers", "exclusive", "exclusive"],
  ["a reader behind readers", "shared", "shared"],
  ["a writer behind readers", "shared", "exclusive"],
])("a queue at its bound takes no more, at any instance: %s", async (_, inQueue, mode) => {
  const name = freshName("full");
  const { holder, queued, release } = await fill(name, { mode: inQueue });
  for (const at of [pair.one, pair.other]) {
    const { status, body, headers } = await acquire(at, name, { waitMs: 20_000, mode });
    expect([status, body.code, body.retryAfterMs]).toEqual([409, "too_many", 1_000]);
    expect(body.detail).toContain(`${QUEUE_MAX} requests wait`);
    expect(headers.get("retry-after")).toBe("1");
    // One that does not wait takes no room.
    expect((await acquire(at, name, { mode })).body.code).toBe("held");
  }
  expect(await waiting(name)).toBe(QUEUE_MAX);
  expect((await acquire(pair.one, freshName("other"), { waitMs: 1_000 })).status).toBe(200);
  await release(holder);
  for (const answer of queued) {
    const { status, body } = await answer;
    expect(status).toBe(200);
    await release(body);
  }
});

test("there is room again when a request has left the queue", async () => {
  const name = freshName("left");
  const { holder, queued, release } = await fill(name);
  await release(holder);
  const { body: second } = await (queued[0] as (typeof queued)[number]);
  // Its client is answered first.
  await until(async () => (await waiting(name)) === QUEUE_MAX - 1, "it has left the queue");
  const fourth = acquire(pair.other, name, { waitMs: 20_000 });
  await until(async () => (await waiting(name)) === QUEUE_MAX, "it is in the queue");
  await release(second);
  for (const answer of [...queued.slice(1), fourth]) {
    const { status, body } = await answer;
    expect(status).toBe(200);
    await release(body);
  }
});

test("semaphores and elections have the same bound", async () => {
  for (const [path, more] of [
    [`/v1/semaphores/${freshName()}/acquire`, { limit: 1 }],
    [`/v1/elections/${freshName()}/campaign`, {}],
  ] as const) {
    const ask = (waitMs: number) => pair.one.call("POST", path, { ttlMs: 20_000, waitMs, ...more });
    await ask(0);
    const queued = Array.from({ length: QUEUE_MAX }, () => ask(1_500));
    const look = async () => (await pair.one.call("GET", path.replace(/\/\w+$/, ""))).body.waiting;
    await until(async () => (await look()) === QUEUE_MAX, "all are in the queue");
    expect((await ask(1_500)).body.code).toBe("too_many");
    expect((await Promise.all(queued)).map(({ body }) => body.code)).toEqual(Array(QUEUE_MAX).fill("held"));
  }
});

test("a repeated request for a lease that is in the queue already has its place there", async () => {
  const name = freshName("repeated");
  const leaseId = chosenId();
  const { body: holder } = await acquire(pair.one, name);
  const queued = [acquire(pair.one, name, { waitMs: 20_000, leaseId })];
  await until(async () => (await waiting(name)) === 1, "it is in the queue");
  for (let i = 1; i < QUEUE_MAX; i++) queued.push(acquire(pair.at(i), name, { waitMs: 4_000 }));
  await until(async () => (await waiting(name)) === QUEUE_MAX, "the queue is full");
  queued.push(acquire(pair.other, name, { waitMs: 20_000, leaseId }));
  await pair.one.call("POST", `/v1/locks/${name}/release`, { leaseId: holder.leaseId });
  const answers = await Promise.all(queued);
  const codes = answers.map(({ status, body }) => body.code ?? status);
  expect(codes).toEqual([200, "held", "held", 200]);
});
