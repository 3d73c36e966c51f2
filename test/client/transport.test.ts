import { describe, expect, test } from "vitest";
import { QuorateError } from "../../src/client/errors.js";
import { type Call, Transport } from "../../src/client/transport.js";
import { FakeService, problem, type Received, type Reply } from "./fake-service.js";

const URLS = ["http://a", "http://b/", "http://c"];

/** A call of a transport whose first instance is the second of the three. */
function calling(
  reply: (request: Received) => Reply | Promise<Reply>,
  more: Partial<Call> = {},
  deployment = {},
) {
  const service = new FakeService(reply);
  const transport = new Transport({ urls: URLS, ...deployment }, service.world);
  const send = () =>
    transport
      .send<object>({
        method: "POST",
        path: "/locks/orders-42/acquire",
        body: () => ({ ttlMs: 1000 }),
        deadlineMs: 60_000,
        limitMs: () => 1_000,
        ...more,
      })
      .then(
        (answer) => answer,
        (error: unknown) => error,
      );
  return {
    service,
    send,
    instances: () => service.received.map(({ instance }) => instance.slice(-1)).join(""),
  };
}

const ok: Reply = { status: 200, body: { released: true } };
const overloaded = (retryAfterMs: number) => problem(503, "overloaded", { retryAfterMs });

describe("a request", () => {
  test("goes to the path under the namespace, with the key, as JSON", async () => {
    const { service, send } = calling(() => ok, {}, { key: "secret", namespace: "team-a" });
    await send();
    expect(service.received).toMatchObject([
      {
        method: "POST",
        path: "/v1/namespaces/team-a/locks/orders-42/acquire",
        body: { ttlMs: 1000 },
      },
    ]);
    const { headers } = service.received[0] as Received;
    expect(headers.get("authorization")).toBe("Bearer secret");
    expect(headers.get("content-type")).toBe("application/json");
  });

  test("goes on at the next instance at once where one cannot be reached or is stopping", async () => {
    const replies = [new TypeError("fetch failed"), problem(503, "shutting_down"), ok];
    const { service, send, instances } = calling(() => replies.shift());
    expect(await send()).toMatchObject({ body: { released: true }, sentAtMs: 0 });
    expect(instances()).toBe("bca");
    expect(service.clock.monotonicMs()).toBe(0);
  });

  test("goes on where an instance does not answer in time, and drops its late answer", async () => {
    const { service, send } = calling(async ({ instance }) => {
      if (instance !== "http://b") return { status: 200, body: { from: instance } };
      await service.clock.sleep(1_500);
      return { status: 200, body: { from: instance } };
    });
    const answer = send();
    await service.clock.advance(2_000);
    expect(await answer).toMatchObject({ body: { from: "http://c" }, sentAtMs: 1_000 });
  });

  test("begins at the instance that answered last", async () => {
    const { send, instances } = calling(({ instance }) =>
      instance === "http://a" ? ok : new Error("reset"),
    );
    await send();
    await send();
    expect(instances()).toBe("bcaa");
  });

  test("waits between rounds, longer each time up to a bound", async () => {
    const { service, send } = calling(() => new Error("reset"));
    const outcome = send();
    await service.clock.advance(60_000);
    expect(await outcome).toMatchObject({ code: "unreachable" });
    const rounds = service.received.filter((_, at) => at % 3 === 0).map(({ atMs }) => atMs);
    // Half of 50, 100, ... 2,000 ms.
    expect(rounds.slice(0, 8)).toEqual([0, 25, 75, 175, 375, 775, 1_575, 2_575]);
  });

  test("counts the time that an attempt took as a pause", async () => {
    const { service, send } = calling(() => undefined, { limitMs: () => 10_000 }, { urls: ["http://a"] });
    const outcome = send();
    await service.clock.advance(60_000);
    expect(await outcome).toMatchObject({ code: "unreachable" });
    expect(service.received.map(({ atMs }) => atMs)).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000]);
  });

  test("keeps the Retry-After of a round in which every instance has one", async () => {
    const { service, send, instances } = calling(({ atMs, instance }) =>
      atMs < 100 ? overloaded(instance === "http://c" ? 700 : 900) : ok,
    );
    const answer = send();
    await service.clock.advance(10_000);
    // And half of a quarter, so that clients do not come back together.
    expect(await answer).toMatchObject({ sentAtMs: 787.5 });
    expect(instances()).toBe("bcab");
  });

  test("keeps that of a proxy as well", async () => {
    const { service, send } = calling(({ atMs }) =>
      atMs < 100 ? { status: 503, headers: { "retry-after": "3" } } : ok,
    );
    const answer = send();
    await service.clock.advance(10_000);
    expect(await answer).toMatchObject({ sentAtMs: 3_375 });
  });

  test("does not wait for a Retry-After when it is urgent", async () => {
    const { service, send } = calling(({ atMs }) => (atMs < 20 ? overloaded(5_000) : ok), { urgent: true });
    const answer = send();
    await service.clock.advance(10_000);
    expect(await answer).toMatchObject({ sentAtMs: 25 });
  });

  test("fails at once with what the instances said where Retry-After is beyond the deadline", async () => {
    const { service, send } = calling(() => problem(503, "no_quorum", { retryAfterMs: 60_000 }));
    expect(await send()).toMatchObject({ code: "no_quorum", retryAfterMs: 60_000 });
    expect(service.clock.monotonicMs()).toBe(0);
  });

  test("is over at its deadline, though nobody ever answers", async () => {
    const { service, send } = calling(() => undefined, { deadlineMs: 2_500 });
    const outcome = send();
    await service.clock.advance(2_499);
    const early = await Promise.race([outcome, "pending"]);
    await service.clock.advance(1);
    expect(early).toBe("pending");
    expect(await outcome).toMatchObject({ code: "unreachable" });
  });

  test("ends with the signal's reason, between two attempts and during one, and leaves no timer behind", async () => {
    for (const reply of [() => new Error("reset"), () => undefined]) {
      const stop = new AbortController();
      const { service, send } = calling(reply, { signal: stop.signal });
      const outcome = send();
      await service.clock.advance(10);
      stop.abort("enough");
      expect(await outcome).toBe("enough");
      expect(service.clock.pending).toBe(0);
    }
  });
});

