import type { Clock } from "../clock.js";
import { type Connect, type Connection, RedisReplyError } from "./connection.js";
import type { Keys } from "./keys.js";
import { LatencyWindow } from "./latency-window.js";
import { type Call, SCRIPTS } from "./scripts.js";

/** Why a primary gave no answer to a call, and what that means for the call. */
export class PrimaryFailure extends Error {
  override readonly name = "PrimaryFailure";
  constructor(
    /** `not_sent`: it surely did not run. `unknown`: it may have run, or may still. `refused`: Redis said no. */
    readonly kind: "not_sent" | "unknown" | "refused",
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface PrimarySettings {
  readonly commandTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

/** What a primary tells the rest of the house about itself. */
export interface PrimaryObserver {
  called(primary: Primary, script: string, ms: number, outcome: "ok" | PrimaryFailure["kind"]): void;
  changed(primary: Primary, reason: string | undefined): void;
  dropped(primary: Primary): void;
}

export interface PrimaryStatus {
  readonly state: "up" | "down";
  /** How long it has been so, ms. */
  readonly forMs: number;
  readonly reason: string | undefined;
}

/**
 * One independent Redis server: its connection, its breaker and what is still owed to it. While the breaker is open a
 * call fails at once; a PING every `PROBE_INTERVAL_MS` closes it again.
 */
export class Primary {
  readonly latency = new LatencyWindow();
  readonly #connection: Connection;
  readonly #owed = new Map<string, Call<unknown>>();
  #up = false;
  #since: number;
  #reason: string | undefined = "not connected yet";
  #closed = false;
  #recovering = false;
  #delivering = false;

  constructor(
    /** How others see it: host and port, never a password. */
    readonly address: string,
    url: string,
    connect: Connect,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly settings: PrimarySettings,
    private readonly observer: PrimaryObserver,
  ) {
    this.#since = clock.monotonicMs();
    this.#connection = connect(url, { connectTimeoutMs: settings.connectTimeoutMs, name: "quorate" });
    this.#connection.onChange((ready, reason) => {
      if (ready) void this.#recover();
      else this.#open(reason?.message ?? "connection lost");
    });
    if (this.#connection.ready) void this.#recover();
  }

  get up(): boolean {
    return this.#up;
  }

  get status(): PrimaryStatus {
    return {
      state: this.#up ? "up" : "down",
      forMs: Math.round(this.clock.monotonicMs() - this.#since),
      reason: this.#up ? undefined : this.#reason,
    };
  }

  /** Runs one script once. Rejects with `PrimaryFailure`, at the latest after the command timeout. */
  async run<T>(call: Call<T>): Promise<T> {
    if (!this.#up) throw new PrimaryFailure("not_sent", this.#reason ?? "down");
    const started = this.clock.monotonicMs();
    let reply: unknown;
    try {
      reply = await this.#evaluate(call);
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

  /**
   * Runs the call as often as it takes until Redis answered it: now, or when this primary is back. `key` names the
   * debt, so that the same one is owed once. The oldest debts are dropped beyond `OWED_MAX`: then only their time to
   * live ends what they should have ended.
   */
  owe(key: string, call: Call<unknown>): void {
    this.#owed.delete(key);
    this.#owed.set(key, call);
    if (this.#owed.size > OWED_MAX) {
      for (const oldest of this.#owed.keys()) {
        this.#owed.delete(oldest);
        break;
      }
      this.observer.dropped(this);
    }
    if (this.#up) void this.#deliver();
  }

  close(): void {
    this.#closed = true;
    this.#connection.close();
  }

  async #evaluate(call: Call<unknown>): Promise<unknown> {
    const { script } = call;
    const rest = [
      call.keys.length + 1,
      this.keys.configuration,
      ...call.keys,
      this.#stamp(),
      ...call.args,
    ] as const;
    try {
      return await this.#send("EVALSHA", script.sha1, ...rest);
    } catch (error) {
      // SCRIPT FLUSH, or a restart that this connection survived behind a proxy: nothing ran, so sending again is safe.
      if (!(error instanceof RedisReplyError && error.message.startsWith("NOSCRIPT"))) throw error;
      return await this.#send("EVAL", script.text, ...rest);
    }
  }

  /** Part 5.2 of the design gives each primary its stamp; until then all agree on none. */
  #stamp(): string {
    return "";
  }

  /** One command with a deadline. A late reply is taken from the connection in its turn and dropped here. */
  #send(command: string, ...args: (string | number)[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const cancel = this.clock.after(this.settings.commandTimeoutMs, () =>
        reject(new CommandTimeout(`no answer within ${this.settings.commandTimeoutMs} ms`)),
      );
      this.#connection
        .call(command, ...args)
        .then(resolve, reject)
        .finally(cancel);
    });
  }

  #judge(error: unknown): PrimaryFailure {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof RedisReplyError) {
      if (UNAVAILABLE.test(message)) this.#open(message);
      return new PrimaryFailure("refused", message, { cause: error });
    }
    this.#open(message);
    return new PrimaryFailure("unknown", message, { cause: error });
  }

  /** Opens the breaker. */
  #open(reason: string): void {
    if (this.#closed) return;
    this.#reason = reason;
    if (!this.#up) return;
    this.#change(false);
    void this.#recover();
  }

  #change(up: boolean): void {
    this.#up = up;
    this.#since = this.clock.monotonicMs();
    this.observer.changed(this, up ? undefined : this.#reason);
  }

  /**
   * Makes the server ready for our scripts and closes the breaker; asks again until it answers, for as long as the
   * connection stands. PING comes first: a paused server must not collect the text of all scripts again and again.
   */
  async #recover(): Promise<void> {
    if (this.#recovering) return;
    this.#recovering = true;
    try {
      while (!this.#closed && !this.#up && this.#connection.ready) {
        try {
          await this.#send("PING");
          await Promise.all(Object.values(SCRIPTS).map(({ text }) => this.#send("SCRIPT", "LOAD", text)));
          if (this.#connection.ready && !this.#closed) this.#change(true);
        } catch (error) {
          this.#reason = error instanceof Error ? error.message : String(error);
          await this.clock.sleep(PROBE_INTERVAL_MS);
        }
      }
    } finally {
      this.#recovering = false;
    }
    if (this.#up) void this.#deliver();
  }

  async #deliver(): Promise<void> {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      while (this.#up && this.#owed.size > 0) {
        const batch = [...this.#owed].slice(0, DELIVERY_BATCH);
        await Promise.all(
          batch.map(async ([key, call]) => {
            const answered = await this.run(call).then(
              () => true,
              (error) => error instanceof PrimaryFailure && error.kind === "refused" && this.#up,
            );
            if (answered && this.#owed.get(key) === call) this.#owed.delete(key);
          }),
        );
      }
    } finally {
      this.#delivering = false;
    }
  }
}

class CommandTimeout extends Error {}

const PROBE_INTERVAL_MS = 50;
/** Debts to one primary: 10,000 keep a primary that is away for long under some 10 MB. */
const OWED_MAX = 10_000;
const DELIVERY_BATCH = 100;
/** Replies of a server that cannot serve now, whatever it is asked. */
const UNAVAILABLE = /^(LOADING|READONLY|MASTERDOWN|NOAUTH|NOPERM|MISCONF|CLUSTERDOWN|BUSY)/;
