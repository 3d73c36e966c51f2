import { describe, expect, test, vi } from "vitest";
import { CoordinationError } from "../../src/errors.js";
import { type Answers, answerOf, type Heard } from "../../src/quorum/answers.js";
import { Primaries } from "../../src/quorum/primaries.js";
import { type Answer, failed, parsed } from "../../src/redis/answer.js";
import { PrimaryFailure } from "../../src/redis/failures.js";
import type { Primary } from "../../src/redis/primary.js";
import type { Call } from "../../src/scripts/scripts.js";
import { settled } from "../helpers/fake-clock.js";

interface Asked {
  readonly call: Call<number>;
  answer(value: number): void;
  fail(error: unknown): void;
}

/** Primaries whose answers the test gives, in the order it likes. */
function controlled(count: number) {
  const asked: Asked[] = [];
  const all = Array.from({ length: count }, () => ({
    up: true,
    refusal: null as string | null,
    status: { quarantineMs: 0 },
    staleEpochs: 0,
    ask: (call: Call<number>, answered: (answer: Answer<number>) => void) => {
      const answer = (value: number) => answered({ ok: true, value });
      asked.push({ call, answer, fail: (error) => answered(failed(error)) });
    },
    close: vi.fn(),
  }));
  const catchUp = vi.fn(async () => true);
  const primaries = new Primaries(all as unknown as Primary[], {
    version: 1,
    deployment: "",
    floor: 0,
    outdated: null,
    catchUp,
    fencedOut: () => 0,
    fenceOutAbsent: async () => {},
  });
  return { asked, all, catchUp, primaries };
}

const call = { name: "any" } as unknown as Call<number>;
const silent = new PrimaryFailure("unknown", "no answer within 100 ms");
const fenced = new PrimaryFailure("stale_epoch", "FENCED this primary holds another configuration");

/** Whatever is known once a majority of `of` have answered. */
const majority =
  (of: number) =>
  ({ values, answers }: Heard<number>): Answers<number> | undefined =>
    values.length > of / 2 ? answers : undefined;
const undecided = () => undefined;

describe("deciding by the answers of all primaries", () => {
  test("reaches each of them at once", () => {
    const { asked, primaries } = controlled(5);
    void primaries.decide(call, undecided);
    expect(asked.map((each) => each.call)).toEqual([call, call, call, call, call]);
  });

  test("is settled by a majority, without waiting for the others", async () => {
    const { asked, primaries } = controlled(5);
    const answers = vi.fn();
    void primaries.decide(call, majority(5)).then(answers);
    asked[4]?.answer(40);
    asked[0]?.fail(silent);
    asked[2]?.answer(20);
    await settled();
    expect(answers).not.toHaveBeenCalled();
    asked[1]?.answer(10);
    await settled();
    expect(answers.mock.calls).toEqual([
      [
        [
          { ok: false, failure: silent },
          { ok: true, value: 10 },
          { ok: true, value: 20 },
          undefined,
          { ok: true, value: 40 },
        ],
      ],
    ]);
  });

  test("is settled as soon as the caller has heard enough", async () => {
    const { asked, primaries } = controlled(3);
    const verdict = primaries.decide(call, ({ values }) => (values.includes(7) ? "seven" : undefined));
    asked[1]?.answer(7);
    expect(await verdict).toBe("seven");
  });

  test("is settled when all have answered, though the caller has not heard enough", async () => {
    const { asked, primaries } = controlled(3);
    const verdict = primaries.decide(call, undecided, { lastWord: ({ values }) => values });
    asked[0]?.answer(1);
    asked[1]?.fail(silent);
    await settled();
    asked[2]?.answer(3);
    expect(await verdict).toEqual([1, 3]);
  });

  test("is no_quorum when all have answered without a verdict, be it a first or a last one", async () => {
    for (const lastWord of [undefined, () => undefined]) {
      const { asked, primaries } = controlled(3);
      const verdict = primaries.decide(call, undecided, lastWord && { lastWord });
      for (const each of asked) each.answer(1);
      await expect(verdict).rejects.toMatchObject({ code: "no_quorum" });
    }
  });

  test("is judged after every answer, and never again once there is a verdict", async () => {
    const { asked, primaries } = controlled(5);
    const judge = vi.fn(({ values }: Heard<number>) => (values.length === 2 ? values : undefined));
    const verdict = primaries.decide(call, judge);
    for (const each of asked) {
      each.answer(1);
      await settled();
    }
    expect(await verdict).toEqual([1, 1]);
    expect(judge.mock.calls.length).toBeLessThanOrEqual(3);
  });

  test("fails as the judge does", async () => {
    const { asked, primaries } = controlled(3);
    const verdict = primaries.decide(call, ({ values }) => {
      if (values.length === 1) throw new TypeError("a mistake");
    });
    asked[0]?.answer(1);
    await expect(verdict).rejects.toThrow("a mistake");
  });

  test("tells whoever wants it of all answers, also of those that come after the verdict", async () => {
    const { asked, primaries } = controlled(3);
    const afterwards = vi.fn();
    const verdict = primaries.decide(call, majority(3), {
      afterwards: ({ values, pending }) => afterwards([...values], pending),
    });
    asked[0]?.answer(1);
    asked[1]?.answer(2);
    await verdict;
    await settled();
    expect(afterwards).not.toHaveBeenCalled();
    asked[2]?.answer(3);
    await settled();
    expect(afterwards.mock.calls).toEqual([[[1, 2, 3], 0]]);
  });

  test("what comes late, be it a failure, does not change what was returned", async () => {
    const { asked, primaries } = controlled(5);
    const answers = primaries.decide(call, majority(5));
    for (const place of [0, 1, 2]) asked[place]?.answer(place);
    const early = await answers;
    asked[3]?.answer(3);
    asked[4]?.fail(silent);
    await settled();
    expect(early.map((answer) => answer?.ok && answer.value)).toEqual([0, 1, 2, undefined, undefined]);
  });
});

