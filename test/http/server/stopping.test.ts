import { describe, expect, test } from "vitest";
import { Stopping } from "../../../src/http/server/stopping.js";

/** Waits until its signal aborts. */
const untilAborted = (signal: AbortSignal) =>
  new Promise<string>((resolve) => {
    if (signal.aborted) resolve("aborted");
    else signal.addEventListener("abort", () => resolve("aborted"));
  });

describe("a wait", () => {
  test("ends when the client goes", async () => {
    const client = new AbortController();
    const waiting = new Stopping().during(client.signal, untilAborted);
    client.abort();
    expect(await waiting).toBe("aborted");
  });

  test("ends when the instance stops, like all others", async () => {
    const stopping = new Stopping();
    const clients = Array.from({ length: 50 }, () => new AbortController());
    const waiting = clients.map(({ signal }) => stopping.during(signal, untilAborted));
    stopping.begin();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["aborted"]));
  });

  test("that begins too late ends at once", async () => {
    const stopping = new Stopping();
    stopping.begin();
    expect(await stopping.during(new AbortController().signal, untilAborted)).toBe("aborted");
    expect(await new Stopping().during(AbortSignal.abort(), untilAborted)).toBe("aborted");
  });

  test("that is over is told nothing any more, and passes on what it came to", async () => {
    const stopping = new Stopping();
    let told = 0;
    const watching = async (signal: AbortSignal) => {
      signal.addEventListener("abort", () => told++);
      return 7;
    };
    const client = new AbortController();
    expect(await stopping.during(client.signal, watching)).toBe(7);
    await expect(
      stopping.during(client.signal, async (signal) => {
        await watching(signal);
        throw new RangeError("wrong");
      }),
    ).rejects.toThrow(RangeError);
    stopping.begin();
    client.abort();
    expect(told).toBe(0);
  });
});

test("no new work is taken from then on", () => {
  const stopping = new Stopping();
  stopping.assertNot();
  expect(stopping.begun).toBe(false);
  stopping.begin();
  expect(stopping.begun).toBe(true);
  expect(() => stopping.assertNot()).toThrow(expect.objectContaining({ code: "shutting_down" }));
});
