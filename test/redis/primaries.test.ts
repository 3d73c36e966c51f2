import { describe, expect, test, vi } from "vitest";
import { CoordinationError } from "../../src/errors.js";
import { asFailure, Primaries, values } from "../../src/redis/primaries.js";
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
  return { asked, all, primaries: new Primaries(all as unknown as Primary[]) };
}

const call = { name: "any" } as unknown as Call<number>;
const silent = new PrimaryFailure("unknown", "no answer within 100 ms");

describe("asking all primaries", () => {
  test("reaches each of them at once, with the same call", async () => {
    const { asked, primaries } = controlled(5);
    void primaries.ask(call);
    expect(asked.map((each) => each.call)).toEqual([call, call, call, call, call]);
  });

  test("or with one made for it", () => {
    const { asked, all, primaries } = controlled(3);
    void primaries.ask((primary) => ({ primary }) as unknown as Call<number>);
    expect(asked.map((each) => each.call)).toEqual(all.map((primary) => ({ primary })));
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

  test("late answers are told to who wants them, once, when all are there", async () => {
    const { asked, primaries } = controlled(3);
    const late = vi.fn();
    const answers = primaries.ask(call, undefined, late);
    asked[0]?.answer(1);
    asked[1]?.answer(2);
    const early = await answers;
    expect(late).not.toHaveBeenCalled();
    asked[2]?.answer(3);
    await settled();
    expect(late).toHaveBeenCalledOnce();
    expect(values(late.mock.calls[0]?.[0])).toEqual([1, 2, 3]);
    expect(values(early), "what was returned does not change any more").toEqual([1, 2]);
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

  test("fails with no_quorum where fewer answer, and says how many did", async () => {
    const { asked, primaries } = controlled(5);
    const failed = primaries.askMajority(call).catch((error) => error);
    for (const place of [0, 1]) asked[place]?.answer(place);
    for (const place of [2, 3, 4]) asked[place]?.fail(silent);
    const error = await failed;
    expect(error).toBeInstanceOf(CoordinationError);
    expect(error.code).toBe("no_quorum");
    expect(error.message).toContain("2 of 5 primaries answered; 3 are needed");
    expect(error.help.retryAfterMs).toBeGreaterThan(0);
  });
});

test("there is a quorum while a majority are up", () => {
  const { all, primaries } = controlled(3);
  expect(primaries.quorum).toBe(true);
  (all[0] as { up: boolean }).up = false;
  expect(primaries.quorum).toBe(false);
});

test("a reply that cannot be understood may have done what was asked", () => {
  expect(asFailure(new TypeError("reply is not iterable"))).toMatchObject({ kind: "unknown" });
  expect(asFailure(silent)).toBe(silent);
});

test("closing closes each primary", () => {
  const { all, primaries } = controlled(3);
  primaries.close();
  for (const primary of all) expect(primary.close).toHaveBeenCalledOnce();
});
