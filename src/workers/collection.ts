import { Counter, Gauge, Registry } from "prom-client";
import type { Clock } from "../clock.js";
import type { MetricsSnapshot } from "../http/metrics.js";
import { PortMetrics } from "./port-metrics.js";
import type { WorkerProcess } from "./worker-process.js";

/**
 * Collects the metrics of all workers: for each scrape, and every second besides, so that at most the counts of a second
 * are lost with a worker that is killed. A worker that does not answer in time delays no scrape further: its last answer
 * stands.
 */
export class Collection {
  readonly #workers = new Map<number, WorkerProcess>();
  readonly #open = new Map<number, { readonly missing: Set<number>; readonly complete: () => void }>();
  readonly #metrics = new PortMetrics();
  readonly #registry = new Registry();
  readonly #running = new Gauge({
    name: "quorate_workers",
    help: "Workers that serve the port, or are starting",
    registers: [this.#registry],
  });
  readonly #restarted = new Counter({
    name: "quorate_worker_restarts_total",
    help: "Workers started in place of one that had ended",
    registers: [this.#registry],
  });
  #begun = 0;

  constructor(private readonly clock: Clock) {}

  start(): void {
    this.clock.after(EVERY_MS, () => void this.#collect().then(() => this.start()));
  }

  add(worker: number, process: WorkerProcess): void {
    this.#workers.set(worker, process);
  }

  restarted(): void {
    this.#restarted.inc();
  }

  /** The worker has ended: nobody waits for it any more. */
  remove(worker: number): void {
    this.#workers.delete(worker);
    this.#metrics.end(worker);
    for (const id of this.#open.keys()) this.#settle(id, worker);
  }

  collected(
    worker: number,
    { id, metrics }: { readonly id: number; readonly metrics: MetricsSnapshot },
  ): void {
    this.#metrics.update(worker, metrics);
    this.#settle(id, worker);
  }

  /** All metrics of the port as they are now, in Prometheus' text format. */
  async text(): Promise<string> {
    await this.#collect();
    this.#running.set(this.#workers.size);
    return this.#metrics.text(await this.#registry.getMetricsAsJSON());
  }

  /** Resolves when all workers have answered, or the time for that is over. */
  #collect(): Promise<void> {
    if (this.#workers.size === 0) return Promise.resolve();
    const id = this.#begun++;
    return new Promise((resolve) => {
      const complete = () => {
        cancel();
        this.#open.delete(id);
        resolve();
      };
      const cancel = this.clock.after(ANSWER_MS_MAX, complete);
      this.#open.set(id, { missing: new Set(this.#workers.keys()), complete });
      for (const process of this.#workers.values()) process.send({ kind: "collect", id });
    });
  }

  #settle(id: number, worker: number): void {
    const open = this.#open.get(id);
    open?.missing.delete(worker);
    if (open?.missing.size === 0) open.complete();
  }
}

const EVERY_MS = 1_000;
const ANSWER_MS_MAX = 1_000;
