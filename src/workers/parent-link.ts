import cluster from "node:cluster";
import type { Clock } from "../clock.js";
import type { MetricsSnapshot } from "../http/metrics.js";
import type { Assignment, Order, Report } from "./messages.js";

/** Messages between a worker and its parent, from the worker's side. */
export interface Channel {
  onOrder(listener: (order: Order) => void): void;
  /** Calls `sent` when the parent has it, or never will. */
  send(report: Report, sent?: () => void): void;
  /** From now on the end of the channel does not end this process: it calls `listener`. */
  onDisconnect(listener: () => void): void;
}

/** The channel that node opens for a forked process. */
export const processChannel: Channel = Object.freeze({
  onOrder: (listener: (order: Order) => void) => void process.on("message", listener),
  send: (report: Report, sent = () => {}) => {
    process.send?.(report, undefined, undefined, sent);
  },
  onDisconnect: (listener: () => void) => {
    if (cluster.worker) cluster.worker.exitedAfterDisconnect = true;
    process.once("disconnect", listener);
  },
});

/** A worker's connection to its parent. When it breaks, node:cluster ends the worker: none outlives its parent. */
export class ParentLink {
  /** Resolves with what this worker is to run. */
  readonly assignment: Promise<Assignment>;
  readonly #stopped: Promise<NodeJS.Signals>;
  readonly #scrapes = new Map<number, (text: string) => void>();
  #scraped = 0;
  #isOnItsOwn = false;
  #collect: (() => Promise<MetricsSnapshot>) | undefined;

  constructor(
    private readonly channel: Channel,
    private readonly clock: Clock,
  ) {
    this.assignment = new Promise((resolve) => {
      channel.onOrder((order) => order.kind === "start" && resolve(order.assignment));
    });
    this.#stopped = new Promise((resolve) => {
      channel.onOrder((order) => order.kind === "stop" && resolve(order.signal));
    });
    channel.onOrder((order) => {
      if (order.kind === "collect") void this.#answer(order.id);
      else if (order.kind === "scraped") this.#scrapes.get(order.id)?.(order.text);
    });
    channel.send({ kind: "ready" });
  }

  /** Calls `stop` when the parent says so, or at once if it has. */
  onStop(stop: (signal: NodeJS.Signals) => void): void {
    void this.#stopped.then(stop);
  }

  /** From now on the parent gets the metrics of this worker. */
  provideMetrics(collect: () => Promise<MetricsSnapshot>): void {
    this.#collect = collect;
  }

  listening(port: number): void {
    this.channel.send({ kind: "listening", port });
  }

  /** Resolves when the parent knows. */
  failed(reason: string): Promise<void> {
    return new Promise((resolve) => this.channel.send({ kind: "failed", reason }, resolve));
  }

  /**
   * Resolves when the parent has no copy of the listening socket any more. The kernel would go on accepting connections for
   * it after the last worker has closed its own, and reset them later. From then on this worker ends by itself.
   */
  async releasePort(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.channel.onDisconnect(resolve);
      this.channel.send({ kind: "closing" });
      this.#isOnItsOwn = true;
    });
    // node closes the channel just before the socket; on a busy machine the parent may be interrupted in between.
    await this.clock.sleep(CLOSED_MS);
  }

  /** The metrics of all workers. Throws if the parent does not answer. */
  async scrape(): Promise<string> {
    if (this.#isOnItsOwn)
      throw new Error("this worker is ending, and has no parent any more that could collect");
    const id = this.#scraped++;
    return new Promise<string>((resolve, reject) => {
      const cancel = this.clock.after(SCRAPE_MS_MAX, () => {
        this.#scrapes.delete(id);
        reject(new Error(`the parent process did not collect the metrics within ${SCRAPE_MS_MAX} ms`));
      });
      this.#scrapes.set(id, (text) => {
        cancel();
        this.#scrapes.delete(id);
        resolve(text);
      });
      this.channel.send({ kind: "scrape", id });
    });
  }

  async #answer(id: number): Promise<void> {
    const metrics = (await this.#collect?.()) ?? [];
    this.channel.send({ kind: "collected", id, metrics });
  }
}

const CLOSED_MS = 50;
/** More than the time for which the parent waits for its workers. */
const SCRAPE_MS_MAX = 5_000;
