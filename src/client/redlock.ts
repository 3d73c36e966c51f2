import { EventEmitter } from "node:events";
import type { Lease } from "./lease.js";
import { Quorate, QuorateError, type QuorateOptions } from "./quorate.js";
import { nameOf } from "./redlock-names.js";
import type { Lease as LockGrant } from "./types.js";
import { wallClockMs } from "./world.js";

/** The settings of redlock 5. What the service decides is accepted, and has no effect. */
export interface Settings {
  /** No effect: the service takes the drift of clocks into account. */
  readonly driftFactor: number;
  /** With `retryDelay`: how long to wait in the queue of the locks. -1: for ever. */
  readonly retryCount: number;
  /** ms. */
  readonly retryDelay: number;
  /** No effect: waiters are served in the order in which they came. */
  readonly retryJitter: number;
  /** No effect: `using` extends a lock three times within its duration. */
  readonly automaticExtensionThreshold: number;
}

/** Of one attempt: the one voter is the service. */
export interface ExecutionStats {
  readonly membershipSize: number;
  readonly quorumSize: number;
  readonly votesFor: Set<Quorate>;
  readonly votesAgainst: Map<Quorate, Error>;
}

export interface ExecutionResult {
  readonly attempts: ReadonlyArray<Promise<ExecutionStats>>;
}

export type RedlockAbortSignal = AbortSignal & { error?: Error };

/** Another lock has the resources: comes as an `error` event, and as the cause of an `ExecutionError`. */
export class ResourceLockedError extends Error {
  override readonly name = "ResourceLockedError";
}

/** An operation failed. `cause` says why. */
export class ExecutionError extends Error {
  override readonly name = "ExecutionError";

