import fc from "fast-check";
import { describe, expect, it, test, vi } from "vitest";
import {
  allLinearizable,
  type Call,
  linearizable,
  type Search,
  type Sequential,
  type WrongSearch,
} from "./linearizability/linearizable.js";
import { counter, type RegisterInput, type RegisterOutput, register } from "./linearizability/objects.js";
import { judge, publishedIn } from "./linearizability/published.js";

// Pure computing: on a busy machine that takes a while.
vi.setConfig({ testTimeout: 60_000 });

/**
 * One history of a register, one line a client: each call stands below the times of its start and its answer. `w1`
 * writes 1, `r1` reads 1, `r-` reads nothing, `c12` puts 2 in the place of 1, `x12` is told that it was not 1. What
 * ends with `?` was not answered.
 */
const LINEARIZABLE = {
  "calls one after the other": `
    [w1][r1][c12][x12][r2]`,
  "nothing is read before the first write": `
    [r-][w1]`,
  "a read beside a write sees it": `
    [w1         ]
        [r1]`,
  "a read beside a write does not see it yet": `
    [w1         ]
        [r-]`,
  "a read beside two writes sees the later one, and the next read the other": `
    [w1              ]
    [w2              ]
        [r2]   [r1]`,
  "two reads beside a write, of which only the later one sees it": `
    [w1              ]
    [r-]       [r1]`,
  "of two that put another value in one place one is refused": `
    [w1][c12     ]
        [x13     ]
                  [r2]`,
  "a write without an answer is seen": `
    [w1?
          [r1]`,
  "a write without an answer is seen late": `
    [w1?
          [r-]   [r-]   [r1]`,
  "a write without an answer is never seen": `
    [w1?
          [r-][w2][r2]`,
  "two equal writes without an answer are seen one after the other": `
    [w1?
    [w1?
          [r1][w2][r1]`,
  "a compare-and-set without an answer waits for its value": `
    [c12?
          [w1][r2]`,
  "a compare-and-set without an answer never finds its value": `
    [c12?
          [w3][r3]`,
  "what was tried in one order is right in another": `
    [w1                 ]
    [w2                 ]
    [c12                ]
                         [r2]`,
} as const;

const NOT_LINEARIZABLE = {
  "a read sees what was never written": `
    [w1][r2]`,
  "an acknowledged write is lost": `
    [w1][r-]`,
  "a value comes back": `
    [w1][w2][r1]`,
  "two reads see two writes in different orders": `
    [w1              ]
    [w2              ]
        [r1]  [r2]  [r1]`,
  "a read sees what an earlier one saw replaced": `
    [w1              ]
    [r1]       [r-]`,
  "two take the place of one value": `
    [w1][c12     ]
        [c13     ]`,
  "a refusal although the value was there all the time": `
    [w1][x12][r1]`,
  "a write without an answer is seen before it was sent": `
         [w1?
    [r1]`,
  "one write without an answer takes effect twice": `
    [w1?
          [r1][w2][r1]`,
  "a compare-and-set without an answer takes effect where it cannot": `
    [c12?
          [w3][r2]`,
} as const;

type RegisterCall = Call<RegisterInput<number>, RegisterOutput<number>>;

function callsOf(drawing: string): RegisterCall[] {
  return drawing
    .split("\n")
    .flatMap((line) => [...line.matchAll(/\[(\w)(\d|-)(\d?)(\?| *\])/g)])
    .map(({ index, 0: { length }, 1: kind, 2: a, 3: b, 4: end }) => {
      const [input, output] = meaning(kind as string, a as string, b as string);
      return { input, startMs: index, answer: end === "?" ? null : { atMs: index + length - 0.5, output } };
    });
}

function meaning(kind: string, a: string, b: string): [RegisterInput<number>, RegisterOutput<number>] {
  if (kind === "r") return [{ kind: "read" }, { kind: "value", value: a === "-" ? null : Number(a) }];
  if (kind === "w") return [{ kind: "write", value: Number(a) }, { kind: "written" }];
  return [{ kind: "cas", from: Number(a), to: Number(b) }, { kind: kind === "x" ? "differs" : "written" }];
}

const verdictOf = (drawing: string, search?: Search) =>
  linearizable(callsOf(drawing), register<number>(), search).kind;

describe("of registers", () => {
  it.each(Object.entries(LINEARIZABLE))("%s: linearizable", (_, drawing) => {
    expect(verdictOf(drawing)).toBe("linearizable");
  });

  it.each(Object.entries(NOT_LINEARIZABLE))("%s: not linearizable", (_, drawing) => {
    expect(verdictOf(drawing)).toBe("violated");
  });
});

it("tells the call at which every order fails last", () => {
  const verdict = linearizable(callsOf(NOT_LINEARIZABLE["a value comes back"]), register<number>());
  const calls = callsOf("    [w1][w2][r1]");
  expect(verdict).toEqual({ kind: "violated", calls });
});

