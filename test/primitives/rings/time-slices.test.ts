import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { TimeSlices } from "../../../src/primitives/rings/time-slices.js";
import { FakeClock } from "../../helpers/fake-clock.js";

test("one slice runs in each turn of the event loop, whoever asks for more, and all get theirs in order", async () => {
  const turns = new TimeSlices(new FakeClock());
  const slices: string[] = [];
  const perTurn: number[] = [];
  const work = async (name: string) => {
    for (let i = 0; i < 3; i++) {
      await turns.take();
      slices.push(name);
    }
  };
  const all = Promise.all(["a", "b", "c"].map(work));
  while (slices.length < 9) {
    const before = slices.length;
    await turn();
    perTurn.push(slices.length - before);
  }
  await all;
  expect(slices.join("")).toBe("abcabcabc");
  expect(Math.max(...perTurn)).toBe(1);
});
