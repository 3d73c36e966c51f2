import { describe, expect, it, vi } from "vitest";
import { expectCaught, expectSound } from "./expectations.js";
import { type QueueOptions, type QueueVariant, queue, type Waiter } from "./queue.js";

// Pure computing, some seconds of it: on a busy machine that takes a while.
vi.setConfig({ testTimeout: 90_000 });

const writer: Waiter = { mode: "writer", wants: "a", who: "stays" };
const reader: Waiter = { ...writer, mode: "reader" };
const right: QueueOptions = {
  variant: "right",
  waiters: [writer, writer],
  up: 2,
  losses: 0,
  served: "all",
  order: "kept",
};

describe("those who wait in line", () => {
  it("are all served in the end, and nobody overtakes", () => {
    expectSound(queue({ ...right, waiters: [writer, writer, writer] }));
    expectSound(queue({ ...right, waiters: [reader, writer, reader] }));
  });

  it("are so with all primaries, where one may lag behind", () => {
    expectSound(queue({ ...right, up: 3 }));
  });

  it("are so when they wait for several names", () => {
    const [both, one, other] = (["ab", "b", "a"] as const).map((wants) => ({ ...writer, wants }));
    expectSound(queue({ ...right, waiters: [both as Waiter, one as Waiter, other as Waiter] }));
  });

  it("are so beside one that does not wait", () => {
    expectSound(queue({ ...right, waiters: [writer, writer, { ...writer, who: "does not wait" }] }));
  });

  it("are so when a primary forgets them, and when one leaves or dies", () => {
    expectSound(queue({ ...right, losses: 1 }));
    expectSound(queue({ ...right, waiters: [{ ...writer, who: "may leave" }, writer] }));
    expectSound(queue({ ...right, waiters: [{ ...writer, who: "may die" }, writer] }));
  });

  it("are so when one asks in two requests, each with a ticket", () => {
    expectSound(
      queue({ ...right, waiters: [writer, writer, { ...writer, repeats: 0 }], order: "overlooked" }),
    );
  });

  it("are so as writers, though readers come again and again", () => {
    const again: Waiter = { ...reader, who: "comes again" };
    expectSound(queue({ ...right, waiters: [writer, again, again], served: "the first" }));
  });
});

describe("somebody waits for ever", () => {
  it.each([
    ["the ticket goes with a grant", 32, {}],
    ["the ticket goes in clean-up", 20, {}],
    ["a retry takes no place again", 21, { losses: 1 }],
    [
      "readers ignore the line",
      20,
      { waiters: [writer, { ...reader, who: "comes again" }], served: "the first" },
    ],
    ["the last ticket counts", 30, { waiters: [writer, writer, { ...writer, repeats: 0 }] }],
  ] as const satisfies [QueueVariant, number, Partial<QueueOptions>][])(
    "though all could be served, when %s",
    (variant, steps, bounds) => {
      const { history, repeated } = expectCaught(
        queue({ ...right, ...bounds, order: "overlooked", variant }),
        /somebody waits for ever$/,
      );
      expect(history).toHaveLength(steps + 1);
      expect(repeated).toBeGreaterThan(0);
    },
  );

  it("and can never be served, when there is a ticket for each name", () => {
    const both: Waiter = { ...writer, wants: "ab" };
    const { history } = expectCaught(
      queue({ ...right, waiters: [both, both], variant: "a ticket for each name" }),
      /waits for ever, whatever comes/,
    );
    expect(history).toHaveLength(5);
  });

  it("and can never be served, when a place is kept for ever", () => {
    const { history } = expectCaught(
      queue({
        ...right,
        waiters: [{ ...writer, who: "may die" }, writer],
        variant: "a place is kept for ever",
      }),
      /waits for ever, whatever comes/,
    );
    expect(history).toHaveLength(4);
  });
});

it("who does not wait overtakes when it ignores the line", () => {
  const waiters: Waiter[] = [writer, writer, { ...writer, who: "does not wait" }];
  const { history } = expectCaught(
    queue({ ...right, waiters, variant: "who does not wait ignores the line" }),
    /C overtakes B/,
  );
  expect(history).toHaveLength(13);
});
