import { describe, expect, test } from "vitest";
import { CoordinationError } from "../../../src/errors.js";
import { arriveAt, type Barrier, Barriers, type Step } from "../../../src/primitives/registers/barriers.js";

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

describe("an arrival that waits", () => {
  const arrival = { id: "a", count: 2, ttlMs: 1_000 };

  /** Whether primaries answer, from when it has arrived on. */
  function barriersOn(failures: { until: Error | null; look: Error | null }) {
    let stored: string | null = null;
    let changes = 0;
    const registers = {
      changes: {
        change: async (
          _name: string,
          fn: (state: object, moment: object) => { json?: string; result: Step },
        ) => {
          if (changes++ > 0 && failures.look) throw failures.look;
          const made = fn({ version: stored === null ? null : { json: stored } }, { nowMs: T });
          stored = made.json ?? stored;
          return { kind: "kept", result: made.result };
        },
      },
      until: async () => {
        if (failures.until) throw failures.until;
        return { json: stored };
      },
    };
    return new Barriers(registers as unknown as ConstructorParameters<typeof Barriers>[0]);
  }

  test.each([
    ["while it waits", { until: new CoordinationError("no_quorum", "None answers."), look: null }],
    ["when it looks again", { until: null, look: new CoordinationError("no_quorum", "None answers.") }],
  ])("has arrived, and says so, where no majority answers %s", async (_when, failures) => {
    const told = barriersOn(failures).arrive("b", arrival, { waitMs: 500, deadlineMs: 500 });
    expect(await told).toEqual({ generation: T, arrived: 1, released: false });
  });

  test("fails where that is a mistake", async () => {
    const mistake = new TypeError("no barrier");
    const told = barriersOn({ until: mistake, look: null }).arrive("b", arrival, {
      waitMs: 500,
      deadlineMs: 500,
    });
    await expect(told).rejects.toBe(mistake);
  });
});
