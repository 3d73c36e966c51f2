import { describe, expect, test } from "vitest";
import {
  type Configuration,
  configurationEpochOf,
  type Entry,
  entryOf,
  type Judgement,
  judge,
  type Observation,
  PROTOCOL,
  quarantineAfter,
} from "../../src/algorithms/configuration.js";
import { isFencedOut, withoutAbsent } from "../../src/algorithms/fenced-out.js";

// Three primaries, a, b and c. What each is seen to be is one text: its run, or `-` when it is not seen; then what it
// stores, if anything: a configuration of the table below, `copying` when its data are not complete, `marked` when it
// knows until when leases may live.

/** A configuration, by the runs that it knows of a, b and c, and the versions since which they take part. */
function configuration(
  version: number,
  runs: string,
  admitted: readonly number[],
  more: Partial<Configuration> = {},
): Configuration {
  return {
    protocol: PROTOCOL,
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

/** `run1`: the first run of that server; `run1*`: after it was a replica for a while; `run1+`: after it got one. */
function identity(name: string, run: string) {
  return { runId: `${name} ${run.replace(/[*+]/, "")}`, replid: `${name} ${run}` };
}

const KNOWN: Record<string, Configuration> = {
  v1: configuration(1, "run1 run1 run1", [1, 1, 1], { coldQuarantine: 0 }),
  // c came back as run2, and was readmitted.
  v2: configuration(2, "run1 run1 run2", [1, 1, 2]),
  // What two instances that did not agree would make of it.
  "v2'": configuration(2, "run1 run1 run2", [1, 1, 2], { nonce: "another nonce" }),
  // Then b as well.
  v3: configuration(3, "run1 run2 run2", [1, 3, 2]),
  // All came back as run2: a cold start.
  cold: configuration(2, "run2 run2 run2", [2, 2, 2], { coldQuarantine: "marks" }),
  // All came back empty as run2: a cold start that nobody remembers anything before.
  forgot: configuration(2, "run2 run2 run2", [2, 2, 2], { coldQuarantine: 600_000 }),
  theirs: configuration(1, "run1 run1 run1", [1, 1, 1], {
    deployment: "theirs",
    nonce: "theirs",
    primaries: [0, 1, 2].map((place) => ({ ...entry(place, "run1", 1), id: `their ${"abc"[place]}` })),
  }),
  five: configuration(1, "run1 run1 run1 run1 run1", [1, 1, 1, 1, 1]),
  // What an earlier version of Quorate left, and what a later one makes of it.
  older: configuration(1, "run1 run1 run1", [1, 1, 1], { protocol: PROTOCOL - 1 }),
  newer: configuration(2, "run1 run1 run1", [1, 1, 1], { protocol: PROTOCOL + 1 }),
  "their-newer": configuration(2, "run1 run1 run1", [1, 1, 1], {
    deployment: "theirs",
    protocol: PROTOCOL + 1,
  }),
};

function observation(text: string, place: number): Observation | null {
  const name = "abcdefg"[place] as string;
  const [run = "", version, ...rest] = text.split(" ");
  if (run === "-") return null;
  // A server that nobody knows took the place of this one.
  const known = run !== "stranger";
  const stored =
    version === undefined
      ? null
      : {
          configuration: KNOWN[version] as Configuration,
          id: version.startsWith("their") ? `their ${name}` : `id of ${name}`,
          stage: rest.includes("copying") ? ("copying" as const) : ("member" as const),
        };
  const address = known ? `${name}:6379` : "stranger:6379";
  const promoted = run.endsWith("*");
  return {
    address,
    ...identity(name, run),
    promoted,
    stored,
    hasLeaseHighWaterMark: rest.includes("marked"),
  };
}

const judged = (...seen: string[]): Judgement =>
  judge(seen.map(observation), Math.floor(seen.length / 2) + 1);

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
    case "outdated":
      return `${judgement.kind}: ${judgement.reason}`;
    case "wait":
      return "wait";
  }
}

