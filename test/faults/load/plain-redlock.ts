import { Redis } from "ioredis";
import PlainRedlock, { type Lock as OurLock } from "redlock";
import type { Acquired, Lease, LockClient, Released, Renewed } from "./lock-service.js";

/** What of redlock's own interface is used here, and not declared for the service (redlock-module.d.ts). */
interface Published {
  acquire(resources: string[], durationMs: number): Promise<Lock>;
  extend(lock: Lock, durationMs: number): Promise<Lock>;
  release(lock: Lock): Promise<unknown>;
}
type Lock = OurLock & { readonly value: string; readonly expiration: number };

/**
 * `redlock` as published, with its own scripts and ioredis as it comes: a client that has its own connections. `at` is
 * the user, and so the way to the primaries. It has no fencing tokens: all are 0.
 */
export class RedlockLocks implements LockClient {
  readonly #redis: Redis[][];
  readonly #redlocks: Published[];
  readonly #held = new Map<string, Lock>();

  /** `urls`: of each user. */
  constructor(
    urls: readonly (readonly string[])[],
    private readonly settings: { readonly retryCount: number; readonly patienceMs: number },
  ) {
    this.#redis = urls.map((ofUser) => ofUser.map((url) => new Redis(url)));
    // Without a listener ioredis writes every lost connection to the console.
    for (const one of this.#redis.flat()) one.on("error", () => {});
    this.#redlocks = this.#redis.map(
      (clients) =>
        new (PlainRedlock as unknown as new (clients: Redis[], settings: object) => Published)(clients, {
          retryCount: settings.retryCount,
        }),
    );
  }

  async acquire(at: number, { name, ttlMs }: { name: string; ttlMs: number }): Promise<Acquired> {
    const asked = this.#redlock(at).acquire([name], ttlMs);
    const outcome = await this.#answerOf(asked);
    if (outcome.kind !== "done") return outcome.kind === "hung" ? hung() : { kind: "held" };
    const lock = outcome.value;
    this.#held.set(lock.value, lock);
    return { kind: "granted", leaseId: lock.value, token: 0, validUntilMs: validUntilMs(lock) };
  }

  async renew(at: number, { leaseId, ttlMs }: Lease & { ttlMs: number }): Promise<Renewed> {
    const lock = this.#held.get(leaseId);
    if (!lock) return { kind: "failed", code: "lease_lost" };
    const outcome = await this.#answerOf(this.#redlock(at).extend(lock, ttlMs));
    if (outcome.kind === "hung") return hung();
    if (outcome.kind === "failed") return { kind: "failed", code: "no_quorum" };
    this.#held.set(leaseId, outcome.value);
    return { kind: "renewed", validUntilMs: validUntilMs(outcome.value) };
  }

  async release(at: number, { leaseId }: Lease): Promise<Released> {
    const lock = this.#held.get(leaseId);
    if (!lock) return { kind: "released", was: false };
    this.#held.delete(leaseId);
    const outcome = await this.#answerOf(this.#redlock(at).release(lock));
    if (outcome.kind === "hung") return hung();
    return outcome.kind === "done" ? { kind: "released", was: true } : { kind: "failed", code: "no_quorum" };
  }

  close(): void {
    for (const one of this.#redis.flat()) one.disconnect();
  }

  #redlock(at: number): Published {
    return this.#redlocks[at] as Published;
  }

  /** A client cannot wait for ever: what has not settled by then counts as hung. */
  async #answerOf<T>(
    asked: Promise<T>,
  ): Promise<{ kind: "done"; value: T } | { kind: "failed" } | { kind: "hung" }> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<{ kind: "hung" }>((resolve) => {
      timer = setTimeout(() => resolve({ kind: "hung" }), this.settings.patienceMs);
    });
    const settled = asked.then(
      (value) => ({ kind: "done" as const, value }),
      () => ({ kind: "failed" as const }),
    );
    const outcome = await Promise.race([settled, patience]);
    clearTimeout(timer);
    return outcome;
  }
}

const hung = () => ({ kind: "no_answer", why: "hung" }) as const;

/** Its expiration is a wall clock's; the history's clock is monotonic. */
function validUntilMs(lock: Lock): number {
  return performance.now() + lock.expiration - Date.now();
}
