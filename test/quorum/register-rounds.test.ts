import { describe, expect, test } from "vitest";
import { type Ballot, NO_BALLOT } from "../../src/algorithms/ballot.js";
import type { Copy } from "../../src/algorithms/register.js";
import { Hedge } from "../../src/quorum/hedge.js";
import { Primaries } from "../../src/quorum/primaries.js";
import { RegisterRound } from "../../src/quorum/register-rounds.js";
import { type Answer, failed } from "../../src/redis/answer.js";
import { PrimaryFailure } from "../../src/redis/failures.js";
import type { Primary } from "../../src/redis/primary.js";
import { Keys } from "../../src/scripts/keys.js";
import type { RegisterPromise } from "../../src/scripts/register-calls.js";
import type { Call } from "../../src/scripts/scripts.js";
import { FakeClock, settled } from "../helpers/fake-clock.js";

interface Asked {
  readonly place: number;
  answer(value: unknown): Promise<void>;
  fail(): Promise<void>;
}

const EPOCH = "1:nonce:id";

/** Primaries whose answers the test gives, with what their calls took lately, ms; null: it takes no part. */
function controlled(recentMs: readonly (number | null)[], isBusy = true, epochs: readonly string[] = []) {
  const asked: Asked[] = [];
  const all = recentMs.map((recent, place) => ({
    configurationEpoch: recent === null ? null : (epochs[place] ?? EPOCH),
    latency: { recentMs: recent ?? 0 },
    ask: (_: Call<unknown>, answered: (answer: Answer<unknown>) => void) => {
      const answering = (answer: Answer<unknown>) => {
        answered(answer);
        return settled();
      };
      asked.push({
        place,
        answer: (value) => answering({ ok: true, value }),
        fail: () => answering(failed(new PrimaryFailure("unknown", "no answer"))),
      });
    },
  }));
  const primaries = new Primaries(all as unknown as Primary[], { fencedOut: () => 0 } as never);
  const clock = new FakeClock();
  const hedge = new Hedge(clock);
  if (isBusy) for (const one of Array.from({ length: 32 }, () => hedge.give(() => {}))) hedge.takeBack(one);
  const round = new RegisterRound(primaries, new Keys("q:"), "value/default/a");
  return { all, asked, places: () => asked.map(({ place }) => place), clock, hedge, round };
}

const ballot = (round: number): Ballot => `${String(round).padStart(12, "0")}:${"a".repeat(24)}`;

const promise: RegisterPromise = { kind: "promised", floor: NO_BALLOT, nowMs: 0, copy: null };

const copy = (accepted: Ballot): Copy => ({
  accepted,
  promised: accepted,
  etag: accepted,
  leftMs: null,
  isLive: true,
  isCopied: false,
  text: "1 - -\n1",
});

test("all are asked where little is under way, and the first majority counts", async () => {
  const { asked, places, round, hedge, clock } = controlled([1, 2, 3], false);
  const read = round.read(hedge);
  expect(places()).toEqual([0, 1, 2]);
  await asked[2]?.answer(copy(ballot(1)));
  await asked[1]?.answer(copy(ballot(1)));
  expect(await read).toHaveLength(2);
  await asked[0]?.fail();
  await clock.advance(100);
  expect(places()).toEqual([0, 1, 2]);
});

describe("all votes of a round come from one configuration", () => {
  test("a primary that is in another is not asked: two of three in one are a majority, one in each of them is none", async () => {
    const { asked, places, round } = controlled([1, 1, 1], false, ["1:old:a", "2:new:b", "2:new:c"]);
    expect(round.isWhole).toBe(false);
    const prepared = round.prepare(ballot(1));
    expect(places()).toEqual([1, 2]);
    for (const one of asked) await one.answer(promise);
    expect(await prepared).toMatchObject({ kind: "promised" });

    const apart = controlled([1, 1, 1], false, ["1:old:a", "2:new:b", "3:newer:c"]);
    const none = apart.round.prepare(ballot(1));
    expect(apart.places()).toHaveLength(1);
    for (const one of apart.asked) await one.answer(promise);
    expect(await none).toEqual({ kind: "no_quorum" });
  });

  test("nor is one that has changed it since the round began", async () => {
    const { all, asked, places, round } = controlled([1, 1, 1], false);
    void round.prepare(ballot(1));
    for (const one of asked) await one.answer(promise);
    for (const one of all.slice(0, 2)) one.configurationEpoch = "2:new:id";
    const accepted = round.accept(ballot(1), { ...copy(ballot(1)) });
    expect(places()).toEqual([0, 1, 2, 2]);
    await asked[3]?.answer(null);
    expect(await accepted).toMatchObject({ kind: "unknown" });
  });
});

