import { describe, expect, test } from "vitest";
import { Quorate, QuorateError } from "../../src/client/quorate.js";
import type { World } from "../../src/client/world.js";
import { settled } from "../helpers/fake-clock.js";
import { FakeService, granted, problem, type Received, type Reply, released } from "./fake-service.js";

const actOf = ({ path }: Received) => path.split("/").at(-1);

/** A client of one instance that grants all, unless `reply` has something else for it. */
function client(
  reply: (request: Received) => Reply | "as usual" | Promise<Reply | "as usual"> = () => "as usual",
) {
  const service = new FakeService(async (request) => {
    const own = await reply(request);
    if (own !== "as usual") return own;
    return actOf(request) === "release"
      ? released
      : granted(request, { validForMs: request.body.ttlMs - 100 });
  });
  return { service, clock: service.clock, quorate: new Quorate({ urls: ["http://a"] }, service.world) };
}

const failing = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail("it did not fail"),
    (error: unknown) => error,
  );

describe("a lock", () => {
  test("is acquired under a leaseId that the client chose, renewed with its token, and released", async () => {
    const { service, quorate } = client();
    const lease = await quorate.acquireLock("orders-42", { ttlMs: 9_000, owner: "worker-7", mode: "shared" });
    expect(lease).toMatchObject({ fencingToken: 7, leaseId: service.received[0]?.body.leaseId });
    await lease.renew();
    await lease.renew(20_000);
    expect(await lease.release()).toBe(true);
    const { leaseId } = lease;
    expect(leaseId).toMatch(/^[A-Za-z0-9_-]{22,64}$/);
    expect(service.received.map(({ path, body }) => [path, body])).toEqual([
      [
        "/v1/locks/orders-42/acquire",
        { ttlMs: 9_000, owner: "worker-7", mode: "shared", leaseId, waitMs: 0 },
      ],
      ["/v1/locks/orders-42/renew", { leaseId, ttlMs: 9_000, fencingToken: 7 }],
      ["/v1/locks/orders-42/renew", { leaseId, ttlMs: 20_000, fencingToken: 7 }],
      ["/v1/locks/orders-42/release", { leaseId }],
    ]);
  });

  test("may be several names at once", async () => {
    const { service, quorate } = client();
    await quorate.withLock(["orders-42", "stock-7"], { ttlMs: 9_000 }, () => {});
    expect(service.received.map(({ path, body }) => [path, body.names])).toEqual([
      ["/v1/locks/acquire", ["orders-42", "stock-7"]],
      ["/v1/locks/release", ["orders-42", "stock-7"]],
    ]);
  });

  test("of which each acquire has a leaseId of its own, and each of its attempts the same", async () => {
    let attempts = 0;
    const { service, clock, quorate } = client(() => (++attempts % 2 ? new Error("reset") : "as usual"));
    for (const _ of [1, 2]) {
      const acquiring = quorate.acquireLock("orders-42", { ttlMs: 9_000 });
      await clock.advance(1_000);
      await acquiring;
    }
    const [a, b, c, d] = service.received.map(({ body }) => body.leaseId);
    expect([a, c]).toEqual([b, d]);
    expect(a).not.toBe(c);
  });
});

test("a lease is renewed and released within the time that its caller gives, or until the caller gives up", async () => {
  const { service, clock, quorate } = client((request) =>
    actOf(request) === "acquire" ? "as usual" : undefined,
  );
  const lease = await quorate.acquireLock("orders-42", { ttlMs: 9_000 });
  const stop = new AbortController();
  const renewing = failing(lease.renew(9_000, { timeoutMs: 300 }));
  const stopped = failing(lease.renew(9_000, { signal: stop.signal }));
  stop.abort("enough");
  expect(await stopped).toBe("enough");
  await clock.advance(300);
  expect(await renewing).toMatchObject({ code: "unreachable" });
  expect(lease.signal.aborted).toBe(false);
  expect(await failing(lease.release({ signal: stop.signal }))).toBe("enough");
  const releasing = failing(lease.release({ timeoutMs: 200 }));
  await clock.advance(200);
  expect(await releasing).toMatchObject({ code: "unreachable" });
  expect([service.clock.monotonicMs(), clock.pending]).toEqual([500, 0]);
});

const refusedConnection = () => {
  const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  return new TypeError("fetch failed", { cause });
};

