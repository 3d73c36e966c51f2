import type { Clock } from "../clock.js";
import type { Keys } from "../scripts/keys.js";
import type { Call } from "../scripts/scripts.js";
import { type Answer, failed, parsed } from "./answer.js";
import { Breaker } from "./breaker.js";
import type { Connect, Connection } from "./connection.js";
import { failureOf, faultOf, PrimaryFailure, reasonOf } from "./failures.js";
import { LatencyWindow } from "./latency-window.js";
import { type Admission, type Exclusion, Lifecycle, type PrimaryStatus } from "./lifecycle.js";
import { PendingCompensations } from "./pending-compensations.js";
import { ScriptBatches } from "./script-batches.js";
import { isScriptMissing, loadScripts } from "./server-scripts.js";
import { type Settle, Wire } from "./wire.js";

export interface PrimarySettings {
  readonly commandTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

/** What a primary reports to the metrics and the log. */
export interface PrimaryObserver {
  called(primary: Primary, script: string, ms: number, outcome: "ok" | PrimaryFailure["kind"]): void;
  changed(primary: Primary, status: PrimaryStatus): void;
  dropped(primary: Primary): void;
}

export interface PrimaryDependencies {
  readonly connect: Connect;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly observer: PrimaryObserver;
  /** Called when it answers again, and when the configuration that it holds may explain its reply. */
  readonly onDoubt: (primary: Primary) => void;
}

/**
 * One independent Redis server: its connection, its breaker, how far it takes part, and the calls that are pending for
 * it. Whenever it answers again it has to be admitted again (deployment/reconciler.ts): it may have lost data.
 */
export class Primary {
  readonly latency = new LatencyWindow();
  readonly #connection: Connection;
  readonly #wire: Wire;
  readonly #breaker: Breaker;
  readonly #lifecycle: Lifecycle;
  readonly #pendingCompensations: PendingCompensations;
  readonly #batches: ScriptBatches;
  #staleEpochs = 0;

  constructor(
    /** Its name in logs and replies: host and port, never a password. */
    readonly address: string,
    url: string,
    settings: PrimarySettings,
    private readonly dependencies: PrimaryDependencies,
  ) {
    const { connect, clock, observer, onDoubt } = dependencies;
    this.#connection = connect(url, { connectTimeoutMs: settings.connectTimeoutMs, name: "quorate" });
    this.#wire = new Wire(this.#connection, clock, settings.commandTimeoutMs);
    this.#lifecycle = new Lifecycle(clock, () => observer.changed(this, this.status));
    this.#pendingCompensations = new PendingCompensations(
      (call) => isAnsweredBy(this, call),
      () => observer.dropped(this),
    );
    this.#batches = new ScriptBatches((call, epoch, settle) => this.#send(call, epoch, settle), clock);
    const target = {
      probe: () => this.#probe(),
      opened: (reason: string) => this.#lifecycle.stoppedAnswering(reason),
      closed: (epoch: number) => {
        this.#lifecycle.answersAgain(epoch);
        onDoubt(this);
      },
    };
    this.#breaker = new Breaker(this.#connection, target, clock);
  }

  /** Whether it takes part: it answers, and was admitted since. */
  get up(): boolean {
    return this.#lifecycle.participating !== null;
  }

  /** Its id in the configuration in which it takes part; null while it does not. */
  get configurationEpoch(): string | null {
    return this.#lifecycle.participating?.configurationEpoch ?? null;
  }

  /** Names it and what it remembers: it changes when it is readmitted. Null while it does not take part. */
  get incarnation(): string | null {
    return this.#lifecycle.participating?.incarnation ?? null;
  }

  /** Why it refuses writes, in Redis' words; null while it is not known to. */
  get refusal(): string | null {
    return this.#lifecycle.participating?.refusal ?? null;
  }

  /** How many calls it refused since they were made in another configuration than the one in force. */
  get staleEpochs(): number {
    return this.#staleEpochs;
  }

  /** Grows whenever it answers again; null while it does not answer. */
  get connectionEpoch(): number | null {
    return this.#lifecycle.connectionEpoch;
  }

  get status(): PrimaryStatus {
    return this.#lifecycle.status;
  }

  /** Runs one script once, and calls `answered` once: at the latest after the command timeout. */
  ask<T>(call: Call<T>, answered: (answer: Answer<T>) => void): void {
    const { phase } = this.#lifecycle;
    if (phase.kind === "participating")
      this.#batches.add(call, phase.configurationEpoch, this.#settle(call, answered));
    else answered(failed(new PrimaryFailure("not_sent", phase.reason)));
  }

  /** The same with a promise, which rejects with `PrimaryFailure`. */
  run<T>(call: Call<T>): Promise<T> {
    return promised((answered) => this.ask(call, answered));
  }

