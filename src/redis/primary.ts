import type { Clock } from "../clock.js";
import type { Keys } from "../scripts/keys.js";
import { BATCHES, type Call, SCRIPTS } from "../scripts/scripts.js";
import { type Connect, type Connection, RedisReplyError } from "./connection.js";
import { LatencyWindow } from "./latency-window.js";
import { PendingCompensations } from "./pending-compensations.js";
import { ScriptBatches } from "./script-batches.js";
import { Overload, Wire } from "./wire.js";

/** Why a primary gave no answer to a call, and what that means for the call. */
export class PrimaryFailure extends Error {
  override readonly name = "PrimaryFailure";
  constructor(
    /**
     * `not_sent`: it surely did not run. `stale_epoch`: nor did it, since the primary holds another configuration.
     * `unknown`: it may have run, or may still. `refused`: Redis said no.
     */
    readonly kind: "not_sent" | "stale_epoch" | "unknown" | "refused",
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export interface PrimarySettings {
  readonly commandTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

/** What a primary tells the rest of the house about itself. */
export interface PrimaryObserver {
  called(primary: Primary, script: string, ms: number, outcome: "ok" | PrimaryFailure["kind"]): void;
  changed(primary: Primary, status: PrimaryStatus): void;
  dropped(primary: Primary): void;
}

export const PRIMARY_STATES = [
  /** It takes part. */
  "up",
  /** It takes part, but grants no new lease for a while, since it may have forgotten some. */
  "quarantined",
  /** It takes part, but refuses writes: its memory or its disk is full, or it lacks replicas. */
  "refusing",
  /** It lost its data or missed a change: it gets what it lacks. */
  "readmitting",
  /** It does not answer. */
  "down",
  /** It is a replica. */
  "wrong_role",
  /** It cannot be a primary of this deployment. */
  "misconfigured",
] as const;

export type PrimaryState = (typeof PRIMARY_STATES)[number];

export interface PrimaryStatus {
  readonly state: PrimaryState;
  /** How long it has been so, ms. */
  readonly forMs: number;
  /** Why it is not up. */
  readonly reason: string | null;
  /** How long it will grant no new lease, ms. */
  readonly quarantineMs: number;
}

/**
 * One independent Redis server: its connection, its breaker, whether it takes part, and what is still owed to it. While
 * the breaker is open a call fails at once; a PING every `PROBE_INTERVAL_MS` closes it again. Whenever it answers
 * anew it has to be admitted again (configuration.ts): it may have forgotten.
 */
export class Primary {
  readonly latency = new LatencyWindow();
  readonly #connection: Connection;
  readonly #wire: Wire;
  readonly #pendingCompensations: PendingCompensations;
  readonly #batches: ScriptBatches;
  /** Counts the times that it began to answer: what was seen before means nothing after. */
  #connectionEpoch = 0;
  #answering = false;
  #configurationEpoch: string | null = null;
  /** Redis' `run_id` when it was admitted; empty for the JavaScript fallback. */
  #runId = "";
  #state: PrimaryState = "down";
  #sinceMs: number;
  #reason: string | null = "not connected yet";
  #refusal: string | null = null;
  #quarantineEndsMs = 0;
  #closed = false;
  #staleEpochs = 0;
  #told = false;
  #recovering = false;
  /** Called when it answers anew, and when it says something that its configuration may explain. */
  onDoubt: (primary: Primary) => void = () => {};

  constructor(
    /** How others see it: host and port, never a password. */
    readonly address: string,
    url: string,
    connect: Connect,
    private readonly keys: Keys,
    private readonly clock: Clock,
    readonly settings: PrimarySettings,
    private readonly observer: PrimaryObserver,
  ) {
    this.#sinceMs = clock.monotonicMs();
    this.#connection = connect(url, { connectTimeoutMs: settings.connectTimeoutMs, name: "quorate" });
    this.#wire = new Wire(this.#connection, clock, settings.commandTimeoutMs);
    this.#pendingCompensations = new PendingCompensations(
      (call) => this.#isAnswered(call),
      () => observer.dropped(this),
    );
    this.#batches = new ScriptBatches((call) => this.run({ ...call, batched: false }), clock);
    this.#connection.onChange((ready, reason) => {
      if (ready) void this.#recover();
      else this.#open(reason?.message ?? (this.#connectionEpoch === 0 ? NEVER_ANSWERED : "connection lost"));
    });
    if (this.#connection.ready) void this.#recover();
  }

  /** Whether it takes part: answers, and was admitted since. */
  get up(): boolean {
    return this.#configurationEpoch !== null;
  }

  /** What names it in the configuration in which it takes part; null while it does not. */
  get configurationEpoch(): string | null {
    return this.#configurationEpoch;
  }

  /** Why it refuses writes, in Redis' words; null while it is not known to. */
  get refusal(): string | null {
    return this.#refusal;
  }

  /** How many calls its fence refused: they were made in another configuration than the one in force. */
  get staleEpochs(): number {
    return this.#staleEpochs;
  }

  /** The time it began to answer anew, as a number that only grows; null while it does not answer. */
  get connectionEpoch(): number | null {
    return this.#answering ? this.#connectionEpoch : null;
  }

  get status(): PrimaryStatus {
    const nowMs = this.clock.monotonicMs();
    return {
      state: this.#state,
      forMs: Math.round(nowMs - this.#sinceMs),
      reason: this.up ? this.#refusal : this.#reason,
      quarantineMs: this.up ? Math.max(0, Math.round(this.#quarantineEndsMs - nowMs)) : 0,
    };
  }

  /** Runs one script once. Rejects with `PrimaryFailure`, at the latest after the command timeout. */
  async run<T>(call: Call<T>): Promise<T> {
    if (call.batched) return this.#batches.add(call);
    if (this.#configurationEpoch === null) throw new PrimaryFailure("not_sent", this.#reason ?? this.#state);
    return this.#run(call, this.#configurationEpoch);
  }

  /** The same for a primary that does not take part, or in a certain configuration; only while `connectionEpoch` lasts. */
  async runAs<T>(connectionEpoch: number, configurationEpoch: string, call: Call<T>): Promise<T> {
    this.#assertConnectionEpoch(connectionEpoch);
    return this.#run(call, configurationEpoch);
  }

  /** One command that is no script; only while `connectionEpoch` lasts. */
  async command(connectionEpoch: number, command: string, ...args: (string | number)[]): Promise<unknown> {
    this.#assertConnectionEpoch(connectionEpoch);
    try {
      return await this.#wire.send(command, ...args);
    } catch (error) {
      throw this.#judge(error);
    }
  }

  /** It takes part from now on, if it still is what was seen in `connectionEpoch`. */
  admit(connectionEpoch: number, configurationEpoch: string, runId: string, quarantineMs: number): void {
    if (connectionEpoch !== this.connectionEpoch) return;
    this.#runId = runId;
    this.#configurationEpoch = configurationEpoch;
    this.#reason = null;
    this.#quarantineEndsMs = this.clock.monotonicMs() + quarantineMs;
    this.#tellWhetherItServes();
    void this.#pendingCompensations.deliver();
  }

  /**
   * A write that was tried for this was accepted. Only this ends a refusal: under a full memory scripts that free or
   * extend something succeed all along.
   */
  acceptsWrites(connectionEpoch: number): void {
    if (connectionEpoch !== this.connectionEpoch || this.#refusal === null) return;
    this.#refusal = null;
    this.#tellWhetherItServes();
    void this.#pendingCompensations.deliver();
  }

  /** It answers, but takes no part from now on. */
  exclude(state: "readmitting" | "wrong_role" | "misconfigured", reason: string): void {
    if (!this.#answering) return;
    this.#configurationEpoch = null;
    this.#refusal = null;
    this.#reason = reason;
    this.#change(state);
  }

  /** Runs the call until it was answered once: now, or when this primary is back. `key` names the debt. */
  compensateLater(key: string, call: Call<unknown>): void {
    this.#pendingCompensations.add(key, call);
    // What one refuses now it is told when it accepts writes again, or at the next look.
    if (this.up && this.#refusal === null) void this.#pendingCompensations.deliver();
  }

  close(): void {
    this.#closed = true;
    this.#connection.close();
  }

  async #isAnswered(call: Call<unknown>): Promise<boolean> {
    try {
      await this.run(call);
      return true;
    } catch (error) {
      const refused = error instanceof PrimaryFailure && error.kind === "refused";
      return refused && this.up && this.#refusal === null;
    }
  }

  #assertConnectionEpoch(connectionEpoch: number): void {
    if (connectionEpoch !== this.connectionEpoch)
      throw new PrimaryFailure("not_sent", "it stopped answering in the meantime");
  }

  async #run<T>(call: Call<T>, configurationEpoch: string): Promise<T> {
    const started = this.clock.monotonicMs();
    let reply: unknown;
    try {
      reply = await this.#evaluate(call, configurationEpoch);
    } catch (error) {
      const failure = this.#judge(error);
      this.observer.called(this, call.script.name, this.clock.monotonicMs() - started, failure.kind);
      throw failure;
    }
    const ms = this.clock.monotonicMs() - started;
    this.latency.add(ms);
    this.observer.called(this, call.script.name, ms, "ok");
    return call.parse(reply);
  }

  async #evaluate({ script, keys, args }: Call<unknown>, configurationEpoch: string): Promise<unknown> {
    const rest = [keys.length + 1, this.keys.configuration, ...keys, configurationEpoch, ...args];
    try {
      return await this.#wire.send("EVALSHA", script.sha1, ...rest);
    } catch (error) {
      if (!(error instanceof RedisReplyError && error.message.startsWith("NOSCRIPT"))) throw error;
      // Nothing ran. SCRIPT FLUSH does this; so does a restart that the connection survived, behind a proxy.
      await this.#assertSameRun();
      return await this.#wire.send("EVAL", script.text, ...rest);
    }
  }

  async #assertSameRun(): Promise<void> {
    const runId = this.#runId;
    if (!runId) return;
    const info = String(await this.#wire.send("INFO", "server"));
    if (!info.includes(`run_id:${runId}`)) throw new Error("it restarted behind this connection");
  }

  #judge(error: unknown): PrimaryFailure {
    const message = reasonOf(error);
    if (error instanceof RedisReplyError) {
      if (message.startsWith("FENCED")) {
        this.#staleEpochs += 1;
        this.onDoubt(this);
        return new PrimaryFailure("stale_epoch", message, { cause: error });
      }
      const refusal = refusalIn(message);
      if (refusal !== null) this.#refuse(refusal);
      else if (UNAVAILABLE.test(message)) this.#open(message);
      return new PrimaryFailure("refused", message, { cause: error });
    }
    // Of a connection that was lost the reason is known better than from the commands that it took along.
    if (this.#answering && !(error instanceof Overload)) this.#open(message);
    return new PrimaryFailure("unknown", message, { cause: error });
  }

  /** It takes part all the same: it can be read, and can free and extend what it has. */
  #refuse(refusal: string): void {
    if (!this.up) return;
    this.#refusal = refusal;
    this.#tellWhetherItServes();
  }

  #tellWhetherItServes(): void {
    const quarantined = this.#quarantineEndsMs > this.clock.monotonicMs();
    this.#change(this.#refusal !== null ? "refusing" : quarantined ? "quarantined" : "up");
  }

  /** Opens the breaker. */
  #open(reason: string): void {
    if (this.#closed) return;
    // A server that refused us says why once and hangs up; what follows from that explains nothing.
    if (this.#state === "misconfigured" && !this.#answering && HUNG_UP.test(reason)) return;
    this.#reason = reason;
    this.#configurationEpoch = null;
    this.#refusal = null;
    this.#change(REFUSING.test(reason) ? "misconfigured" : "down");
    if (!this.#answering) return;
    this.#answering = false;
    void this.#recover();
  }

  #change(state: PrimaryState): void {
    if (state === this.#state && this.#told) return;
    this.#told = true;
    this.#state = state;
    this.#sinceMs = this.clock.monotonicMs();
    this.observer.changed(this, this.status);
  }

  /**
   * Makes the server ready for our scripts and closes the breaker; asks again until it answers, for as long as the
   * connection stands. PING comes first: a paused server must not collect the text of all scripts again and again.
   */
  async #recover(): Promise<void> {
    if (this.#recovering) return;
    this.#recovering = true;
    try {
      while (!this.#closed && !this.#answering && this.#connection.ready) {
        try {
          await this.#ping();
          await this.#loadScripts();
          if (!this.#connection.ready || this.#closed) continue;
          this.#answering = true;
          this.#connectionEpoch += 1;
        } catch (error) {
          // Of a connection that was lost the reason is known better than from the command that it took along.
          if (this.#connection.ready) this.#open(reasonOf(error));
          await this.clock.sleep(PROBE_INTERVAL_MS);
        }
      }
    } finally {
      this.#recovering = false;
    }
    if (this.#answering) this.onDoubt(this);
  }

  /** Where the disk is full, Redis refuses PING as well; it answers then, all the same. */
  async #ping(): Promise<void> {
    try {
      await this.#wire.send("PING");
    } catch (error) {
      if (!(error instanceof RedisReplyError) || refusalIn(error.message) === null) throw error;
    }
  }

  /** Only those that it lacks: one that was merely away for a moment has them all. */
  async #loadScripts(): Promise<void> {
    const scripts = [...Object.values(SCRIPTS), ...BATCHES.values()];
    const digests = scripts.map(({ sha1 }) => sha1);
    const there = (await this.#wire.send("SCRIPT", "EXISTS", ...digests)) as number[];
    const missing = scripts.filter((_, index) => there[index] !== 1);
    await Promise.all(missing.map(({ text }) => this.#wire.send("SCRIPT", "LOAD", text)));
  }
}

/** Why a server refuses writes, where its reply says that it does. Redis 6.2 puts the name of the script in front. */
function refusalIn(message: string): string | null {
  const found = /(?:^|\s-)((?:OOM|MISCONF|NOREPLICAS) [^\n]*)/.exec(message);
  return (
    found?.[1]
      ?.replace(/ script: .*$/, "")
      .trim()
      .replace(/\.$/, "")
      .slice(0, REFUSAL_LENGTH_MAX) ?? null
  );
}

/** Redis' longest has 315. */
const REFUSAL_LENGTH_MAX = 400;
const PROBE_INTERVAL_MS = 50;
/** Replies of a server that does not let us in: no use in waiting for it. */
const REFUSING = /^(NOAUTH|WRONGPASS|NOPERM|DENIED|ERR)/;
const NEVER_ANSWERED = "it closes the connection without an answer: is it a Redis or Valkey server?";
const HUNG_UP = /connection lost|isn't writeable|max retries|is closed/;
/** Replies of a server that cannot serve now, whatever it is asked. */
const UNAVAILABLE = /^(LOADING|READONLY|MASTERDOWN|NOAUTH|NOPERM|CLUSTERDOWN|BUSY)/;
