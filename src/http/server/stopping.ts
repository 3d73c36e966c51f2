import { CoordinationError } from "../../errors.js";

/** Whether this instance has been told to stop, and who is to be told then. */
export class Stopping {
  #announced = false;
  #begun = false;
  readonly #waits = new Set<AbortController>();

  /** Load balancers are to send requests elsewhere; whatever comes here nevertheless is served. */
  get announced(): boolean {
    return this.#announced;
  }

  get begun(): boolean {
    return this.#begun;
  }

  /** From now on: not ready, and each answer closes its connection, so that clients move to another instance. */
  announce(): void {
    this.#announced = true;
  }

  /** From now on: no new work, and nobody waits any longer. */
  begin(): void {
    this.#announced = true;
    this.#begun = true;
    for (const wait of this.#waits) wait.abort();
  }

  /** Throws `shutting_down` once it has begun. */
  assertNot(): void {
    if (this.#begun) throw new CoordinationError("shutting_down", "This instance is stopping. Use another.");
  }

  /** Throws `shutting_down` once it was announced. */
  assertReady(): void {
    if (this.#announced)
      throw new CoordinationError("shutting_down", "This instance is about to stop. Use another.");
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
