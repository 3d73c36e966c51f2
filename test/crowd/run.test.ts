import { describe, expect, test } from "vitest";
import type { Seen } from "./bystander.js";
import { disturbed } from "./run.js";

describe("a bystander was disturbed", () => {
  test("not where all went well", () => {
    expect(disturbed(quiet, 0, 1)).toEqual([]);
  });

  test("not by one failure in a hundred", () => {
    expect(disturbed({ ...quiet, acquires: { all: 300, failed: 3 } }, 0, 1)).toEqual([]);
  });

  test.each<[string, Partial<Seen>]>([
    ["more acquires failed", { acquires: { all: 300, failed: 4 } }],
    ["releases failed", { releases: { all: 300, failed: 4 } }],
    ["renewals failed", { renewals: { all: 20, failed: 2 } }],
    ["heartbeats failed", { heartbeats: { all: 20, failed: 2 } }],
    ["/livez took long once", { livez: { ...live, maxMs: 1_001 } }],
    ["/livez took long often", { livez: { ...live, medianMs: 251 } }],
    ["/livez failed", { livez: { ...live, failed: 1 } }],
    ["a primary was down", { notUp: 1 }],
    ["a connection was reset", { resets: 1 }],
    ["it did nothing", { acquires: { all: 0, failed: 0 } }],
  ])("where %s", (_, seen) => {
    expect(disturbed({ ...quiet, ...seen }, 0, 1)).toHaveLength(1);
  });

  test("where the instance took a primary for gone", () => {
    expect(disturbed(quiet, 1, 1)).toHaveLength(1);
  });

  test("not by a primary that the attack itself takes down", () => {
    expect(disturbed({ ...quiet, notUp: 5 }, 1, 1, { fells: true })).toEqual([]);
  });

  test("under overload not by acquires that are refused, but by renewals that are", () => {
    expect(disturbed({ ...quiet, acquires: { all: 300, failed: 200 } }, 0, 1, { overloads: true })).toEqual(
      [],
    );
    expect(
      disturbed({ ...quiet, renewals: { all: 300, failed: 4 } }, 0, 1, { overloads: true }),
    ).toHaveLength(1);
  });
});

const live = { all: 100, failed: 0, maxMs: 20, medianMs: 10 };
const quiet: Seen = {
  seconds: 5,
  acquires: { all: 300, failed: 0 },
  releases: { all: 300, failed: 0 },
  renewals: { all: 20, failed: 0 },
  heartbeats: { all: 20, failed: 0 },
  polls: { all: 50, failed: 0 },
  livez: live,
  acquireMs: { p50: 1, p99: 5 },
  notUp: 0,
  resets: 0,
  failures: {},
};
