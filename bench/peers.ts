import type { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import Redlock from "redlock";
import { call, lockAt } from "./client.js";
import type { Etcd } from "./etcd.js";

/** One way to take one lock, for as many clients as are asked for. */
export interface Peer {
  readonly label: string;
  /** Resolves when this client holds the lock, with what gives it back. */
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

/** npm's redlock within each client, on connections of its own. Its defaults, but that it never gives up. */
export function redlock(urls: readonly string[], name: string, clients: number): Peer {
  const all = Array.from({ length: clients }, () => {
    const connections = urls.map((url) => new Redis(url));
    const locks = new Redlock(connections, { retryCount: -1 }, ITS_OWN_SCRIPTS);
    // It tells of each server that says no.
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
export async function etcdLock({ urls }: Etcd, name: string, clients: number): Promise<Peer> {
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

/**
 * Milliseconds from the moment at which a client asks to give the lock back until another one is told that it holds it,
 * with `clients` - 1 that wait; until `done` says so of the times so far.
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
      // The first of all waits until the others stand in line.
      if (givenMs === null) await sleep(SETTLE_MS);
      // Time for the one before to join the line again, and none in step with anybody's retries.
      if (!done(timesMs)) await sleep(HOLD_MS + Math.random() * HOLD_MS);
      holders -= 1;
      const next = new Promise<void>((resolve) => {
        granted = resolve;
      });
      givenMs = performance.now();
      await giveBack();
      // Who gave it back asks again when another one has it.
      if (!done(timesMs)) await next;
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, id) => client(id)));
  return timesMs;
}

/** Our declaration of its module knows only what the service needs, which are ours. */
const ITS_OWN_SCRIPTS = undefined as unknown as ConstructorParameters<typeof Redlock>[2];
const TTL_MS = 10_000;
const HOLD_MS = 10;
const SETTLE_MS = 300;