describe("a configuration that changes under the question", () => {
  test("makes it be asked again, once this instance is up to date", async () => {
    const { asked, primaries, catchUp } = controlled(3);
    const answers = primaries.askMajority(call);
    asked[0]?.answer(1);
    asked[1]?.fail(fenced);
    asked[2]?.fail(fenced);
    await settled();
    expect(catchUp).toHaveBeenCalledOnce();
    expect(asked).toHaveLength(6);
    asked[3]?.answer(10);
    asked[4]?.answer(20);
    expect(await answers).toEqual([10, 20]);
  });

  test("matters not where a majority has answered", async () => {
    const { asked, primaries, catchUp } = controlled(3);
    const answers = primaries.askMajority(call);
    asked[0]?.fail(fenced);
    asked[1]?.answer(1);
    asked[2]?.answer(2);
    await answers;
    expect(catchUp).not.toHaveBeenCalled();
  });

  test("again and again ends the question", async () => {
    const { asked, primaries, catchUp } = controlled(1);
    const failed = primaries.decide(call, undecided).catch((error) => error);
    for (let i = 0; i < 4; i++) {
      asked[i]?.fail(fenced);
      await settled();
    }
    expect(await failed).toMatchObject({ code: "no_quorum" });
    expect(catchUp).toHaveBeenCalledTimes(3);
  });

  test("for longer than a request may wait ends the question at once", async () => {
    const { asked, all, primaries, catchUp } = controlled(1);
    catchUp.mockResolvedValue(false);
    const verdict = primaries.decide(call, undecided, { lastWord: () => "the last word" });
    asked[0]?.fail(fenced);
    expect(await verdict).toBe("the last word");
    const operation = vi.fn(async () => {
      (all[0] as { staleEpochs: number }).staleEpochs += 1;
      throw primaries.noQuorum();
    });
    await expect(primaries.steadily(operation)).rejects.toMatchObject({ code: "no_quorum" });
    expect(asked).toHaveLength(1);
    expect(operation).toHaveBeenCalledOnce();
  });

  test("makes an operation of several steps run again when it found no quorum", async () => {
    const { all, primaries, catchUp } = controlled(3);
    const operation = vi.fn(async () => {
      if (operation.mock.calls.length > 1) return "done";
      (all[1] as { staleEpochs: number }).staleEpochs += 1;
      throw primaries.noQuorum();
    });
    expect(await primaries.steadily(operation)).toBe("done");
    expect(catchUp).toHaveBeenCalledOnce();
  });

  test("is not the reason of every failure: others are passed on at once", async () => {
    const { all, primaries, catchUp } = controlled(3);
    const noQuorum = primaries.noQuorum();
    await expect(primaries.steadily(() => Promise.reject(noQuorum))).rejects.toBe(noQuorum);
    const held = new CoordinationError("held", "It is held.");
    const operation = () => {
      (all[1] as { staleEpochs: number }).staleEpochs += 1;
      return Promise.reject(held);
    };
    await expect(primaries.steadily(operation)).rejects.toBe(held);
    expect(catchUp).not.toHaveBeenCalled();
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

  test("fails with no_quorum where fewer answer", async () => {
    const { asked, primaries } = controlled(5);
    const failed = primaries.askMajority(call).catch((error) => error);
    for (const place of [0, 1]) asked[place]?.answer(place);
    for (const place of [2, 3, 4]) asked[place]?.fail(silent);
    const error = await failed;
    expect(error).toBeInstanceOf(CoordinationError);
    expect(error.code).toBe("no_quorum");
    expect(error.help.retryAfterMs).toBeGreaterThan(0);
  });
});

describe("asking all that answer", () => {
  test("waits for the last one, and gives their values", async () => {
    const { asked, primaries } = controlled(3);
    const answers = vi.fn();
    void primaries.askAll(call).then(answers);
    asked[0]?.answer(1);
    asked[1]?.answer(2);
    await settled();
    expect(answers).not.toHaveBeenCalled();
    asked[2]?.fail(silent);
    await settled();
    expect(answers.mock.calls).toEqual([[[1, 2]]]);
  });

  test("fails with no_quorum where fewer than a majority answer", async () => {
    const { asked, primaries } = controlled(3);
    const answers = primaries.askAll(call);
    asked[0]?.answer(1);
    for (const place of [1, 2]) asked[place]?.fail(silent);
    await expect(answers).rejects.toMatchObject({ code: "no_quorum" });
  });
});

describe("asking until a majority agree", () => {
  const parity = (value: number) => String(value % 2);

  test.each<[what: string, answers: (number | null)[], told: number[] | "no_quorum"]>([
    ["the first two agree", [1, 3], [1, 3]],
    ["the third agrees with the second", [2, 1, 3], [2, 1, 3]],
    ["one is down, and the others differ", [2, null, 3], [2, 3]],
    ["two are down", [2, null, null], "no_quorum"],
  ])("%s: %j -> %j", async (_what, answers, told) => {
    const { asked, primaries } = controlled(3);
    const verdict = primaries.askAgreeing(call, parity).catch(({ code }) => code);
    answers.forEach((answer, place) => {
      if (answer === null) asked[place]?.fail(silent);
      else asked[place]?.answer(answer);
    });
    expect(await verdict).toEqual(told);
  });

  test("takes those that differ only when none is left to be heard", async () => {
    const { asked, primaries } = controlled(3);
    const answers = vi.fn();
    void primaries.askAgreeing(call, parity).then(answers);
    asked[0]?.answer(1);
    asked[1]?.answer(2);
    await settled();
    expect(answers).not.toHaveBeenCalled();
  });
});

test("no_quorum says whether too few take part, or answered in time", () => {
  const { all, primaries } = controlled(3);
  expect(primaries.quorum).toBe(true);
  expect(primaries.noQuorum().message).toMatch(/^Fewer than 2 of 3 primaries answered in time\./);
  for (const primary of all.slice(1)) primary.up = false;
  expect(primaries.quorum).toBe(false);
  expect(primaries.noQuorum().message).toMatch(/^1 of 3 primaries take part now; 2 are needed\./);
});

describe("primaries that refuse writes", () => {
  const OOM = "OOM command not allowed when used memory > 'maxmemory'";

  test("are no quorum where they leave no majority, and the problem says how many and why", () => {
    const { all, primaries } = controlled(3);
    const [first, second, third] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
    second.refusal = OOM;
    expect([primaries.quorum, primaries.shortage, primaries.grantsInMs]).toEqual([true, null, 0]);
    expect(primaries.noQuorum().message).toMatch(/^Fewer than 2 of 3 primaries answered in time\./);
    third.refusal = OOM;
    expect([primaries.quorum, primaries.grantsInMs]).toEqual([false, null]);
    expect(primaries.noQuorum().message).toBe(
      `2 of 3 primaries refuse writes; 2 must accept them. The reason: ${OOM}. Try again later: GET /v1/primaries tells how each of them is.`,
    );
    third.refusal = "MISCONF disk";
    expect(primaries.shortage).toContain(`The reason: ${OOM}; MISCONF disk.`);
    first.up = false;
    third.refusal = null;
    expect(primaries.shortage).toBe(
      `1 of 3 primaries refuses writes, and 1 takes no part; 2 must accept them. The reason: ${OOM}.`,
    );
  });
});

test.each<[quarantinesMs: number[], down: number, grantsInMs: number | null]>([
  [[0, 0, 0], 0, 0],
  [[0, 9_000, 0], 0, 0],
  [[9_000, 0, 4_000], 0, 4_000],
  [[9_000, 5_000, 7_000], 0, 7_000],
  [[9_000, 0, 4_000], 1, 9_000],
  [[0, 0, 0], 2, null],
])(
  "quarantines of %j, the last %d of %s down: a majority grant in %s ms",
  (quarantinesMs, down, grantsInMs) => {
    const { all, primaries } = controlled(3);
    all.forEach((primary, place) => {
      primary.status.quarantineMs = quarantinesMs[place] as number;
      primary.up = place < 3 - down;
    });
    expect(primaries.grantsInMs).toBe(grantsInMs);
  },
);

test("a reply that cannot be understood may have done what was asked", async () => {
  const answering = (question: () => Promise<number>) => answerOf({} as Primary, question);
  expect(await answering(() => Promise.reject(new TypeError("reply is not iterable")))).toMatchObject({
    ok: false,
    failure: { kind: "unknown" },
  });
  expect(await answering(() => Promise.reject(silent))).toEqual({ ok: false, failure: silent });
  expect(await answering(() => Promise.resolve(7))).toEqual({ ok: true, value: 7 });
  const parse = (reply: unknown) => Number((reply as [string])[0]);
  expect(parsed({ ...call, parse }, null)).toMatchObject({ ok: false, failure: { kind: "unknown" } });
  expect(parsed({ ...call, parse }, ["7"])).toEqual({ ok: true, value: 7 });
});

test("closing closes each primary", () => {
  const { all, primaries } = controlled(3);
  primaries.close();
  for (const primary of all) expect(primary.close).toHaveBeenCalledOnce();
});