// a sentence | a | b | c | what is to be done
const TRUTH_TABLE = `
  the first start:
    a first start begins when all are there                                     | run1              | run1              | run1              | cold after nothing
    a first start waits while one is missing                                    | run1              | run1              | -                 | wait
    a first start that one primary has got is spread                            | run1 v1 copying   | run1              | run1              | spread_cold after v1
    and ended when all have got it                                              | run1 v1 copying   | run1 v1 copying   | run1 v1 copying   | finish_cold after v1
    and ended by whoever comes, when one takes part already                     | run1 v1           | run1 v1 copying   | run1 v1 copying   | finish_cold after v1
    as soon as a majority takes part, the rest is copied to                     | run1 v1           | run1 v1           | run1 v1 copying   | current v1: member, member, copy

  nothing is wrong:
    all take part                                                               | run1 v1           | run1 v1           | run1 v1           | current v1: member, member, member
    a majority is enough                                                        | run1 v1           | -                 | run1 v1           | current v1: member, absent, member
    fewer are not                                                               | -                 | -                 | run1 v1           | wait
    nobody is seen                                                              | -                 | -                 | -                 | wait

  one is not what it was:
    one that missed a change and lost nothing catches up                        | run1 v2           | run1 v1           | run2 v2           | current v2: member, catch_up, member
    so is a majority, by the one that knows better                              | run1 v1           | run1 v1           | run2 v2           | current v2: catch_up, catch_up, member
    one that restarted with its data may have lost the last of them             | run1 v1           | run1 v1           | run2 v1           | current v1: member, member, readmit
    one that restarted empty                                                    | run1 v1           | run1 v1           | run2              | current v1: member, member, readmit
    one that was flushed, in its old run                                        | run1 v1           | run1 v1           | run1              | current v1: member, member, readmit
    one that was a replica for a while, in its old run and with somebody's data | run1 v1           | run1 v1           | run1* v1          | current v1: member, member, readmit
    those that got replicas of their own, with a new replid, are what they were | run1+ v1          | run1+ v1          | run1+ v1          | current v1: member, member, member
    one that was a replica and is empty                                         | run1 v1           | run1 v1           | run1*             | current v1: member, member, readmit
    one whose readmission was agreed, and that has got nothing yet              | run1 v2           | run1 v2           | run2              | current v2: member, member, readmit
    one whose readmission was agreed, with data from before                     | run1 v2           | run1 v2           | run2 v1           | current v2: member, member, readmit
    one that is being copied to                                                 | run1 v2           | run1 v2           | run2 v2 copying   | current v2: member, member, copy
    one that restarted while it was copied to                                   | run1 v2           | run1 v2           | run3 v2 copying   | current v2: member, member, readmit
    one that stores another configuration of the same version                   | run1 v2           | run1 v2           | run2 v2'          | current v2: member, member, readmit
    an empty one at an address that nobody knows is no part of it               | run1 v1           | run1 v1           | stranger          | current v1: member, member, foreign

  a majority is not what it was:
    all restarted, with their data                                              | run2 v1           | run2 v1           | run2 v1           | cold after v1
    all restarted, without                                                      | run2              | run2              | run2              | cold after nothing
    a majority restarted                                                        | run2 v1           | run2 v1           | run1 v1           | cold after v1
    a majority restarted, and one is not back: what it knows is needed          | run2 v1           | run2 v1           | -                 | wait
    a majority was flushed, long after the first start                          | run1              | run1              | run1 v1           | cold after v1
    a majority was flushed, long after a readmission                            | run1              | run1              | run2 v2           | cold after v2
    one forgot while another one was still being copied to                      | run1 v3           | run2 v3 copying   | run2 v2 copying   | cold after v3
    the configuration of a cold start is agreed, one has got it               | run2 cold copying | run2 v1           | run2 v1           | spread_cold after cold
    or one has lost it again, empty but in the same run                         | run2 cold copying | run2 cold copying | run2              | spread_cold after cold
    all have got it                                                             | run2 cold copying | run2 cold copying | run2 cold copying | finish_cold after cold
    one is through, nobody votes yet                                            | run2 cold         | run2 cold copying | run2 cold copying | finish_cold after cold
    a majority is through and votes                                             | run2 cold         | run2 cold         | run2 cold copying | current cold: member, member, copy
    one is through, and one was flushed, which may have been through as well    | run2 cold         | run2              | run2 cold copying | cold after cold
    one is away before it is through                                            | run2 cold copying | run2 cold copying | -                 | wait
    one restarted before it was through: all begin once more                    | run2 cold copying | run2 cold copying | run3 cold copying | cold after cold
    one is through and one restarted: all begin once more                       | run2 cold         | run2 cold copying | run3 cold copying | cold after cold
    an old configuration is not revived beside a newer one that was agreed      | run1 v1           | run1 v1           | run2 v2 copying   | current v2: catch_up, catch_up, copy

  it is not ours:
    one belongs to another deployment: the others do without                    | run1 v1           | run1 v1           | run1 theirs       | current v1: member, member, other_deployment
    in whatever place                                                           | run1 theirs       | run1 v2           | run2 v2           | current v2: other_deployment, member, member
    and when one of them forgot                                                 | run1 v1           | run2 v1           | run1 theirs       | refuse: different deployments
    a majority belongs to another deployment: then that one is it               | run1 theirs       | run1 theirs       | run1 v1           | current theirs: member, member, other_deployment
    two deployments, and none has a majority                                    | run1 v1           | run1              | run1 theirs       | refuse: different deployments
    two deployments, and one that is not seen yet may tell who is the stranger  | run1 v1           | -                 | run1 theirs       | wait
    an unknown one, and one that is not seen yet may tell the same              | run1 v1           | -                 | stranger          | wait
    it has five primaries                                                       | run1 five         | run1 five         | run1 five         | refuse: 5 primaries (a:6379, b:6379, c:6379, d:6379, e:6379), REDIS_URLS names 3
    a majority is unknown                                                       | run1 v1           | stranger          | stranger          | refuse: not in the stored configuration

  another version of Quorate was there:
    an earlier one: its configuration is read, and its protocol is raised       | run1 older        | run1 older        | run1 older        | current older: member, member, member
    an earlier one, and a primary restarted since                               | run1 older        | run1 older        | run2 older        | current older: member, member, readmit
    an earlier one, before all restarted                                        | run2 older        | run2 older        | run2 older        | cold after older
    a later one                                                                 | run1 newer        | run1 newer        | run1 newer        | outdated: protocol 3, this version of Quorate knows 2
    a later one, which has only begun to spread its configuration               | run1 v1           | run1 v1           | run1 newer        | outdated: protocol 3
    a later one, before a majority restarted: no cold start is begun            | run2 newer        | run2              | run2 newer        | outdated: protocol 3
    a later one, before a majority restarted, and one knows nothing of it       | run2 v1           | run2 v1           | run1 newer        | outdated: protocol 3
    a later one, before one lost its data: it is not readmitted                 | run1 newer        | run1 newer        | run2              | outdated: protocol 3
    a later one, in another deployment                                          | run1 v1           | run1 v1           | run1 their-newer  | current v1: member, member, other_deployment
`;

