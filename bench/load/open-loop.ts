import { Worker } from "node:worker_threads";
import { latency } from "../comparison/statistics.js";
import { type Sample, share } from "./closed-loop.js";
import { type Client, Refused, type Workload } from "./workload.js";

/**
 * Begins cycles at a fixed rate, whatever the responses. The latency of a cycle's first step counts from the moment at
 * which it was due: a request that had to wait for a client, or for this process, was late for the one who wanted it
 * (Gil Tene's "coordinated omission").
 */
export async function openLoop(
  workload: Workload,
  clients: readonly Client[],
  { perSecond, ms }: { readonly perSecond: number; readonly ms: number },
): Promise<Sample> {
  const schedule = new Schedule(perSecond, Math.floor((perSecond * ms) / 1_000));
  const free = [...clients];
  const cycles = new Map<Client, number>();
  await using ticks = startTicks();
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  await new Promise<void>((resolve, reject) => {
    const begin = (client: Client, dueMs: number): void => {
      const cycle = cycles.get(client) ?? 0;
      cycles.set(client, cycle + 1);
      let step = 0;
      const next = (error: Error | null) => {
        if (error && !(error instanceof Refused)) return reject(error);
        if (error) schedule.refuse(step === 0);
        else if (step === 0) schedule.answered(dueMs, performance.now() - startMs);
        step += 1;
        if (!error && step < workload.steps) return client.run(step, cycle, next);
        free.push(client);
        if (schedule.complete) return resolve();
        send();
      };
      client.run(step, cycle, next);
    };
    const send = (): void => {
      while (free.length > 0) {
        const dueMs = schedule.takeDue(performance.now() - startMs);
        if (dueMs === null) return;
        begin(free.pop() as Client, dueMs);
      }
    };
    ticks.onTick(send);
  });
  const tookMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpu);
  return {
    perSecond: (schedule.timesMs.length * 1_000) / tookMs,
    ...latency(schedule.timesMs),
    refused: schedule.refused,
    loadCpu: (user + system) / 1_000 / tookMs,
  };
}

/** When requests are due, and how long after that they were answered; times in ms from the start. */
export class Schedule {
  readonly timesMs: number[] = [];
  #taken = 0;
  #refused = 0;
  /** Refusals of first steps. */
  #unanswered = 0;

  constructor(
    private readonly perSecond: number,
    private readonly total: number,
  ) {}

  /** The moment at which the next request was due, and counts it as sent; null if none is due. */
  takeDue(nowMs: number): number | null {
    const dueMs = (this.#taken * 1_000) / this.perSecond;
    if (this.#taken >= this.total || dueMs > nowMs) return null;
    this.#taken += 1;
    return dueMs;
  }

  answered(dueMs: number, nowMs: number): void {
    this.timesMs.push(nowMs - dueMs);
  }

  /** A refusal has no latency: it may be quick. */
  refuse(isFirst: boolean): void {
    this.#refused += 1;
    if (isFirst) this.#unanswered += 1;
  }

  get refused(): number {
    return share(this.#refused, this.timesMs.length);
  }

  /** Whether the first step of all has been answered or refused. */
  get complete(): boolean {
    return this.timesMs.length + this.#unanswered >= this.total;
  }
}

/**
 * Calls back every 0.2 ms. Timers of the event loop have whole milliseconds, more than a request takes, and a loop that
 * never sleeps takes a core from those that are measured. A thread sleeps more precisely.
 */
function startTicks(): AsyncDisposable & { onTick(listener: () => void): void } {
  const worker = new Worker(TICKER, { eval: true });
  return {
    onTick: (listener) => void worker.on("message", listener),
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  };
}

const TICKER = `
  const { parentPort } = require("node:worker_threads");
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    Atomics.wait(never, 0, 0, 0.2);
    parentPort.postMessage(0);
  }
`;
