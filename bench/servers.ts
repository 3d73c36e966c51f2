import { startEmbedded } from "../src/redis/embedded.js";

/** Three real Redis servers of this machine without persistence, for as long as `body` runs. */
export async function withServers<T>(body: (urls: readonly string[]) => Promise<T>): Promise<T> {
  const embedded = await startEmbedded({ info: () => {}, warn: () => {} });
  if (embedded.kind === "javascript")
    throw new Error("benchmarks need a redis-server or valkey-server on the PATH");
  try {
    return await body(embedded.urls);
  } finally {
    await embedded.stop();
  }
}

/** The middle one of the values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
