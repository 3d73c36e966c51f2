/**
 * What we use of redlock. The package has types, but leaves them out of its "exports"; pointing at them with `paths` in
 * tsconfig.json would make tsx load them in place of the code.
 */
declare module "redlock" {
  export interface Settings {
    readonly driftFactor: number;
    readonly retryCount: number;
  }

  export class Lock {
    constructor(
      redlock: Redlock,
      resources: string[],
      value: string,
      attempts: readonly unknown[],
      expiration: number,
    );
  }

  export default class Redlock {
    constructor(
      clients: Iterable<unknown>,
      settings: Partial<Settings>,
      scripts: Record<"acquireScript" | "extendScript" | "releaseScript", () => string>,
    );
    acquire(resources: string[], durationMs: number): Promise<Lock>;
    extend(lock: Lock, durationMs: number): Promise<Lock>;
    release(lock: Lock): Promise<unknown>;
    /** The value by which a lock is known to be its own. */
    _random(): string;
  }
}
