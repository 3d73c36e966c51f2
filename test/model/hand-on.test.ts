import { describe, expect, it, vi } from "vitest";
import { expectCaught, expectSound } from "./expectations.js";
import { type HandOnOptions, type HandOnVariant, handOn } from "./hand-on.js";

// Pure computing, some seconds of it: on a busy machine that takes a while. Three who wait are for `npm run model`.
vi.setConfig({ testTimeout: 120_000 });

const two: HandOnOptions = { variant: "right", waiters: ["stays", "stays"], up: 2 };
const three: HandOnOptions = { ...two, waiters: ["stays", "stays", "stays"] };

describe("those who are handed what they wait for", () => {
  it("hold it alone and in their turn, and all are served, though what is told is lost", () => {
    expectSound(handOn(two));
  });

  it("do so when one leaves, whatever was handed on to it", () => {
    expectSound(handOn({ ...two, waiters: ["may leave", "stays"] }));
  });
});

describe("the model finds", () => {
  it.each([
    ["two holders", "clean-up takes what was handed on", three, /^two hold/, 17],
    ["two holders", "what was handed on outlives its turn", three, /^two hold/, 28],
    ["one that overtakes", "handed on past the line", three, /overtakes/, 15],
    [
      "one that can never be served",
      "who leaves leaves what was handed on",
      { ...two, waiters: ["may leave", "stays"] },
      /waits for ever, whatever comes/,
      9,
    ],
  ] as const satisfies [string, HandOnVariant, HandOnOptions, RegExp, number][])(
    "%s, when %s",
    (_, variant, bounds, violation, steps) => {
      const { history } = expectCaught(handOn({ ...bounds, variant }), violation);
      expect(history).toHaveLength(steps + 1);
    },
  );
});
