import type { Clock } from "../clock.js";
import type { Connection } from "./connection.js";

/**
 * A connection whose commands have a deadline. What counts is silence since a command left: replies come in order, so
 * a server that answers others, or is in the middle of a long reply, is busy, not gone, and gets `PATIENCE` times as
 * long. A late reply is taken from the connection in its turn and dropped here.
 */
export class Wire {
  /** When the server was heard of last. */
  #heardMs = Number.NEGATIVE_INFINITY;
  #batch: WriteBatch | null = null;

  constructor(
    private readonly connection: Connection,
    private readonly clock: Clock,
    private readonly timeoutMs: number,
  ) {
    // A reply of a megabyte may take longer to arrive, or to be parsed here, than the timeout: its first byte is a sign
    // of life, and so is each one after.
    connection.onBytes?.(() => {
      this.#heardMs = clock.monotonicMs();
    });
  }

  /** Rejects with `RedisReplyError` when Redis said no; with `Overload` or another error when nobody knows. */
  send(command: string, ...args: (string | number)[]): Promise<unknown> {
    this.#batch ??= this.#beginBatch();
    const batch = this.#batch;
    return new Promise((resolve, reject) => {
      let dueMs = this.clock.monotonicMs() + this.timeoutMs;
      const watch = () => {
        const nowMs = this.clock.monotonicMs();
        // Where this process was late itself, it was it that did not listen.
        const late = nowMs - dueMs > this.timeoutMs * LATENESS;
        const leftMs = batch.leftMs ?? nowMs;
        const silentMs = late ? 0 : nowMs - Math.max(leftMs, this.#heardMs);
        if (silentMs >= this.timeoutMs) {
          reject(new Error(`no answer within ${this.timeoutMs} ms`));
        } else if (nowMs - leftMs >= PATIENCE * this.timeoutMs) {
          reject(new Overload(`busy for more than ${PATIENCE * this.timeoutMs} ms`));
        } else {
          const restMs = Math.ceil(this.timeoutMs - silentMs);
          dueMs = nowMs + restMs;
          cancel = this.clock.after(restMs, watch);
        }
      };
      let cancel = this.clock.after(this.timeoutMs, watch);
      this.connection
        .call(command, ...args)
        .finally(() => {
          this.#heardMs = this.clock.monotonicMs();
          cancel();
        })
        .then(resolve, reject);
    });
  }

  #beginBatch(): WriteBatch {
    const batch: WriteBatch = { leftMs: null };
    this.clock.soon(() => {
      batch.leftMs = this.clock.monotonicMs();
      this.#batch = null;
    });
    return batch;
  }
}

/** The server answers, but not in time. */
export class Overload extends Error {}

/** The commands of one turn of the event loop leave together when it is over, which may take long in a busy process. */
interface WriteBatch {
  leftMs: number | null;
}

/** Share of the timeout by which a timer may be late before this process counts as the one that was away. */
const LATENESS = 0.2;
/**
 * Timeouts that a command may take on a server that answers others, counted from when it left. In a burst of thousands the
 * last command stands behind all others, and failing it helps nobody: the server runs it all the same. Yet every request
 * is answered in bounded time: 1 s by default.
 */
const PATIENCE = 10;
