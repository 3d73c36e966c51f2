import { beforeEach, describe, expect, test } from "vitest";
import { CoordinationError } from "../../../src/errors.js";
import { type Beaten, Heartbeats } from "../../../src/primitives/members/heartbeats.js";
import type { Primaries } from "../../../src/quorum/primaries.js";
import { Keys } from "../../../src/scripts/keys.js";
import type { HeartbeatVote } from "../../../src/scripts/member-calls.js";
import type { Call } from "../../../src/scripts/scripts.js";
import { FakeClock, settled } from "../../helpers/fake-clock.js";

type Votes = readonly HeartbeatVote[];

/** Heartbeats that left together. */
interface Together {
  readonly services: readonly unknown[];
  readonly ids: readonly unknown[];
  /** One of the three primaries answers. */
  answer(votes: Votes): void;
  fail(error: Error): void;
}

let clock: FakeClock;
let heartbeats: Heartbeats;
let left: Together[];

beforeEach(() => {
  clock = new FakeClock();
  left = [];
  const decide: Primaries["decide"] = (question, judge, { lastWord } = {}) =>
    new Promise((resolve, reject) => {
      const values: never[] = [];
      const { args } = question as Call<unknown>;
      left.push({
        // Of each heartbeat the first of four lines, behind the prefix of lists.
        services: args.filter((_, at) => at > 0 && at % 3 === 1),
        ids: args
          .filter((_, at) => at > 0 && at % 3 === 0)
          .join("")
          .split("\n")
          .slice(0, -1)
          .filter((_, at) => at % 4 === 0),
        answer: (votes) => {
          values.push(votes as never);
          const heard = { values, answers: [], replied: values.length, pending: 3 - values.length };
          const verdict = judge(heard) ?? (heard.pending === 0 ? lastWord?.(heard) : undefined);
          if (verdict !== undefined) resolve(verdict);
        },
        fail: reject,
      });
    });
  heartbeats = new Heartbeats({ majority: 2, decide }, new Keys("q:"), clock);
});

const renewed = (incarnation = 5): HeartbeatVote => ({
  kind: "renewed",
  incarnation,
  revision: 1,
  ttlMs: 9,
  hasLeases: false,
});
const missing: HeartbeatVote = { kind: "missing" };

/** Sends heartbeats of these members in one tick of the event loop, and gives what they are answered by and by. */
async function send(...ids: string[]) {
  const answered: Record<string, unknown> = {};
  for (const id of ids)
    void heartbeats.send([{ service: "s", id }]).then(([outcome]) => {
      answered[id] = told(outcome);
    });
  await settled();
  return answered;
}

function told(outcome: Beaten | undefined): unknown {
  if (!outcome) return undefined;
  if ("error" in outcome) return (outcome.error as CoordinationError).code;
  return outcome.pulse?.incarnation ?? null;
}

