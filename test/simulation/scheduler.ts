/**
 * Virtual time: one queue of what is to come. Whatever one event leads to at once (promises) is done before the next,
 * so that code under test takes no time, and the same events come in the same order whenever a run is repeated.
 */
export class Scheduler {
  #nowMs: number;
  #sequence = 0;
  readonly #heap: Event[] = [];
  #endOfTurn: (() => void)[] = [];
  #stopped = false;
  #turns = 0;

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  readonly nowMs = (): number => this.#nowMs;

  /** Runs the task at that time, or at once where it is past; what it returns cancels it. */
  at(ms: number, task: () => void): () => void {
    const event: Event = { atMs: Math.max(ms, this.#nowMs), order: ++this.#sequence, task };
    this.#push(event);
    return () => {
      event.task = null;
    };
  }

  after(ms: number, task: () => void): () => void {
    return this.at(this.#nowMs + ms, task);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Runs the task when everything that this event led to is done, before time goes on. */
  atEndOfTurn(task: () => void): void {
    this.#endOfTurn.push(task);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Goes on until `stop()`, or until nothing is to come. */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = () => {
        try {
          if (this.#goOn()) this.#whenSettled(turn);
          else resolve();
        } catch (error) {
          reject(error);
        }
      };
      this.#whenSettled(turn);
    });
  }

  /** What is left of this turn, or the next event. False: that was all. */
  #goOn(): boolean {
    if (this.#endOfTurn.length > 0) {
      const tasks = this.#endOfTurn;
      this.#endOfTurn = [];
      for (const task of tasks) task();
      return true;
    }
    for (let event = this.#pop(); event && !this.#stopped; event = this.#pop()) {
      const { task } = event;
      if (!task) continue;
      this.#nowMs = event.atMs;
      task();
      return true;
    }
    return false;
  }

  #whenSettled(turn: () => void): void {
    // Node tells of rejections that nobody handles, and reads messages, only when it gets a turn of its own.
    if (++this.#turns % TURNS_OF_NODE === 0) setImmediate(turn);
    // Ticks come after all promises that can go on, whatever their depth, where a promise asks for one.
    else queueMicrotask(() => process.nextTick(turn));
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let place = heap.push(event) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (isBefore(heap[parent] as Event, event)) break;
      heap[place] = heap[parent] as Event;
      place = parent;
    }
    heap[place] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!last || heap.length === 0) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child += 1;
      if (isBefore(last, heap[child] as Event)) break;
      heap[place] = heap[child] as Event;
      place = child;
    }
    heap[place] = last;
    return first;
  }
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  /** Null: cancelled. */
  task: (() => void) | null;
}

const isBefore = (a: Event, b: Event) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** After so many turns. */
const TURNS_OF_NODE = 16;
