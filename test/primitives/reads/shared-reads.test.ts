import { describe, expect, test } from "vitest";
import { SharedReads } from "../../../src/primitives/reads/shared-reads.js";
import { FakeClock, settled } from "../../helpers/fake-clock.js";

/** What the reads are of: a number that only grows, as what is acknowledged does. */
class Store {
  acknowledged = 0;
  begun = 0;
  most = 0;
  #open: (() => void)[] = [];

  /** Tells what was there when it began, once it is let go. */
  readonly read = (): Promise<number> => {
    this.begun += 1;
    const seen = this.acknowledged;
    return new Promise((resolve) => {
      this.#open.push(() => resolve(seen));
      this.most = Math.max(this.most, this.#open.length);
    });
  };

  get underWay(): number {
    return this.#open.length;
  }

  async finishOne(): Promise<void> {
    this.#open.shift()?.();
    for (let i = 0; i < 3; i++) await settled();
  }
}

interface Reads {
  read(key: string, begin: () => Promise<number>): Promise<number>;
}

/** The obvious way, which is wrong: whoever asks joins the read that is under way. */
class JoinsWhatRuns implements Reads {
  readonly #running = new Map<string, Promise<number>>();
  read(key: string, begin: () => Promise<number>): Promise<number> {
    const running = this.#running.get(key) ?? begin().finally(() => this.#running.delete(key));
    this.#running.set(key, running);
    return running;
  }
}

/** Asks, acknowledges and lets reads end, by turns; what was acknowledged and is missing from an answer that was asked for later. */
async function missed(reads: Reads): Promise<string[]> {
  const store = new Store();
  const found: string[] = [];
  const asked: Promise<void>[] = [];
  for (let round = 1; round <= 40; round++) {
    const before = store.acknowledged;
    asked.push(
      reads.read("key", store.read).then((seen) => {
        if (seen < before) found.push(`${before} was acknowledged, and ${seen} is what was read`);
      }),
    );
    if (round % 3 !== 0) store.acknowledged += 1;
    if (round % 4 === 0) await store.finishOne();
  }
  while (store.underWay > 0) await store.finishOne();
  await Promise.all(asked);
  return found;
}

const shared = (atOnceMax = 2) => new SharedReads<number>(new FakeClock(), atOnceMax);

describe("reads that are shared", () => {
  test("have in them all that was acknowledged before they were asked for", async () => {
    expect(await missed(shared())).toEqual([]);
  });

  test("would not, if a request joined a read that has begun", async () => {
    expect((await missed(new JoinsWhatRuns())).length).toBeGreaterThan(0);
  });

  test("are two for any number who ask at once: one under way, and one for all who came after", async () => {
    const store = new Store();
    const reads = shared();
    const asked = Array.from({ length: 1_000 }, () => reads.read("key", store.read));
    await settled();
    expect(store.begun).toBe(1);
    await store.finishOne();
    expect(store.begun).toBe(2);
    await store.finishOne();
    for (let i = 0; i < 1_000; i++) await settled();
    await Promise.all(asked);
    expect(store.begun).toBe(2);
  });

  test("of different keys are under way side by side, but not more than so many", async () => {
    const store = new Store();
    const reads = shared(3);
    const asked = Array.from({ length: 10 }, (_, i) => reads.read(`key ${i}`, store.read));
    await settled();
    expect(store.underWay).toBe(3);
    while (store.underWay > 0) await store.finishOne();
    await Promise.all(asked);
    expect([store.begun, store.most]).toEqual([10, 3]);
  });

  test("of a key that is under way let those of other keys go first", async () => {
    const store = new Store();
    const reads = shared(2);
    const asked = ["a", "a", "b"].map((key) => reads.read(key, store.read));
    await settled();
    expect(store.underWay).toBe(2);
    while (store.underWay > 0) await store.finishOne();
    await Promise.all(asked);
    expect(store.begun).toBe(3);
  });

  test("that fail fail for all who share them, and the next begins anew", async () => {
    const reads = shared();
    const failing = () => Promise.reject(new Error("no quorum"));
    const asked = [1, 2, 3].map(() => reads.read("key", failing));
    for (const one of asked) await expect(one).rejects.toThrow("no quorum");
    expect(await reads.read("key", async () => 7)).toBe(7);
  });

  test("answer those who share one in turns of the event loop, so that others come between", async () => {
    const reads = shared();
    const first = reads.read("key", async () => 1);
    const order: string[] = [];
    const asked = [1, 2, 3].map((i) =>
      reads.read("key", async () => 2).then(() => order.push(`answer ${i}`)),
    );
    const other = (async () => {
      for (let i = 0; i < 20; i++) {
        await settled();
        order.push("other");
      }
    })();
    await Promise.all([first, ...asked, other]);
    const answers = order.map((one, place) => (one === "other" ? -1 : place)).filter((place) => place >= 0);
    expect(answers).toHaveLength(3);
    for (const [i, place] of answers.entries()) if (i > 0) expect(order[place - 1]).toBe("other");
  });
});
