import type { Limits } from "./messages.js";

/** How long a command has between SIGTERM and SIGKILL where no lease says that it must be sooner, ms. */
export const KILL_AFTER_MS = 5_000;

/**
 * When a command must be told to end, and when it must be gone, for a lease that may be trusted until `trustedUntilMs`. The
 * time between is for what it has to finish.
 */
export function limitsOf(trustedUntilMs: number, ttlMs: number): Limits {
  // Timers are late on a busy machine, and the end of a process takes a moment.
  const marginMs = Math.min(Math.max(ttlMs / 20, 50), 1_000);
  const killAtMs = trustedUntilMs - marginMs;
  return { killAtMs, termAtMs: killAtMs - Math.min(ttlMs / 4, 10_000) };
}
