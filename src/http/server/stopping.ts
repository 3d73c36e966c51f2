import { CoordinationError, shuttingDown } from "../../errors.js";

/** Whether this instance has been told to stop, and the waits that end when it stops. */
export class Stopping {
  #announced = false;
  #begun = false;
  readonly #waits = new Set<AbortController>();

  /** Load balancers should send requests elsewhere; a request that arrives here nevertheless is served. */
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

  /** From now on: no new work, and every wait ends. */
  begin(): void {
    this.#announced = true;
    this.#begun = true;
    for (const wait of this.#waits) wait.abort();
  }

  /** Throws `shutting_down` once it has begun. */
  assertNot(): void {
    if (this.#begun) throw shuttingDown();
  }

  /** Throws `shutting_down` once it was announced. */
  assertReady(): void {
    if (this.#announced)
      throw new CoordinationError("shutting_down", "This instance is about to stop. Use another.");
  }

  /** Runs `wait` with a signal that aborts when the client disconnects or this instance stops. (`AbortSignal.any` leaks.) */
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