  constructor(
    message: string,
    readonly attempts: ReadonlyArray<Promise<ExecutionStats>>,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** What users of redlock call on its EventEmitter. The types of Node.js are not needed to compile against it. */
export interface ErrorEvents {
  on(event: "error", listener: (error: Error) => void): this;
  once(event: "error", listener: (error: Error) => void): this;
  off(event: "error", listener: (error: Error) => void): this;
  addListener(event: "error", listener: (error: Error) => void): this;
  removeListener(event: "error", listener: (error: Error) => void): this;
  emit(event: "error", error: Error): boolean;
  listenerCount(event: "error"): number;
}

const Events: new () => ErrorEvents = EventEmitter;

export class Lock {
  constructor(
    readonly redlock: Redlock,
    readonly resources: string[],
    /** The lease behind it: it has what redlock lacks, such as `fencingToken` and `signal`. */
    readonly lease: Lease<LockGrant>,
    readonly attempts: ReadonlyArray<Promise<ExecutionStats>>,
    /** When it ends, ms since 1970; 0: it was released or extended. */
    public expiration: number,
  ) {}

  /** The secret of the lock. */
  get value(): string {
    return this.lease.leaseId;
  }

  release(): Promise<ExecutionResult> {
    return this.redlock.release(this);
  }

  extend(duration: number): Promise<Lock> {
    return this.redlock.extend(this, duration);
  }
}

/**
 * A class with the shape of `redlock` 5: change the import, and name the instances in place of the clients.
 *
 * @example
 * const redlock = new Redlock({ urls: ["http://127.0.0.1:8080"] }, { retryCount: 10 });
 * await redlock.using(["orders-42"], 5_000, async (signal) => {
 *   if (signal.aborted) throw signal.error;
 * });
 */
export default class Redlock extends Events {
  readonly settings: Settings;
  readonly #quorate: Quorate;

  constructor(service: Quorate | QuorateOptions, settings: Partial<Settings> = {}) {
    super();
    // As redlock has it: an error event without a listener must not end the process.
    this.on("error", () => {});
    if (!(service instanceof Quorate) && !Array.isArray(service.urls))
      throw new TypeError("Name the instances of the service, { urls: [...] }, and not clients of Redis.");
    this.#quorate = service instanceof Quorate ? service : new Quorate(service);
    this.settings = { ...DEFAULTS, ...settings };
  }

  /** There are no connections to end. */
  async quit(): Promise<void> {}

  acquire(resources: string[], duration: number, settings?: Partial<Settings>): Promise<Lock> {
    return this.#acquire(resources, duration, settings, false);
  }

  /** The settings have no effect: a release is repeated for 5 s. */
  async release(lock: Lock, _settings?: Partial<Settings>): Promise<ExecutionResult> {
    lock.expiration = 0;
    const [released, attempts] = await this.#execute(lock.lease.release());
    if (!released) throw new ExecutionError("The lock was not held any more.", attempts);
    return { attempts };
  }

  /** The settings have no effect: an extension is repeated for as long as the lock may be trusted. */
  async extend(existing: Lock, duration: number, _settings?: Partial<Settings>): Promise<Lock> {
    const { lease, resources } = existing;
    const ttlMs = whole(duration);
    // By the clock of the lease: that of the wall may have jumped since.
    if (existing.expiration === 0 || lease.remainingMs() === 0)
      throw new ExecutionError("Cannot extend an already-expired lock.", []);
    const [, attempts] = await this.#execute(lease.renew(ttlMs));
    existing.expiration = 0;
    return new Lock(this, resources, lease, attempts, wallClockMs() + lease.remainingMs());
  }

  /**
   * Runs a routine under a lock that is extended until it is over. The signal aborts when the lock is lost, with `error`
   * saying why. The outcome is that of the routine, whether or not the lock can be released.
   */
  using<T>(
    resources: string[],
    duration: number,
    settings: Partial<Settings>,
    routine: (signal: RedlockAbortSignal) => Promise<T>,
  ): Promise<T>;
  using<T>(
    resources: string[],
    duration: number,
    routine: (signal: RedlockAbortSignal) => Promise<T>,
  ): Promise<T>;
  async using<T>(
    resources: string[],
    duration: number,
    ...rest: [...Partial<Settings>[], (signal: RedlockAbortSignal) => Promise<T>]
  ): Promise<T> {
    const routine = rest.pop() as (signal: RedlockAbortSignal) => Promise<T>;
    const [settings] = rest as Partial<Settings>[];
    const { lease } = await this.#acquire(resources, duration, settings, true);
    const signal: RedlockAbortSignal = lease.signal;
    signal.addEventListener("abort", () => {
      signal.error = new ExecutionError("The lock was lost.", [], signal.reason);
      this.emit("error", signal.error);
    });
    try {
      return await routine(signal);
    } finally {
      await lease[Symbol.asyncDispose]();
    }
  }

  async #acquire(
    resources: string[],
    duration: number,
    settings: Partial<Settings> | undefined,
    keep: boolean,
  ): Promise<Lock> {
    const { retryCount, retryDelay } = { ...this.settings, ...settings };
    const waitMs = retryCount === -1 ? Number.POSITIVE_INFINITY : retryCount * retryDelay;
    const names = [...new Set(resources.map(nameOf))];
    const [lease, attempts] = await this.#execute(
      this.#quorate.acquireLock(names, { ttlMs: whole(duration), waitMs, keep }),
    );
    return new Lock(this, resources, lease, attempts, wallClockMs() + lease.remainingMs());
  }

  /** The outcome of an operation of the client, and its attempts as redlock describes them. */
  async #execute<T>(operation: Promise<T>): Promise<readonly [T, ExecutionResult["attempts"]]> {
    const stats = { membershipSize: 1, quorumSize: 1 };
    try {
      const value = await operation;
      const votesFor = new Set([this.#quorate]);
      return [value, [Promise.resolve({ ...stats, votesFor, votesAgainst: new Map() })]];
    } catch (error) {
      if (!(error instanceof QuorateError) || error.code === "invalid_request") throw error;
      const cause = error.code === "held" ? new ResourceLockedError(error.message, { cause: error }) : error;
      this.emit("error", cause);
      const votesAgainst = new Map<Quorate, Error>([[this.#quorate, cause]]);
      const attempts = [Promise.resolve({ ...stats, votesFor: new Set<Quorate>(), votesAgainst })];
      throw new ExecutionError(
        "The operation was unable to achieve a quorum during its retry window.",
        attempts,
        cause,
      );
    }
  }
}

/** Those of redlock. */
const DEFAULTS: Settings = Object.freeze({
  driftFactor: 0.01,
  retryCount: 10,
  retryDelay: 200,
  retryJitter: 100,
  automaticExtensionThreshold: 500,
});

function whole(duration: number): number {
  if (!Number.isInteger(duration)) throw new Error("Duration must be an integer value in milliseconds.");
  return duration;
}
