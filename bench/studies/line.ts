import { setTimeout as sleep } from "node:timers/promises";
import { lockAt } from "../load/client.js";
import { type Calls, minus, type Watched } from "../machine/primaries.js";

/** The cost of a queue of waiters that was served completely. */
export interface Served {
  readonly joining: Calls;
  readonly serving: Calls;
  /** From the release by the first holder to the release by the last one. */
  readonly ms: number;
}

/**
 * Lets `waiters` join the queue of one lock, one after the other, then serves them. Throws if a waiter is served out of
 * order, twice or not at all, or with a token that is not above the previous one.
 */
export async function serve(url: string, primaries: Watched, waiters: number): Promise<Served> {
  const name = `line-${waiters}`;
  const lock = lockAt(url, name);
  const first = await lock.acquire({ ttlMs: 120_000 });
  const served: number[] = [];
  let newest = first.fencingToken;
  const wait = async (place: number): Promise<void> => {
    const { leaseId, fencingToken } = await lock.acquire({ ttlMs: 10_000, waitMs: 25_000 });
    served.push(place);
    if (fencingToken <= newest) throw new Error(`token ${fencingToken} comes after ${newest}`);
    newest = fencingToken;
    await lock.release(leaseId);
  };
  const before = await primaries.calls();
  const all: Promise<void>[] = [];
  for (let place = 0; place < waiters; place++) {
    all.push(wait(place));
    while ((await primaries.waiting([name])) <= place) await sleep(1);
  }
  const joined = await primaries.calls();
  const startMs = performance.now();
  await lock.release(first.leaseId);
  await Promise.all(all);
  const ms = performance.now() - startMs;
  const inOrder = served.length === waiters && served.every((place, turn) => place === turn);
  if (!inOrder) throw new Error(`served out of order: ${served.join(" ")}`);
  return { joining: minus(joined, before), serving: minus(await primaries.calls(), joined), ms };
}
