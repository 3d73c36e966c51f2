import { CoordinationError } from "../errors.js";

/** Whether this instance has been told to stop, and who is to be told then. */
export class Stopping {
  #begun = false;
  readonly #waits = new Set<AbortController>();

  get begun(): boolean {
    return this.#begun;
  }

  /** From now on: no new work, and nobody waits any longer. */
  begin(): void {
    this.#begun = true;
    for (const wait of this.#waits) wait.abort();
  }

  /** Throws `shutting_down` once it has begun. */
  assertNot(): void {
    if (this.#begun) throw new CoordinationError("shutting_down", "This instance is stopping. Use another.");
  }

  /** Runs `wait` with a signal that aborts when the client goes or this instance stops. (Signals of `any` leak.) */
  async during<T>(client: AbortSignal, wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const both = new AbortController();
    const abort = () => both.abort();
    if (client.aborted || this.#begun) abort();
    client.addEventListener("abort", abort);
    this.#waits.add(both);
    try {
      return await wait(both.signal);
    } finally {
      client.removeEventListener("abort", abort);
      this.#waits.delete(both);
    }
  }
}
