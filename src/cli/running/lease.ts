import type { Lease } from "../../client/lease.js";
import { Quorate } from "../../client/quorate.js";
import { type Renewal, renewInLoop } from "../../client/renewal.js";
import type { Deployment } from "../../client/transport.js";
import { systemWorld } from "../../client/world.js";
import { type Ending, RunningCommand } from "./command.js";
import { KILL_AFTER_MS, limitsOf } from "./limits.js";
import type { Signals } from "./signals.js";
import { type SleeplessClock, sleeplessClock } from "./sleepless-clock.js";

/** Runs commands while leases are held, one after the other. */
export class Holder {
  readonly clock: SleeplessClock = sleeplessClock();
  /** Its leases are those that commands run under. */
  readonly quorate: Quorate;
  #trustedUntilMs = 0;
  #onRenewed: (() => void) | undefined;
  #inFlight = 0;

  constructor(deployment: Deployment) {
    const renewal: Renewal = (renewed) => {
      renewed.validity.moveTo({
        get: () => this.#trustedUntilMs,
        set: (ms) => {
          this.#trustedUntilMs = ms;
          this.#onRenewed?.();
        },
      });
      return renewInLoop(renewed);
    };
    const world = { ...systemWorld, clock: this.clock, fetch: this.#fetch };
    this.quorate = new Quorate({ ...deployment, renewal }, world);
  }

  /** Runs a command that ends before the lease does, and gets `more` in its environment. */
  async run(
    lease: Lease,
    command: readonly string[],
    more: Readonly<Record<string, string>>,
    signals: Signals,
  ): Promise<Ending> {
    if (signals.stop.aborted) return { code: null, signal: signals.received ?? "SIGTERM", told: false };
    const limits = () => limitsOf(this.#trustedUntilMs, lease.grant.ttlMs);
    const env = { ...more, QUORATE_FENCING_TOKEN: String(lease.fencingToken) };
    const running = new RunningCommand(command, env, this.clock, limits());
    this.#onRenewed = () => running.extend(limits());
    // Another may hold it by now: there is time for the little that can be done in it.
    const onLost = () => running.end(Math.min(limits().killAtMs, this.clock.monotonicMs() + KILL_AFTER_MS));
    lease.signal.addEventListener("abort", onLost, { once: true });
    if (lease.signal.aborted) onLost();
    signals.passTo((signal) => running.signal(signal));
    try {
      return await running.ended;
    } finally {
      signals.passTo(undefined);
      lease.signal.removeEventListener("abort", onLost);
      this.#onRenewed = undefined;
    }
  }

  /** Resolves when what goes on in the background is done, such as giving back what was not wanted any more; not much later. */
  async settled(): Promise<void> {
    const untilMs = this.clock.monotonicMs() + SETTLED_MS;
    while (this.#inFlight > 0 && this.clock.monotonicMs() < untilMs)
      await new Promise<void>((resolve) => void this.clock.after(5, resolve));
  }

  readonly #fetch: typeof fetch = async (...args) => {
    this.#inFlight += 1;
    try {
      return await fetch(...args);
    } finally {
      this.#inFlight -= 1;
    }
  };
}

const SETTLED_MS = 1_000;
