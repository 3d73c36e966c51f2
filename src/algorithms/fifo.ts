/** An element of a queue. */
export interface Linked<T> {
  before: T | null;
  after: T | null;
}

/** First in, first out; an element that leaves early is removed at once, wherever it is in the queue. */
export class Fifo<T extends Linked<T>> {
  #first: T | null = null;
  #last: T | null = null;
  #length = 0;

  get first(): T | null {
    return this.#first;
  }

  get length(): number {
    return this.#length;
  }

  push(one: T): void {
    one.before = this.#last;
    one.after = null;
    if (this.#last) this.#last.after = one;
    else this.#first = one;
    this.#last = one;
    this.#length += 1;
  }

  remove(one: T): void {
    if (one.before) one.before.after = one.after;
    else this.#first = one.after;
    if (one.after) one.after.before = one.before;
    else this.#last = one.before;
    one.before = null;
    one.after = null;
    this.#length -= 1;
  }
}
