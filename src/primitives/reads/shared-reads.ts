import type { Clock } from "../../clock.js";

/**
 * Reads that concurrent requests share. A request may join a read that has not begun, but never one that has: its answer
 * must contain everything that was acknowledged before the request. So any number of requests for one key need one read
 * under way and one to come. At most `atOnceMax` reads are under way in total; the others wait.
 */
export class SharedReads<T> {
  /** Reads that have not begun, by key, in the order of the requests. */
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
      // Two reads of one key at once would only delay other keys.
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

  /** One per turn of the event loop: hundreds of large answers in one turn would stall everything else. */
  #tellEach(asking: readonly Asking<T>[], index: number, tell: (one: Asking<T>) => void): void {
    const one = asking[index];
    if (!one) return;
    tell(one);
    if (index + 1 < asking.length) this.clock.soon(() => this.#tellEach(asking, index + 1, tell));
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
