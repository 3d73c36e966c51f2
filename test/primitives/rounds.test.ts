import { expect, test } from "vitest";
import { Rounds } from "../../src/primitives/rounds.js";

/** Questions that are answered when a test says so. */
function questions() {
  const open: ((answer: number | Error) => void)[] = [];
  let asked = 0;
  const question = () => {
    asked += 1;
    return new Promise<number>((resolve, reject) =>
      open.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer))),
    );
  };
  return { open, question, asked: () => asked };
}

const turns = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

test("who asks while an answer is under way gets the next one, together with all who do", async () => {
  const { open, question, asked } = questions();
  const rounds = new Rounds<number>();
  const first = rounds.ask("a", question);
  const later = [1, 2, 3].map(() => rounds.ask("a", question));
  expect(asked(), "one at a time").toBe(1);
  open[0]?.(7);
  expect(await first).toBe(7);
  await turns();
  expect(asked()).toBe(2);
  const evenLater = rounds.ask("a", question);
  open[1]?.(8);
  expect(await Promise.all(later)).toEqual([8, 8, 8]);
  await turns();
  open[2]?.(9);
  expect(await evenLater).toBe(9);
});

test("questions of different kinds do not wait for each other", async () => {
  const { open, question, asked } = questions();
  const rounds = new Rounds<number>();
  const both = [rounds.ask("a", question), rounds.ask("b", question)];
  expect(asked()).toBe(2);
  open[1]?.(2);
  open[0]?.(1);
  expect(await Promise.all(both)).toEqual([1, 2]);
});

test("a question that fails fails for those who asked it, and the next is asked", async () => {
  const { open, question, asked } = questions();
  const rounds = new Rounds<number>();
  const first = rounds.ask("a", question);
  const next = rounds.ask("a", question);
  open[0]?.(new Error("no answer"));
  await expect(first).rejects.toThrow("no answer");
  await turns();
  open[1]?.(5);
  expect(await next).toBe(5);
  await turns();
  const last = rounds.ask("a", question);
  expect(asked(), "nothing is kept").toBe(3);
  open[2]?.(6);
  expect(await last).toBe(6);
});
