import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { EXIT } from "../exit-codes.js";
import { CliFailure } from "../failure.js";
import type { Limits, Order, Report } from "./messages.js";
import type { SleeplessClock } from "./sleepless-clock.js";

/** How a command ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Whether it was told to, since its time was over. */
  readonly told: boolean;
}

/**
 * A command under its watchdog, which starts it, and ends it in time also when this process is stopped or killed. Where the
 * watchdog is, this process does it.
 */
export class RunningCommand {
  /** Settles when the command and all of its group are gone. Rejects where it never ran. */
  readonly ended: Promise<Ending>;
  readonly #watchdog: ChildProcess;
  #settle!: { resolve(ending: Ending): void; reject(reason: Error): void };
  /** Whether the watchdog has got the order to start. */
  #isOrdered = false;
  #pid: number | undefined;
  /** Signals for a command that does not run yet. */
  /** Settles when the command runs, or never will. */
  readonly #begun: Promise<void>;
  #begin: () => void = () => {};
  #told = false;
  #over = false;

  /** `more`: variables of the environment of the command beside those of this process. */
  constructor(
    private readonly command: readonly string[],
    more: Readonly<Record<string, string>>,
    private readonly clock: SleeplessClock,
    private limits?: Limits,
  ) {
    this.ended = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    // In a session of its own: a Ctrl-C must not end it, nor what ends the group of this process.
    this.#watchdog = fork(WATCHDOG, { detached: true, env: { ...process.env, ...more } });
    this.#watchdog.on("message", (report: Report) => this.#on(report));
    this.#watchdog.once("error", (error) => this.#fail(noWatchdog(error.message)));
    // After its last message.
    this.#watchdog.once("close", () => this.#lostWatchdog());
    this.#guard();
  }

  /** There is news of the lease. */
  extend(limits: Limits): void {
    this.limits = limits;
    if (this.#isOrdered) this.#order({ kind: "limits", limits });
  }

  /** Tells the command to end: SIGTERM now, SIGKILL then, or earlier if its time is over. */
  end(killAtMs: number): void {
    this.limits = { termAtMs: this.clock.monotonicMs(), killAtMs };
    if (this.#isOrdered) this.#order({ kind: "end", killAtMs });
  }

  /** Sends a signal to the command and what it has started; as soon as it runs, if it does not yet. Resolves then. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    if (this.#pid === undefined) await this.#begun;
    if (this.#pid !== undefined && !this.#over) signalGroup(this.#pid, signal);
  }

  #on(report: Report): void {
    switch (report.kind) {
      case "ready":
        this.#start();
        break;
      case "started":
        this.#pid = report.pid;
        this.#begin();
        break;
      case "told":
        this.#told = true;
        break;
      case "failed":
        this.#fail(notRun(this.command[0] ?? "", report));
        break;
      case "over":
        this.#end(report);
        break;
    }
  }

  /** With the news until now: the watchdog may have taken long to be ready. */
  #start(): void {
    const [file = "", ...args] = this.command;
    this.#isOrdered = true;
    this.#order({ kind: "start", file, args, zeroMs: this.clock.zeroMs, limits: this.limits });
  }

  #order(order: Order): void {
    if (this.#watchdog.connected) this.#watchdog.send(order, () => {});
  }

  #end({ code, signal }: Pick<Ending, "code" | "signal">): void {
    this.#over = true;
    this.#begin();
    this.#settle.resolve({ code, signal, told: this.#told });
  }

  #fail(reason: Error): void {
    this.#over = true;
    this.#begin();
    this.#settle.reject(reason);
  }

  #lostWatchdog(): void {
    if (this.#over) return;
    const { limits } = this;
    void this.signal("SIGKILL");
    if (limits && this.clock.monotonicMs() >= limits.killAtMs) this.#end({ code: null, signal: "SIGKILL" });
    else this.#fail(noWatchdog("it was killed"));
  }

  /** The watchdog may be stopped. */
  #guard(): void {
    this.clock.after(GUARD_MS, () => {
      // What it has reported meanwhile comes first: the number of the group may be another's by now.
      setImmediate(() => {
        if (this.#over) return;
        const lateMs = this.clock.monotonicMs() - (this.limits?.killAtMs ?? Number.POSITIVE_INFINITY);
        if (lateMs >= 0) {
          this.#told = true;
          void this.signal("SIGKILL");
        }
        if (lateMs >= SILENT_MS) this.#watchdog.kill("SIGKILL");
        this.#guard();
      });
    });
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has just ended.
  }
}

function notRun(file: string, { code, message }: Report & { readonly kind: "failed" }): CliFailure {
  if (code === "ENOENT") return new CliFailure(EXIT.commandNotFound, `${file}: command not found`);
  const why = code === "EACCES" ? "permission denied" : message;
  return new CliFailure(EXIT.cannotRun, `${file}: cannot be run: ${why}`);
}

const noWatchdog = (why: string) =>
  new CliFailure(EXIT.internal, `the watchdog of the command is not there: ${why}`);

const WATCHDOG = fileURLToPath(new URL(`./watchdog${extname(import.meta.url)}`, import.meta.url));
const GUARD_MS = 50;
/** A watchdog that has not reported the end of the command by then is stopped. */
const SILENT_MS = 5_000;
