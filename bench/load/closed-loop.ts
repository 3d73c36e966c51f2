import { type Latency, latency } from "../comparison/statistics.js";
import type { Client, Workload } from "./workload.js";

/** Outcome of one turn of a contender. */
export interface Sample extends Partial<Latency> {
  /** Complete cycles per second. */
  readonly perSecond?: number;
  /** Share of one core that the load generator itself used: near 1 it is the limit, and not the contender. */
  readonly loadCpu?: number;
  /** Processor time of the contender's own process per cycle, us. */
  readonly cpuMicros?: number;
}

/**
 * Each client sends its next request when the last response has arrived. Latencies are those of the first step of a
 * cycle. Rejects when a request fails: a contender that refuses is not measured.
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
  let cycles = 0;
  const loop = (client: Client): Promise<void> =>
    new Promise((resolve, reject) => {
      let [step, cycle, sentMs] = [0, 0, performance.now()];
      const next = (error: Error | null) => {
        if (error) return reject(error);
        const nowMs = performance.now();
        if (step === 0) timesMs.push(nowMs - sentMs);
        step += 1;
        if (step === workload.steps) {
          if (nowMs <= endMs) cycles += 1;
          if (nowMs >= endMs) return resolve();
          [step, cycle, sentMs] = [0, cycle + 1, nowMs];
        }
        client.run(step, cycle, next);
      };
      client.run(step, cycle, next);
    });
  await Promise.all(clients.map(loop));
  const { user, system } = process.cpuUsage(cpu);
  const loadCpu = (user + system) / 1_000 / (performance.now() - startMs);
  return { perSecond: (cycles * 1_000) / ms, ...latency(timesMs), loadCpu };
}
