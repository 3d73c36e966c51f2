import { expect, test } from "vitest";
import { heldByMajority, latestOf, mostReported } from "../../src/algorithms/holds.js";

/** `A2`: the hold of the lease A, whose metadata have revision 2. */
const hold = (text: string) => ({ digest: text.charAt(0), revision: text.slice(1) });
const text = ({ digest, revision }: ReturnType<typeof hold>) => digest + revision;

test.each<[primaries: string[][], majority: number, held: string[]]>([
  [[["A"], ["A"], []], 2, ["A"]],
  [[["A"], ["B"], []], 2, []],
  [[[], [], []], 2, []],
  [[["A", "B"], ["B", "A"], ["C"]], 2, ["A", "B"]],
  [[["A"], ["A"], ["B"], ["B"], ["A"]], 3, ["A"]],
  [[["A1"], ["A3"], ["A2"]], 2, ["A3"]],
  [[["A"]], 1, ["A"]],
])("of %j, with a majority of %d, held are %j", (primaries, majority, held) => {
  const seen = primaries.map((holds) => holds.map(hold));
  expect(heldByMajority(seen, majority).map(text)).toEqual(held);
});

test.each<[holds: string[], most: string | null, votes: number]>([
  [[], null, 0],
  [["A"], "A", 1],
  [["A", "B"], "A", 1],
  [["B", "A", "A"], "A", 2],
  [["A", "B", "A", "B", "B"], "B", 3],
])("of %j the most reported is %s, by %d", (holds, most, votes) => {
  const found = mostReported(holds.map(hold));
  expect([found ? text(found.hold) : null, found?.votes ?? 0]).toEqual([most, votes]);
});

test("the latest revision is found wherever it stands; of equal ones the first", () => {
  for (const order of [
    ["A1", "B2", "C0"],
    ["B2", "A1"],
    ["B2", "C2"],
  ])
    expect(text(latestOf(order.map(hold)))).toBe("B2");
});
