import { Quorate } from "../../src/client/quorate.js";
import { NAMES, promised, TTL_MS, type Workload } from "./workload.js";

/** Acquire and release as one step, each client on names of its own. */
const pairs = (pair: (name: string) => Promise<unknown>): Workload => ({
  steps: 1,
  open: async (clients) =>
    Array.from({ length: clients }, (_, index) =>
      promised([(cycle) => pair(`bench-${index}-${cycle % NAMES}`)]),
    ),
  close: async () => {},
});

/** By our own client. */
export function withLocks(url: string): Workload {
  const quorate = new Quorate({ urls: [url] });
  return pairs((name) => quorate.withLock(name, { ttlMs: TTL_MS }, () => {}));
}

/** By what a program writes without it. */
export function fetchedLocks(url: string): Workload {
  const post = async (path: string, body: object): Promise<{ readonly leaseId: string }> => {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`a request was answered with ${response.status}`);
    return (await response.json()) as { leaseId: string };
  };
  return pairs(async (name) => {
    const { leaseId } = await post(`/v1/locks/${name}/acquire`, { ttlMs: TTL_MS });
    await post(`/v1/locks/${name}/release`, { leaseId });
  });
}
