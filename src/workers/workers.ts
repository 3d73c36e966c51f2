import type { Logger } from "pino";
import { Restarts } from "../algorithms/restarts.js";
import type { Clock } from "../clock.js";
import { Collection } from "./collection.js";
import type { Assignment, Report } from "./messages.js";
import type { WorkerProcess } from "./worker-process.js";

/** What the parent of the workers takes from the outside. */
export interface WorkersWorld {
  readonly fork: () => WorkerProcess;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The workers that serve a port, from the side of their parent, which serves nothing itself. A worker that ends is started
 * again. If one cannot be started at first, all end.
 */
export class Workers {
  /** Resolves with the port once all workers listen for the first time. */
  readonly listening: Promise<number>;
  /** Resolves with the exit code when all workers have ended for good. */
  readonly ended: Promise<number>;
  readonly #workers: readonly Worker[];
  readonly #collection: Collection;
  #phase: "starting" | "serving" | "stopping" | "ended" = "starting";
  #failed = false;
  #onListening = (_port: number): void => {};
  #onEnded = (_code: number): void => {};

  constructor(
    count: number,
    private readonly assignment: Omit<Assignment, "worker">,
    private readonly world: WorkersWorld,
  ) {
    this.listening = new Promise((resolve) => {
      this.#onListening = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
    this.#workers = Array.from({ length: count }, (_, at) => ({
      number: at + 1,
      restarts: new Restarts(),
      process: undefined,
      listeningSinceMs: undefined,
    }));
    this.#collection = new Collection(world.clock);
  }

  /** Of the workers in order; undefined where one is not running. */
  get pids(): (number | undefined)[] {
    return this.#workers.map(({ process }) => process?.pid);
  }

  start(): void {
    for (const worker of this.#workers) this.#start(worker);
    this.#collection.start();
  }

  /** Lets all workers drain; none is started again. */
  stop(signal: NodeJS.Signals): void {
    if (this.#phase === "ended") return;
    this.#phase = "stopping";
    for (const { process } of this.#workers) process?.send({ kind: "stop", signal });
    this.#endIfAllHave();
  }

  /** Ends all workers at once. */
  kill(): void {
    for (const { process } of this.#workers) process?.kill();
  }

  #start(worker: Worker): void {
    const process = this.world.fork();
    worker.process = process;
    worker.listeningSinceMs = undefined;
    process.onReport((report) => this.#reported(worker, process, report));
    process.onEnd((how) => this.#ended(worker, how));
  }

  #reported(worker: Worker, process: WorkerProcess, report: Report): void {
    if (report.kind === "ready") this.#assign(worker, process);
    else if (report.kind === "listening") this.#listens(worker, report.port);
    else if (report.kind === "failed") this.#cannotStart(worker, report.reason);
    else if (report.kind === "closing") {
      this.#collection.remove(worker.number);
      process.disconnect();
    } else if (report.kind === "collected") this.#collection.collected(worker.number, report);
    else {
      const { id } = report;
      void this.#collection.text().then((text) => process.send({ kind: "scraped", id, text }));
    }
  }

  #assign({ number }: Worker, process: WorkerProcess): void {
    // An order to stop came before the worker could hear it.
    if (this.#phase === "stopping") process.kill();
    process.send({ kind: "start", assignment: { worker: number, ...this.assignment } });
    this.#collection.add(number, process);
  }

  #listens(worker: Worker, port: number): void {
    worker.listeningSinceMs = this.world.clock.monotonicMs();
    const { number, process } = worker;
    if (this.#phase === "serving")
      this.world.log.info({ worker: number, pid: process?.pid }, "a worker listens again");
    else if (
      this.#phase === "starting" &&
      this.#workers.every(({ listeningSinceMs }) => listeningSinceMs !== undefined)
    ) {
      this.#phase = "serving";
      this.#onListening(port);
    }
  }

  /** At the start all workers fail for the same reason, such as a port in use: it is told once, and ends the service. */
  #cannotStart({ number }: Worker, reason: string): void {
    if (this.#phase === "starting") {
      this.world.log.fatal(reason);
      this.#end(1);
    } else if (this.#phase === "serving") this.world.log.error({ worker: number }, reason);
  }

  #ended(worker: Worker, how: number | NodeJS.Signals): void {
    const { clock, log } = this.world;
    const { number, listeningSinceMs } = worker;
    worker.process = undefined;
    worker.listeningSinceMs = undefined;
    this.#collection.remove(number);
    if (this.#phase === "stopping") {
      // What had not begun to serve has nothing to drain.
      if (how !== 0 && listeningSinceMs !== undefined) this.#failed = true;
      this.#endIfAllHave();
    } else if (this.#phase === "starting") {
      this.#cannotStart(worker, `worker ${number} ended while the service was starting (${how})`);
    } else if (this.#phase === "serving") {
      const servedMs = listeningSinceMs === undefined ? 0 : clock.monotonicMs() - listeningSinceMs;
      const delayMs = worker.restarts.nextDelayMs(servedMs);
      log.error(
        { worker: number, ended: how, delayMs },
        "a worker has ended: another is started after the delay",
      );
      clock.after(delayMs, () => {
        if (this.#phase !== "serving") return;
        this.#collection.restarted();
        this.#start(worker);
      });
    }
  }

  #endIfAllHave(): void {
    if (this.#workers.every(({ process }) => process === undefined)) this.#end(this.#failed ? 1 : 0);
  }

  #end(code: number): void {
    this.#phase = "ended";
    this.kill();
    this.#onEnded(code);
  }
}

interface Worker {
  readonly number: number;
  readonly restarts: Restarts;
  /** Undefined between the end of one process and the start of the next. */
  process: WorkerProcess | undefined;
  listeningSinceMs: number | undefined;
}
