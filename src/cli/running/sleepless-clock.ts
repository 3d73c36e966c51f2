import { uptime } from "node:os";
import { type Clock, systemWorld } from "../../client/world.js";

/** A clock that goes on while the machine sleeps, and that processes of one machine share. */
export interface SleeplessClock extends Clock {
  /** What makes the same clock in another process. */
  readonly zeroMs: number;
}

/** Reads of the kernel, ms. */
export interface Kernel {
  monotonicMs(): number;
  /** With the time that the machine slept, and with less resolution. Undefined: the other one has that already. */
  readonly uptimeMs: (() => number) | undefined;
}

/**
 * On Linux the monotonic clock stops while the machine sleeps, and the leases of a machine that sleeps do not. The time
 * asleep is what the uptime of the kernel has gained on it.
 */
export function sleeplessClock(zeroMs?: number, kernel: Kernel = systemKernel): SleeplessClock {
  const { monotonicMs, uptimeMs } = kernel;
  const gainMs = () => (uptimeMs ? uptimeMs() - monotonicMs() : 0);
  const zero = zeroMs ?? gainMs();
  return {
    zeroMs: zero,
    monotonicMs: () => {
      const asleepMs = gainMs() - zero;
      return monotonicMs() + (asleepMs > RESOLUTION_MS ? asleepMs : 0);
    },
    after: systemWorld.clock.after,
  };
}

const systemKernel: Kernel = {
  monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
  // That of macOS goes on by itself, and its uptime follows the wall clock.
  uptimeMs: process.platform === "linux" ? () => uptime() * 1_000 : undefined,
};

/** Of the uptime, with some more. */
const RESOLUTION_MS = 30;
