/**
 * Time the lease may still be trusted, in ms: `ttlMs` less the time spent acquiring and clock drift
 * (1 % and 2 ms for the precision of expiry). Zero or less: not acquired.
 * Source: redis.io, "Distributed Locks with Redis".
 */
export function validForMs(ttlMs: number, elapsedMs: number): number {
  return Math.floor(ttlMs - elapsedMs - ttlMs * CLOCK_DRIFT - 2);
}

/** One reading of a server's clock: it showed `serverMicros` at `askedMs` of our monotonic clock, or later. */
export interface ClockReading {
  readonly askedMs: number;
  readonly serverMicros: number;
}

/**
 * The earliest moment, in ms of our monotonic clock, at which the server's clock can have shown `serverMicros`. It
 * bounds how long ago a lease was granted when nobody here knows when the message was sent.
 */
export function earliestMs(reading: ClockReading, serverMicros: number): number {
  const laterMs = (serverMicros - reading.serverMicros) / 1000;
  return reading.askedMs + laterMs - Math.abs(laterMs) * CLOCK_DRIFT;
}

/** Relative difference in speed that two clocks may have. */
const CLOCK_DRIFT = 0.01;
