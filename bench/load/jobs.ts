import { latency } from "../comparison/statistics.js";
import { fetchedLocks, withLocks } from "./client-workloads.js";
import { closedLoop, type Sample } from "./closed-loop.js";
import { fill } from "./fill.js";
import { etcdLock, handovers, type Peer, quorate, zooKeeperLock } from "./handovers.js";
import { etcdLocks, heartbeats, httpGets, httpLocks, owners, picks } from "./http-workloads.js";
import { openLoop } from "./open-loop.js";
import { majorityWrites, redisWrites, redlockLocks, scriptLocks } from "./redis-workloads.js";
import { etcdReads, etcdWrites, registerReads, registerWrites } from "./register-workloads.js";
import { paused, Refused, type Workload } from "./workload.js";
import { zooKeeperLocks } from "./zookeeper-workload.js";

/** What the clients of a turn do. */
export type Work =
  | { readonly kind: "locks"; readonly url: string; readonly authorization?: string }
  | { readonly kind: "heartbeats" | "owners" | "picks" | "with-lock" | "fetch"; readonly url: string }
  | { readonly kind: "register-writes" | "register-reads"; readonly url: string }
  | { readonly kind: "etcd-writes" | "etcd-reads"; readonly urls: readonly string[] }
  | { readonly kind: "get"; readonly url: string; readonly path: string }
  | { readonly kind: "redlock" | "etcd" | "majority-writes"; readonly urls: readonly string[] }
  | { readonly kind: "zookeeper"; readonly servers: string }
  | { readonly kind: "paused"; readonly work: Work }
  | { readonly kind: "scripts" | "writes"; readonly url: string };

/** The lock that is handed over in a turn. */
export type HandedOver =
  | { readonly kind: "quorate"; readonly url: string }
  | { readonly kind: "etcd"; readonly urls: readonly string[] }
  | { readonly kind: "zookeeper"; readonly servers: string };

/** One turn of a contender, as the load generator is asked for it. */
export type Job =
  | { readonly mode: "closed"; readonly work: Work; readonly clients: number; readonly ms: number }
  | {
      readonly mode: "open";
      readonly work: Work;
      readonly clients: number;
      readonly ms: number;
      /** Cycles per second. */
      readonly rate: number;
    }
  | { readonly mode: "handovers"; readonly lock: HandedOver; readonly waiters: number; readonly ms: number }
  | {
      readonly mode: "fill";
      readonly url: string;
      /** Locks `full-<from>` to `full-<from + count - 1>`. */
      readonly from: number;
      readonly count: number;
      readonly ttlMs: number;
    };

export async function runJob(job: Job): Promise<Sample> {
  switch (job.mode) {
    case "closed":
      return withClients(job.work, job.clients, (workload, clients) => closedLoop(workload, clients, job.ms));
    case "open":
      return withClients(job.work, job.clients, (workload, clients) =>
        openLoop(workload, clients, { perSecond: job.rate, ms: job.ms }),
      );
    case "handovers":
      return handOver(job);
    case "fill":
      return fill(job);
  }
}

async function withClients(
  work: Work,
  count: number,
  measure: (workload: Workload, clients: Awaited<ReturnType<Workload["open"]>>) => Promise<Sample>,
): Promise<Sample> {
  const workload = workloadOf(work);
  try {
    const clients = await workload.open(count);
    // One cycle each, outside the measurement: connections are accepted one by one.
    await Promise.all(clients.map((client) => once(workload, client)));
    return await measure(workload, clients);
  } finally {
    await workload.close();
  }
}

function once(
  { steps }: Workload,
  client: { run(step: number, cycle: number, done: Done): void },
): Promise<void> {
  return new Promise((resolve, reject) => {
    let step = 0;
    const next: Done = (error) => {
      if (error && !(error instanceof Refused)) return reject(error);
      step += 1;
      if (error || step === steps) resolve();
      else client.run(step, 0, next);
    };
    client.run(0, 0, next);
  });
}

type Done = (error: Error | null) => void;

function workloadOf(work: Work): Workload {
  switch (work.kind) {
    case "locks":
      return httpLocks(work.url, work.authorization);
    case "heartbeats":
      return heartbeats(work.url);
    case "owners":
      return owners(work.url);
    case "picks":
      return picks(work.url);
    case "register-writes":
      return registerWrites(work.url);
    case "register-reads":
      return registerReads(work.url);
    case "etcd-writes":
      return etcdWrites(work.urls);
    case "etcd-reads":
      return etcdReads(work.urls);
    case "with-lock":
      return withLocks(work.url);
    case "fetch":
      return fetchedLocks(work.url);
    case "get":
      return httpGets(work.url, work.path);
    case "redlock":
      return redlockLocks(work.urls);
    case "etcd":
      return etcdLocks(work.urls);
    case "zookeeper":
      return zooKeeperLocks(work.servers);
    case "scripts":
      return scriptLocks(work.url);
    case "writes":
      return redisWrites(work.url);
    case "majority-writes":
      return majorityWrites(work.urls);
    case "paused":
      return paused(workloadOf(work.work));
  }
}

let names = 0;

async function handOver({ lock, waiters, ms }: Extract<Job, { mode: "handovers" }>): Promise<Sample> {
  const clients = waiters + 1;
  // A name of its own for each turn: what a turn has left behind must not wait in the queue of the next.
  names += 1;
  const peer = await peerOf(lock, `handover-${process.pid}-${names}`, clients);
  const endMs = performance.now() + ms;
  try {
    return latency(await handovers(peer, clients, (times) => times.length > 0 && performance.now() > endMs));
  } finally {
    peer.close();
  }
}

async function peerOf(lock: HandedOver, name: string, clients: number): Promise<Peer> {
  if (lock.kind === "quorate") return quorate(lock.url, name);
  if (lock.kind === "etcd") return etcdLock(lock.urls, name, clients);
  return zooKeeperLock(lock.servers, name, clients);
}
