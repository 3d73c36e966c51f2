import { beforeEach, describe, expect, test } from "vitest";
import { type Versioned, Watches } from "../../../src/primitives/reads/watch.js";
import { FakeClock, settled } from "../../helpers/fake-clock.js";

// Blocking reads of anything that has a version, in virtual time.

let clock: FakeClock;
let version: string;
let reads: string[];
let failing: boolean;
let watches: Watches<Versioned>;
beforeEach(() => {
  clock = new FakeClock();
  [version, reads, failing] = ["a", [], false];
  watches = new Watches(clock, async (key) => {
    reads.push(key);
    if (failing) throw new Error("no answer");
    return { version };
  });
});

/** What a watch of `key` has answered so far. */
function watch(key: string, known: string | null, waitMs: number, signal?: AbortSignal) {
  const seen: { state?: Versioned; error?: unknown } = {};
  const done = watches.change(key, known, clock.monotonicMs() + waitMs, signal).then(
    (state) => void Object.assign(seen, { state }),
    (error) => void Object.assign(seen, { error }),
  );
  return { seen, done };
}

test("a state that has changed already is answered at once, by one read", async () => {
  await watch("k", "older", 10_000).done;
  expect(reads).toEqual(["k"]);
  expect(clock.pending).toBe(0);
});

test("a change is told within 200 ms", async () => {
  const { seen } = watch("k", "a", 10_000);
  await clock.advance(400);
  expect(seen.state).toBeUndefined();
  version = "b";
  await clock.advance(200);
  expect(seen.state).toEqual({ version: "b" });
});

test("without a change the answer comes at the deadline, from a read that was made then", async () => {
  const { seen } = watch("k", "a", 1_050);
  await clock.advance(1_049);
  expect(seen.state).toBeUndefined();
  const before = reads.length;
  await clock.advance(1);
  expect(seen.state).toEqual({ version: "a" });
  expect(reads.length).toBe(before + 1);
});

test("many who watch one key cost no more reads than one", async () => {
  for (let i = 0; i < 50; i++) watch("k", "a", 10_000);
  await settled();
  reads = [];
  await clock.advance(1_000);
  expect(reads.length).toBeLessThanOrEqual(5);
});

describe("nothing is read any more", () => {
  test("once nobody watches", async () => {
    const gone = new AbortController();
    const { seen } = watch("k", "a", 10_000, gone.signal);
    await clock.advance(300);
    gone.abort();
    await settled();
    expect(seen.state).toEqual({ version: "a" });
    await clock.advance(400);
    reads = [];
    await clock.advance(5_000);
    expect(reads).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("for a watch whose signal was aborted before it began", async () => {
    await watch("k", "a", 10_000, AbortSignal.abort()).done;
    await clock.advance(400);
    expect(reads).toEqual(["k"]);
  });
});

test("a read that fails tells nothing: the watch goes on", async () => {
  const { seen } = watch("k", "a", 10_000);
  await settled();
  failing = true;
  await clock.advance(1_000);
  expect(seen).toEqual({});
  [failing, version] = [false, "b"];
  await clock.advance(200);
  expect(seen.state).toEqual({ version: "b" });
});

test("the first read's failure is the answer", async () => {
  failing = true;
  const { seen, done } = watch("k", "a", 10_000);
  await done;
  expect(seen.error).toEqual(new Error("no answer"));
});

describe("where news are heard", () => {
  let wakes: Map<string, () => void>;
  beforeEach(() => {
    wakes = new Map();
    watches = new Watches(
      clock,
      async (key) => {
        reads.push(key);
        return { version };
      },
      (key, wake) => {
        wakes.set(key, wake);
        return () => wakes.delete(key);
      },
    );
  });

  test("a change is told at once", async () => {
    const { seen } = watch("k", "a", 10_000);
    await clock.advance(300);
    version = "b";
    wakes.get("k")?.();
    await settled();
    expect(seen.state).toEqual({ version: "b" });
  });

  test("a change that was missed between the first read and the listening is found by a second read", async () => {
    const { seen } = watch("k", "a", 10_000);
    version = "b";
    await settled();
    expect([reads, seen.state]).toEqual([["k", "k"], { version: "b" }]);
  });

  test("a change of which the news were lost is told within a second", async () => {
    const { seen } = watch("k", "a", 10_000);
    await clock.advance(500);
    version = "b";
    await clock.advance(1_000);
    expect(seen.state).toEqual({ version: "b" });
    expect(reads.length).toBeLessThanOrEqual(4);
  });

  test("nothing is listened to once nobody waits", async () => {
    const { done } = watch("k", "a", 500);
    await clock.advance(500);
    await done;
    await clock.advance(1_000);
    expect(wakes.size).toBe(0);
    expect(clock.pending).toBe(0);
  });
});
