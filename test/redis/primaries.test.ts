import { describe, expect, test, vi } from "vitest";
import { CoordinationError } from "../../src/errors.js";
import { answerOf, Primaries, values } from "../../src/redis/primaries.js";
import { type Primary, PrimaryFailure } from "../../src/redis/primary.js";
import type { Call } from "../../src/redis/scripts.js";
import { settled } from "../helpers/fake-clock.js";

/** Primaries whose answers the test gives, in the order it likes. */
function controlled(count: number) {
  const asked: { call: Call<number>; answer(value: number): void; fail(error: unknown): void }[] = [];
  const all = Array.from({ length: count }, (_, place) => ({
    up: place !== count - 1,
    run: (call: Call<number>) =>
      new Promise<number>((resolve, reject) => {
        asked[place] = { call, answer: resolve, fail: reject };
      }),
    close: vi.fn(),
  }));
  const refresh = vi.fn(async () => {});
  const primaries = new Primaries(all as unknown as Primary[], { version: 1, refresh });
  return { asked, all, refresh, primaries };
}

const call = { name: "any" } as unknown as Call<number>;
const silent = new PrimaryFailure("unknown", "no answer within 100 ms");

describe("asking all primaries", () => {
  test("reaches each of them at once, with the same call", async () => {
    const { asked, primaries } = controlled(5);
    void primaries.ask(call);
    expect(asked.map((each) => each.call)).toEqual([call, call, call, call, call]);
  });

  test("is settled by a majority, without waiting for the others", async () => {
    const { asked, primaries } = controlled(5);
    const answers = vi.fn();
    void primaries.ask(call).then(answers);
    asked[4]?.answer(40);
    asked[0]?.fail(silent);
    asked[2]?.answer(20);
    await settled();
    expect(answers).not.toHaveBeenCalled();
    asked[1]?.answer(10);
    await settled();
    expect(answers).toHaveBeenCalledOnce();
    expect(answers.mock.calls[0]?.[0]).toEqual([
      { ok: false, failure: silent },
      { ok: true, value: 10 },
      { ok: true, value: 20 },
      undefined,
      { ok: true, value: 40 },
    ]);
  });

  test("is settled as soon as the caller has heard enough", async () => {
    const { asked, primaries } = controlled(3);
    const answers = primaries.ask(call, (sofar) => values(sofar).includes(7));
    asked[1]?.answer(7);
    expect(values(await answers)).toEqual([7]);
  });

  test("is settled when all have answered, though the caller has not heard enough", async () => {
    const { asked, primaries } = controlled(3);
    const answers = primaries.ask(call, () => false);
    asked[0]?.answer(1);
    asked[1]?.fail(silent);
    asked[2]?.answer(3);
    expect(values(await answers)).toEqual([1, 3]);
  });

  test("a late answer does not change what was returned", async () => {
    const { asked, primaries } = controlled(3);
    const answers = primaries.ask(call);
    asked[0]?.answer(1);
    asked[1]?.answer(2);
    const early = await answers;
    asked[2]?.answer(3);
    await settled();
    expect(values(early)).toEqual([1, 2]);
  });

  test("is repeated once this instance is up to date, where a later configuration refused it", async () => {
    const { asked, primaries, refresh } = controlled(3);
    const answers = primaries.ask(call);
    for (const one of asked) one.fail(new PrimaryFailure("fenced", "FENCED"));
    await settled();
    expect(refresh).toHaveBeenCalledOnce();
    for (const [place, one] of asked.entries()) one.answer(place);
    expect(values(await answers)).toEqual([0, 1]);
  });

  test("is not repeated where a majority answered all the same", async () => {
    const { asked, primaries, refresh } = controlled(3);
    const answers = primaries.ask(call);
    asked[0]?.fail(new PrimaryFailure("fenced", "FENCED"));
    asked[1]?.answer(1);
    asked[2]?.answer(2);
    expect(values(await answers)).toEqual([1, 2]);
    expect(refresh).not.toHaveBeenCalled();
  });

  test("a late failure does no harm", async () => {
    const { asked, primaries } = controlled(3);
    const answers = primaries.ask(call);
    asked[0]?.answer(1);
    asked[1]?.answer(2);
    await answers;
    asked[2]?.fail(silent);
    await settled();
  });
});

describe("asking for a majority", () => {
  test("gives its values", async () => {
    const { asked, primaries } = controlled(3);
    const answers = primaries.askMajority(call);
    asked[2]?.answer(3);
    asked[1]?.fail(silent);
    asked[0]?.answer(1);
    expect(await answers).toEqual([1, 3]);
  });

  test("fails with no_quorum where fewer answer, and says how many are needed", async () => {
    const { asked, primaries } = controlled(5);
    const failed = primaries.askMajority(call).catch((error) => error);
    for (const place of [0, 1]) asked[place]?.answer(place);
    for (const place of [2, 3, 4]) asked[place]?.fail(silent);
    const error = await failed;
    expect(error).toBeInstanceOf(CoordinationError);
    expect(error.code).toBe("no_quorum");
    expect(error.message).toContain("Fewer than 3 of 5 primaries answered in time");
    expect(error.help.retryAfterMs).toBeGreaterThan(0);
  });
});

test("there is a quorum while a majority are up", () => {
  const { all, primaries } = controlled(3);
  expect(primaries.quorum).toBe(true);
  (all[0] as { up: boolean }).up = false;
  expect(primaries.quorum).toBe(false);
});

test("a reply that cannot be understood may have done what was asked", async () => {
  const primary = { run: () => Promise.reject(new TypeError("reply is not iterable")) } as unknown as Primary;
  expect(await answerOf(primary, call)).toMatchObject({ ok: false, failure: { kind: "unknown" } });
});

test("closing closes each primary", () => {
  const { all, primaries } = controlled(3);
  primaries.close();
  for (const primary of all) expect(primary.close).toHaveBeenCalledOnce();
});
