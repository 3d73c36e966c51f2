/** Ends what was started, in reverse order: one after the other, and all of it, whatever fails. */
export class Cleanup implements AsyncDisposable {
  readonly #started: AsyncDisposable[] = [];

  /** Null where something is not installed. */
  add<T extends AsyncDisposable | null>(started: T): T {
    if (started) this.#started.push(started);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (const started of this.#started.splice(0).reverse()) {
      try {
        await started[Symbol.asyncDispose]();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, "not everything could be ended");
  }
}
