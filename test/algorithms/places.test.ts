import { expect, test } from "vitest";
import { Places } from "../../src/algorithms/places.js";
import { settled } from "../helpers/fake-clock.js";

test("so many pieces of work run at a time, the others in the order in which they came, also after a failure", async () => {
  const places = new Places(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const runs = [0, 1, 2, 3].map((i) =>
    places.run(async () => {
      begun.push(i);
      await new Promise<void>((end) => ends.push(end));
      if (i === 0) throw new Error("it failed");
    }),
  );
  const outcomes = Promise.allSettled(runs);
  await settled();
  expect(begun).toEqual([0, 1]);
  ends[0]?.();
  await settled();
  expect(begun).toEqual([0, 1, 2]);
  ends[1]?.();
  await settled();
  expect(begun).toEqual([0, 1, 2, 3]);
  for (const end of ends) end();
  expect((await outcomes).map(({ status }) => status)).toEqual([
    "rejected",
    "fulfilled",
    "fulfilled",
    "fulfilled",
  ]);
  await places.run(async () => begun.push(4));
  expect(begun).toContain(4);
});