describe("an acquire", () => {
  test("that is refused leaves nothing to release", async () => {
    const { service, quorate } = client(() => problem(409, "held", { retryAfterMs: 500 }));
    expect(await failing(quorate.acquireLock("orders-42", { ttlMs: 9_000 }))).toMatchObject({ code: "held" });
    await settled();
    expect(service.received.map(actOf)).toEqual(["acquire"]);
  });

  test.each([
    ["to which nobody listened", refusedConnection(), "unreachable"],
    ["that was turned away", problem(503, "overloaded"), "overloaded"],
  ])("%s leaves nothing to release: its program can end at once", async (_what, reply, code) => {
    const { service, clock, quorate } = client((request) =>
      actOf(request) === "acquire" ? reply : expect.fail("released"),
    );
    const acquiring = failing(quorate.acquireLock("orders-42", { ttlMs: 9_000, timeoutMs: 500 }));
    await clock.advance(500);
    expect(await acquiring).toMatchObject({ code });
    expect(service.received.length).toBeGreaterThan(2);
    expect(clock.pending).toBe(0);
  });

  test("releases what an attempt before the last one may have got", async () => {
    const replies = [new Error("reset"), problem(409, "held")];
    const { service, clock, quorate } = client((request) =>
      actOf(request) === "acquire" ? replies.shift() : "as usual",
    );
    const acquiring = failing(quorate.acquireLock("orders-42", { ttlMs: 9_000 }));
    await clock.advance(1_000);
    expect(await acquiring).toMatchObject({ code: "held" });
    expect(service.received.map(actOf)).toEqual(["acquire", "acquire", "release"]);
  });

  test.each([
    ["whose answer never comes", undefined],
    ["that no majority decides", problem(503, "no_quorum")],
  ])("%s releases what it may have got", async (_what, reply) => {
    const { service, clock, quorate } = client((request) =>
      actOf(request) === "acquire" ? reply : "as usual",
    );
    const acquiring = failing(quorate.acquireLock("orders-42", { ttlMs: 9_000, timeoutMs: 3_000 }));
    await clock.advance(3_000);
    expect(await acquiring).toBeInstanceOf(QuorateError);
    await settled();
    const last = service.received.at(-1) as Received;
    expect([actOf(last), last.body]).toEqual(["release", { leaseId: service.received[0]?.body.leaseId }]);
  });

  test("that is aborted throws the reason at once, and releases what it may get", async () => {
    const stop = new AbortController();
    const { service, clock, quorate } = client((request) =>
      actOf(request) === "acquire" ? undefined : "as usual",
    );
    const options = { ttlMs: 9_000, waitMs: 20_000, signal: stop.signal };
    const acquiring = failing(quorate.acquireLock("orders-42", options));
    await clock.advance(5_000);
    stop.abort("enough");
    expect(await acquiring).toBe("enough");
    expect(service.received.map(actOf)).toEqual(["acquire", "release"]);
  });

  test("whose grant arrives when nothing is left of it throws `deadline`, and releases it", async () => {
    const { service, clock, quorate } = client(async (request): Promise<"as usual"> => {
      if (actOf(request) === "acquire") await service.clock.sleep(900);
      return "as usual";
    });
    const acquiring = failing(quorate.acquireLock("orders-42", { ttlMs: 1_000 }));
    await clock.advance(900);
    expect(await acquiring).toMatchObject({ code: "deadline" });
    expect(service.received.map(actOf)).toEqual(["acquire", "release"]);
  });

  test("counts what it waited at the service as time before the lease", async () => {
    const { clock, quorate } = client(async (request) => {
      await clock.sleep(6_000);
      return granted(request, { validForMs: 900, waitedMs: 5_990 });
    });
    const acquiring = quorate.acquireLock("orders-42", { ttlMs: 1_000, waitMs: 10_000 });
    await clock.advance(6_000);
    expect((await acquiring).remainingMs()).toBeCloseTo(890 - 2);
  });

  test("may wait for longer than one request can: its place in the queue stays", async () => {
    const { service, clock, quorate } = client((request) => {
      if (actOf(request) !== "acquire") return "as usual";
      const { waitMs } = request.body;
      return clock.sleep(waitMs).then(() => problem(409, "held"));
    });
    const acquiring = failing(quorate.acquireLock("orders-42", { ttlMs: 9_000, waitMs: 50_000 }));
    await clock.advance(60_000);
    expect(await acquiring).toMatchObject({ code: "held" });
    const waits = service.received.filter((request) => actOf(request) === "acquire");
    expect(new Set(waits.map(({ body }) => body.leaseId)).size).toBe(1);
    // The third waits to the end. The place is kept for 3 s between two; there is no pause.
    expect(waits.map(({ body }) => body.waitMs)).toEqual([25_000, 25_000, expect.any(Number)]);
    const gaps = waits.slice(1).map(({ atMs }, at) => atMs - (waits[at] as Received).atMs - 20_000);
    expect(Math.max(...gaps)).toBe(0);
    expect(clock.monotonicMs()).toBe(60_000);
  });
});

