import { createHash } from "node:crypto";
import Redlock from "redlock";
import type { AcquireAttempt } from "./acquire-attempt.js";

/**
 * Acquires by the `redlock` package. It asks all primaries at once and counts; when a majority are against, it has what
 * was granted taken back, and waits until a majority have done so. Its verdict is the one that counts.
 *
 * Nothing else of it is used. Tokens, waiting and validity are ours; renewals and releases are decided by
 * `Primaries.decide`, which returns more than "for" or "against" and is not harmed by a clock that jumps.
 *
 * Its Redis clients are adapters, one per primary, that run our attempt in place of its scripts. An id, passed through
 * as the name of the resource, identifies it.
 */
export class RedlockAdapter {
  readonly #redlock: Redlock;
  readonly #attempts = new Map<string, AcquireAttempt>();
  #lastId = 0;

  constructor(primaries: number) {
    const clients = Array.from({ length: primaries }, (_, index) => this.#client(index));
    this.#redlock = new Unnamed(
      clients,
      // A retry would leave behind the holds granted to the attempt before it.
      { retryCount: 0, driftFactor: 0 },
      { acquireScript: () => "acquire", extendScript: () => "extend", releaseScript: () => "release" },
    );
  }

  /** Whether a majority granted it. If not, it was taken back; for redlock a primary that is down is one against. */
  async acquire(attempt: AcquireAttempt, ttlMs: number): Promise<boolean> {
    const id = String(++this.#lastId);
    this.#attempts.set(id, attempt);
    try {
      await this.#redlock.acquire([id], ttlMs);
      return true;
    } catch {
      return false;
    } finally {
      this.#attempts.delete(id);
    }
  }

  /** What redlock takes for a Redis client: it answers 1 for, 0 against. */
  #client(index: number) {
    return {
      evalsha: (hash: string, _keys: number, [id = ""]: string[]): Promise<number> => {
        const attempt = this.#attempts.get(id);
        if (!attempt) throw new Error("this acquire is over");
        return hash === RELEASE_SHA1 ? attempt.takeBack(index).then(Number) : attempt.vote(index);
      },
      eval: async (): Promise<number> => {
        throw new Error("scripts are loaded by the primary itself");
      },
      quit: async () => {},
    };
  }
}

/** What redlock would store as the owner of a lock costs a system call, and is never used: our leaseId and nonce are. */
class Unnamed extends Redlock {
  override _random(): string {
    return "";
  }
}

const RELEASE_SHA1 = createHash("sha1").update("release").digest("hex");
