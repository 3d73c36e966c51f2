import { latency } from "../comparison/statistics.js";
import type { Sample } from "./closed-loop.js";
import { HttpConnection, post } from "./http-connection.js";

/** Acquires many locks that stay, by 32 connections. A request that is refused is sent again. */
export async function fill(job: {
  url: string;
  from: number;
  count: number;
  ttlMs: number;
}): Promise<Sample> {
  const body = `{"ttlMs":${job.ttlMs}}`;
  const end = job.from + job.count;
  const startMs = performance.now();
  let [next, refused] = [job.from, 0];
  const connections = Array.from({ length: CONNECTIONS }, () => new HttpConnection(job.url));
  const client = (connection: HttpConnection) =>
    new Promise<void>((resolve, reject) => {
      const take = () => {
        if (next >= end) return resolve();
        acquire(next++);
      };
      const acquire = (lock: number): void =>
        connection.send(post(`/v1/locks/full-${lock}/acquire`, body), (error, { status, body: answer }) => {
          if (error) return reject(error);
          if (status === 200) return take();
          refused += 1;
          if (refused > REFUSED_MAX) return reject(new Error(`too many refusals: ${status} ${answer}`));
          setTimeout(() => acquire(lock), 50);
        });
      take();
    });
  try {
    await Promise.all(connections.map(client));
  } finally {
    for (const connection of connections) connection.close();
  }
  return { perSecond: (job.count * 1_000) / (performance.now() - startMs), ...latency([]) };
}

const CONNECTIONS = 32;
const REFUSED_MAX = 1_000;
