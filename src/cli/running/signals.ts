import { constants } from "node:os";
import { EXIT } from "../exit-codes.js";

/** What is passed on to the command. A terminal sends its signals to this process only: the command has a session of its own. */
const PASSED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH"] as const;
/** What ends this process while there is no command. */
const ENDING: ReadonlySet<NodeJS.Signals> = new Set(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]);

/** What signals mean now. */
export class Signals {
  #stop = new AbortController();
  #target: ((signal: NodeJS.Signals) => Promise<void>) | undefined;
  /** The first one that came to end this process. */
  received: NodeJS.Signals | undefined;

  constructor() {
    for (const signal of PASSED) process.on(signal, () => this.#on(signal));
    // A shell stops this process by Ctrl-Z, and not what has another session: it does so itself.
    process.on("SIGTSTP", () => void this.#suspend());
    process.on("SIGCONT", () => void this.#target?.("SIGCONT"));
  }

  /** Aborts with the first signal that is to end this process while there is no command. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** Passes signals on from now on, by what resolves when one is sent. Undefined: there is no command. */
  passTo(target: ((signal: NodeJS.Signals) => Promise<void>) | undefined): void {
    this.#target = target;
  }

  #on(signal: NodeJS.Signals): void {
    if (ENDING.has(signal)) this.received ??= signal;
    if (this.#target) void this.#target(signal);
    else if (ENDING.has(signal)) this.#stop.abort(new Error(signal));
  }

  async #suspend(): Promise<void> {
    // SIGTSTP has no effect on a group whose session has no terminal. While this process is stopped it sends nothing.
    await this.#target?.("SIGSTOP");
    process.kill(process.pid, "SIGSTOP");
  }
}

/** As shells report that a signal ended a process. */
export const exitCodeOfSignal = (signal: NodeJS.Signals): number =>
  EXIT.signalled + constants.signals[signal];
