import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  mergeReports,
  nextReport,
  probeWeight,
  type Remembered,
  type Report,
  reportersNeeded,
  suspectedBy,
  suspectsOf,
  TIMES_MAX,
  WINDOW_MS_MAX,
  weightOf,
  windowMsOf,
} from "../../src/algorithms/suspicion.js";

const TTL_MS = 15_000;

/** The report after `ms` have passed without another. */
const later = (report: Remembered, ms: number): Remembered => ({
  ...report,
  leftMs: report.leftMs - ms,
  countedAgeMs: report.countedAgeMs + ms,
});

describe("a report", () => {
  test("counts for the time to live of the member, 10 s at least", () => {
    expect(nextReport(undefined, TTL_MS)).toEqual({ times: 1, leftMs: 15_000, countedAgeMs: 0 });
    expect(nextReport(undefined, 1_000).leftMs).toBe(10_000);
  });

  test("that is repeated within half its window is the same, and counts for longer", () => {
    const first = nextReport(undefined, TTL_MS);
    expect(nextReport(later(first, 7_000), TTL_MS)).toEqual({
      times: 1,
      leftMs: 15_000,
      countedAgeMs: 7_000,
    });
    expect(nextReport(later(first, 7_500), TTL_MS)).toEqual({ times: 2, leftMs: 30_000, countedAgeMs: 0 });
  });

  test("that is made again after it has ended counts twice as long, until it is forgotten", () => {
    const first = nextReport(undefined, TTL_MS);
    expect(nextReport(later(first, 29_999), TTL_MS).times).toBe(2);
    expect(nextReport(later(first, 30_000), TTL_MS).times).toBe(1);
  });

  test("that is repeated for ever counts for ten minutes, or for the time to live where that is longer", () => {
    let report = nextReport(undefined, TTL_MS);
    for (let i = 0; i < 20; i++) report = nextReport(later(report, report.leftMs), TTL_MS);
    expect(report).toEqual({ times: TIMES_MAX, leftMs: WINDOW_MS_MAX, countedAgeMs: 0 });
    expect(windowMsOf(86_400_000, TIMES_MAX)).toBe(86_400_000);
  });

  test("never counts for less time than the one before had left, however often it is made", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 3_600_000 }), { maxLength: 40 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1_000, max: 86_400_000 }), (waits, ttlMs) => {
        let report = nextReport(undefined, ttlMs);
        for (const ms of waits) {
          const next = nextReport(later(report, ms), ttlMs);
          expect(next.leftMs).toBeGreaterThanOrEqual(report.leftMs - ms);
          expect(next.leftMs).toBe(windowMsOf(ttlMs, next.times));
          expect(next.times).toBeLessThanOrEqual(Math.min(report.times + 1, TIMES_MAX));
          report = next;
        }
      }),
    );
  });

  test("cannot double its window faster than in half of it", () => {
    let report = nextReport(undefined, TTL_MS);
    for (let ms = 0; ms < 60_000; ms += 100) report = nextReport(later(report, 100), TTL_MS);
    // After 7.5 s, after 15 s more, after 30 s more.
    expect(report.times).toBe(4);
  });
});

test("a reporter that is late with its own heartbeat counts half", () => {
  expect(weightOf({ ttlMs: TTL_MS, heartbeatAgeMs: 7_500 })).toBe(1);
  expect(weightOf({ ttlMs: TTL_MS, heartbeatAgeMs: 7_501 })).toBe(0.5);
});

test.each([
  [1, 2],
  [2, 2],
  [3, 2],
  [4, 2],
  [5, 3],
  [6, 3],
  [100_000, 3],
])("in a service of %d members it takes %d reporters", (members, needed) => {
  expect(reportersNeeded(members)).toBe(needed);
});

test.each([
  [0, 3],
  [1, 3],
  [2, 1.5],
  [3, 1],
  [30, 1],
])("the probes of one of %d instances count %d", (instances, weight) => {
  expect(probeWeight(instances)).toBe(weight);
});

const by = (...reporters: string[]): Report[] =>
  reporters.map((reporter) => ({ reporter, weight: 1, times: 1 }));
const suspects = (reports: Record<string, readonly Report[]>, members: number) => [
  ...suspectsOf(new Map(Object.entries(reports)), members),
];

