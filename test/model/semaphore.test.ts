import { describe, expect, it, vi } from "vitest";
import { expectCaught, expectSound } from "./expectations.js";
import { semaphore } from "./semaphore.js";

// Pure computing, some seconds of it: on a busy machine that takes a while.
vi.setConfig({ testTimeout: 90_000 });

describe("a semaphore of two permits", () => {
  it("is held by two at most, when it is two slots and each a lock", () => {
    expectSound(semaphore({ rule: "slots", permits: 2, clients: 3, tries: 1 }));
    expectSound(semaphore({ rule: "slots", permits: 2, clients: 2, tries: 2 }));
  });

  it("is held by three when votes are counted", () => {
    const { history } = expectCaught(
      semaphore({ rule: "counting votes", permits: 2, clients: 3, tries: 1 }),
      /3 hold 2 permits/,
    );
    expect(history).toHaveLength(10);
  });
});
