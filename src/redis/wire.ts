import { Fifo, type Linked } from "../algorithms/fifo.js";
import type { Clock } from "../clock.js";
import type { Connection } from "./connection.js";

/** Called once with the outcome of a command. `error` null: this is the reply. */
export type Settle = (error: unknown, reply?: unknown) => void;

/**
 * A connection whose commands have a deadline. Silence counts, from when a command left: replies come in order, so
 * a server that answers other commands, or is in the middle of a long reply, is busy, not gone, and gets `PATIENCE`
 * times as long. A late reply is read from the connection in its order, and dropped here.
 *
 * One timer watches the oldest command: those behind it left later, so none of them is due before it.
 */
export class Wire {
  /** When the last byte of the server arrived. */
  #heardMs = Number.NEGATIVE_INFINITY;
  #batch: WriteBatch | null = null;
  /** Commands without an outcome, in the order in which they were sent. */
  readonly #sent = new Fifo<Sent>();
  #watching = false;

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
    return new Promise((resolve, reject) =>
      this.call(command, args, (error, reply) => (error === null ? resolve(reply) : reject(error))),
    );
  }

  /** The same with a callback, for the many commands that need no promise of their own. */
  call(command: string, args: readonly (string | number)[], settle: Settle): void {
    this.#batch ??= this.#beginBatch();
    const sent = new Sent(this.#batch, settle);
    this.#sent.push(sent);
    if (!this.#watching) this.#watch(this.timeoutMs);
    this.connection.call(command, ...args).then(
      (reply) => this.#answered(sent, null, reply),
      (error) => this.#answered(sent, error),
    );
  }

  #answered(sent: Sent, error: unknown, reply?: unknown): void {
    this.#heardMs = this.clock.monotonicMs();
    this.#settle(sent, error, reply);
  }

  /** Does nothing for a command that has its outcome already. */
  #settle(sent: Sent, error: unknown, reply?: unknown): void {
    const { settle } = sent;
    if (!settle) return;
    sent.settle = null;
    this.#sent.remove(sent);
    settle(error, reply);
  }

  #watch(ms: number): void {
    this.#watching = true;
    const dueMs = this.clock.monotonicMs() + ms;
    this.clock.after(ms, () => {
      const nowMs = this.clock.monotonicMs();
      // If this timer is late, this process was away: the server may have answered.
      const late = nowMs - dueMs > this.timeoutMs * LATENESS;
      const restMs = this.#expire(nowMs, late);
      this.#watching = restMs !== null;
      if (restMs !== null) this.#watch(restMs);
    });
  }

  /** Fails the commands whose time is over. Returns the time until the oldest of the others is due, ms; null: none is left. */
  #expire(nowMs: number, late: boolean): number | null {
    const { timeoutMs } = this;
    for (;;) {
      const oldest = this.#sent.first;
      if (!oldest) return null;
      const leftMs = oldest.batch.leftMs ?? nowMs;
      const silentMs = late ? 0 : nowMs - Math.max(leftMs, this.#heardMs);
      if (silentMs >= timeoutMs) {
        this.#settle(oldest, new Error(`no answer within ${timeoutMs} ms`));
      } else if (nowMs - leftMs >= PATIENCE * timeoutMs) {
        this.#settle(oldest, new Overload(`busy for more than ${PATIENCE * timeoutMs} ms`));
      } else {
        return Math.ceil(timeoutMs - silentMs);
      }
    }
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

/** A command without an outcome. */
class Sent implements Linked<Sent> {
  before: Sent | null = null;
  after: Sent | null = null;

  constructor(
    readonly batch: WriteBatch,
    /** Null once it was called. */
    public settle: Settle | null,
  ) {}
}

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