it("a counter gives each value once", () => {
  const add = (startMs: number, atMs: number, output: number) =>
    ({ input: { kind: "add", by: 1 }, startMs, answer: { atMs, output } }) as const;
  expect(linearizable([add(0, 9, 2), add(1, 8, 1)], counter).kind).toBe("linearizable");
  expect(linearizable([add(0, 9, 1), add(1, 8, 1)], counter).kind).toBe("violated");
  const lost = { input: { kind: "add", by: 5 }, startMs: 0, answer: null } as const;
  expect(linearizable([add(0, 1, 1), lost, add(2, 3, 7)], counter).kind).toBe("linearizable");
  expect(linearizable([add(0, 1, 1), lost, add(2, 3, 12)], counter).kind).toBe("violated");
});

describe("what takes too long", () => {
  const crowd = Array.from({ length: 14 }, (_, n) => `    [w${n % 7}       ]`).join("\n");
  const never = `${crowd}\n                   [r9]`;

  it("is undecided, never linearizable", () => {
    expect(verdictOf(never, { configurationsMax: 100 })).toBe("undecided");
    expect(verdictOf(never)).toBe("violated");
  });

  it("waits until the other objects have been looked at", () => {
    const judged: string[] = [];
    const verdict = allLinearizable(["long", "wrong"], (object) => {
      judged.push(object);
      return object === "long" ? { kind: "undecided" } : { kind: "violated", calls: [] };
    });
    expect(verdict.kind).toBe("violated");
    expect(judged).toEqual(["long", "wrong"]);
    expect(allLinearizable(["long"], () => ({ kind: "undecided" })).kind).toBe("undecided");
  });
});

/** Every order of the calls, with and without those that were not answered. Slow, and plain. */
function byAllOrders<S, I, O>(calls: readonly Call<I, O>[], object: Sequential<S, I, O>): boolean {
  const goOn = (left: readonly Call<I, O>[], state: S): boolean =>
    left.every(({ answer }) => answer === null) ||
    left.some((call) => {
      if (left.some((other) => other.answer && other.answer.atMs < call.startMs)) return false;
      const then = object.step(state, call.input, call.answer?.output);
      return (
        then !== undefined &&
        goOn(
          left.filter((other) => other !== call),
          then,
        )
      );
    });
  return goOn(calls, object.initial);
}

const value = fc.integer({ min: 1, max: 2 });
const doing: fc.Arbitrary<[RegisterInput<number>, RegisterOutput<number>]> = fc.oneof(
  fc
    .option(value)
    .map((read): [RegisterInput<number>, RegisterOutput<number>] => [
      { kind: "read" },
      { kind: "value", value: read },
    ]),
  value.map((written): [RegisterInput<number>, RegisterOutput<number>] => [
    { kind: "write", value: written },
    { kind: "written" },
  ]),
  fc
    .tuple(value, value, fc.boolean())
    .map(([from, to, fits]): [RegisterInput<number>, RegisterOutput<number>] => [
      { kind: "cas", from, to },
      { kind: fits ? "written" : "differs" },
    ]),
);
const someCall: fc.Arbitrary<RegisterCall> = fc
  .tuple(doing, fc.nat(12), fc.integer({ min: 1, max: 6 }), fc.nat(2))
  .map(([[input, output], startMs, lastsMs, isAnswered]) => ({
    input,
    startMs,
    answer: isAnswered > 0 ? { atMs: startMs + lastsMs, output } : null,
  }));
const someCalls = fc.array(someCall, { maxLength: 7 });

/** A seed of its own, so that a failure is one that everybody sees. */
const settings = { seed: 19, numRuns: 10_000 };

const agrees = (wrong?: WrongSearch) =>
  fc.check(
    fc.property(someCalls, (calls) => {
      const { kind } = linearizable(calls, register<number>(), wrong && { wrong });
      return (kind === "linearizable") === byAllOrders(calls, register<number>());
    }),
    settings,
  );

test("the verdict is the one that trying all orders gives", () => {
  expect(agrees().failed).toBe(false);
});

test.each<WrongSearch>([
  "real time does not matter",
  "unknown outcomes are failures",
  "unknown outcomes are successes",
  "of equal calls without an answer only one may happen",
  "the cache leaves out the state",
  "the cache leaves out the calls",
  "no way back",
])("a search that is wrong is found out: %s", (wrong) => {
  expect(agrees(wrong).failed, "by trying all orders").toBe(true);
  const drawings = [
    ...Object.values(LINEARIZABLE).map((drawing) => [drawing, "linearizable"] as const),
    ...Object.values(NOT_LINEARIZABLE).map((drawing) => [drawing, "violated"] as const),
  ];
  const misjudged = drawings.filter(([drawing, kind]) => verdictOf(drawing, { wrong }) !== kind);
  expect(misjudged, "by the drawn histories").not.toEqual([]);
});

const { HISTORIES } = process.env;

describe.skipIf(HISTORIES === undefined)("of real systems (skipped without HISTORIES, their folder)", () => {
  const folder = HISTORIES as string;

  it("every verdict is the one that is known", () => {
    const published = publishedIn(folder);
    const startedMs = performance.now();
    const wrong = published.filter(
      ({ file, isLinearizable }) => judge(folder, file) !== (isLinearizable ? "linearizable" : "violated"),
    );
    console.log(`${published.length} histories in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
    expect(published.length).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  });
});
