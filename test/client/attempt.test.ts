import { describe, expect, test } from "vitest";
import { attempt } from "../../src/client/attempt.js";
import { FakeService } from "./fake-service.js";

const REQUEST = { method: "GET", headers: {} } as const;

/** One attempt of 1 s, of which a test sees the signal that `fetch` was given. */
function attempted(answer: () => Promise<Response>, signal?: AbortSignal) {
  const { world, clock } = new FakeService(() => undefined);
  let given: AbortSignal | null | undefined;
  const fetch: typeof globalThis.fetch = (_url, init) => {
    given = init?.signal;
    return answer();
  };
  const outcome = attempt({ ...world, fetch }, "http://a", REQUEST, 1_000, signal).catch(
    (error: unknown) => error,
  );
  return { outcome, clock, isAborted: () => given?.aborted };
}

const never = () => new Promise<never>(() => {});

describe("the request of an attempt", () => {
  test("is aborted when its time is over, or its caller gives up: nothing waits for its answer any more", async () => {
    const late = attempted(never);
    await late.clock.advance(1_000);
    expect([await late.outcome, late.isAborted()]).toMatchObject([{ code: "unreachable" }, true]);

    const stop = new AbortController();
    const stopped = attempted(never, stop.signal);
    stop.abort("enough");
    expect([await stopped.outcome, stopped.isAborted()]).toEqual(["enough", true]);
  });

  test("is aborted as well when its body never ends", async () => {
    const { outcome, clock, isAborted } = attempted(async () => ({ text: never }) as unknown as Response);
    await clock.advance(1_000);
    expect([await outcome, isAborted()]).toMatchObject([{ code: "unreachable" }, true]);
  });

  test("is left alone once it is answered", async () => {
    const { outcome, isAborted } = attempted(async () => Response.json({ released: true }));
    expect([await outcome, isAborted()]).toMatchObject([{ body: { released: true } }, false]);
  });

  test("is not sent where its caller has given up before", async () => {
    const { outcome, isAborted } = attempted(never, AbortSignal.abort("enough"));
    expect([await outcome, isAborted()]).toEqual(["enough", undefined]);
  });
});
