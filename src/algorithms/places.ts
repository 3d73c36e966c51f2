/** So many pieces of work at a time; the others wait for their turn. */
export class Places {
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(private readonly places: number) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#taken >= this.places) await new Promise<void>((turn) => this.#waiting.push(turn));
    else this.#taken += 1;
    try {
      return await work();
    } finally {
      // The place goes on to the next.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#taken -= 1;
    }
  }
}
