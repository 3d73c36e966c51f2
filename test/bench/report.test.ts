import { describe, expect, it } from "vitest";
import type { Measured } from "../../bench/comparison/rounds.js";
import { spread } from "../../bench/comparison/statistics.js";
import { toChart } from "../../bench/report/chart.js";
import { amount, digits, goalText } from "../../bench/report/numbers.js";
import { contenderResults, type Results } from "../../bench/report/results.js";
import { toTable } from "../../bench/report/table.js";

const figure = (label: string, rounds: readonly number[], more: Partial<Measured> = {}): Measured => ({
  label,
  goal: null,
  unit: null,
  ...spread(rounds),
  ...more,
});

const RESULTS: Results = {
  format: 1,
  takenAt: "2026-11-29T04:00:00.000Z",
  machine: { cpu: "A <CPU>", cores: 2, memoryGb: 8, kernel: "Linux 6.1", loadBefore: 0.5 },
  versions: { Node: "20.20.2", ioredis: "6.0.0" },
  settings: { rounds: 3, turnMs: 2_000, before: "main (0123456789)", peers: true },
  missing: ["etcd is not installed: apt-get install etcd-server"],
  areas: [
    {
      name: "locks",
      about: "acquire and release",
      settings: ["three primaries"],
      contenders: contenderResults(
        [
          { id: "a", label: "this service", turn: async () => ({}) },
          { id: "b", label: "a peer", turn: async () => ({}) },
        ],
        [
          new Map([
            ["a", { perSecond: 4_020, p50Ms: 0.34, loadCpu: 0.2, refused: 0 }],
            ["b", { perSecond: 12_230, p50Ms: 0.16, loadCpu: 0.97, refused: 0.25 }],
          ]),
        ],
      ),
      figures: [
        figure("throughput against a peer", [0.33, 0.3, 0.4], { goal: { atLeast: 0.55 } }),
        figure("memory & more", [605, 605], { unit: "bytes", goal: { atMost: 611 } }),
      ],
    },
  ],
};

describe("the table", () => {
  const lines = toTable(RESULTS).split("\n");

  it("has a line for each figure: median, spread of the rounds, and goal", () => {
    expect(lines.slice(0, 3)).toEqual([
      "area   figure                        median  rounds from .. to  goal",
      "locks  throughput against a peer    0.330 x  0.300 to 0.400     at least 0.550",
      "       memory & more              605 bytes                     at most 611",
    ]);
  });

  it("says what each contender did, and which of them the load generator could have limited", () => {
    expect(lines).toContain("  contender     per second  p50 ms  refused  load's CPU");
    expect(lines).toContain("  a peer            12,230   0.160     25 %        97 %");
    expect(lines).toContain("  this service       4,020   0.340                 20 %");
    expect(lines).toContain("  The load generator was busy all the time with: a peer");
  });

  it("ends with the circumstances: machine, versions, settings, and how to install what is missing", () => {
    const text = lines.join("\n");
    for (const part of [
      "2 cores of A <CPU>, 8 GB, Linux 6.1",
      "Node 20.20.2, ioredis 6.0.0",
      "3 rounds, 2,000 ms per turn; before: main (0123456789)",
      "Missing: etcd is not installed: apt-get install etcd-server",
    ])
      expect(text).toContain(part);
  });
});

describe("the chart", () => {
  const svg = toChart(RESULTS);

  it("has a row for each ratio, and none for what has a unit", () => {
    expect(svg).toContain("throughput against a peer");
    expect(svg).toContain("0.330 (0.300 to 0.400)");
    expect(svg).not.toContain("memory");
  });

  it("marks the goal", () => {
    expect(svg).toContain("<title>at least 0.550</title>");
  });

  it("escapes text", () => {
    expect(svg).toContain("A &lt;CPU&gt;");
    expect(svg).not.toContain("<CPU>");
  });

  it("has coordinates that are numbers, within its width, even of a figure that has none", () => {
    const broken = {
      ...RESULTS,
      areas: RESULTS.areas.map((area) => ({
        ...area,
        figures: [figure("nothing", [Number.NaN]), figure("idle", [0, 1, Number.POSITIVE_INFINITY])],
      })),
    };
    for (const text of [svg, toChart(broken)]) {
      const numbers = [...text.matchAll(/ (?:x|x1|x2|y|y1|y2|width|height)="([^"]*)"/g)].map(([, n]) =>
        Number(n),
      );
      expect(numbers.every((n) => n >= 0 && n <= 1_000)).toBe(true);
    }
  });
});

describe("numbers", () => {
  it.each([
    [0.012345, "0.0123"],
    [4.02, "4.02"],
    [123.4, "123"],
    [12_230.4, "12,230"],
    [Number.NaN, "-"],
  ])("%d is written as %s", (value, text) => {
    expect(digits(value)).toBe(text);
  });

  it("have a unit, and goals a direction", () => {
    expect([amount(2, null), amount(611, "bytes")]).toEqual(["2.00 x", "611 bytes"]);
    expect([goalText({ atMost: 2 }), goalText(null)]).toEqual(["at most 2.00", ""]);
  });
});