describe("heartbeats", () => {
  test("of one tick leave together when it is over", async () => {
    const sent = [send("a"), send("b", "c")];
    expect(left).toEqual([]);
    await Promise.all(sent);
    expect(left.map(({ ids }) => ids)).toEqual([["a", "b", "c"]]);
  });

  test("that arrive while others are under way leave together, each with its own outcome", async () => {
    const [first, others] = [await send("a"), await send("b", "c", "d")];
    expect(left.map(({ ids }) => ids)).toEqual([["a"]]);
    for (let i = 0; i < 2; i++) left[0]?.answer([renewed()]);
    await settled();
    expect(first).toEqual({ a: 5 });
    expect(left.map(({ ids }) => ids)).toEqual([["a"], ["b", "c", "d"]]);
    for (let i = 0; i < 3; i++) left[1]?.answer([renewed(6), missing, renewed(7)]);
    await settled();
    expect(others).toEqual({ b: 6, c: null, d: 7 });
  });

  test("are answered by a majority, whatever others that left with them still wait for", async () => {
    await send("first");
    const two = await send("a", "b");
    await clock.advance(5);
    left[1]?.answer([renewed(), renewed()]);
    left[1]?.answer([renewed(), missing]);
    await settled();
    expect(two).toEqual({ a: 5 });
    left[1]?.answer([missing, renewed()]);
    await settled();
    expect(two).toEqual({ a: 5, b: 5 });
  });

  test("wait for those under way for 5 ms at most", async () => {
    await send("a");
    await send("b");
    await clock.advance(4);
    expect(left).toHaveLength(1);
    await clock.advance(1);
    expect(left.map(({ ids }) => ids)).toEqual([["a"], ["b"]]);
    await send("c");
    // The first is over late, and has no say in what leaves when.
    for (let i = 0; i < 2; i++) left[0]?.answer([renewed()]);
    await settled();
    expect(left).toHaveLength(2);
  });

  test("are 100 at most in one call", async () => {
    await send("first");
    await send(...Array.from({ length: 130 }, (_, i) => `m-${i}`));
    await clock.advance(10);
    expect(left.map(({ ids }) => ids.length)).toEqual([1, 100, 30]);
  });

  test("beyond 100 leave in up to four full calls at once, and the rest in turn, every 5 ms at the latest", async () => {
    void heartbeats.send(Array.from({ length: 730 }, (_, i) => ({ service: "s", id: `m-${i}` })));
    await settled();
    expect(left.map(({ ids }) => ids.length)).toEqual([100, 100, 100, 100]);
    for (let i = 0; i < 2; i++) left[1]?.answer(Array.from({ length: 100 }, () => renewed()));
    await settled();
    expect(left).toHaveLength(5);
    await clock.advance(5);
    expect(left.map(({ ids }) => ids.length)).toEqual([100, 100, 100, 100, 100, 100, 100]);
    await clock.advance(5);
    expect(left.at(-1)?.ids).toHaveLength(30);
  });

  test("of a batch leave with those of their service together, and are answered in their own order", async () => {
    const services = Array.from({ length: 150 }, (_, i) => `s${i % 3}`);
    let outcomes: readonly Beaten[] = [];
    void heartbeats.send(services.map((service, i) => ({ service, id: `m-${i}` }))).then((all) => {
      outcomes = all;
    });
    await settled();
    await clock.advance(5);
    expect(left.map((call) => call.services)).toEqual([["s0", "s1"], ["s2"]]);
    for (const call of left) {
      const votes = call.ids.map((id) => renewed(Number(String(id).slice(2)) + 1));
      for (let i = 0; i < 2; i++) call.answer(votes);
    }
    await settled();
    expect(outcomes.map(told)).toEqual(services.map((_, i) => i + 1));
  });

  test("without a quorum fail together, and the next go on", async () => {
    const [first, others] = [await send("a"), await send("b", "c")];
    left[0]?.fail(new CoordinationError("no_quorum", "none"));
    await settled();
    left[1]?.answer([renewed(), renewed()]);
    left[1]?.fail(new CoordinationError("no_quorum", "none"));
    await settled();
    expect([first, others]).toEqual([{ a: "no_quorum" }, { b: "no_quorum", c: "no_quorum" }]);
    const next = await send("d");
    for (let i = 0; i < 2; i++) left[2]?.answer([renewed()]);
    await settled();
    expect(next).toEqual({ d: 5 });
  });
});

test.each([
  ["two renewals", [[renewed()], [renewed()]], 5],
  ["a later incarnation against them", [[{ kind: "other", incarnation: 6 }], [renewed()], [renewed()]], null],
  ["an earlier one beside them", [[{ kind: "other", incarnation: 4 }], [renewed()], [renewed()]], 5],
  ["a tombstone of the same", [[{ kind: "left", incarnation: 5 }], [renewed()], [renewed()]], null],
  ["a tombstone behind them", [[renewed()], [{ kind: "left", incarnation: 5 }], [renewed()]], null],
  ["a tombstone of an earlier one", [[{ kind: "left", incarnation: 4 }], [renewed()], [renewed()]], 5],
  ["renewals of two incarnations", [[renewed(6)], [renewed(5)], [renewed(6)]], 6],
  [
    "an expired vote first",
    [[{ kind: "expired", incarnation: 5, revision: 1 }], [renewed()], [renewed()]],
    null,
  ],
  [
    "one of an earlier revision",
    [[{ kind: "expired", incarnation: 5, revision: 0 }], [renewed()], [renewed()]],
    5,
  ],
  [
    "one of an earlier incarnation",
    [[{ kind: "expired", incarnation: 4, revision: 9 }], [renewed()], [renewed()]],
    5,
  ],
  ["one renewal", [[missing], [renewed()], [missing]], null],
] as const)("%s: the outcome is %2$j", async (_, votes, expected) => {
  const first = await send("first");
  for (let i = 0; i < 2; i++) left[0]?.answer([renewed()]);
  await settled();
  expect(first).toEqual({ first: 5 });
  const answered = await send("a");
  for (const vote of votes) left[1]?.answer(vote);
  await settled();
  expect(answered).toEqual({ a: expected });
});
