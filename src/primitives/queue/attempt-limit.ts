/** Limits the number of concurrent attempts; the others run in the order in which they came. */
export class AttemptLimit {
  #running = 0;
  readonly #pending: (() => void)[] = [];

  constructor(private readonly most: number) {}

  async run<T>(attempt: () => Promise<T>): Promise<T> {
    if (this.#running >= this.most) await new Promise<void>((resolve) => this.#pending.push(resolve));
    else this.#running += 1;
    try {
      return await attempt();
    } finally {
      const next = this.#pending.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}
