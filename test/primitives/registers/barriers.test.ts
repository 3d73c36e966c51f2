import { describe, expect, test } from "vitest";
import { arriveAt, type Barrier, type Step } from "../../../src/primitives/registers/barriers.js";

const T = 1_795_222_235_000;
const at = (
  stored: Barrier | null,
  id: string,
  more: Partial<Parameters<typeof arriveAt>[1]> = {},
  nowMs = T,
) => arriveAt(stored, { id, count: 2, ttlMs: 1_000, ...more }, nowMs);
const nextOf = (step: Step) => (step as { next: Barrier }).next;
const answerOf = (step: Step) => (step as { answer: object }).answer;

describe("a barrier", () => {
  test("begins with a generation that is above all of the time before it was forgotten", () => {
    const first = at(null, "a");
    expect(answerOf(first)).toEqual({ generation: T, arrived: 1, released: false });
    // Two were released since, in a millisecond each: as soon as can be.
    expect(answerOf(at(null, "a", {}, T + 2))).toMatchObject({ generation: T + 2 });
  });

  test("counts an id once, also one that objects have anyway", () => {
    const once = nextOf(at(null, "constructor"));
    const again = at(JSON.parse(JSON.stringify(once)), "constructor");
    expect(answerOf(again)).toMatchObject({ arrived: 1, released: false });
  });

  test("an arrival that comes again with a shorter time does not end sooner", () => {
    const once = nextOf(at(null, "a", { ttlMs: 1_000 }));
    const again = nextOf(at(once, "a", { ttlMs: 100 }));
    expect(again.arrivals).toEqual({ a: T + 1_000 });
  });

  test("takes another count once all arrivals have ended, and stays at its generation", () => {
    const once = nextOf(at(null, "a"));
    expect(at(once, "b", { count: 3 })).toEqual({ kind: "other_count", count: 2 });
    const later = at(once, "b", { count: 3 }, T + 1_000);
    expect(answerOf(later)).toEqual({ generation: T, arrived: 1, released: false });
    expect(nextOf(later)).toMatchObject({ count: 3 });
  });

  test("of one is passed at once, each time in another generation", () => {
    const once = at(null, "a", { count: 1 });
    expect(answerOf(once)).toEqual({ generation: T, arrived: 1, released: true });
    expect(answerOf(at(nextOf(once), "a", { count: 1 }))).toMatchObject({
      generation: T + 1,
      released: true,
    });
  });
});
