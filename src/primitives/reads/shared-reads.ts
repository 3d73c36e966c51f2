import type { Clock } from "../../clock.js";

/**
 * Reads of which those who ask at the same time share one. A request may join a read that has not begun, and never one
 * that has: what was acknowledged before the request must be in its answer. So of any number who ask for one key there is
 * one read under way and one to come. No more than `atOnceMax` are under way in all; the others wait their turn.
 */
export class SharedReads<T> {
  /** Reads that have not begun, by key, in the order in which they were asked for. */
  readonly #waiting = new Map<string, Read<T>>();
  readonly #underWay = new Set<string>();

  constructor(
    private readonly clock: Pick<Clock, "soon">,
    private readonly atOnceMax: number,
  ) {}

  read(key: string, begin: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const asking = { resolve, reject };
      const waiting = this.#waiting.get(key);
      if (waiting) waiting.asking.push(asking);
      else this.#waiting.set(key, { begin, asking: [asking] });
      this.#beginNext();
    });
  }

  #beginNext(): void {
    for (const [key, read] of this.#waiting) {
      if (this.#underWay.size >= this.atOnceMax) return;
      // Two reads of one key at once would only take turns from others.
      if (this.#underWay.has(key)) continue;
      this.#waiting.delete(key);
      this.#underWay.add(key);
      void this.#run(key, read);
    }
  }

  async #run(key: string, { begin, asking }: Read<T>): Promise<void> {
    let tell: (one: Asking<T>) => void;
    try {
      const value = await begin();
      tell = ({ resolve }) => resolve(value);
    } catch (error) {
      tell = ({ reject }) => reject(error);
    }
    this.#underWay.delete(key);
    this.#beginNext();
    this.#tellEach(asking, 0, tell);
  }

  /** One a turn of the event loop: hundreds of large answers made in one turn would stop everybody else. */
  #tellEach(asking: readonly Asking<T>[], place: number, tell: (one: Asking<T>) => void): void {
    const one = asking[place];
    if (!one) return;
    tell(one);
    if (place + 1 < asking.length) this.clock.soon(() => this.#tellEach(asking, place + 1, tell));
  }
}

interface Asking<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

interface Read<T> {
  readonly begin: () => Promise<T>;
  readonly asking: Asking<T>[];
}
