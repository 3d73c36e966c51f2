import { beforeEach, describe, expect, test, vi } from "vitest";
import { RedisReplyError } from "../../src/redis/connection.js";
import { Overload, Wire } from "../../src/redis/wire.js";
import { FakeClock, settled } from "../helpers/fake-clock.js";
import { FakeConnection } from "../helpers/fake-connection.js";

let clock: FakeClock;
let connection: FakeConnection;
let wire: Wire;
/** Ends of the commands that were sent and not answered, in order. */
let open: { answer(reply: unknown): void; fail(error: Error): void }[];

beforeEach(() => {
  clock = new FakeClock();
  connection = new FakeConnection();
  open = [];
  connection.answers.GET = () => new Promise((answer, fail) => open.push({ answer, fail }));
  wire = new Wire(connection, clock, 100);
});

/** What has become of a command. */
function send(...args: string[]) {
  const outcome = vi.fn();
  wire.send("GET", ...args).then(
    (reply) => outcome("reply", reply),
    (error) => outcome("error", error),
  );
  return outcome;
}

describe("a command", () => {
  test("is sent as it is, once, and its reply comes back", async () => {
    const outcome = send("a", "b");
    expect(connection.sent).toEqual([["GET", "a", "b"]]);
    open[0]?.answer("value");
    await settled();
    expect(outcome.mock.calls).toEqual([["reply", "value"]]);
    await clock.advance(1_000);
    expect(connection.count("GET")).toBe(1);
    expect(clock.pending, "timers left").toBe(0);
  });

  test("that Redis refuses fails with what Redis said", async () => {
    const outcome = send();
    const refusal = new RedisReplyError("WRONGTYPE");
    open[0]?.fail(refusal);
    await settled();
    expect(outcome.mock.calls).toEqual([["error", refusal]]);
  });

  test("that nobody answers fails after its time, not before", async () => {
    const outcome = send();
    await clock.advance(99);
    expect(outcome).not.toHaveBeenCalled();
    await clock.advance(2);
    expect(outcome).toHaveBeenCalledOnce();
    expect(outcome.mock.calls[0]?.[1]).toMatchObject({ message: "no answer within 100 ms" });
    expect(outcome.mock.calls[0]?.[1]).not.toBeInstanceOf(Overload);
  });

  test("whose reply comes too late has failed all the same", async () => {
    const outcome = send();
    await clock.advance(200);
    open[0]?.answer("late");
    await settled();
    expect(outcome).toHaveBeenCalledOnce();
    expect(outcome.mock.calls[0]?.[0]).toBe("error");
  });
});

describe("a server that answers others", () => {
  test("is busy, not gone: a command has more time", async () => {
    const outcome = send("slow");
    for (let i = 0; i < 3; i++) {
      send(`quick ${i}`);
      await clock.advance(60);
      open.at(-1)?.answer("value");
      await settled();
    }
    expect(outcome).not.toHaveBeenCalled();
    open[0]?.answer("at last");
    await settled();
    expect(outcome.mock.calls).toEqual([["reply", "at last"]]);
  });

  test("but not for ever: after ten times the time it is overloaded", async () => {
    const outcome = send("slow");
    for (let i = 0; i < 30 && outcome.mock.calls.length === 0; i++) {
      send(`quick ${i}`);
      await clock.advance(50);
      open.at(-1)?.answer("value");
      await settled();
    }
    expect(outcome.mock.calls[0]?.[1]).toBeInstanceOf(Overload);
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(1_000);
    expect(clock.monotonicMs()).toBeLessThanOrEqual(1_100);
  });

  test("and then falls silent is gone, counted from when it was heard of last", async () => {
    const outcome = send("slow");
    send("quick");
    await clock.advance(80);
    open[1]?.answer("value");
    await clock.advance(95);
    expect(outcome).not.toHaveBeenCalled();
    await clock.advance(10);
    expect(outcome.mock.calls[0]?.[1]).toMatchObject({ message: "no answer within 100 ms" });
  });
});

describe("a long reply", () => {
  test("is a sign of life from its first byte to its last", async () => {
    const outcome = send("bulk");
    for (let i = 0; i < 8; i++) {
      await clock.advance(80);
      connection.receiveBytes();
    }
    expect(outcome).not.toHaveBeenCalled();
    open[0]?.answer("all of it");
    await settled();
    expect(outcome.mock.calls).toEqual([["reply", "all of it"]]);
  });

  test("that stops in the middle is found out within the timeout", async () => {
    const outcome = send("bulk");
    await clock.advance(80);
    connection.receiveBytes();
    await clock.advance(95);
    expect(outcome).not.toHaveBeenCalled();
    await clock.advance(10);
    expect(outcome.mock.calls[0]?.[1]).toMatchObject({ message: "no answer within 100 ms" });
    expect(outcome.mock.calls[0]?.[1]).not.toBeInstanceOf(Overload);
  });

  test("that never ends is overload in the end", async () => {
    const outcome = send("bulk");
    for (let i = 0; i < 30 && outcome.mock.calls.length === 0; i++) {
      await clock.advance(50);
      connection.receiveBytes();
    }
    expect(outcome.mock.calls[0]?.[1]).toBeInstanceOf(Overload);
  });
});
