import { type Latency, latency } from "../comparison/statistics.js";
import { type Client, Refused, type Workload } from "./workload.js";

/** Outcome of one turn of a contender. */
export interface Sample extends Partial<Latency> {
  /** Complete cycles per second. */
  readonly perSecond?: number;
  /** Bytes that the contender's own process allocated on its heap per cycle. */
  readonly garbageBytes?: number;
  /** Share of the cycles that the contender refused. */
  readonly refused?: number;
  /** Share of one core that the load generator itself used: near 1 it is the limit, and not the contender. */
  readonly loadCpu?: number;
  /** Processor time of the contender's own process per cycle, us. */
  readonly cpuMicros?: number;
}

/**
 * Each client sends its next request when the last response has arrived. Latencies are those of the first step of a
 * cycle, without refusals; a client that was refused pauses. Rejects when a request fails in another way.
 */
export async function closedLoop(
  workload: Workload,
  clients: readonly Client[],
  ms: number,
): Promise<Sample> {
  const timesMs: number[] = [];
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const endMs = startMs + ms;
  let [cycles, refused] = [0, 0];
  const loop = (client: Client): Promise<void> =>
    new Promise((resolve, reject) => {
      let [step, cycle, sentMs] = [0, -1, 0];
      const begin = () => {
        [step, cycle, sentMs] = [0, cycle + 1, performance.now()];
        if (sentMs >= endMs) resolve();
        else client.run(step, cycle, next);
      };
      const next = (error: Error | null) => {
        if (error instanceof Refused) {
          refused += 1;
          setTimeout(begin, PAUSE_MS);
          return;
        }
        if (error) return reject(error);
        const nowMs = performance.now();
        if (step === 0) timesMs.push(nowMs - sentMs);
        step += 1;
        if (step < workload.steps) return client.run(step, cycle, next);
        if (nowMs <= endMs) cycles += 1;
        begin();
      };
      begin();
    });
  await Promise.all(clients.map(loop));
  const { user, system } = process.cpuUsage(cpu);
  const loadCpu = (user + system) / 1_000 / (performance.now() - startMs);
  return { perSecond: (cycles * 1_000) / ms, ...latency(timesMs), refused: share(refused, cycles), loadCpu };
}

/** Of all that was asked. */
export function share(refused: number, done: number): number {
  return refused === 0 ? 0 : refused / (refused + done);
}

const PAUSE_MS = 10;
