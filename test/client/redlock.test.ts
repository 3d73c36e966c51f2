import { beforeAll, describe, expect, test } from "vitest";
import { Quorate } from "../../src/client/quorate.js";
import Redlock, { ExecutionError, Lock, ResourceLockedError } from "../../src/client/redlock.js";
import { settled } from "../helpers/fake-clock.js";
import { Pair } from "../helpers/pair.js";
import { freshName } from "../helpers/service.js";
import { FakeService, granted, problem, type Received, type Reply, released } from "./fake-service.js";

// What redlock's README promises, in its order.

const pair = new Pair();
let urls: string[];
let redlock: Redlock;
beforeAll(async () => {
  urls = [await pair.one.url(), await pair.other.url()];
  redlock = new Redlock({ urls });
});

const failing = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail("it did not fail"),
    (error: unknown) => error,
  );

const actOf = ({ path }: Received) => path.split("/").at(-1);

/** A redlock in virtual time, over a service that grants all, unless `reply` has something else. */
function virtual(reply: (request: Received) => Reply | "as usual") {
  const service = new FakeService((request) => {
    const own = reply(request);
    if (own !== "as usual") return own;
    return actOf(request) === "release" ? released : granted(request);
  });
  return {
    service,
    clock: service.clock,
    redlock: new Redlock(new Quorate({ urls: ["http://a"] }, service.world)),
  };
}

describe("using", () => {
  test("runs a routine under an auto-extending lock, and returns its value", async () => {
    const resource = freshName();
    const value = await redlock.using([resource], 3_000, async (signal) => {
      await new Promise((resolve) => setTimeout(resolve, 3_500));
      expect((await pair.lock(resource)).holders).toHaveLength(1);
      return signal.aborted ? "aborted" : "done";
    });
    expect(value).toBe("done");
    expect((await pair.lock(resource)).holders).toEqual([]);
  });

  test("takes settings before the routine", async () => {
    const resource = freshName();
    const lock = await redlock.acquire([resource], 20_000);
    const routine = () => expect.fail("it ran");
    expect(await failing(redlock.using([resource], 5_000, { retryCount: 0 }, routine))).toBeInstanceOf(
      ExecutionError,
    );
    await lock.release();
  });

  test("aborts the signal when the lock cannot be extended, and passes the error along", async () => {
    const { clock, redlock } = virtual((request) =>
      actOf(request) === "renew" ? new Error("reset") : "as usual",
    );
    const using = redlock.using(["a"], 5_000, async (signal) => {
      await clock.sleep(60_000, signal).catch(() => {});
      throw signal.error;
    });
    const outcome = failing(using);
    await clock.advance(5_000);
    expect(await outcome).toMatchObject({ name: "ExecutionError", cause: { code: "deadline" } });
  });

  test("aborts the signal, with its error, also for a routine that has kept the event loop busy", async () => {
    const resource = freshName();
    const errors: unknown[] = [];
    redlock.once("error", (error) => errors.push(error));
    const error = await redlock.using([resource], 1_000, async (signal) => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_100);
      // As in redlock's README; no timer can have fired.
      return signal.aborted ? signal.error : undefined;
    });
    expect(error).toMatchObject({ name: "ExecutionError", cause: { code: "deadline" } });
    expect(errors).toEqual([error]);
  });

  test("has the outcome of the routine, though the lock cannot be released", async () => {
    const { clock, redlock } = virtual((request) =>
      actOf(request) === "release" ? new Error("reset") : "as usual",
    );
    const using = redlock.using(["a"], 5_000, async () => "done");
    await clock.advance(10_000);
    expect(await using).toBe("done");
  });
});

