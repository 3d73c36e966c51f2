/**
 * Time the lease may still be trusted, in ms: `ttlMs` less the time spent acquiring and clock drift
 * (1 % and 2 ms for the precision of expiry). Zero or less: not acquired.
 * Source: redis.io, "Distributed Locks with Redis".
 */
export function validForMs(ttlMs: number, elapsedMs: number): number {
  return Math.floor(ttlMs - elapsedMs - ttlMs * CLOCK_DRIFT - 2);
}

/** A server's clock as it was read once: it showed `serverMicros` at `askedMs` of our monotonic clock, or after. */
export interface ClockReading {
  readonly askedMs: number;
  readonly serverMicros: number;
}

/**
 * The earliest moment, in ms of our monotonic clock, at which the server's clock can have shown `serverMicros`: how long
 * ago a lease was granted of which nobody here knows when the message left.
 */
export function earliestMs(reading: ClockReading, serverMicros: number): number {
  const laterMs = (serverMicros - reading.serverMicros) / 1000;
  return reading.askedMs + laterMs - Math.abs(laterMs) * CLOCK_DRIFT;
}

/** Share by which two clocks may differ in speed. */
const CLOCK_DRIFT = 0.01;