const rowsOf = (table: string): string[][] =>
  table
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .filter((cells) => cells.length > 1);

describe("what is to be done when a, b and c are seen as", () => {
  test.each(rowsOf(TRUTH_TABLE))("%s", (_sentence, a = "", b = "", c = "", expected = "") => {
    const judgement = told(judged(a, b, c));
    const [, kind, reason = ""] = /^(refuse|outdated): (.*)$/.exec(expected) ?? [];
    if (kind) {
      expect(judgement).toMatch(new RegExp(`^${kind}: `));
      expect(judgement).toContain(reason);
    } else expect(judgement).toBe(expected);
  });
});

describe("of five primaries", () => {
  const five = (...seen: string[]) =>
    told(
      judge(
        seen.map((text, place) => observation(text.replace("v1", "five"), place)),
        3,
      ),
    );

  test("two may forget at once", () => {
    expect(five("run1 v1", "run1 v1", "run1 v1", "run2", "run2")).toBe(
      "current five: member, member, member, readmit, readmit",
    );
  });

  test("three may not", () => {
    expect(five("run1 v1", "run1 v1", "run2", "run2", "run2")).toBe("cold after five");
    expect(five("run1 v1", "run1 v1", "run2", "run2", "-")).toBe("wait");
  });
});

// a sentence | the configuration before | a | b | c | for how long, ms
const QUARANTINES = `
  until the last that may be outstanding has ended, where all know    | v1      | run2 v1 marked      | run2 v1 marked      | run2 v1 marked  | marks
  or a majority know: every lease was on one of them                  | v1      | run2                | run2 v1 marked      | run2 v1 marked  | marks
  for the longest time to live, where a majority forgot               | v1      | run2                | run2                | run1 v1 marked  | 600000
  or all forgot                                                       | nothing | run2                | run2                | run2            | 600000
  or forgot one after the other, before the first had been copied to  | v2      | run3                | run1 v2 marked      | run2 v2 copying | 600000
  for as long again, where a cold start that forgot was interrupted | forgot  | run2 forgot copying | run2 forgot copying | run3            | 600000
  not at all, where the first start was interrupted                   | v1      | run1 v1 copying     | run1 v1 copying     | run2            | 0
  but not where it may have ended: then there were leases             | v1      | run1 v1 copying     | run2                | run2            | 600000
  nor where one is through and another may have been                  | v1      | run1 v1 marked      | run1 v1 copying     | run2            | 600000
`;

