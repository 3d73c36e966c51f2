import cluster from "node:cluster";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Order, Report } from "./messages.js";

/** A worker as its parent sees it. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  /** Has no effect once the worker has ended. */
  send(order: Order): void;
  onReport(listener: (report: Report) => void): void;
  /** Called once, after the last report, with the exit code or the signal that ended it. */
  onEnd(listener: (how: number | NodeJS.Signals) => void): void;
  /** Gives up what the parent holds for the worker, such as the listening socket, which then ends with its last worker. */
  disconnect(): void;
  kill(): void;
}

/**
 * Makes this process the parent of workers that run the same program with the argument `worker`; returns what starts one.
 *
 * The workers share the listening socket, and each accepts for itself (SCHED_NONE). With node's round-robin the parent
 * would accept, and pass each connection on. In Node 20 a connection on its way to a worker that is killed is then neither
 * closed nor passed to another, so that its client hangs; and workers that all have QUORATE_CONNECTIONS_MAX connections
 * pass a further one round without end.
 */
export function workerProcesses(): () => WorkerProcess {
  if (!cluster.isPrimary)
    throw new Error("QUORATE_WORKERS must be 1 here: this process is itself a worker of a cluster");
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  // Metrics may be NaN, which JSON cannot express.
  const stdio: ("inherit" | "ipc" | "pipe")[] = ["inherit", "inherit", "inherit", "ipc"];
  stdio[PORT_RELEASED_FD] = "pipe";
  cluster.setupPrimary({ exec: MAIN, args: [WORKER], serialization: "advanced", stdio });
  return fork;
}

/** Whether this process was started by `workerProcesses`, and not, for example, as a worker of pm2. */
export function isWorkerProcess(): boolean {
  return cluster.isWorker && process.argv[2] === WORKER;
}

function fork(): WorkerProcess {
  const worker = cluster.fork();
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    worker.once("exit", (code, signal) => resolve((signal as NodeJS.Signals | null) ?? code));
  });
  // The last messages may come after the exit.
  const disconnected = new Promise<void>((resolve) => worker.once("disconnect", resolve));
  const released = worker.process.stdio[PORT_RELEASED_FD];
  released?.on("error", () => {});
  // node:cluster has closed the socket by the time of the event: it hears of it first.
  worker.once("disconnect", () => released?.destroy());
  worker.on("error", () => {}); // it could not be started, or has just ended: its end is what counts
  return {
    pid: worker.process.pid,
    send: (order) => {
      if (worker.isConnected()) worker.send(order, () => {});
    },
    onReport: (listener) => void worker.on("message", listener),
    onEnd: (listener) => void Promise.all([ended, disconnected]).then(([how]) => listener(how)),
    disconnect: () => {
      if (worker.isConnected()) worker.process.disconnect();
    },
    kill: () => void worker.process.kill("SIGKILL"),
  };
}

/** The pipe that ends when the parent has no copy of the listening socket of this worker any more. */
export const PORT_RELEASED_FD = 4;

const WORKER = "worker";
/** Not the program of this process, which is another where `quorate serve` has started it. */
const MAIN = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url));
