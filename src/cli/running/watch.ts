import type { Clock } from "../../client/world.js";
import type { Limits } from "./messages.js";

/** The group of processes that is watched. */
export interface Group {
  kill(signal: NodeJS.Signals): void;
  /** Whether a process is left in it. */
  isAlive(): boolean;
}

/**
 * Ends a group of processes when its time is over: SIGTERM early, SIGKILL in time. Looks at the clock again and again, as no
 * timer fires when a machine wakes up.
 */
export class Watch {
  #limits: Limits;
  #ended = false;
  #told = false;
  #killed = false;
  /** Since the command has ended, and others of its group have not. */
  #leftSinceMs: number | undefined;
  #cancel: () => void = () => {};

  constructor(
    private readonly clock: Clock,
    private readonly group: Group,
    limits: Limits | undefined,
    /** `told`: SIGTERM is sent, or SIGKILL where there was no time for that. `gone`: the group is no more. */
    private readonly on: { readonly told: () => void; readonly gone: () => void },
  ) {
    this.#limits = limits ?? { termAtMs: Number.POSITIVE_INFINITY, killAtMs: Number.POSITIVE_INFINITY };
    this.#look();
  }

  /** There is news of the lease: the time is over later. */
  extend(limits: Limits): void {
    if (!this.#ended) this.#limits = limits;
  }

  /** The time is over now. */
  end(killAtMs: number): void {
    this.#ended = true;
    const termAtMs = this.clock.monotonicMs();
    this.#limits = { termAtMs, killAtMs: Math.min(killAtMs, this.#limits.killAtMs) };
    this.#look();
  }

  /** The command has ended. What it left behind gets some time to end by itself: it may still be writing its last lines. */
  left(): void {
    this.#leftSinceMs = this.clock.monotonicMs();
    this.#look();
  }

  #look(): void {
    this.#cancel();
    const nowMs = this.clock.monotonicMs();
    if (this.#leftSinceMs !== undefined) {
      const passedMs = nowMs - this.#leftSinceMs;
      // What not even SIGKILL ends hangs in the kernel, or is dead and has nobody who notices.
      if (!this.group.isAlive() || passedMs > 3 * LEFT_MS) {
        this.on.gone();
        return;
      }
      if (passedMs > LEFT_MS) this.#term();
      if (passedMs > 2 * LEFT_MS) this.#kill();
    }
    if (nowMs >= this.#limits.killAtMs) this.#kill();
    else if (nowMs >= this.#limits.termAtMs) this.#term();
    const { termAtMs, killAtMs } = this.#limits;
    const nextMs = Math.min(this.#told ? killAtMs : termAtMs, killAtMs) - nowMs;
    const pauseMs = this.#leftSinceMs === undefined && !this.#killed ? PAUSE_MS : LEFT_PAUSE_MS;
    this.#cancel = this.clock.after(Math.max(1, Math.min(nextMs > 0 ? nextMs : pauseMs, pauseMs)), () =>
      this.#look(),
    );
  }

  #term(): void {
    if (this.#told) return;
    this.#tell();
    this.group.kill("SIGTERM");
    // One that is stopped would not notice.
    this.group.kill("SIGCONT");
  }

  #kill(): void {
    this.#tell();
    this.#killed = true;
    this.group.kill("SIGKILL");
  }

  #tell(): void {
    if (this.#told) return;
    this.#told = true;
    // What is ended after the command is not the command.
    if (this.#leftSinceMs === undefined) this.on.told();
  }
}

const PAUSE_MS = 200;
const LEFT_MS = 1_000;
const LEFT_PAUSE_MS = 10;
