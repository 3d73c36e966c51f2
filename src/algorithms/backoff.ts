/**
 * Delay before attempt `attempt` (0, 1, ...), in ms: "full jitter", uniform between 0 and the exponential step, so that
 * clients which split a vote do not split it again. `random` is in [0, 1). Source: AWS Architecture Blog, "Exponential
 * Backoff And Jitter".
 */
export function fullJitterMs(attempt: number, baseMs: number, capMs: number, random: number): number {
  return random * Math.min(capMs, baseMs * 2 ** attempt);
}
