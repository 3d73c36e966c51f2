import { describe, expect, test } from "vitest";
import type { Copy } from "../../src/algorithms/register.js";
import { differingRegisters } from "../../src/algorithms/register-copies.js";

const copy = (ballot: number, etag = ballot, text = `v${etag}`): Copy => ({
  accepted: `b${ballot}`,
  promised: `b${ballot}`,
  etag: `b${etag}`,
  leftMs: null,
  isLive: true,
  isCopied: false,
  text,
});
const found = (...copies: (Copy | null | undefined)[]) =>
  differingRegisters(copies, 2).map(({ place, difference }) => `${place} ${difference}`);

describe("copies of a register", () => {
  test.each([
    ["all alike", [copy(1), copy(1), copy(1)], []],
    ["one accepted anew under a higher ballot", [copy(1), copy(2, 1), copy(1)], []],
    ["one lacks it", [copy(1), null, copy(1)], ["1 missing"]],
    ["one is older", [copy(1), copy(2), copy(2)], ["0 stale"]],
    [
      "one has the first try of a change that was tried again",
      [copy(1, 1, "x"), copy(3, 1), copy(3, 1)],
      ["0 stale"],
    ],
    ["one ballot, another text", [copy(2), copy(2, 2, "x"), copy(2)], ["1 diverged"]],
    ["one ballot, another text at the first", [copy(2, 2, "x"), copy(2), copy(2)], ["0 diverged"]],
    ["the latest on one alone", [copy(2), copy(1), copy(1)], ["0 unconfirmed"]],
    ["the latest on one, nothing elsewhere", [copy(2), null, null], ["0 unconfirmed"]],
    ["the latest on one, and one does not answer", [copy(2), copy(1), undefined], []],
    ["one does not answer", [copy(2), copy(2), undefined], []],
    ["nothing at all", [null, undefined, null], []],
  ] as const)("%s", (_, copies, expected) => {
    expect(found(...copies)).toEqual(expected);
  });
});