describe("after a cold start nobody grants a lease", () => {
  test.each(rowsOf(QUARANTINES))("%s", (_sentence, before = "", a = "", b = "", c = "", expected = "") => {
    const seen = [a, b, c].map(observation).filter((one) => one !== null);
    expect(String(quarantineAfter(KNOWN[before] ?? null, seen, 2, 600_000))).toBe(expected);
  });
});

describe("the entry of a primary", () => {
  const known = KNOWN.v2 as Configuration;
  const seen = (text: string, place: number) => observation(text, place) as Observation;

  test("is found by the id that it stores, wherever it lives and runs now", () => {
    expect(entryOf(known, { ...seen("stranger v1", 1), runId: "unknown" })?.id).toBe("id of b");
  });

  test("else by its run: an address may have another name", () => {
    expect(entryOf(known, { ...seen("run1", 1), address: "alias:6379" })?.id).toBe("id of b");
  });

  test("else by its address: an empty one in the place of the old", () => {
    expect(entryOf(known, seen("run7", 2))?.id).toBe("id of c");
  });

  test("else there is none", () => {
    expect(entryOf(known, seen("stranger", 0))).toBeUndefined();
  });
});

describe("the epoch that scripts compare", () => {
  const { v1, v2 } = KNOWN as Record<"v1" | "v2", Configuration>;
  const all = [
    configurationEpochOf(v1, "a", "member"),
    configurationEpochOf(v1, "a", "copying"),
    configurationEpochOf(v1, "b", "member"),
    configurationEpochOf(v2, "a", "member"),
    configurationEpochOf({ ...v2, nonce: "another" }, "a", "member"),
  ];

  test("is another for each version, nonce, primary and stage", () => {
    expect(new Set(all).size).toBe(all.length);
  });

  test("is never that of a primary that stores nothing", () => {
    expect(all).not.toContain("");
  });
});

describe("the configuration in which the absent are fenced out", () => {
  const current = KNOWN.v2 as Configuration;
  const seen = (...texts: string[]) => texts.flatMap((text, place) => observation(text, place) ?? []);
  const all = seen("run1 v2", "run1 v2", "run2 v2");

  test("has all that are seen as they are, and an absent one as no server is", () => {
    const next = withoutAbsent(current, all.slice(0, 2), "n") as Configuration;
    expect(next).toMatchObject({ version: 3, nonce: "n", coldQuarantine: null });
    expect(next.primaries.map(isFencedOut)).toEqual([false, false, true]);
    expect(next.primaries.slice(0, 2)).toEqual(current.primaries.slice(0, 2));
    // It is back with all that it had: that is given to it anew, whatever it stores.
    const others = all.slice(0, 2).map((one) => ({ ...one, stored: { ...one.stored, configuration: next } }));
    const judgement = judge([...others, all[2]] as Observation[], 2);
    expect(judgement).toMatchObject({ kind: "current", steps: ["member", "member", "readmit"] });
  });

  test("is none where nobody is absent, or all who are were fenced out before", () => {
    expect(withoutAbsent(current, all, "n")).toBeNull();
    const next = withoutAbsent(current, all.slice(0, 2), "n") as Configuration;
    expect(withoutAbsent(next, all.slice(0, 2), "m")).toBeNull();
  });
});