describe("suspect is", () => {
  test("who has enough reporters, and nobody who has fewer", () => {
    expect(suspects({ a: by("x", "y", "z"), b: by("x", "y") }, 10)).toEqual(["a"]);
  });

  test("nobody for two reporters that are late themselves and one that is not", () => {
    const late = by("x", "y").map((report) => ({ ...report, weight: 0.5 }));
    expect(suspects({ a: [...late, ...by("z")] }, 10)).toEqual([]);
    expect(suspects({ a: [...late, ...by("z", "v")] }, 10)).toEqual(["a"]);
  });

  test("nobody for one reporter, however often it says so", () => {
    expect(suspects({ a: [{ reporter: "x", weight: 1, times: TIMES_MAX }] }, 10)).toEqual([]);
  });

  test("half of a service at most: those that were reported most often", () => {
    const reports = Object.fromEntries(["a", "b", "c", "d", "e"].map((id) => [id, by("x", "y", "z")]));
    expect(suspects(reports, 5)).toEqual(["a", "b"]);
    reports.d = by("x", "y", "z").map((report) => ({ ...report, times: 2 }));
    expect(suspects(reports, 5)).toEqual(["d", "a"]);
  });

  test("nobody in a service of one", () => {
    expect(suspects({ a: by("x", "y", "z") }, 1)).toEqual([]);
  });

  test("never more than half, never without enough distinct reporters, and the same in every order", () => {
    const report = fc.record({
      reporter: fc.constantFrom("r", "s", "t", "u", "v"),
      weight: fc.constantFrom(0.5, 1),
      times: fc.integer({ min: 1, max: TIMES_MAX }),
    });
    const reports = fc.dictionary(
      fc.stringMatching(/^[a-z]{1,3}$/),
      fc.uniqueArray(report, { selector: ({ reporter }) => reporter }),
    );
    fc.assert(
      fc.property(reports, fc.integer({ min: 0, max: 20 }), (found, members) => {
        const all = new Map(Object.entries(found));
        const judged = suspectsOf(all, members);
        expect(judged.size).toBeLessThanOrEqual(members / 2);
        for (const id of judged) expect(all.get(id)?.length).toBeGreaterThanOrEqual(reportersNeeded(members));
        expect(suspectsOf(new Map([...all].reverse()), members)).toEqual(judged);
      }),
    );
  });
});

describe("of what several primaries know", () => {
  const known = (reporter: string, times: number, leftMs: number) => ({
    reporter,
    times,
    leftMs,
    weight: 1,
    countedAgeMs: 0,
  });

  test("each reporter counts once, by what it repeated most often, then by what lasts longest", () => {
    const merged = mergeReports([
      [known("x", 1, 500), known("y", 1, 100)],
      [known("x", 2, 100)],
      [known("y", 1, 200), known("z", 1, -5)],
    ]);
    expect(merged).toEqual([known("x", 2, 100), known("y", 1, 200), known("z", 1, -5)]);
  });

  // Any two majorities have a primary in common.
  test("a majority tells of each report that another majority stored", () => {
    const stored = fc.array(fc.subarray([0, 1, 2, 3, 4], { minLength: 3, maxLength: 3 }), { maxLength: 8 });
    fc.assert(
      fc.property(stored, fc.subarray([0, 1, 2, 3, 4], { minLength: 3, maxLength: 3 }), (reports, asked) => {
        const replies = asked.map((primary) =>
          reports.flatMap((on, i) => (on.includes(primary) ? [known(`r${i}`, 1, 100)] : [])),
        );
        expect(mergeReports(replies)).toHaveLength(reports.length);
      }),
    );
  });
});

describe("why a member is suspect", () => {
  const report = (reporter: string, reason = "no answer") => ({ reporter, reason });

  test("is told with who says so and what three of them say, in the order of their ids", () => {
    const reports = [report("e"), report("b", "refused"), report("a"), report("d"), report("c")];
    expect(suspectedBy(reports).why).toBe("reported by a (no answer), b (refused), c (no answer), d, e");
    expect(suspectedBy([report("a")]).why).toBe("reported by a (no answer)");
  });

  test("is another episode with other reporters, and the same with other reasons", () => {
    const { episode } = suspectedBy([report("a"), report("b")]);
    expect(suspectedBy([report("b", "refused"), report("a")]).episode).toBe(episode);
    expect(suspectedBy([report("a"), report("c")]).episode).not.toBe(episode);
  });
});
