import { expect, test } from "vitest";
import { Gathering } from "../../src/redis/gathering.js";
import { FakeClock } from "../helpers/fake-clock.js";

function gathering() {
  const clock = new FakeClock();
  const sent: (readonly string[])[] = [];
  const replies: (() => void)[] = [];
  const all = new Gathering<string>((together, over) => {
    sent.push(together);
    replies.push(over);
  }, clock);
  const reply = async () => {
    replies.shift()?.();
    await clock.advance(0);
  };
  return { all, clock, sent, reply };
}

test("a call that meets no other leaves when its tick is over, with those of the same tick", async () => {
  const { all, clock, sent } = gathering();
  all.add("one");
  all.add("two");
  expect(sent).toEqual([]);
  await clock.advance(0);
  expect(sent).toEqual([["one", "two"]]);
  expect(clock.pending, "nothing waits").toBe(0);
});

test("calls that come while others are under way wait for their replies, and leave together", async () => {
  const { all, clock, sent, reply } = gathering();
  all.add("one");
  await clock.advance(0);
  all.add("two");
  await clock.advance(1);
  all.add("three");
  await clock.advance(1);
  expect(sent).toEqual([["one"]]);
  await reply();
  expect(sent).toEqual([["one"], ["two", "three"]]);
  await reply();
  all.add("four");
  await clock.advance(0);
  expect(sent.at(-1)).toEqual(["four"]);
  expect(clock.pending).toBe(0);
});

test("those that a reply leads to leave with those that waited for it", async () => {
  const { all, clock, sent, reply } = gathering();
  all.add("one");
  await clock.advance(0);
  all.add("two");
  const replied = reply();
  all.add("after one");
  await replied;
  expect(sent).toEqual([["one"], ["two", "after one"]]);
});

test("they wait 5 ms at most, again and again while a server does not reply", async () => {
  const { all, clock, sent, reply } = gathering();
  all.add("one");
  await clock.advance(2);
  all.add("two");
  await clock.advance(4);
  all.add("three");
  expect(sent).toEqual([["one"]]);
  await clock.advance(1);
  expect(sent).toEqual([["one"], ["two", "three"]]);
  all.add("four");
  await reply();
  expect(sent, "the second is still under way").toHaveLength(2);
  await clock.advance(5);
  expect(sent.at(-1)).toEqual(["four"]);
});
