import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.js";
import { median } from "./figures.js";

/** What somebody who has nothing to do with the crowd has seen. */
export interface Seen {
  readonly seconds: number;
  readonly acquires: Count;
  readonly releases: Count;
  readonly renewals: Count;
  readonly heartbeats: Count;
  /** Of /livez: the longest, and the middle one of the longest of each second. */
  readonly livez: Count & { readonly maxMs: number; readonly medianMs: number };
  /** Of an acquire that was granted. */
  readonly acquireMs: { readonly p50: number; readonly p99: number };
  /** How often a primary was not `up` when /v1/primaries was asked. */
  readonly notUp: number;
  readonly polls: Count;
  readonly resets: number;
  /** How often each status came where 200 should have; 0: no answer. */
  readonly failures: Record<string, number>;
}

export interface Count {
  readonly all: number;
  readonly failed: number;
}

/**
 * Takes and releases locks of its own, keeps leases by renewing them and members by heartbeats, asks /livez every 50 ms
 * and /v1/primaries every 100, over connections of its own, until `isOver`.
 */
export async function standBy(url: string, isOver: () => boolean): Promise<Seen> {
  const tally = new Tally();
  const client = new Client(url, PATIENCE_MS);
  // It has its connections: how soon a new one is taken in is another matter.
  await client.warm(CONNECTIONS);
  await Promise.all(Array.from({ length: CONNECTIONS }, () => client.get("/livez")));
  const startMs = performance.now();
  const every = async (ms: number, once: (turn: number) => Promise<void>) => {
    const pending = new Set<Promise<void>>();
    for (let turn = 0; !isOver(); turn++) {
      // By a plan and not after the answer: what is slow must not make the looks at it rare.
      const one = once(turn).finally(() => pending.delete(one));
      pending.add(one);
      await sleep(Math.max(0, startMs + (turn + 1) * ms - performance.now()));
    }
    await Promise.all(pending);
  };
  await Promise.all([
    every(LIVEZ_EVERY_MS, async () => tally.livez(await client.get("/livez"))),
    every(PRIMARIES_EVERY_MS, async () => tally.primaries(await client.get("/v1/primaries"))),
    every(ACQUIRE_EVERY_MS, (turn) => useOnce(client, tally, turn)),
    ...Array.from({ length: KEPT }, (_, place) => keepLease(client, tally, place, isOver)),
    ...Array.from({ length: KEPT }, (_, place) => keepMember(client, tally, place, isOver)),
  ]);
  client.close();
  return tally.seen((performance.now() - startMs) / 1000, client.resets);
}

async function useOnce(client: Client, tally: Tally, turn: number): Promise<void> {
  const path = `/v1/locks/bystander-${process.pid}-${turn % 500}`;
  const answer = await client.post(`${path}/acquire`, { ttlMs: 2_000 });
  // One whose release failed may be held still, as it was told.
  if (answer.status === 409) return;
  tally.acquire(answer);
  if (answer.status !== 200) return;
  const { leaseId } = JSON.parse(answer.body);
  tally.count("releases", await client.post(`${path}/release`, { leaseId }));
}

/** Begins again, and counts it, when the lease is lost. */
async function keepLease(client: Client, tally: Tally, place: number, isOver: () => boolean): Promise<void> {
  const path = `/v1/locks/kept-${process.pid}-${place}`;
  await sleep((KEEP_EVERY_MS * place) / KEPT);
  while (!isOver()) {
    const { status, body } = await client.post(`${path}/acquire`, { ttlMs: KEPT_TTL_MS });
    if (status !== 200) {
      await sleep(KEEP_EVERY_MS);
      continue;
    }
    const { leaseId, fencingToken } = JSON.parse(body);
    let renewed = 200;
    while (renewed !== 409 && !isOver()) {
      await sleep(KEEP_EVERY_MS);
      const answer = await client.post(`${path}/renew`, { leaseId, ttlMs: KEPT_TTL_MS, fencingToken });
      tally.count("renewals", answer);
      renewed = answer.status;
    }
    await client.post(`${path}/release`, { leaseId });
  }
}

async function keepMember(client: Client, tally: Tally, place: number, isOver: () => boolean): Promise<void> {
  const path = `/v1/services/bystander-${process.pid}/members/kept-${place}`;
  await sleep((KEEP_EVERY_MS * (place + 0.5)) / KEPT);
  while (!isOver()) {
    const { status } = await client.ask("PUT", path, { address: "10.0.0.1:80", ttlMs: KEPT_TTL_MS });
    let pulse = status === 200 || status === 201 ? 200 : 404;
    if (pulse === 404) await sleep(KEEP_EVERY_MS);
    while (pulse !== 404 && !isOver()) {
      await sleep(KEEP_EVERY_MS);
      const answer = await client.post(`${path}/heartbeat`, {});
      tally.count("heartbeats", answer);
      pulse = answer.status;
    }
  }
  await client.ask("DELETE", path);
}

/** Counts as it goes. */
class Tally {
  readonly #counts: Record<Counted, { all: number; failed: number }> = {
    acquires: { all: 0, failed: 0 },
    releases: { all: 0, failed: 0 },
    renewals: { all: 0, failed: 0 },
    heartbeats: { all: 0, failed: 0 },
    livez: { all: 0, failed: 0 },
    polls: { all: 0, failed: 0 },
  };
  readonly #failures: Record<string, number> = {};
  readonly #acquiredMs: number[] = [];
  /** The longest of each second, by when it was asked. */
  readonly #livezMs = new Map<number, number>();
  #notUp = 0;

  count(what: Counted, { status }: { status: number }): void {
    const count = this.#counts[what];
    count.all += 1;
    if (status === 200) return;
    count.failed += 1;
    this.#failures[`${what} ${status}`] = (this.#failures[`${what} ${status}`] ?? 0) + 1;
  }

  acquire(answer: { status: number; ms: number }): void {
    this.count("acquires", answer);
    if (answer.status === 200) this.#acquiredMs.push(answer.ms);
  }

  livez(answer: { status: number; ms: number }): void {
    this.count("livez", answer);
    const second = Math.floor((performance.now() - answer.ms) / 1000);
    this.#livezMs.set(second, Math.max(this.#livezMs.get(second) ?? 0, answer.ms));
  }

  primaries(answer: { status: number; body: string }): void {
    this.count("polls", answer);
    if (answer.status !== 200) return;
    const { primaries } = JSON.parse(answer.body) as { primaries: { state: string }[] };
    this.#notUp += primaries.filter(({ state }) => state !== "up").length;
  }

  seen(seconds: number, resets: number): Seen {
    const longest = [...this.#livezMs.values()];
    const sorted = this.#acquiredMs.sort((a, b) => a - b);
    const at = (q: number) => sorted[Math.floor(q * sorted.length)] ?? 0;
    const { livez, ...counts } = this.#counts;
    return {
      seconds,
      ...counts,
      livez: { ...livez, maxMs: Math.max(0, ...longest), medianMs: median(longest) },
      acquireMs: { p50: at(0.5), p99: at(0.99) },
      notUp: this.#notUp,
      resets,
      failures: this.#failures,
    };
  }
}

type Counted = "acquires" | "releases" | "renewals" | "heartbeats" | "livez" | "polls";

const LIVEZ_EVERY_MS = 50;
const PRIMARIES_EVERY_MS = 100;
const ACQUIRE_EVERY_MS = 25;
const KEPT = 10;
const KEPT_TTL_MS = 6_000;
const KEEP_EVERY_MS = 1_000;
const PATIENCE_MS = 60_000;
const CONNECTIONS = 200;