describe("a lease that is kept", () => {
  test("is renewed three times per time to live, for as long as the work takes", async () => {
    const { service, clock, quorate } = client();
    const working = quorate.withLock("orders-42", { ttlMs: 9_100 }, async (lease) => {
      await clock.sleep(60_000);
      return [lease.signal.aborted, lease.remainingMs() > 5_000];
    });
    await clock.advance(60_000);
    expect(await working).toEqual([false, true]);
    const renewals = service.received.filter((request) => actOf(request) === "renew");
    expect(renewals.map(({ atMs }) => Math.round(atMs / 1_000)).slice(0, 4)).toEqual([3, 6, 9, 12]);
    expect(actOf(service.received.at(-1) as Received)).toBe("release");
    expect(clock.pending).toBe(0);
  });

  test("aborts at once when the service says that it is lost, and says why", async () => {
    const lost = problem(410, "lease_lost", { lost: { why: "broken", reason: "by hand" } });
    const { clock, quorate } = client((request) => (actOf(request) === "renew" ? lost : "as usual"));
    const lease = await quorate.acquireLock("orders-42", { ttlMs: 9_000, keep: true });
    const { signal } = lease;
    await clock.advance(3_100);
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toMatchObject({ code: "lease_lost", lost: { why: "broken", reason: "by hand" } });
    expect(lease.remainingMs()).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("aborts at its deadline when no renewal is confirmed, and says what kept it from that", async () => {
    const { clock, quorate } = client((request) =>
      actOf(request) === "acquire" ? "as usual" : new Error("reset"),
    );
    const { signal } = await quorate.acquireLock("orders-42", { ttlMs: 9_000, keep: true });
    await clock.advance(8_897);
    const early = signal.aborted;
    await clock.advance(1);
    expect([early, signal.aborted]).toEqual([false, true]);
    expect(signal.reason).toMatchObject({ code: "deadline" });
  });

  test("does not live again by an answer that comes after its deadline", async () => {
    const { clock, quorate } = client(async (request): Promise<"as usual"> => {
      if (actOf(request) === "renew") await clock.sleep(20_000);
      return "as usual";
    });
    const lease = await quorate.acquireLock("orders-42", { ttlMs: 9_000, keep: true });
    await clock.advance(60_000);
    expect(lease.remainingMs()).toBe(0);
    expect(lease.signal.reason).toMatchObject({ code: "deadline", cause: { code: "unreachable" } });
  });

  test("waits for the one instance that there is as long as it can: a slow answer is better than none", async () => {
    const { clock, quorate } = client(async (request): Promise<"as usual"> => {
      // A renewal is sent when about 1,000 ms are left.
      if (actOf(request) === "renew") await clock.sleep(400);
      return "as usual";
    });
    const lease = await quorate.acquireLock("orders-42", { ttlMs: 2_000, keep: true });
    await clock.advance(60_000);
    expect(lease.signal.aborted).toBe(false);
  });

  test("asks another instance while one hangs", async () => {
    const service = new FakeService((request) =>
      request.instance === "http://b" && actOf(request) === "renew" ? undefined : granted(request),
    );
    const quorate = new Quorate({ urls: ["http://a", "http://b"] }, service.world);
    const lease = await quorate.acquireLock("orders-42", { ttlMs: 2_000, keep: true });
    expect(service.received[0]?.instance).toBe("http://b");
    await service.clock.advance(20_000);
    expect(lease.signal.aborted).toBe(false);
  });
});

describe("a holder whose event loop was blocked beyond the deadline", () => {
  /** Time passes by `block`, and no timer fires. */
  function blockable() {
    const { service, clock } = client();
    let blockedMs = 0;
    const blocked: World["clock"] = {
      after: (ms, task) => clock.after(ms, task),
      monotonicMs: () => clock.monotonicMs() + blockedMs,
    };
    const quorate = new Quorate({ urls: ["http://a"] }, { ...service.world, clock: blocked });
    const block = (ms: number) => {
      blockedMs += ms;
    };
    return { service, quorate, block };
  }

  test("is told when it looks at its lease", async () => {
    const { quorate, block } = blockable();
    const lease = await quorate.acquireLock("orders-42", { ttlMs: 9_000 });
    const before = lease.signal.aborted;
    block(8_900);
    expect([before, lease.signal.aborted, lease.remainingMs()]).toEqual([false, true, 0]);
  });

  test.each([
    ["aborted", (signal: AbortSignal) => expect(signal.aborted).toBe(true)],
    ["reason", (signal: AbortSignal) => expect(signal.reason).toMatchObject({ code: "deadline" })],
    ["throwIfAborted", (signal: AbortSignal) => expect(() => signal.throwIfAborted()).toThrow("in time")],
  ])("is told by `%s` of a signal that it got before, and listeners hear of it first", async (_, look) => {
    const { quorate, block } = blockable();
    const { signal } = await quorate.acquireLock("orders-42", { ttlMs: 9_000 });
    let told = 0;
    signal.addEventListener("abort", () => told++);
    expect([signal.aborted, signal.reason, signal.throwIfAborted()]).toEqual([false, undefined, undefined]);
    block(8_900);
    look(signal);
    expect(told).toBe(1);
  });

  test("stops work that never gives way, under a lock and in a term of office", async () => {
    const { quorate, block } = blockable();
    const steps = (signal: AbortSignal) => {
      for (let step = 0; step < 1_000; step++) {
        if (signal.aborted) return step;
        block(1_000);
      }
      return Number.POSITIVE_INFINITY;
    };
    expect(await quorate.withLock("orders-42", { ttlMs: 9_000 }, ({ signal }) => steps(signal))).toBe(9);
    const seen: number[] = [];
    const { signal } = new AbortController();
    const onElected = async (_: unknown, stop: AbortSignal) => seen.length === 2 || seen.push(steps(stop));
    await quorate.lead("billing", { ttlMs: 9_000, signal, onElected });
    expect(seen).toEqual([9, 9]);
  });
});

describe("the outcome of the work", () => {
  const unreleasable = () =>
    client((request) => (actOf(request) === "release" ? problem(503, "no_quorum") : "as usual"));

  test("is never hidden by a release that fails", async () => {
    for (const work of [() => "done", () => Promise.reject(new Error("mine"))]) {
      const { clock, quorate } = unreleasable();
      const outcome = quorate
        .withLock<string>("orders-42", { ttlMs: 9_000 }, work)
        .catch(({ message }) => message);
      await clock.advance(10_000);
      expect(["done", "mine"]).toContain(await outcome);
    }
  });

  test("does not wait for a release once the lease is lost, but it is sent: a late renewal may have extended it", async () => {
    const { service, clock, quorate } = client((request) =>
      actOf(request) === "acquire" ? "as usual" : undefined,
    );
    const working = quorate.withLock("orders-42", { ttlMs: 9_000 }, (lease) =>
      clock.sleep(60_000, lease.signal),
    );
    const outcome = failing(working);
    await clock.advance(8_898);
    expect(await Promise.race([outcome, "pending"])).toMatchObject({ code: "deadline" });
    expect(actOf(service.received.at(-1) as Received)).toBe("release");
  });

  test("of which the lease was never granted is none: it does not begin", async () => {
    const { quorate } = client(() => problem(409, "held"));
    const begun = () => expect.fail("it began");
    expect(await failing(quorate.withLock("orders-42", { ttlMs: 9_000 }, begun))).toMatchObject({
      code: "held",
    });
  });
});

test("a lease is released at the end of its scope", async () => {
  const { service, quorate } = client();
  {
    await using lease = await quorate.acquireLock("orders-42", { ttlMs: 9_000 });
    expect(lease.remainingMs()).toBeGreaterThan(8_000);
  }
  expect(service.received.map(actOf)).toEqual(["acquire", "release"]);
  expect(service.clock.pending).toBe(0);
});