describe("a lock", () => {
  test("is acquired, extended and released directly", async () => {
    const resource = freshName();
    const first = await redlock.acquire([resource], 5_000);
    expect(first).toBeInstanceOf(Lock);
    expect(first).toMatchObject({ resources: [resource], redlock, value: first.lease.leaseId });
    expect(first.expiration - Date.now()).toBeGreaterThan(4_000);
    const lock = await first.extend(9_000);
    expect([first.expiration, lock.value]).toEqual([0, first.value]);
    expect(lock.expiration - Date.now()).toBeGreaterThan(8_000);
    const { attempts } = await lock.release();
    expect(attempts).toHaveLength(1);
    expect(await attempts[0]).toMatchObject({ membershipSize: 1, quorumSize: 1 });
    expect(await failing(lock.release())).toBeInstanceOf(ExecutionError);
    expect(await failing(lock.extend(5_000))).toMatchObject({
      message: "Cannot extend an already-expired lock.",
    });
  });

  test("has several resources, all or none, whatever their names", async () => {
    const [a, b] = ["{redlock}users/42", "{redlock}users/43"];
    const lock = await redlock.acquire([a, b, a], 20_000);
    expect(await failing(redlock.acquire([b], 20_000, { retryCount: 0 }))).toBeInstanceOf(ExecutionError);
    await lock.release();
    await (await redlock.acquire([b], 20_000, { retryCount: 0 })).release();
  });

  test("has a duration of whole milliseconds", async () => {
    for (const act of [() => redlock.acquire(["a"], 0.5), () => redlock.using(["a"], 0.5, async () => {})]) {
      expect(await failing(act())).toMatchObject({ message: expect.stringContaining("integer") });
    }
  });
});

describe("a lock that another has", () => {
  test("is waited for as long as the settings say", async () => {
    const { service, clock, redlock } = virtual(() => "as usual");
    const waits = [{}, { retryCount: 0 }, { retryCount: 3, retryDelay: 100 }, { retryCount: -1 }];
    for (const settings of waits) await redlock.acquire(["a"], 5_000, settings);
    expect(service.received.map(({ body }) => body.waitMs)).toEqual([2_000, 0, 300, 25_000]);
    expect(clock.monotonicMs()).toBe(0);
  });

  test("is got when it is released", async () => {
    const resource = freshName();
    const first = await redlock.acquire([resource], 20_000);
    const second = redlock.acquire([resource], 20_000, { retryCount: -1 });
    await pair.untilWaiting(resource, 1);
    await first.release();
    expect((await second).lease.fencingToken).toBeGreaterThan(first.lease.fencingToken);
    await (await second).release();
  });

  test("is an ExecutionError with its attempts, and an error event that can be told from others", async () => {
    const resource = freshName();
    const lock = await redlock.acquire([resource], 20_000);
    const own = new Redlock({ urls }, { retryCount: 0 });
    const events: unknown[] = [];
    own.on("error", (error) => events.push(error));
    const error = await failing(own.acquire([resource], 20_000));
    if (!(error instanceof ExecutionError)) throw error;
    expect(events).toEqual([expect.any(ResourceLockedError)]);
    const [stats] = await Promise.all(error.attempts);
    expect([...(stats?.votesAgainst.values() ?? [])]).toEqual(events);
    await lock.release();
  });
});

test("an error event without a listener does not end the process", async () => {
  const { clock, redlock } = virtual(() => problem(503, "no_quorum"));
  const outcome = failing(redlock.acquire(["a"], 5_000));
  await clock.advance(60_000);
  expect(await outcome).toMatchObject({ name: "ExecutionError", cause: { code: "no_quorum" } });
  await settled();
});

test("its settings and errors have the names and values of redlock", async () => {
  const { default: Original } = (await import("redlock")) as unknown as {
    default: new (clients: object[]) => { readonly settings: object };
  };
  const { settings } = new Original([{}]);
  expect(redlock.settings).toEqual(settings);
  expect([new ExecutionError("", []).name, new ResourceLockedError("").name]).toEqual([
    "ExecutionError",
    "ResourceLockedError",
  ]);
  await redlock.quit();
});

test("clients of Redis in place of instances are refused", () => {
  expect(() => new Redlock([{}] as never)).toThrow("{ urls: [...] }");
});
