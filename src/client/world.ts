/** Time, chance and the network: injected, so that tests control them. */
export interface World {
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** The secret of one lease: 128 random bits. */
  readonly leaseId: () => string;
  /** Whether `fetch` gives answers as they come. Where it does not, watching is asking again and again. */
  readonly streams?: boolean;
}

export interface Clock {
  /** Monotonic time in ms, with fractions; its zero has no meaning. */
  monotonicMs(): number;
  /** Calls `task` once after `ms`, unless the returned function is called first. */
  after(ms: number, task: () => void): () => void;
}

const ID_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** Of 6 bits each. */
const ID_LENGTH = 22;

export const systemWorld: World = Object.freeze({
  // Called as a method of anything else, a browser's fetch throws.
  fetch: (...args: Parameters<typeof fetch>) => fetch(...args),
  clock: {
    monotonicMs: () => performance.now(),
    after: (ms, task) => {
      const timer = setTimeout(task, Math.min(ms, TIMER_MS_MAX));
      return () => clearTimeout(timer);
    },
  },
  random: Math.random,
  leaseId: randomIds(),
  streams: "body" in (globalThis.Response?.prototype ?? {}),
} satisfies World);

/** Ids of 132 random bits. Random bytes are drawn for many at once, which costs as much as for one. */
function randomIds(): () => string {
  const pool = new Uint8Array(ID_LENGTH * 64);
  let unused = 0;
  return () => {
    if (unused === 0) {
      crypto.getRandomValues(pool);
      unused = pool.length;
    }
    unused -= ID_LENGTH;
    let id = "";
    for (const byte of pool.subarray(unused, unused + ID_LENGTH)) id += ID_SIGNS[byte & 63];
    return id;
  };
}

/** ms since 1970: for what others read, never for a deadline. */
export const wallClockMs = (): number => Date.now();

/** Longer timers fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return unlessAborted(signal, (resolve) => clock.after(ms, resolve));
}

/**
 * A promise that rejects with the signal's reason as soon as it aborts. `start` returns how to stop what it started, which is
 * called once the promise has settled.
 */
export function unlessAborted<T>(
  signal: AbortSignal | undefined,
  start: (resolve: (value: T) => void, reject: (reason: unknown) => void) => () => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const end = (settle: () => void) => {
      forget?.();
      stop();
      settle();
    };
    const forget = signal && whenAborted(signal, () => end(() => reject(signal.reason)));
    const stop = start(
      (value) => end(() => resolve(value)),
      (reason) => end(() => reject(reason)),
    );
  });
}

/** What is to be done when a signal aborts. */
class AbortTasks extends Set<() => void> {
  readonly run = () => {
    for (const task of this) task();
  };
}

const tasksOf = new WeakMap<AbortSignal, AbortTasks>();

/**
 * Calls `task` when the signal aborts, unless the returned function is called first. A signal has one listener, however many
 * calls it belongs to: from the eleventh on, Node.js warns of a leak.
 */
function whenAborted(signal: AbortSignal, task: () => void): () => void {
  let tasks = tasksOf.get(signal);
  if (!tasks) {
    tasks = new AbortTasks();
    tasksOf.set(signal, tasks);
    signal.addEventListener("abort", tasks.run, { once: true });
  }
  const all = tasks;
  all.add(task);
  return () => {
    all.delete(task);
    if (all.size > 0 || tasksOf.get(signal) !== all) return;
    // A signal that is listened to stays in memory.
    signal.removeEventListener("abort", all.run);
    tasksOf.delete(signal);
  };
}
