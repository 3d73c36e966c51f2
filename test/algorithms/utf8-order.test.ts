import fc from "fast-check";
import { expect, test } from "vitest";
import { compareInUtf8 } from "../../src/algorithms/utf8-order.js";

test("texts have the order of their UTF-8 bytes", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "é", "\ud7ff", "\ue000", "\uffff", "😀", "𝄞") });
  fc.assert(
    fc.property(text, text, (one, other) => {
      expect(Math.sign(compareInUtf8(one, other))).toBe(Buffer.compare(Buffer.from(one), Buffer.from(other)));
    }),
    { numRuns: 2_000 },
  );
});

test("that is not the order of JavaScript", () => {
  expect("\uffff" < "😀").toBe(false);
  expect(compareInUtf8("\uffff", "😀")).toBeLessThan(0);
});
