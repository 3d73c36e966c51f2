import { describe, expect, test, vi } from "vitest";
import { PendingCompensations } from "../../src/redis/pending-compensations.js";
import type { Call } from "../../src/scripts/scripts.js";
import { settled } from "../helpers/fake-clock.js";

const call = (name: string) => ({ name }) as unknown as Call<unknown>;

/** Compensations pending for a primary that answers as the test says. */
function compensations(answers: (call: Call<unknown>) => boolean | Promise<boolean> = () => true) {
  const run = vi.fn(async (each: Call<unknown>) => answers(each));
  const dropped = vi.fn();
  const sent = () => run.mock.calls.map(([each]) => (each as unknown as { name: string }).name);
  return { pending: new PendingCompensations(run, dropped), sent, dropped };
}

describe("a compensation", () => {
  test("is run once the primary answers, and once only", async () => {
    const { pending, sent } = compensations();
    pending.add("a", call("a"));
    pending.add("b", call("b"));
    expect(sent()).toEqual([]);
    await pending.deliver();
    await pending.deliver();
    expect(sent()).toEqual(["a", "b"]);
  });

  test("under the same key is pending once: the later call", async () => {
    const { pending, sent } = compensations();
    pending.add("a", call("earlier"));
    pending.add("b", call("b"));
    pending.add("a", call("later"));
    await pending.deliver();
    expect(sent()).toEqual(["b", "later"]);
  });

  test("is run again until it was answered", async () => {
    let reachable = false;
    const { pending, sent } = compensations(() => reachable);
    pending.add("a", call("a"));
    for (let i = 0; i < 3; i++) await pending.deliver();
    reachable = true;
    for (let i = 0; i < 3; i++) await pending.deliver();
    expect(sent()).toEqual(["a", "a", "a", "a"]);
  });

  test("is run again where only others were answered", async () => {
    let hard = 2;
    const { pending, sent } = compensations((each) => each !== stubborn || --hard < 0);
    const stubborn = call("stubborn");
    pending.add("stubborn", stubborn);
    pending.add("easy", call("easy"));
    await pending.deliver();
    // One of them was answered, so it was tried once more at once.
    expect(sent()).toEqual(["stubborn", "easy", "stubborn"]);
    await pending.deliver();
    expect(sent()).toEqual(["stubborn", "easy", "stubborn", "stubborn"]);
  });

  test("may be added again while it is being run", async () => {
    const answers: ((answered: boolean) => void)[] = [];
    const { pending, sent } = compensations(() => new Promise((resolve) => answers.push(resolve)));
    pending.add("a", call("earlier"));
    const delivered = pending.deliver();
    await settled();
    pending.add("a", call("later"));
    void pending.deliver();
    answers[0]?.(true);
    await settled();
    answers[1]?.(true);
    await delivered;
    expect(sent()).toEqual(["earlier", "later"]);
  });

  test("is run in a batch: a primary that comes back is not flooded", async () => {
    let most = 0;
    let open = 0;
    const { pending, sent } = compensations(async () => {
      most = Math.max(most, ++open);
      await settled();
      open -= 1;
      return true;
    });
    for (let i = 0; i < 1_000; i++) pending.add(`${i}`, call(`${i}`));
    await pending.deliver();
    expect(sent()).toHaveLength(1_000);
    expect(most).toBeLessThanOrEqual(100);
  });

  test("beyond 10,000 of them the oldest is dropped, and that is reported", async () => {
    const { pending, sent, dropped } = compensations();
    for (let i = 0; i < 10_002; i++) pending.add(`${i}`, call(`${i}`));
    expect(dropped).toHaveBeenCalledTimes(2);
    await pending.deliver();
    expect(sent()).toHaveLength(10_000);
    expect(sent()[0]).toBe("2");
  });
});
