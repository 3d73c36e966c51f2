import { describe, expect, it, vi } from "vitest";
import { expectCaught, expectSound } from "./expectations.js";
import { explore } from "./explore.js";
import { tokenRule } from "./token-rule.js";

// Pure computing, some seconds of it: on a busy machine that takes a while.
vi.setConfig({ testTimeout: 90_000 });

const right = {
  primaries: 3,
  clients: 2,
  counterMax: 1,
  rule: "exactly",
  replies: "at once",
  repeats: 0,
} as const;

describe("a token that a majority confirm exactly", () => {
  it("is unique and follows what was committed before, whenever holds end and whatever is lost", () => {
    expectSound(tokenRule(right));
  });

  it("is so when a message is repeated", () => {
    expectSound(tokenRule({ ...right, counterMax: 0, repeats: 1 }));
  });

  it("is so when replies are late", () => {
    expectSound(tokenRule({ ...right, counterMax: 0, replies: "late" }));
  });
});

it("a token that a majority confirm at least is given to two clients", () => {
  const { history } = expectCaught(tokenRule({ ...right, rule: "at least" }), /two leases have token/);
  expect(history).toHaveLength(12);
});

describe("the reduction by symmetry", () => {
  it("leaves out states, and no answer", () => {
    const all = explore(tokenRule({ ...right, rule: "at least", counterMax: 0 }), { symmetry: false });
    const some = explore(tokenRule({ ...right, rule: "at least", counterMax: 0 }));
    expect(some.outcome).toBe(all.outcome);
    expect(some.depth).toBe(all.depth);
    expect(some.states).toBeLessThan(all.states / 4);
  });
});
