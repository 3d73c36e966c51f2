import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { failure, type QuorateError } from "./errors.js";
import type { Renewal } from "./renewal.js";
import { sharedDeadline, sharedMemory } from "./shared-deadline.js";
import type { Deadline, Validity } from "./validity.js";
import type { LostMessage, Task } from "./worker-messages.js";
import type { Clock } from "./world.js";

export interface WorkerOptions {
  /**
   * How long a lease is renewed at most, ms. Work that hangs would otherwise keep its lease for ever: the worker cannot see
   * whether it gets on.
   */
  readonly maxHoldMs: number;
}

/**
 * Renews leases in a worker thread, so that a blocked event loop does not lose them. `remainingMs` tells at any time how long
 * a lease may be trusted; `signal` aborts once the event loop runs, or when it is read. The worker uses the `fetch` of the
 * platform.
 *
 * @example
 * const quorate = new Quorate({ urls, renewal: renewInWorker({ maxHoldMs: 300_000 }) });
 */
export function renewInWorker({ maxHoldMs }: WorkerOptions): Renewal {
  // Not only when there is a lease: that may be a short one.
  let worker: Worker | undefined = start();
  function start(): Worker {
    const started = new Worker(new URL("./worker-thread.js", import.meta.url));
    // The timers of leases keep the process alive, and not what renews them.
    started.unref();
    // Its leases end at their deadlines.
    started.on("error", () => {});
    started.once("exit", () => {
      worker = undefined;
    });
    return started;
  }
  return ({ transport, validity, request }) => {
    const { port1: port, port2 } = new MessageChannel();
    const memory = sharedMemory();
    const { clock } = transport.world;
    validity.moveTo(withReason(sharedDeadline(memory, clock), clock, port, validity));
    validity.whenLost(() => port.close());
    port.on("message", (lost: LostMessage) => validity.lose(fromMessage(lost)));
    port.unref();
    worker ??= start();
    const task: Task = { deployment: transport.deployment, request, memory, maxHoldMs, port: port2 };
    worker.postMessage(task, [port2]);
    return () => port.close();
  };
}

/** The worker tells why a lease is lost before it moves the deadline into the past: whoever reads that finds the reason too. */
function withReason(deadline: Deadline, clock: Clock, port: MessagePort, validity: Validity): Deadline {
  return {
    set: deadline.set,
    get: () => {
      const deadlineMs = deadline.get();
      const told = deadlineMs > clock.monotonicMs() ? undefined : receiveMessageOnPort(port);
      if (told) validity.lose(fromMessage(told.message as LostMessage));
      return deadlineMs;
    },
  };
}

function fromMessage({ code, message, ...fields }: LostMessage): QuorateError {
  return failure(code, message, fields as never) as QuorateError;
}
