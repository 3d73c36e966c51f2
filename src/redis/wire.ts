import type { Clock } from "../clock.js";
import type { Connection } from "./connection.js";

/**
 * A connection whose commands have a deadline. Silence counts, from when a command left: replies come in order, so
 * a server that answers other commands, or is in the middle of a long reply, is busy, not gone, and gets `PATIENCE`
 * times as long. A late reply is read from the connection in its order, and dropped here.
 */
export class Wire {
  /** When the last byte of the server arrived. */
  #heardMs = Number.NEGATIVE_INFINITY;
  #batch: WriteBatch | null = null;

  constructor(
    private readonly connection: Connection,
    private readonly clock: Clock,
    private readonly timeoutMs: number,
  ) {
    // A reply of a megabyte may take longer to arrive, or to be parsed here, than the timeout: each of its bytes is a
    // sign of life.
    connection.onBytes?.(() => {
      this.#heardMs = clock.monotonicMs();
    });
  }

  /** Rejects with `RedisReplyError` if Redis replied with an error; else, as with `Overload`, the outcome is unknown. */
  send(command: string, ...args: (string | number)[]): Promise<unknown> {
    this.#batch ??= this.#beginBatch();
    const batch = this.#batch;
    return new Promise((resolve, reject) => {
      let dueMs = this.clock.monotonicMs() + this.timeoutMs;
      const watch = () => {
        const nowMs = this.clock.monotonicMs();
        // If this timer is late, this process was away: the server may have answered.
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
      const answered = () => {
        this.#heardMs = this.clock.monotonicMs();
        cancel();
      };
      this.connection.call(command, ...args).then(
        (reply) => {
          answered();
          resolve(reply);
        },
        (error) => {
          answered();
          reject(error);
        },
      );
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

/** The commands of one tick of the event loop leave together when it ends, which may take long in a busy process. */
interface WriteBatch {
  leftMs: number | null;
}

/** Share of the timeout by which a timer may be late before this process counts as the side that was away. */
const LATENESS = 0.2;
/**
 * How many timeouts a command may take on a server that answers others, counted from when it left. In a burst of thousands
 * the last command is behind all others, and failing it helps nobody: the server runs it all the same. Yet every request
 * is answered in bounded time: 1 s by default.
 */
const PATIENCE = 10;
