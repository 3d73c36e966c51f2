import { beforeEach, expect, test } from "vitest";
import { Few } from "../../src/quorum/few.js";
import type { Primaries } from "../../src/quorum/primaries.js";
import { type Answer, failed } from "../../src/redis/answer.js";
import { PrimaryFailure } from "../../src/redis/failures.js";
import type { Call } from "../../src/scripts/scripts.js";
import { FakeClock, settled } from "../helpers/fake-clock.js";

// Reads of a majority and nobody else, of primaries whose answers the test gives.

interface Asked {
  readonly at: number;
  readonly call: Call<string>;
  readonly answered: (answer: Answer<string>) => void;
}

const PATIENCE_MS = 50;
const REST_MS = 1_000;

let clock: FakeClock;
let asked: Asked[];
let all: { up: boolean; ask: (call: Call<string>, answered: Asked["answered"]) => void }[];
let few: Few;
beforeEach(() => {
  clock = new FakeClock();
  asked = [];
  all = Array.from({ length: 5 }, (_, at) => ({
    up: true,
    ask: (call, answered) => void asked.push({ at, call, answered }),
  }));
  few = new Few({ all, majority: 3 } as unknown as Primaries, clock);
});

const call = (nth: number) => ({ script: { name: `${nth}` } }) as Call<string>;
/** The primaries that are asked next, in that order. */
function asks(): { places: number[]; result: Promise<readonly string[] | null> } {
  asked = [];
  const result = few.ask(call);
  return { places: asked.map(({ at }) => at), result };
}
const answer = (nth: number, value: string) => asked[nth]?.answered({ ok: true, value });

test("ask as many as make a majority, another one first each time", () => {
  const chosen = [1, 2, 3, 4, 5, 6].map(() => asks().places);
  expect(chosen).toEqual([
    [0, 1, 2],
    [1, 2, 3],
    [2, 3, 4],
    [3, 4, 0],
    [4, 0, 1],
    [0, 1, 2],
  ]);
});

test("ask each its own question, and have the values in that order once all have answered", async () => {
  const { result } = asks();
  expect(asked.map(({ call }) => call.script.name)).toEqual(["0", "1", "2"]);
  for (const nth of [2, 0]) answer(nth, `value ${nth}`);
  await settled();
  answer(1, "value 1");
  expect(await result).toEqual(["value 0", "value 1", "value 2"]);
  expect(clock.pending).toBe(0);
});

test("have none as soon as one has failed, which is not asked again for a second", async () => {
  const { result } = asks();
  asked[1]?.answered(failed(new PrimaryFailure("unknown", "no answer")));
  expect(await result).toBeNull();
  expect(clock.pending).toBe(0);
  // Too late: nothing happens.
  answer(0, "late");
  expect(asks().places).toEqual([2, 3, 4]);
  await clock.advance(PATIENCE_MS + REST_MS);
  for (const _ of [1, 2, 3, 4]) asks();
  expect(asks().places).toEqual([1, 2, 3]);
});

test("have none when one has kept them waiting, which is not asked again for a second either", async () => {
  const { result } = asks();
  answer(0, "value 0");
  answer(2, "value 2");
  await clock.advance(PATIENCE_MS);
  expect(await result).toBeNull();
  expect(asks().places).toEqual([2, 3, 4]);
});

test("ask nobody where fewer than a majority answer", async () => {
  for (const at of [0, 2, 4]) (all[at] as (typeof all)[number]).up = false;
  const { places, result } = asks();
  expect(places).toEqual([]);
  expect(await result).toBeNull();
  expect(clock.pending).toBe(0);
});
