/** The only source of time: injected, so that a simulation can control it. */
export interface Clock {
  /** Monotonic time in ms, with fractions; its zero has no meaning. */
  monotonicMs(): number;
  /** Wall clock in microseconds since 1970: for the floor of tokens, `wallDate` and certificates, never for a duration. */
  wallMicros(): number;
  /**
   * Calls `task` once after `ms`, unless the returned function is called first. Data that the event loop has already
   * received is handled before it: after a pause of this process, a reply that waits in a socket's buffer must not count
   * as late.
   */
  after(ms: number, task: () => void): () => void;
  /** Calls `task` when the current tick of the event loop is over and its writes have been sent. */
  soon(task: () => void): void;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Milliseconds from 1970 to a date that is written as text. It reads no clock. */
export const msSince1970 = (date: string): number => Date.parse(date);

/** The only source of randomness: uniform in [0, 1). */
export type Random = () => number;

export const systemRandom: Random = Math.random;

/** Timers of this clock never keep the process alive. */
export const systemClock: Clock = Object.freeze({
  monotonicMs: () => performance.now(),
  wallMicros: () => Date.now() * 1000,
  after,
  soon: (task: () => void) => void setImmediate(task),
  sleep: (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = after(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
});

function after(ms: number, task: () => void): () => void {
  let cancelled = false;
  const timer = setTimeout(() => setImmediate(() => cancelled || task()), ms);
  timer.unref();
  return () => {
    cancelled = true;
    clearTimeout(timer);
  };
}

/** The wall clock, for times that others state or read: when a JWT expires, when an entry of the audit was made. */
export function wallDate(clock: Clock): Date {
  return new Date(clock.wallMicros() / 1_000);
}