describe("a failure", () => {
  test("has its code, the fields that belong to it and the id of the request", async () => {
    const holder = { owner: "worker-7", metadata: null, mode: "exclusive", heldForMs: 1, expiresInMs: 2 };
    const { send } = calling(() => problem(409, "held", { retryAfterMs: 2, holder, requestId: "r1" }));
    const error = await send();
    if (!(error instanceof QuorateError) || error.code !== "held") throw error;
    // Narrowed: this compiles because `held` has a holder.
    expect(error.holder?.owner).toBe("worker-7");
    expect(error).toMatchObject({ name: "QuorateError", message: "held", requestId: "r1", retryAfterMs: 2 });
  });

  test.each([
    ["a problem that another instance would repeat", problem(400, "invalid_request")],
    ["a page of a proxy", { status: 404 }],
  ])("is not repeated: %s", async (_what, reply) => {
    const { service, send } = calling(() => reply);
    expect(await send()).toBeInstanceOf(QuorateError);
    expect(service.received).toHaveLength(1);
  });

  test("to reach an instance says why, and not only that fetch failed", async () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:9"), { code: "ECONNREFUSED" });
    for (const [cause, why] of [
      [refused, /^http:\/\/\S+ could not be reached, or broke off: connect ECONNREFUSED 127.0.0.1:9\.$/],
      [Object.assign(new AggregateError([refused]), { code: "ECONNREFUSED" }), /ECONNREFUSED/],
      [undefined, /fetch failed/],
    ] as const) {
      const failed = new TypeError("fetch failed", { cause });
      const { send } = calling(() => failed, { deadlineMs: 1 });
      expect(await send()).toMatchObject({ code: "unreachable", message: expect.stringMatching(why) });
    }
  });

  test("that is no problem of Quorate says which status came", async () => {
    const { send } = calling(() => ({ status: 404 }));
    expect(await send()).toMatchObject({ code: "unexpected_answer", status: 404 });
  });

  test("of a code that this version does not know is kept", async () => {
    const { send } = calling(() => problem(409, "of_the_future", { detail: "new" }));
    expect(await send()).toMatchObject({ code: "of_the_future", message: "new" });
  });
});

test.each([
  [[]],
  [["127.0.0.1:8080"]],
  [["localhost:8080"]],
  [["http://a", "redis://b"]],
  [["http://a b"]],
  [["https://user:secret@a"]],
])("a transport without instances, or with what is no address of one, is refused at once: %j", (urls) => {
  const { world } = new FakeService(() => ok);
  expect(() => new Transport({ urls }, world)).toThrow(/^urls: (?!.*secret)/);
});
