import { describe, expect, it, vi } from "vitest";
import { expectCaught, expectSound } from "./expectations.js";
import { generations } from "./generations.js";

// Pure computing, some seconds of it: on a busy machine that takes a while.
vi.setConfig({ testTimeout: 90_000 });

const right = {
  counting: "in the hold",
  clients: 2,
  rotations: 2,
  lifts: 0,
  variant: "right",
} as const;

describe("counters in two generations with a floor", () => {
  it("keep tokens unique and ordered whenever a primary rotates", () => {
    expectSound(generations(right));
  });

  it.each([
    ["a rotation leaves the floor", 9],
    ["a rotation lets the floor fall", 10],
    ["a raise takes a missing counter for 0", 19],
  ] as const)("give a token twice when %s", (variant, steps) => {
    const rotations = variant === "a rotation lets the floor fall" ? 3 : 2;
    const { history } = expectCaught(generations({ ...right, variant, rotations }), /two leases have token/);
    expect(history).toHaveLength(steps + 1);
  });
});
