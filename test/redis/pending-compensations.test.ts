import { describe, expect, test, vi } from "vitest";
import { PendingCompensations } from "../../src/redis/pending-compensations.js";
import type { Call } from "../../src/scripts/scripts.js";
import { settled } from "../helpers/fake-clock.js";

const call = (name: string) => ({ name }) as unknown as Call<unknown>;

/** Debts to a primary that answers what the test says. */
function debts(answers: (call: Call<unknown>) => boolean | Promise<boolean> = () => true) {
  const tell = vi.fn(async (each: Call<unknown>) => answers(each));
  const dropped = vi.fn();
  const told = () => tell.mock.calls.map(([each]) => (each as unknown as { name: string }).name);
  return { debts: new PendingCompensations(tell, dropped), told, dropped };
}

describe("what is owed to a primary", () => {
  test("is told once it pays, and once only", async () => {
    const { debts: owed, told } = debts();
    owed.add("a", call("a"));
    owed.add("b", call("b"));
    expect(told()).toEqual([]);
    await owed.deliver();
    await owed.deliver();
    expect(told()).toEqual(["a", "b"]);
  });

  test("under the same name is owed once: the later call", async () => {
    const { debts: owed, told } = debts();
    owed.add("a", call("earlier"));
    owed.add("b", call("b"));
    owed.add("a", call("later"));
    await owed.deliver();
    expect(told()).toEqual(["b", "later"]);
  });

  test("is told again as often as it takes", async () => {
    let reachable = false;
    const { debts: owed, told } = debts(() => reachable);
    owed.add("a", call("a"));
    for (let i = 0; i < 3; i++) await owed.deliver();
    reachable = true;
    for (let i = 0; i < 3; i++) await owed.deliver();
    expect(told()).toEqual(["a", "a", "a", "a"]);
  });

  test("is told again where only others were answered", async () => {
    let hard = 2;
    const { debts: owed, told } = debts((each) => each !== stubborn || --hard < 0);
    const stubborn = call("stubborn");
    owed.add("stubborn", stubborn);
    owed.add("easy", call("easy"));
    await owed.deliver();
    // One of them was answered, so it was tried once more at once.
    expect(told()).toEqual(["stubborn", "easy", "stubborn"]);
    await owed.deliver();
    expect(told()).toEqual(["stubborn", "easy", "stubborn", "stubborn"]);
  });

  test("while it is being told may come to be owed anew", async () => {
    const answers: ((answered: boolean) => void)[] = [];
    const { debts: owed, told } = debts(() => new Promise((resolve) => answers.push(resolve)));
    owed.add("a", call("earlier"));
    const paid = owed.deliver();
    await settled();
    owed.add("a", call("later"));
    void owed.deliver();
    answers[0]?.(true);
    await settled();
    answers[1]?.(true);
    await paid;
    expect(told()).toEqual(["earlier", "later"]);
  });

  test("is told in batches: a primary that comes back is not drowned", async () => {
    let most = 0;
    let open = 0;
    const { debts: owed, told } = debts(async () => {
      most = Math.max(most, ++open);
      await settled();
      open -= 1;
      return true;
    });
    for (let i = 0; i < 1_000; i++) owed.add(`${i}`, call(`${i}`));
    await owed.deliver();
    expect(told()).toHaveLength(1_000);
    expect(most).toBeLessThanOrEqual(100);
  });

  test("is bounded: beyond 10,000 the oldest is dropped, and that is told", async () => {
    const { debts: owed, told, dropped } = debts();
    for (let i = 0; i < 10_002; i++) owed.add(`${i}`, call(`${i}`));
    expect(dropped).toHaveBeenCalledTimes(2);
    await owed.deliver();
    expect(told()).toHaveLength(10_000);
    expect(told()[0]).toBe("2");
  });
});
