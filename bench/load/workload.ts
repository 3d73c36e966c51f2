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

/** A contender has answered that it does not do what was asked. Anything else that fails ends the run. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** Number of names that a client uses in turn. */
export const NAMES = 100;
export const TTL_MS = 10_000;

/** Wraps a client whose steps are promises. */
export function promised(steps: readonly ((cycle: number) => Promise<unknown>)[]): Client {
  return {
    run: (step, cycle, done) => {
      steps[step]?.(cycle).then(() => done(null), done);
    },
  };
}
