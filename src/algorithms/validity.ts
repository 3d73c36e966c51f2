/**
 * Time the lease may still be trusted, in ms: `ttlMs` less the time spent acquiring and clock drift
 * (1 % and 2 ms for the precision of expiry). Zero or less: not acquired.
 * Source: redis.io, "Distributed Locks with Redis".
 */
export function validForMs(ttlMs: number, elapsedMs: number): number {
  return Math.floor(ttlMs - elapsedMs - ttlMs * CLOCK_DRIFT - 2);
}

/** Share by which two clocks may differ in speed. */
const CLOCK_DRIFT = 0.01;
