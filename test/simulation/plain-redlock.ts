import Redlock, { Lock } from "redlock";
import { validForMs } from "../../src/algorithms/validity.js";
import { CoordinationError } from "../../src/errors.js";
import type { Acquired, Lease, Locks } from "../../src/primitives/lock.js";
import type { Connection } from "../../src/redis/connection.js";
import type { Instance } from "./instance.js";
import type { Variant } from "./variant.js";

/**
 * `redlock` as it is published, with its own scripts, on the connections that our service would have. Its clients
 * always settle, as those of ioredis do with a command timeout: else it would hang. It has no tokens; what is recorded as
 * one counts up, so that only two holders at one time show.
 */
export const plainRedlock: NonNullable<Variant["locks"]> = (instance) => {
  let locks = made.get(instance);
  if (!locks) {
    locks = make(instance);
    made.set(instance, locks);
  }
  return locks;
};

const made = new WeakMap<Instance, Pick<Locks, "acquire" | "renew" | "release">>();

function make(instance: Instance): Pick<Locks, "acquire" | "renew" | "release"> {
  const { clock, connections } = instance;
  const clients = connections.map((connection) => clientOf(connection, instance));
  const redlock = new Redlock(
    clients,
    { retryCount: 0 },
    undefined as unknown as ConstructorParameters<typeof Redlock>[2],
  );
  const lockOf = (name: string, leaseId: string) =>
    new Lock(redlock, [name], leaseId, [], Number.POSITIVE_INFINITY);
  const lease = (name: string, leaseId: string, ttlMs: number, startedMs: number): Lease => ({
    leaseId,
    names: [name],
    mode: "exclusive",
    owner: null,
    metadata: null,
    fencingToken: 0,
    ttlMs,
    validForMs: validForMs(ttlMs, clock.monotonicMs() - startedMs),
    waitedMs: 0,
    acks: 0,
    primaries: clients.length,
  });
  return {
    acquire: async ({ names: [name = ""], ttlMs }): Promise<Acquired> => {
      const startedMs = clock.monotonicMs();
      const lock = await redlock.acquire([name], ttlMs).catch(() => null);
      if (!lock) return { kind: "held", holder: null, retryAfterMs: 1, queuePosition: 1 };
      return {
        kind: "acquired",
        lease: lease(name, (lock as unknown as { value: string }).value, ttlMs, startedMs),
      };
    },
    renew: async ({ names: [name = ""], leaseId, ttlMs }) => {
      const startedMs = clock.monotonicMs();
      const lock = await redlock.extend(lockOf(name, leaseId), ttlMs).catch(() => null);
      if (!lock) throw new CoordinationError("lease_lost", "redlock could not extend it");
      return lease(name, leaseId, ttlMs, startedMs);
    },
    release: async ([name = ""], leaseId) =>
      redlock.release(lockOf(name, leaseId)).then(
        () => true,
        () => false,
      ),
  };
}

function clientOf(connection: Connection, instance: Instance) {
  const call = (command: string, text: string, keys: number, args: (string | number)[]) =>
    new Promise((resolve, reject) => {
      instance.after(COMMAND_TIMEOUT_MS, () => reject(new Error("Command timed out")));
      connection.call(command, text, keys, ...args).then(resolve, reject);
    });
  return {
    evalsha: (hash: string, keys: number, args: (string | number)[]) => call("EVALSHA", hash, keys, args),
    eval: (text: string, keys: number, args: (string | number)[]) => call("EVAL", text, keys, args),
    quit: async () => {},
  };
}

const COMMAND_TIMEOUT_MS = 100;