describe("where much is under way", () => {
  test("as many as a majority are asked: the fastest of those that take part", async () => {
    for (const [recentMs, places] of [
      [
        [1, 1, 1],
        [0, 1],
      ],
      [
        [3, 1, 2],
        [1, 2],
      ],
      [
        [3, null, 2],
        [2, 0],
      ],
      [
        [5, 4, 3, 2, 1],
        [4, 3, 2],
      ],
      [[1], [0]],
    ] as const) {
      const { asked, places: those, round, hedge, clock } = controlled(recentMs);
      const prepared = round.prepare(ballot(1), hedge);
      expect(those()).toEqual(places);
      for (const one of asked) await one.answer(promise);
      expect(await prepared).toMatchObject({ kind: "promised", promises: places.map(() => promise) });
      await clock.advance(100);
      expect(those(), "nobody else").toEqual(places);
    }
  });

  test("the others are asked once one of these fails", async () => {
    const { asked, places, round, hedge } = controlled([1, 2, 3]);
    const prepared = round.prepare(ballot(1), hedge);
    await asked[0]?.fail();
    expect(places()).toEqual([0, 1, 2]);
    await asked[2]?.answer(promise);
    await asked[1]?.answer(promise);
    expect((await prepared).kind).toBe("promised");
  });

  test("or refuses", async () => {
    const { asked, places, round, hedge } = controlled([1, 2, 3]);
    const prepared = round.prepare(ballot(1), hedge);
    await asked[0]?.answer({ kind: "refused", promised: ballot(7) });
    await asked[1]?.answer(promise);
    expect(places()).toEqual([0, 1, 2]);
    await asked[2]?.answer({ kind: "refused", promised: ballot(5) });
    expect(await prepared).toEqual({ kind: "refused", promised: ballot(7) });
  });

  test("or takes longer than 20 ms", async () => {
    const { asked, places, round, hedge, clock } = controlled([1, 2, 3]);
    const read = round.read(hedge);
    await asked[1]?.answer(copy(ballot(1)));
    await clock.advance(19);
    expect(places()).toEqual([0, 1]);
    await clock.advance(1);
    expect(places()).toEqual([0, 1, 2]);
    await asked[2]?.answer(copy(ballot(1)));
    expect(await read).toEqual([copy(ballot(1)), copy(ballot(1))]);
  });

  test("or where what they have accepted differs: then the third decides", async () => {
    const { asked, places, round, hedge } = controlled([1, 2, 3]);
    const read = round.read(hedge);
    await asked[0]?.answer(copy(ballot(1)));
    expect(places()).toEqual([0, 1]);
    await asked[1]?.answer(copy(ballot(2)));
    expect(places()).toEqual([0, 1, 2]);
    await asked[2]?.answer(copy(ballot(2)));
    expect(await read).toHaveLength(3);
  });

  test("or have all failed to decide: then there is none, and nobody waits", async () => {
    const { asked, round, hedge, clock } = controlled([1, 2, 3]);
    const read = round.read(hedge);
    for (const place of [0, 1, 2]) await asked[place]?.fail();
    expect(await read).toBeNull();
    await clock.advance(100);
    expect(clock.pending).toBe(0);
  });
});

test("an accept goes to all, and is told once a majority have accepted it; late answers are told to those who want all", async () => {
  const { asked, places, round } = controlled([3, 2, 1]);
  const told: unknown[] = [];
  const proposal = { etag: ballot(1), leftMs: null, isLive: true, text: "1 - -\n1" };
  const accepted = round.accept(ballot(1), proposal, (answers) => told.push(answers.map((one) => one?.ok)));
  expect(places()).toEqual([0, 1, 2]);
  await asked[2]?.answer(null);
  await asked[0]?.answer(null);
  expect(await accepted).toEqual({ kind: "accepted" });
  expect(told).toEqual([]);
  await asked[1]?.fail();
  expect(told).toEqual([[true, false, true]]);
});

describe("an accept that no majority can make any more", () => {
  const outcomes: readonly [string, ("refuses" | "fails" | "later")[], string][] = [
    ["is refused where the only one has refused", ["refuses"], "refused"],
    ["is unknown where the only one may have accepted it", ["fails"], "unknown"],
    ["is unknown where one may have accepted it", ["refuses", "fails", "refuses"], "unknown"],
    ["is unknown while one is still to answer", ["refuses", "refuses", "later"], "unknown"],
  ];
  test.each(outcomes)("%s", async (_, replies, kind) => {
    const { asked, round } = controlled(replies.map(() => 1));
    const proposal = { etag: ballot(1), leftMs: null, isLive: true, text: "1 - -\n1" };
    const accepted = round.accept(ballot(1), proposal);
    for (const [place, reply] of replies.entries()) {
      if (reply === "refuses") await asked[place]?.answer(ballot(9));
      else if (reply === "fails") await asked[place]?.fail();
    }
    expect(await accepted).toEqual({ kind, promised: replies.includes("refuses") ? ballot(9) : null });
  });
});
