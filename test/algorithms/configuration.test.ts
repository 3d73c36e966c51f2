import { describe, expect, test } from "vitest";
import {
  type Configuration,
  type Entry,
  entryOf,
  type Judgement,
  judge,
  type Sighting,
  stampOf,
} from "../../src/algorithms/configuration.js";

// Three primaries, a, b and c. What each is seen to be is one text: its run, or `-` when it is not seen; then what it
// stores, if anything: a configuration of the table below, `copying` when its data are not complete.

/** A configuration, by the runs that it knows of a, b and c, and the versions since which they take part. */
function configuration(
  version: number,
  runs: string,
  admitted: readonly number[],
  more: Partial<Configuration> = {},
): Configuration {
  return {
    protocol: 1,
    deployment: "ours",
    version,
    nonce: `nonce of ${version}`,
    floor: 0,
    coldQuarantine: null,
    primaries: runs.split(" ").map((run, place) => entry(place, run, admitted[place] ?? 1)),
    ...more,
  };
}

function entry(place: number, run: string, admitted: number): Entry {
  const name = "abcdefg"[place] as string;
  return { id: `id of ${name}`, address: `${name}:6379`, ...identity(name, run), admitted };
}

/** `run1`: the first run of that server; `run1*`: the same run after it was a replica for a while. */
function identity(name: string, run: string) {
  return {
    runId: `${name} ${run.replace("*", "")}`,
    replid: `${name} ${run}`,
  };
}

const KNOWN: Record<string, Configuration> = {
  v1: configuration(1, "run1 run1 run1", [1, 1, 1], { coldQuarantine: 0 }),
  // c came back as run2, and was readmitted.
  v2: configuration(2, "run1 run1 run2", [1, 1, 2]),
  // What two instances that did not agree would make of it.
  "v2'": configuration(2, "run1 run1 run2", [1, 1, 2], { nonce: "another nonce" }),
  // Then b as well.
  v3: configuration(3, "run1 run2 run2", [1, 3, 2]),
  // All came back as run2: a start of all.
  cold: configuration(2, "run2 run2 run2", [2, 2, 2], { coldQuarantine: "marks" }),
  theirs: configuration(1, "run1 run1 run1", [1, 1, 1], { deployment: "theirs", nonce: "theirs" }),
  five: configuration(1, "run1 run1 run1 run1 run1", [1, 1, 1, 1, 1]),
  newer: configuration(1, "run1 run1 run1", [1, 1, 1], { protocol: 2 as 1 }),
};

function sighting(text: string, place: number): Sighting | null {
  const name = "abcdefg"[place] as string;
  const [run = "", version, stage] = text.split(" ");
  if (run === "-") return null;
  // A server that nobody knows took the place of this one.
  const known = run !== "stranger";
  const stored =
    version === undefined
      ? null
      : {
          configuration: KNOWN[version] as Configuration,
          id: `id of ${name}`,
          stage: stage === "copying" ? ("copying" as const) : ("member" as const),
        };
  return { address: known ? `${name}:6379` : "stranger:6379", ...identity(name, run), stored };
}

const judged = (...seen: string[]): Judgement => judge(seen.map(sighting), Math.floor(seen.length / 2) + 1);

/** The judgement in one line. */
function told(judgement: Judgement): string {
  const nameOf = (one: Configuration | null) =>
    Object.entries(KNOWN).find(([, known]) => known === one)?.[0] ?? "nothing";
  switch (judgement.kind) {
    case "current":
      return `current ${nameOf(judgement.current)}: ${judgement.steps.join(", ")}`;
    case "cold":
    case "finish_cold":
    case "spread_cold":
      return `${judgement.kind} after ${nameOf(judgement.latest)}`;
    case "refuse":
      return `refuse: ${judgement.reason}`;
    case "wait":
      return "wait";
  }
}

