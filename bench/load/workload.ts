/** What the clients of one contender do again and again. */
export interface Workload {
  /** Number of steps of a cycle: two for acquire and release. */
  readonly steps: number;
  open(clients: number): Promise<readonly Client[]>;
  close(): Promise<void>;
}

/** One client, with one request at a time. */
export interface Client {
  /**
   * `cycle` is the number of the cycle, from 0. Calls `done` later, never before it returns. After `Refused` the cycle is
   * over.
   */
  run(step: number, cycle: number, done: (error: Error | null) => void): void;
}

/**
 * The same with a pause behind each cycle, as long as a lock is held between two handovers: what is asked for meets processes
 * that sleep.
 */
export function paused(workload: Workload): Workload {
  const { steps } = workload;
  return {
    steps: steps + 1,
    open: async (count) =>
      (await workload.open(count)).map((client) => ({
        run: (step, cycle, done) => {
          if (step < steps) client.run(step, cycle, done);
          else setTimeout(done, HOLD_MS + Math.random() * HOLD_MS, null);
        },
      })),
    close: () => workload.close(),
  };
}

/** A contender has answered that it does not do what was asked. Anything else that fails ends the run. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** Number of names that a client uses in turn. */
export const NAMES = 100;
export const TTL_MS = 10_000;
/** How long a lock is held between two handovers: so long, up to twice as long. */
export const HOLD_MS = 10;

/** Wraps a client whose steps are promises. */
export function promised(steps: readonly ((cycle: number) => Promise<unknown>)[]): Client {
  return {
    run: (step, cycle, done) => {
      steps[step]?.(cycle).then(() => done(null), done);
    },
  };
}
