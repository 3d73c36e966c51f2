import { Redis } from "ioredis";
import { afterAll, beforeAll } from "vitest";
import { inspectName, listHolders, type NameView } from "../../src/scripts/holder-calls.js";
import { Keys } from "../../src/scripts/keys.js";
import {
  type AcquireTerms,
  type AcquireVote,
  abandonAttempt,
  acquireLease,
  type Claim,
  type Mode,
  type Renewal,
  type RenewVote,
  raiseCounters,
  releaseLease,
  renewLease,
  repairLease,
} from "../../src/scripts/lease-calls.js";
import type { Call } from "../../src/scripts/scripts.js";
import { freshName, ownPrefix } from "./names.js";
import { sharedPrimaries } from "./shared-primaries.js";

export const STAMP = "1:nonce:id";
export const TOMBSTONE_MS = 60_000;

/** One real server, on which scripts are run by themselves. For the whole of a test file. */
export class OneServer {
  readonly keys = new Keys(ownPrefix());
  redis!: Redis;

  constructor() {
    beforeAll(async () => {
      const { urls } = await sharedPrimaries();
      this.redis = this.connect(urls[0] as string);
      await this.redis.hset(this.keys.configuration, "stamp", STAMP);
    });
    afterAll(() => {
      for (const redis of this.#open) redis.disconnect();
    });
  }

  readonly #open: Redis[] = [];

  /** One more connection. */
  connect(url = `redis://127.0.0.1:${this.redis.options.port}`): Redis {
    const redis = new Redis(url, { protocol: 2, disableClientInfo: true });
    this.#open.push(redis);
    return redis;
  }

  async run<T>({ script, keys, args, parse }: Call<T>, stamp = STAMP): Promise<T> {
    const all = [this.keys.configuration, ...keys];
    return parse(await this.redis.eval(script.text, all.length, ...all, stamp, ...args));
  }

  /** A vote of the attempt; each gets a nonce of its own unless one is named. */
  acquire(
    lease: Claim,
    how: Partial<AcquireTerms> & { nonce?: string; attemptNumber?: number } = {},
  ): Promise<AcquireVote> {
    const { nonce = freshName("nonce"), attemptNumber = 1, ...terms } = how;
    return this.run(acquireLease(this.keys, { ...lease, nonce, attemptNumber }, { ...TERMS, ...terms }));
  }

  /** The counter of the grant; throws where there is none. */
  async granted(
    lease: Claim,
    how: Partial<AcquireTerms> & { nonce?: string; attemptNumber?: number } = {},
  ): Promise<number> {
    const vote = await this.acquire(lease, how);
    if (vote.kind !== "granted") throw new Error(`not granted: ${JSON.stringify(vote)}`);
    return vote.counter;
  }

  raise(lease: Claim, nonce: string, to: number, attemptNumber = 1): Promise<number | null> {
    return this.run(raiseCounters(this.keys, { ...lease, nonce, attemptNumber }, to));
  }

  renew(lease: Claim, token: number, ttlMs = 10_000): Promise<RenewVote> {
    return this.run(renewLease(this.keys, { ...lease, token, ttlMs }));
  }

  repair(lease: Claim, token: number, renewal: Partial<Renewal> = {}, ttlMs = 10_000): Promise<boolean> {
    const mode = lease.mode ?? "exclusive";
    const whole = { mode, owner: "worker-7", metadata: "", chosen: false, revision: "", ...renewal };
    return this.run(repairLease(this.keys, { ...lease, token, ttlMs }, whole));
  }

  /** Releases it; the attempt by which it was held, or null. */
  endedAttempt(lease: Claim, always = false, brokenFor: string | null = null): Promise<string | null> {
    return this.run(releaseLease(this.keys, lease, { forMs: TOMBSTONE_MS, always, brokenFor }));
  }

  /** Whether the lease was held. */
  async release(lease: Claim, always = false, brokenFor: string | null = null): Promise<boolean> {
    return (await this.endedAttempt(lease, always, brokenFor)) !== null;
  }

  /** Ends what holds a name, as an operator does. How many leases that were. */
  async break(resource: string, reason = "it hung"): Promise<number> {
    const { found: holders } = await this.run(listHolders(this.keys, resource, "0"));
    for (const { leaseId, resources } of holders) {
      const claim = { leaseId, mode: null, resources, queues: resources, fingerprint: null, limit: null };
      await this.release(claim, true, reason);
    }
    return holders.length;
  }

  abandon(lease: Claim, nonce: string, refuseForMs = 0, attemptNumber = 1): Promise<boolean> {
    return this.run(abandonAttempt(this.keys, { ...lease, nonce, attemptNumber }, refuseForMs));
  }

  inspect(resource: string): Promise<NameView> {
    return this.run(inspectName(this.keys, resource));
  }

  /** Sets the floor while something is done. */
  async withFloor<T>(floor: number, use: () => Promise<T>): Promise<T> {
    await this.redis.hset(this.keys.configuration, "floor", String(floor));
    try {
      return await use();
    } finally {
      await this.redis.hdel(this.keys.configuration, "floor");
    }
  }

  /** The counter of a name in the current generation; null where it has none. */
  async counterOf(resource: string): Promise<number | null> {
    const counter = await this.redis.hget(this.keys.counters, resource);
    return counter === null ? null : Number(counter);
  }

  /** Where the holds of a lease are, whichever its mode. */
  async holds({ leaseId }: Claim, resource: string): Promise<boolean> {
    const own = await this.redis.hget(this.keys.hold(resource), "lease");
    return own === leaseId || (await this.redis.exists(this.readerHold(resource, leaseId))) === 1;
  }

  readers(resource: string): string {
    return `${this.keys.hold(resource)}/readers`;
  }

  readerHold(resource: string, leaseId: string): string {
    return `${this.keys.hold(resource)}/${leaseId}`;
  }
}

export const TERMS: AcquireTerms = {
  ttlMs: 10_000,
  owner: "worker-7",
  metadata: "",
  chosen: false,
  queueEntry: null,
};

/** A lease for one name or several, whose lines are those of the names. */
export function lease(
  resources: string | readonly string[],
  leaseId = freshName("lease"),
  other: Partial<Claim> = {},
): Claim {
  const all = typeof resources === "string" ? [resources] : resources;
  return {
    leaseId,
    mode: "exclusive",
    resources: all,
    queues: all,
    fingerprint: null,
    limit: null,
    ...other,
  };
}

export const reader = (resources: string | readonly string[], leaseId?: string): Claim =>
  lease(resources, leaseId, { mode: "shared" satisfies Mode });

export const lock = () => `lock/${freshName()}`;
