import type { Clock } from "../clock.js";

/**
 * Calls that leave together. The first leaves when this tick of the event loop is over. Those that come while others are under
 * way wait for the replies to these, a few ms at most: so a server that writes to its disk before it replies does that once for all
 * of them, and they cost less than commands of their own. A call that meets no other waits for nothing.
 */
export class Gathering<T> {
  #waiting: T[] = [];
  #underWay = 0;
  #isDue = false;
  #cancel: (() => void) | null = null;

  /** `send`: calls `over` once it has all replies. */
  constructor(
    private readonly send: (together: readonly T[], over: () => void) => void,
    private readonly clock: Pick<Clock, "soon" | "after">,
  ) {}

  add(one: T): void {
    this.#waiting.push(one);
    if (this.#underWay === 0) this.#due();
    else if (!this.#isDue) this.#cancel ??= this.clock.after(WAIT_MS_MAX, () => this.#due());
  }

  #due(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#cancel?.();
    this.#cancel = null;
    this.clock.soon(() => this.#leave());
  }

  #leave(): void {
    this.#isDue = false;
    const together = this.#waiting;
    this.#waiting = [];
    this.#underWay += 1;
    this.send(together, () => {
      this.#underWay -= 1;
      if (this.#underWay === 0 && this.#waiting.length > 0) this.#due();
    });
  }
}

/** While a server is slow, calls go on leaving this often. */
const WAIT_MS_MAX = 5;
