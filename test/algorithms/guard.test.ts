import fc from "fast-check";
import { expect, test } from "vitest";
import { GUARD_MS, type Guard, guardFor } from "../../src/algorithms/guard.js";

test("a guard that nobody has begins, and another may as much time after its end", () => {
  expect(guardFor([null, null])).toEqual({ endsInMs: GUARD_MS, restsForMs: 2 * GUARD_MS });
  expect(guardFor([])).toEqual({ endsInMs: GUARD_MS, restsForMs: 2 * GUARD_MS });
});

test("a guard that somebody has is brought to the others as it is, also when it has ended", () => {
  const lasting = { endsInMs: 12_000, restsForMs: 42_000 };
  const ended = { endsInMs: -5_000, restsForMs: 25_000 };
  expect(guardFor([null, lasting, null])).toEqual(lasting);
  expect(guardFor([ended, null])).toEqual(ended);
  expect(guardFor([ended, lasting])).toEqual(lasting);
});

test("no guard begins again, or is made longer, while anybody knows of one", () => {
  const guard = fc.record({
    endsInMs: fc.integer({ min: -GUARD_MS, max: GUARD_MS }),
    restsForMs: fc.integer({ min: 1, max: 2 * GUARD_MS }),
  });
  fc.assert(
    fc.property(fc.array(fc.option(guard), { minLength: 1, maxLength: 7 }), (known) => {
      const begun = known.filter((one): one is Guard => one !== null);
      fc.pre(begun.length > 0);
      expect(begun).toContainEqual(guardFor(known));
    }),
  );
});
