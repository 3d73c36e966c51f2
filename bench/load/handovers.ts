import type { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import Redlock from "redlock";
import { call, lockAt } from "./client.js";
import { ITS_OWN_SCRIPTS } from "./redis-workloads.js";
import { HOLD_MS } from "./workload.js";
import { zooKeeperLocks } from "./zookeeper-workload.js";

/** One implementation of a lock, for any number of clients. */
export interface Peer {
  readonly label: string;
  /** Resolves when this client holds the lock, with the function that releases it. */
  acquire(client: number): Promise<() => Promise<unknown>>;
  close(): void;
}

/** Quorate over HTTP: one request that waits. */
export function quorate(url: string, name: string): Peer {
  const lock = lockAt(url, name);
  return {
    label: "Quorate",
    acquire: async () => {
      const { leaseId } = await lock.acquire({ ttlMs: TTL_MS, waitMs: 25_000 });
      return () => lock.release(leaseId);
    },
    close: () => {},
  };
}

/** npm's redlock in each client, with its own connections. Default settings, except that it never gives up. */
export function redlock(urls: readonly string[], name: string, clients: number): Peer {
  const all = Array.from({ length: clients }, () => {
    const connections = urls.map((url) => new Redis(url));
    const locks = new Redlock(connections, { retryCount: -1 }, ITS_OWN_SCRIPTS);
    // It emits an error for each server that refuses.
    (locks as unknown as EventEmitter).on("error", () => {});
    return { connections, locks };
  });
  return {
    label: "redlock",
    acquire: async (client) => {
      const { locks } = all[client] as (typeof all)[number];
      const lock = await locks.acquire([name], TTL_MS);
      return () => locks.release(lock);
    },
    close: () => {
      for (const { connections } of all) for (const connection of connections) connection.disconnect();
    },
  };
}

/** etcd's own lock, by its JSON gateway: one request that waits. Clients are spread over the nodes. */
export async function etcdLock(urls: readonly string[], name: string, clients: number): Promise<Peer> {
  const all = await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const url = urls[client % urls.length] ?? "";
      const { ID } = await call<{ ID: string }>(url, "/v3/lease/grant", { TTL: 600 });
      return { url, lease: ID };
    }),
  );
  const base64 = Buffer.from(name).toString("base64");
  return {
    label: "etcd",
    acquire: async (client) => {
      const { url, lease } = all[client] as (typeof all)[number];
      const { key } = await call<{ key: string }>(url, "/v3/lock/lock", { name: base64, lease });
      return () => call(url, "/v3/lock/unlock", { key });
    },
    close: () => {},
  };
}

/** ZooKeeper's own recipe, with a session for each client. */
export async function zooKeeperLock(servers: string, name: string, clients: number): Promise<Peer> {
  const workload = zooKeeperLocks(servers, () => name);
  const all = await workload.open(clients);
  const run = (client: number, step: number) =>
    new Promise<void>((resolve, reject) =>
      all[client]?.run(step, 0, (error) => (error ? reject(error) : resolve())),
    );
  return {
    label: "ZooKeeper",
    acquire: async (client) => {
      await run(client, 0);
      return () => run(client, 1);
    },
    close: () => void workload.close(),
  };
}

/**
 * Milliseconds from the moment at which a client sends its release until another client learns that it holds the lock,
 * with `clients` - 1 waiters. Repeats until `done` returns true for the times so far.
 */
export async function handovers(
  peer: Peer,
  clients: number,
  done: (timesMs: readonly number[]) => boolean,
): Promise<number[]> {
  const timesMs: number[] = [];
  let givenMs: number | null = null;
  let holders = 0;
  let granted = () => {};
  const client = async (id: number): Promise<void> => {
    while (!done(timesMs)) {
      const giveBack = await peer.acquire(id);
      const nowMs = performance.now();
      if (++holders > 1) throw new Error(`${peer.label}: two hold the lock`);
      if (givenMs !== null && !done(timesMs)) timesMs.push(nowMs - givenMs);
      granted();
      // The very first holder waits until the others are in the queue.
      if (givenMs === null) await sleep(SETTLE_MS);
      // Time for the previous holder to join the queue again, out of step with everybody's retries.
      if (!done(timesMs)) await sleep(HOLD_MS + Math.random() * HOLD_MS);
      holders -= 1;
      const next = new Promise<void>((resolve) => {
        granted = resolve;
      });
      givenMs = performance.now();
      await giveBack();
      // The client that released it asks again when another one holds it.
      if (!done(timesMs)) await next;
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, id) => client(id)));
  return timesMs;
}

const TTL_MS = 10_000;
const SETTLE_MS = 300;