  /** The same for a primary that does not take part, or in a certain configuration; only while `connectionEpoch` lasts. */
  async runAs<T>(connectionEpoch: number, configurationEpoch: string, call: Call<T>): Promise<T> {
    this.#assertConnectionEpoch(connectionEpoch);
    return promised((answered) => this.#send(call, configurationEpoch, this.#settle(call, answered)));
  }

  /** One command that is no script; only while `connectionEpoch` lasts. */
  async command(connectionEpoch: number, command: string, ...args: (string | number)[]): Promise<unknown> {
    this.#assertConnectionEpoch(connectionEpoch);
    try {
      return await this.#wire.send(command, ...args);
    } catch (error) {
      throw MAY_BE_FORBIDDEN.has(command) ? failureOf(error) : this.#judge(error);
    }
  }

  /** It takes part from now on, if it still is what was observed in `connectionEpoch`. */
  admit(connectionEpoch: number, admission: Admission): void {
    if (this.#lifecycle.admitted(connectionEpoch, admission)) void this.#pendingCompensations.deliver();
  }

  /**
   * A write that was tried for this was accepted. Only this ends a refusal: under a full memory scripts that free or
   * extend something succeed all along.
   */
  acceptsWrites(connectionEpoch: number): void {
    if (this.#lifecycle.acceptsWrites(connectionEpoch)) void this.#pendingCompensations.deliver();
  }

  /** It answers, but takes no part from now on. */
  exclude(state: Exclusion, reason: string): void {
    this.#lifecycle.excluded(state, reason);
  }

  /** Runs the call until it was answered once: now, or when this primary is back. The same `key` is pending once. */
  compensateLater(key: string, call: Call<unknown>): void {
    this.#pendingCompensations.add(key, call);
    // A call that it refuses now is run when it accepts writes again, or when it is next admitted.
    if (this.up && this.refusal === null) void this.#pendingCompensations.deliver();
  }

  close(): void {
    this.#breaker.stop();
    this.#connection.close();
  }

  /** PING comes first: a paused server must not collect the text of all scripts again and again. */
  async #probe(): Promise<void> {
    try {
      await this.#wire.send("PING");
    } catch (error) {
      // Where the disk is full, Redis refuses PING as well; it answers then, all the same.
      if (faultOf(error).kind !== "refuses_writes") throw error;
    }
    await loadScripts(this.#wire);
  }

  /** Makes an answer of the outcome of a call that is made now, and notes what that shows. */
  #settle<T>(call: Call<T>, answered: (answer: Answer<T>) => void): Settle {
    const { observer, clock } = this.dependencies;
    const startedMs = clock.monotonicMs();
    return (error, reply) => {
      const ms = clock.monotonicMs() - startedMs;
      const failure = error === null ? null : this.#judge(error);
      if (!failure) this.latency.add(ms);
      observer.called(this, call.script.name, ms, failure?.kind ?? "ok");
      answered(failure ? failed(failure) : parsed(call, reply));
    };
  }

  /** Sends the script by its hash; where the server lacks it, nothing ran, and its text is sent. */
  #send(call: Call<unknown>, configurationEpoch: string, settle: Settle): void {
    const args = argsOf(call, this.dependencies.keys.configuration, configurationEpoch);
    this.#wire.call("EVALSHA", args, (error, reply) => {
      if (error === null || !isScriptMissing(error)) return settle(error, reply);
      this.#assertSameRun().then(
        () => this.#wire.call("EVAL", args.with(0, call.script.text), settle),
        settle,
      );
    });
  }

  #assertConnectionEpoch(connectionEpoch: number): void {
    if (connectionEpoch !== this.connectionEpoch)
      throw new PrimaryFailure("not_sent", "it stopped answering in the meantime");
  }

  /** A server lacks scripts after SCRIPT FLUSH, or after a restart behind a proxy, which the connection survives. */
  async #assertSameRun(): Promise<void> {
    const { participating } = this.#lifecycle;
    // Before it is admitted there is no run to compare with.
    if (!participating) throw new Error("it lost its scripts: did it restart behind this connection?");
    const { runId } = participating;
    if (runId && !String(await this.#wire.send("INFO", "server")).includes(`run_id:${runId}`))
      throw new Error("it restarted behind this connection");
  }

  /** Notes what a failed command shows about the primary, and returns what it means for the call. */
  #judge(error: unknown): PrimaryFailure {
    const fault = faultOf(error);
    // If the connection was lost, its own reason is better than that of the commands that failed with it.
    const wentSilent = fault.kind === "silent" && this.connectionEpoch !== null;
    if (fault.kind === "refuses_writes") this.#lifecycle.refusesWrites(fault.refusal);
    else if (fault.kind === "unavailable" || wentSilent) this.#breaker.open(reasonOf(error));
    else if (fault.kind === "stale_epoch") {
      this.#staleEpochs += 1;
      this.dependencies.onDoubt(this);
    }
    return failureOf(error);
  }
}

async function isAnsweredBy(primary: Primary, call: Call<unknown>): Promise<boolean> {
  try {
    await primary.run(call);
    return true;
  } catch (error) {
    const refused = error instanceof PrimaryFailure && error.kind === "refused";
    return refused && primary.up && primary.refusal === null;
  }
}

/** Commands that managed servers forbid or lack: to fail at these shows nothing about the server. */
const MAY_BE_FORBIDDEN: ReadonlySet<string> = new Set(["CONFIG"]);

/** What follows EVALSHA. */
function argsOf({ script, keys, args }: Call<unknown>, configurationKey: string, configurationEpoch: string) {
  return [script.sha1, keys.length + 1, configurationKey, ...keys, configurationEpoch, ...args];
}

function promised<T>(ask: (answered: (answer: Answer<T>) => void) => void): Promise<T> {
  return new Promise((resolve, reject) =>
    ask((answer) => (answer.ok ? resolve(answer.value) : reject(answer.failure))),
  );
}
