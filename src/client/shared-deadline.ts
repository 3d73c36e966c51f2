import type { Deadline } from "./validity.js";
import type { Clock } from "./world.js";

/** Memory for a deadline that threads of this process share. */
export function sharedMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT);
}

/**
 * A deadline in shared memory. The clocks of two threads have different zeros, so it is kept in microseconds of the clock of
 * the process.
 */
export function sharedDeadline(memory: SharedArrayBuffer, clock: Clock): Deadline {
  const cell = new BigInt64Array(memory);
  const offsetMs = Number(process.hrtime.bigint()) / 1e6 - clock.monotonicMs();
  return {
    get: () => Number(Atomics.load(cell, 0)) / 1e3 - offsetMs,
    set: (ms) => void Atomics.store(cell, 0, BigInt(Math.floor((ms + offsetMs) * 1e3))),
  };
}
