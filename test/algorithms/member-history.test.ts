import { expect, test } from "vitest";
import { historyOf } from "../../src/algorithms/member-history.js";

const event = (revision: number, more: object = {}) => ({
  id: "a",
  incarnation: 7,
  revision,
  left: false,
  expired: false,
  identity: `${revision}${JSON.stringify(more)}`,
  ...more,
});
const kept = (atMs: number, revision: number, more?: object) => ({ atMs, event: event(revision, more) });
const THREE = { primaries: 3, majority: 2 };
const toldOf = (answers: Parameters<typeof historyOf<ReturnType<typeof event>>>[0]) =>
  historyOf(answers, THREE, 100).map(({ atMs, event: { revision } }) => [atMs, revision]);

test("a history has what a majority hold, in order, and when the first of them stored it", () => {
  const answers = [
    [kept(20, 1), kept(30, 2)],
    [kept(10, 1)],
    // It had missed the first, and got it by a repair.
    [kept(35, 2), kept(90, 1)],
  ];
  expect(toldOf(answers)).toEqual([
    [10, 1],
    [30, 2],
  ]);
});

test("a history does not have what only a minority hold, however often", () => {
  expect(toldOf([[kept(20, 1), kept(21, 1)], [], []])).toEqual([]);
});

test("a history has what a majority may hold while one of them does not answer", () => {
  expect(toldOf([[kept(20, 1)], []])).toEqual([[20, 1]]);
});

test("a history ends with a leave, whatever the clocks of the primaries say", () => {
  const one = [kept(50, 1), kept(40, 1, { left: true })];
  expect(toldOf([one, one, []])).toEqual([
    [50, 1],
    [40, 1],
  ]);
  expect(historyOf([one, one, []], THREE, 100).at(-1)?.event.left).toBe(true);
});

test.each([99, 100, 101])("of %i changes a history has the latest 100", (changes) => {
  const all = Array.from({ length: changes }, (_, index) => kept(index, index + 1));
  expect(toldOf([all, all]).map(([, revision]) => revision)).toEqual(
    all.slice(-100).map((one) => one.event.revision),
  );
});
