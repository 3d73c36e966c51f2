import { describe, expect, test, vi } from "vitest";
import { PendingCompensations } from "../../src/redis/pending-compensations.js";
import type { Call } from "../../src/scripts/scripts.js";
import { settled } from "../helpers/fake-clock.js";

const call = (name: string) => ({ name }) as unknown as Call<unknown>;

/** Compensations that are pending for a primary, which answers as the test says. */
function compensations(answers: (call: Call<unknown>) => boolean | Promise<boolean> = () => true) {
  const tell = vi.fn(async (each: Call<unknown>) => answers(each));
  const dropped = vi.fn();
  const told = () => tell.mock.calls.map(([each]) => (each as unknown as { name: string }).name);
  return { compensations: new PendingCompensations(tell, dropped), told, dropped };
}

describe("what is pending to a primary", () => {
  test("is told once it pays, and once only", async () => {
    const { compensations: pending, told } = compensations();
    pending.add("a", call("a"));
    pending.add("b", call("b"));
    expect(told()).toEqual([]);
    await pending.deliver();
    await pending.deliver();
    expect(told()).toEqual(["a", "b"]);
  });

  test("under the same name is pending once: the later call", async () => {
    const { compensations: pending, told } = compensations();
    pending.add("a", call("earlier"));
    pending.add("b", call("b"));
    pending.add("a", call("later"));
    await pending.deliver();
    expect(told()).toEqual(["b", "later"]);
  });

  test("is told again as often as it takes", async () => {
    let reachable = false;
    const { compensations: pending, told } = compensations(() => reachable);
    pending.add("a", call("a"));
    for (let i = 0; i < 3; i++) await pending.deliver();
    reachable = true;
    for (let i = 0; i < 3; i++) await pending.deliver();
    expect(told()).toEqual(["a", "a", "a", "a"]);
  });

  test("is told again where only others were answered", async () => {
    let hard = 2;
    const { compensations: pending, told } = compensations((each) => each !== stubborn || --hard < 0);
    const stubborn = call("stubborn");
    pending.add("stubborn", stubborn);
    pending.add("easy", call("easy"));
    await pending.deliver();
    // One of them was answered, so it was tried once more at once.
    expect(told()).toEqual(["stubborn", "easy", "stubborn"]);
    await pending.deliver();
    expect(told()).toEqual(["stubborn", "easy", "stubborn", "stubborn"]);
  });

  test("while it is being told may come to be pending anew", async () => {
    const answers: ((answered: boolean) => void)[] = [];
    const { compensations: pending, told } = compensations(() => new Promise((resolve) => answers.push(resolve)));
    pending.add("a", call("earlier"));
    const paid = pending.deliver();
    await settled();
    pending.add("a", call("later"));
    void pending.deliver();
    answers[0]?.(true);
    await settled();
    answers[1]?.(true);
    await paid;
    expect(told()).toEqual(["earlier", "later"]);
  });

  test("is told in batches: a primary that comes back is not drowned", async () => {
    let most = 0;
    let open = 0;
    const { compensations: pending, told } = compensations(async () => {
      most = Math.max(most, ++open);
      await settled();
      open -= 1;
      return true;
    });
    for (let i = 0; i < 1_000; i++) pending.add(`${i}`, call(`${i}`));
    await pending.deliver();
    expect(told()).toHaveLength(1_000);
    expect(most).toBeLessThanOrEqual(100);
  });

  test("is bounded: beyond 10,000 the oldest is dropped, and that is told", async () => {
    const { compensations: pending, told, dropped } = compensations();
    for (let i = 0; i < 10_002; i++) pending.add(`${i}`, call(`${i}`));
    expect(dropped).toHaveBeenCalledTimes(2);
    await pending.deliver();
    expect(told()).toHaveLength(10_000);
    expect(told()[0]).toBe("2");
  });
});
