import { describe, expect, test, vi } from "vitest";
import { CoordinationError } from "../../src/errors.js";
import { answerOf, Primaries, values } from "../../src/quorum/primaries.js";
import { type Primary, PrimaryFailure } from "../../src/redis/primary.js";
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
    run: (call: Call<number>) =>
      new Promise<number>((answer, fail) => {
        asked.push({ call, answer, fail });
      }),
    close: vi.fn(),
  }));
  const catchUp = vi.fn(async () => true);
  const primaries = new Primaries(all as unknown as Primary[], { version: 1, floor: 0, catchUp });
  return { asked, all, catchUp, primaries };
}

const call = { name: "any" } as unknown as Call<number>;
const silent = new PrimaryFailure("unknown", "no answer within 100 ms");
const fenced = new PrimaryFailure("stale_epoch", "FENCED this primary holds another configuration");

describe("asking all primaries", () => {
  test("reaches each of them at once", () => {
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

  test("what comes late, be it a failure, does not change what was returned", async () => {
    const { asked, primaries } = controlled(5);
    const answers = primaries.ask(call);
    for (const place of [0, 1, 2]) asked[place]?.answer(place);
    const early = await answers;
    asked[3]?.answer(3);
    asked[4]?.fail(silent);
    await settled();
    expect(values(early)).toEqual([0, 1, 2]);
  });
});

describe("a configuration that changes under the question", () => {
  test("makes it be asked again, once this instance is up to date", async () => {
    const { asked, primaries, catchUp } = controlled(3);
    const answers = primaries.ask(call);
    asked[0]?.answer(1);
    asked[1]?.fail(fenced);
    asked[2]?.fail(fenced);
    await settled();
    expect(catchUp).toHaveBeenCalledOnce();
    expect(asked).toHaveLength(6);
    asked[3]?.answer(10);
    asked[4]?.answer(20);
    expect(values(await answers)).toEqual([10, 20]);
  });

  test("matters not where a majority has answered", async () => {
    const { asked, primaries, catchUp } = controlled(3);
    const answers = primaries.ask(call);
    asked[0]?.fail(fenced);
    asked[1]?.answer(1);
    asked[2]?.answer(2);
    await answers;
    expect(catchUp).not.toHaveBeenCalled();
  });

  test("again and again ends the question", async () => {
    const { asked, primaries, catchUp } = controlled(1);
    const answers = primaries.ask(call);
    for (let i = 0; i < 4; i++) {
      asked[i]?.fail(fenced);
      await settled();
    }
    expect(values(await answers)).toEqual([]);
    expect(catchUp).toHaveBeenCalledTimes(3);
  });

  test("for longer than a request may wait ends the question at once", async () => {
    const { asked, all, primaries, catchUp } = controlled(1);
    catchUp.mockResolvedValue(false);
    const answers = primaries.ask(call);
    asked[0]?.fail(fenced);
    expect(values(await answers)).toEqual([]);
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
  const answering = (run: () => Promise<number>) => answerOf({ run } as unknown as Primary, call);
  expect(await answering(() => Promise.reject(new TypeError("reply is not iterable")))).toMatchObject({
    ok: false,
    failure: { kind: "unknown" },
  });
  expect(await answering(() => Promise.reject(silent))).toEqual({ ok: false, failure: silent });
  expect(await answering(() => Promise.resolve(7))).toEqual({ ok: true, value: 7 });
});

test("closing closes each primary", () => {
  const { all, primaries } = controlled(3);
  primaries.close();
  for (const primary of all) expect(primary.close).toHaveBeenCalledOnce();
});
