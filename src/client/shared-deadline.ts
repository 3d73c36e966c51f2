import type { Deadline } from "./validity.js";
import type { Clock } from "./world.js";

/** Memory for a deadline that threads of this process share. */
export function sharedMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT);
}

/**
 * A deadline in shared memory. The clocks of two threads have different zeros, so it is kept in microseconds of the clock of
 * the process. A thread may be paused between its looks at the two clocks: then the deadline is early, and never late.
 */
export function sharedDeadline(
  memory: SharedArrayBuffer,
  clock: Clock,
  processMs = () => Number(process.hrtime.bigint()) / 1e6,
): Deadline {
  const cell = new BigInt64Array(memory);
  const beforeMs = clock.monotonicMs();
  const atMs = processMs();
  const afterMs = clock.monotonicMs();
  return {
    get: () => Number(Atomics.load(cell, 0)) / 1e3 - (atMs - beforeMs),
    set: (ms) => void Atomics.store(cell, 0, BigInt(Math.floor((ms + atMs - afterMs) * 1e3))),
  };
}
