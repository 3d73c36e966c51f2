import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import type { TestPrimary } from "./primaries.js";
import type { Instance } from "./service.js";

/** What /v1/primaries says. */
export interface Shown {
  readonly primaries: readonly {
    readonly address: string;
    readonly state: string;
    readonly forMs: number;
    readonly reason: string | null;
    readonly quarantineMs: number;
    readonly latencyMs: { readonly p50: number | null; readonly p99: number | null };
  }[];
  readonly configurationVersion: number | null;
  readonly quorum: boolean;
  readonly grantsInMs: number | null;
}

export async function shown(instance: Instance): Promise<Shown> {
  return (await instance.call("GET", "/v1/primaries")).body as Shown;
}

/** Waits until what /v1/primaries says is as it should be, and returns it. */
export async function untilShown(
  instance: Instance,
  asItShouldBe: (now: Shown) => boolean,
  what: string,
  withinMs = 12_000,
): Promise<Shown> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const now = await shown(instance);
    if (asItShouldBe(now)) return now;
    if (performance.now() > deadline)
      throw new Error(`not within ${withinMs} ms: ${what}; but ${JSON.stringify(now)}`);
    await sleep(10);
  }
}

/** Waits until all primaries take part, whether in quarantine or not, in a version later than `after`. */
export function allTakePart(instance: Instance, after = 0): Promise<Shown> {
  return untilShown(
    instance,
    ({ primaries, configurationVersion }) =>
      (configurationVersion ?? 0) > after &&
      primaries.every(({ state }) => state === "up" || state === "quarantined"),
    `all take part, in a version above ${after}`,
  );
}

export interface Acquired {
  readonly status: number;
  readonly leaseId: string;
  readonly fencingToken: number;
  readonly code?: string;
}

export async function acquire(instance: Instance, name: string, ttlMs = 10_000): Promise<Acquired> {
  const { status, body } = await instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs });
  return { status, ...(body as Omit<Acquired, "status">) };
}

/** Asks until the lock is granted. */
export async function acquireAtLast(instance: Instance, name: string, ttlMs = 10_000): Promise<Acquired> {
  for (;;) {
    const answer = await acquire(instance, name, ttlMs);
    if (answer.status === 200) return answer;
    if (answer.status !== 409 && answer.status !== 503) throw new Error(JSON.stringify(answer));
    await sleep(20);
  }
}

export async function release(instance: Instance, name: string, leaseId: string): Promise<boolean> {
  const { body } = await instance.call("POST", `/v1/locks/${name}/release`, { leaseId });
  return (body as { released: boolean }).released;
}

/**
 * Takes a lock as soon as it is granted, gives it back, and tells its token. The longer `ttlMs`, the longer a primary
 * that forgets has to be in quarantine afterwards.
 */
export async function tokenOf(instance: Instance, name: string, ttlMs = 500): Promise<number> {
  const { leaseId, fencingToken } = await acquireAtLast(instance, name, ttlMs);
  await release(instance, name, leaseId);
  return fencingToken;
}

/** What an instance does as soon as a request meets a primary that forgot; otherwise it looks every second. */
export async function noticed(instance: Instance): Promise<void> {
  await instance.call("GET", "/v1/locks/any");
}

/** Asks until a majority answers: an instance whose majority forgot knows by then what came of it. */
export async function caughtUp(instance: Instance): Promise<void> {
  while ((await instance.call("GET", "/v1/locks/any")).status === 503) await sleep(20);
}

export async function isListed(instance: Instance, service: string, id: string): Promise<boolean> {
  const { body } = await instance.call("GET", `/v1/services/${service}/members`);
  return body.members.some((member: { id: string }) => member.id === id);
}

/** One command, on a connection of its own: redis-cli in a container takes a hundred times as long. */
export async function command(primary: TestPrimary, ...args: (string | number)[]): Promise<unknown> {
  const [name = "", ...rest] = args;
  const redis = new Redis(primary.url, { lazyConnect: true, protocol: 2, retryStrategy: () => null });
  try {
    await redis.connect();
    return await redis.call(String(name), ...rest);
  } finally {
    redis.disconnect();
  }
}

/** Deletes everything of one deployment on one primary: what a restart without data does, in a millisecond. */
export async function forget(primary: TestPrimary, prefix: string): Promise<void> {
  const text = "for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('DEL', key) end";
  await command(primary, "EVAL", text, 0, prefix);
}

/** One field of what the primary stores of the configuration. */
export async function storedField(
  primary: TestPrimary,
  prefix: string,
  field: string,
): Promise<string | null> {
  return (await command(primary, "HGET", `${prefix}configuration`, field)) as string | null;
}
