import { describe, expect, test } from "vitest";
import { Grants } from "../../../src/access/grants.js";
import { NO_LIMITS, type Principal } from "../../../src/access/key-ring.js";
import { Revocations } from "../../../src/http/access/revocations.js";
import { EVERYTHING } from "../../helpers/access.js";
import { FakeClock } from "../../helpers/fake-clock.js";

const principal: Principal = { id: "a", grants: new Grants([EVERYTHING]), limits: NO_LIMITS };
const permitted = {
  principal,
  namespace: "default",
  kind: "elections",
  action: "read",
  names: ["x"],
} as const;

/** Whose rights are those of `access.now`. */
function setUp(isOpen = false) {
  const clock = new FakeClock();
  const access = { now: principal as Principal | undefined, isOpen, current: () => access.now };
  return { clock, access, revocations: new Revocations(access, clock) };
}

/** Yields until its signal aborts. */
async function* ticks(signal: AbortSignal) {
  for (let i = 0; !signal.aborted; i++) yield i;
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<string>((resolve) => signal.addEventListener("abort", () => resolve("aborted")));

describe("what lasts", () => {
  test("ends within a second after the right to it has ended", async () => {
    const { clock, access, revocations } = setUp();
    const ends = [
      [undefined, "unauthenticated"],
      [{ ...principal, grants: new Grants([]) }, "forbidden"],
      [{ ...principal, grants: new Grants([{ ...EVERYTHING, names: ["y"] }]) }, "forbidden"],
    ] as const;
    for (const [next, code] of ends) {
      access.now = principal;
      const waiting = revocations.during(permitted, new AbortController().signal, untilAborted);
      const ended = expect(waiting).rejects.toMatchObject({ code });
      await clock.advance(5_000);
      access.now = next;
      await clock.advance(1_000);
      await ended;
    }
  });

  test("goes on where the right is another one that covers it as well", async () => {
    const { clock, access, revocations } = setUp();
    const client = new AbortController();
    const waiting = revocations.during(permitted, client.signal, untilAborted);
    access.now = { ...principal, grants: new Grants([{ ...EVERYTHING, names: ["x"] }]) };
    await clock.advance(10_000);
    client.abort();
    expect(await waiting).toBe("aborted");
  });

  test("ends as a stream too, without an error: its answer has begun", async () => {
    const { clock, access, revocations } = setUp();
    const stream = revocations.stream(permitted, new AbortController().signal, ticks);
    expect(await stream.next()).toEqual({ done: false, value: 0 });
    access.now = undefined;
    await clock.advance(1_000);
    expect((await stream.next()).done).toBe(true);
  });

  test("is not looked at any more when its client has gone, even if nobody pulls the stream to its end", async () => {
    const { clock, access, revocations } = setUp();
    let asked = 0;
    access.current = () => {
      asked += 1;
      return principal;
    };
    const client = new AbortController();
    const stream = revocations.stream(permitted, client.signal, ticks);
    await stream.next();
    await clock.advance(3_000);
    expect(asked).toBe(3);
    client.abort();
    await clock.advance(10_000);
    expect(asked).toBe(3);
  });

  test("is never looked at where everybody may use everything", async () => {
    const { clock, access, revocations } = setUp(true);
    access.current = () => {
      throw new Error("asked");
    };
    const client = new AbortController();
    const waiting = revocations.during(permitted, client.signal, untilAborted);
    await clock.advance(10_000);
    client.abort();
    expect(await waiting).toBe("aborted");
  });
});