describe("what is to be done when a, b and c are seen as", () => {
  test.each<[sentence: string, a: string, b: string, c: string, judgement: string]>([
    // ------------------------------------------------ the first start
    ["a first start begins when all are there", "run1", "run1", "run1", "cold after nothing"],
    ["a first start waits while one is missing", "run1", "run1", "-", "wait"],
    ["a first start that one primary has got is spread", "run1 v1 copying", "run1", "run1", "spread_cold after v1"],
    ["and ended when all have got it", "run1 v1 copying", "run1 v1 copying", "run1 v1 copying", "finish_cold after v1"],
    ["and ended by whoever comes, when one takes part already", "run1 v1", "run1 v1 copying", "run1 v1 copying", "finish_cold after v1"],
    ["as soon as a majority takes part, the rest is copied to", "run1 v1", "run1 v1", "run1 v1 copying", "current v1: member, member, copy"],

    // ------------------------------------------------ nothing is wrong
    ["all take part", "run1 v1", "run1 v1", "run1 v1", "current v1: member, member, member"],
    ["a majority is enough", "run1 v1", "-", "run1 v1", "current v1: member, absent, member"],
    ["fewer are not", "-", "-", "run1 v1", "wait"],
    ["nobody is seen", "-", "-", "-", "wait"],

    // ------------------------------------------------ one is not what it was
    ["one that missed a change and lost nothing is brought forward", "run1 v2", "run1 v1", "run2 v2", "current v2: member, bring_forward, member"],
    ["so is a majority, by the one that knows better", "run1 v1", "run1 v1", "run2 v2", "current v2: bring_forward, bring_forward, member"],
    ["one that restarted with its data may have lost the last of them", "run1 v1", "run1 v1", "run2 v1", "current v1: member, member, readmit"],
    ["one that restarted empty", "run1 v1", "run1 v1", "run2", "current v1: member, member, readmit"],
    ["one that was flushed, in its old run", "run1 v1", "run1 v1", "run1", "current v1: member, member, readmit"],
    ["one that was a replica for a while, in its old run and with somebody's data", "run1 v1", "run1 v1", "run1* v1", "current v1: member, member, readmit"],
    ["one that was a replica and is empty", "run1 v1", "run1 v1", "run1*", "current v1: member, member, readmit"],
    ["one whose readmission was agreed, and that has got nothing yet", "run1 v2", "run1 v2", "run2", "current v2: member, member, readmit"],
    ["one whose readmission was agreed, with data from before", "run1 v2", "run1 v2", "run2 v1", "current v2: member, member, readmit"],
    ["one that is being copied to", "run1 v2", "run1 v2", "run2 v2 copying", "current v2: member, member, copy"],
    ["one that was being copied to when another one forgot, begins again", "run1 v3", "run2 v3 copying", "run2 v2 copying", "wait or worse"],
    ["one that restarted while it was copied to", "run1 v2", "run1 v2", "run3 v2 copying", "current v2: member, member, readmit"],
    ["one that stores another configuration of the same version", "run1 v2", "run1 v2", "run2 v2'", "current v2: member, member, readmit"],
    ["an empty one at an address that nobody knows is no part of it", "run1 v1", "run1 v1", "stranger", "current v1: member, member, foreign"],

    // ------------------------------------------------ a majority is not what it was
    ["all restarted, with their data", "run2 v1", "run2 v1", "run2 v1", "cold after v1"],
    ["all restarted, without", "run2", "run2", "run2", "cold after nothing"],
    ["a majority restarted", "run2 v1", "run2 v1", "run1 v1", "cold after v1"],
    ["a majority restarted, and one is not back: what it knows is needed", "run2 v1", "run2 v1", "-", "wait"],
    ["a majority was flushed", "run1", "run1", "run1 v1", "cold after v1"],
    ["the configuration of a start of all is agreed, one has got it", "run2 cold copying", "run2 v1", "run2 v1", "spread_cold after cold"],
    ["or one has lost it again, empty but in the same run", "run2 cold copying", "run2 cold copying", "run2", "spread_cold after cold"],
    ["all have got it", "run2 cold copying", "run2 cold copying", "run2 cold copying", "finish_cold after cold"],
    ["one is through, nobody votes yet", "run2 cold", "run2 cold copying", "run2 cold copying", "finish_cold after cold"],
    ["a majority is through and votes", "run2 cold", "run2 cold", "run2 cold copying", "current cold: member, member, copy"],
    ["one is away before it is through", "run2 cold copying", "run2 cold copying", "-", "wait"],
    ["one restarted before it was through: all begin once more", "run2 cold copying", "run2 cold copying", "run3 cold copying", "cold after cold"],
    ["one is through and one restarted: all begin once more", "run2 cold", "run2 cold copying", "run3 cold copying", "cold after cold"],
    ["an old configuration is not revived beside a newer one that was agreed", "run1 v1", "run1 v1", "run2 v2 copying", "current v2: bring_forward, bring_forward, copy"],

    // ------------------------------------------------ it is not ours
    ["a majority belongs to another deployment", "run1 theirs", "run1 theirs", "run1 v1", "refuse: different deployments"],
    ["it was written by a later version of Quorate", "run1 newer", "run1 newer", "run1 newer", "refuse: protocol 2"],
    ["one was written by a later version of Quorate", "run1 v1", "run1 v1", "run1 newer", "refuse: protocol 2"],
    ["it has five primaries", "run1 five", "run1 five", "run1 five", "refuse: 5 primaries (a:6379, b:6379, c:6379, d:6379, e:6379), REDIS_URLS names 3"],
    ["a majority is unknown", "run1 v1", "stranger", "stranger", "refuse: not in the stored configuration"],
  ])("%s", (_sentence, a, b, c, expected) => {
    const judgement = told(judged(a, b, c));
    if (expected.startsWith("refuse: ")) {
      expect(judgement).toMatch(/^refuse: /);
      expect(judgement).toContain(expected.slice("refuse: ".length));
    } else expect(judgement).toBe(expected);
  });
});
