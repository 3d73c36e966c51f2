import { expect, test } from "vitest";
import { sharedDeadline, sharedMemory } from "../../src/client/shared-deadline.js";
import type { Clock } from "../../src/client/world.js";

/** A thread whose clock began at `zeroMs` of the process, and which is paused for a while at one of its looks at the clocks. */
class Thread {
  readonly deadline;
  #looks = 0;

  constructor(memory: SharedArrayBuffer, process: { nowMs: number }, zeroMs: number, pausedAt: number) {
    const look = (timeMs: () => number) => () => {
      if (this.#looks++ === pausedAt) process.nowMs += 5_000;
      return timeMs();
    };
    const monotonicMs = look(() => process.nowMs - zeroMs);
    const clock = { monotonicMs } as Clock;
    this.deadline = sharedDeadline(
      memory,
      clock,
      look(() => process.nowMs),
    );
  }
}

test("a deadline is the same time for each thread", () => {
  const process = { nowMs: 1_000_000 };
  const memory = sharedMemory();
  const [holder, worker] = [100_000, 700_000].map((zeroMs) => new Thread(memory, process, zeroMs, -1));
  worker?.deadline.set(process.nowMs - 700_000 + 250.5);
  expect(holder?.deadline.get()).toBeCloseTo(process.nowMs - 100_000 + 250.5);
});

test("a thread that is paused while it compares the clocks takes it for earlier, and never for later", () => {
  for (const pausedAt of [0, 1, 2]) {
    for (const isHolder of [true, false]) {
      const process = { nowMs: 1_000_000 };
      const memory = sharedMemory();
      const holder = new Thread(memory, process, 100_000, isHolder ? pausedAt : -1);
      const worker = new Thread(memory, process, 700_000, isHolder ? -1 : pausedAt);
      worker.deadline.set(process.nowMs - 700_000 + 250);
      const leftMs = holder.deadline.get() - (process.nowMs - 100_000);
      expect([pausedAt, isHolder, leftMs <= 250.001]).toEqual([pausedAt, isHolder, true]);
    }
  }
});
