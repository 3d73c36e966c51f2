import type { Clock } from "../../clock.js";
import type { InFlight } from "../leases/lease-terms.js";

/** A state with a name for its content: two states of one thing with the same version are the same to a watcher. */
export interface Versioned {
  readonly version: string;
}

/** Calls `wake` whenever the state of the key may have changed, as far as that becomes known. Returns what ends it. */
export type Listen = (key: string, wake: () => void) => () => void;

/** Blocking reads: the state of something once it has changed. All who watch one key share its reads. */
export class Watches<T extends Versioned> {
  readonly #watches = new Map<string, Watch<T>>();

  constructor(
    private readonly clock: Clock,
    private readonly read: (key: string) => Promise<T>,
    /** Without it, changes are only found by looking often. */
    private readonly listen?: Listen,
  ) {}

  /** The state once its version is not `version`, or when `deadlineMs` has passed. Throws as `read` does. */
  change(
    key: string,
    version: string | null,
    deadlineMs: number,
    signal?: AbortSignal,
    inFlight?: InFlight,
  ): Promise<T> {
    return this.until(key, (state) => state.version !== version, deadlineMs, signal, inFlight);
  }

  /**
   * The state once it is the one that its reader waits for, or when `deadlineMs` has passed. `isIt`: asked once per version.
   * Throws as `read` does.
   */
  async until(
    key: string,
    isIt: (state: T) => boolean,
    deadlineMs: number,
    signal?: AbortSignal,
    inFlight?: InFlight,
  ): Promise<T> {
    const now = await this.read(key);
    if (isIt(now)) return now;
    inFlight?.pause();
    const changed = await this.#watch(key).until(onceEach(now.version, isIt), deadlineMs, signal);
    if (!signal?.aborted) await inFlight?.resume();
    // Only a fresh read can say that nothing has changed.
    return changed ?? (signal?.aborted ? now : this.read(key));
  }

  #watch(key: string): Watch<T> {
    const known = this.#watches.get(key);
    if (known) return known;
    const watch = new Watch(
      () => this.read(key),
      this.clock,
      this.listen && ((wake) => (this.listen as Listen)(key, wake)),
      () => this.#watches.delete(key),
    );
    this.#watches.set(key, watch);
    return watch;
  }
}

/** Where nothing has changed, thousands of readers cost a comparison each. */
function onceEach<T extends Versioned>(seen: string, isIt: (state: T) => boolean): (state: T) => boolean {
  let asked = seen;
  return (state) => {
    if (state.version === asked) return false;
    asked = state.version;
    return isIt(state);
  };
}

/** Reads one state again and again for as long as anybody waits for it to change. */
class Watch<T> {
  /** Each returns whether the state is the one that its watcher waits for. */
  readonly #waiting = new Set<(state: T) => boolean>();
  readonly #hears: boolean;
  #isWoken = false;
  #endRest = () => {};

  constructor(
    private readonly read: () => Promise<T>,
    private readonly clock: Clock,
    listen: ((wake: () => void) => () => void) | undefined,
    onEnd: () => void,
  ) {
    this.#hears = listen !== undefined;
    const stop = listen?.(() => this.#wake());
    void this.#poll().finally(() => {
      stop?.();
      onEnd();
    });
  }

  /** Null: the deadline has passed, or the signal was aborted. */
  until(isIt: (state: T) => boolean, deadlineMs: number, signal?: AbortSignal): Promise<T | null> {
    return new Promise((resolve) => {
      const end = (state: T | null) => {
        this.#waiting.delete(see);
        cancel();
        signal?.removeEventListener("abort", abort);
        resolve(state);
      };
      const see = (state: T) => {
        const isChanged = isIt(state);
        if (isChanged) end(state);
        return isChanged;
      };
      const abort = () => end(null);
      const cancel = this.clock.after(Math.max(0, deadlineMs - this.clock.monotonicMs()), abort);
      this.#waiting.add(see);
      // Since its own read it may have missed some news.
      this.#wake();
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort);
    });
  }

  async #poll(): Promise<void> {
    let tookMs = 0;
    do {
      if (this.#hears) await this.#untilWoken(Math.min(tookMs, REST_MS_MAX));
      else await this.clock.sleep(Math.min(Math.max(POLL_INTERVAL_MS, tookMs * REST), POLL_INTERVAL_MS_MAX));
      if (this.#waiting.size === 0) return;
      const startedMs = this.clock.monotonicMs();
      // A read that fails says nothing about changes.
      const state = await this.read().catch(() => null);
      tookMs = this.clock.monotonicMs() - startedMs;
      if (state) await this.#tell(state);
    } while (this.#waiting.size > 0);
  }

  #wake(): void {
    this.#isWoken = true;
    this.#endRest();
  }

  /** Until there are news, or it is time to look without; not before `restMs` have passed. */
  async #untilWoken(restMs: number): Promise<void> {
    if (restMs > 0) await this.clock.sleep(restMs);
    if (!this.#isWoken)
      await new Promise<void>((resolve) => {
        const cancel = this.clock.after(HEARING_INTERVAL_MS, resolve);
        this.#endRest = () => {
          cancel();
          resolve();
        };
      });
    this.#isWoken = false;
  }

  /** A few in each turn of the event loop: answers to a thousand watchers in one turn would stall everything else. */
  async #tell(state: T): Promise<void> {
    let told = 0;
    for (const see of [...this.#waiting]) {
      // Meanwhile its deadline may have passed, or its client may have gone.
      if (!this.#waiting.has(see) || !see(state)) continue;
      told += 1;
      if (told % TOLD_AT_ONCE_MAX === 0) await new Promise<void>((next) => this.clock.soon(next));
    }
  }
}

const POLL_INTERVAL_MS = 200;
/** The same where news are heard: some may be lost. */
const HEARING_INTERVAL_MS = 1_000;
/** A large state is read for a tenth of the time at most. */
const REST = 9;
/** Between two reads that news have caused. */
const REST_MS_MAX = 100;
/** However slowly the primaries answer. */
const POLL_INTERVAL_MS_MAX = 2_000;
/** Some milliseconds of work: an answer of the largest size takes some 0.2 ms. */
const TOLD_AT_ONCE_MAX = 8;
