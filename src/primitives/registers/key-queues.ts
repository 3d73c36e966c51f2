/**
 * Work on one key after the other, first come, first served: changes of one register that begin at the same time in one
 * instance would only refuse each other's ballots. At most `waitingMax` wait for one key.
 */
export class KeyQueues {
  /** Those that wait, by key; a key that is being worked on is there. */
  readonly #queues = new Map<string, Set<() => void>>();

  constructor(
    private readonly waitingMax: number,
    private readonly tooMany: () => Error,
  ) {}

  /**
   * Rejects with the signal's reason where it aborts before the work began, or as `tooMany` says. `client`: its signal, which
   * is looked at only where there is something to wait for, since that of a request is made when it is asked for.
   */
  async run<T>(
    key: string,
    work: () => Promise<T>,
    client: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    const waiting = this.#queues.get(key);
    if (waiting) await this.#turn(waiting, client.signal);
    else this.#queues.set(key, new Set());
    try {
      return await work();
    } finally {
      this.#next(key);
    }
  }

  #turn(waiting: Set<() => void>, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (waiting.size >= this.waitingMax) throw this.tooMany();
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiting.delete(begin);
        reject(signal?.reason);
      };
      const begin = () => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      waiting.add(begin);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }

  #next(key: string): void {
    const waiting = this.#queues.get(key);
    const [begin] = waiting ?? [];
    if (!begin) this.#queues.delete(key);
    else {
      waiting?.delete(begin);
      begin();
    }
  }
}
