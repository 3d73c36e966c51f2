import { createHash } from "node:crypto";
import { fullJitterMs } from "../algorithms/backoff.js";
import { validForMs } from "../algorithms/validity.js";
import type { Clock, Random } from "../clock.js";
import { CoordinationError } from "../errors.js";
import { type Ids, madeHere } from "../ids.js";
import type { LeaseVotes } from "../redis/redlock.js";
import type { Hold } from "../redis/scripts.js";

/** A lease as its holder sees it. */
export interface Lease {
  readonly leaseId: string;
  readonly names: string[];
  readonly mode: "exclusive";
  readonly owner: string | null;
  readonly metadata: unknown;
  readonly fencingToken: number;
  readonly ttlMs: number;
  /** Time the lease may still be trusted, in ms, from the start of the attempt that won. */
  readonly validForMs: number;
  /** Time from the request to the start of the attempt that won, in ms, rounded down: it adds to the time of trust. */
  readonly waitedMs: number;
  /** Primaries that were known to agree when the answer was sent. */
  readonly acks: number;
  readonly primaries: number;
}

/** A lease as others see it: never its leaseId. */
export interface Holder {
  readonly owner: string | null;
  readonly metadata: unknown;
  readonly mode: string;
  readonly heldForMs: number;
  readonly expiresInMs: number;
}

export interface AcquireRequest {
  readonly name: string;
  readonly ttlMs: number;
  readonly owner?: string | undefined;
  readonly metadata?: unknown;
  /** Chosen by the caller, who may repeat the request with it; made here when absent. */
  readonly leaseId?: string | undefined;
}

export type Acquired =
  | { readonly kind: "acquired"; readonly lease: Lease }
  | { readonly kind: "held"; readonly holder: Holder | null; readonly retryAfterMs: number };

/** Exclusive locks by name, each grant with a fencing token that only grows. */
export class Locks {
  constructor(
    private readonly votes: LeaseVotes,
    private readonly primaries: number,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly ids: Ids,
  ) {}

  /** Takes the lock, or tells who has it. Throws `no_quorum`, and `lease_lost` for a leaseId that was used up. */
  async acquire(request: AcquireRequest): Promise<Acquired> {
    const { name, ttlMs } = request;
    const leaseId = request.leaseId ?? this.ids.leaseId();
    const asked = this.clock.monotonicMs();
    for (let attempt = 0; ; attempt++) {
      const started = this.clock.monotonicMs();
      const outcome = await this.votes.acquire(
        { resource: resource(name), leaseId },
        {
          ttlMs,
          mode: "exclusive",
          owner: request.owner ?? "",
          metadata: request.metadata === undefined ? "" : JSON.stringify(request.metadata),
          chosen: request.leaseId !== undefined,
        },
      );
      if (outcome.kind === "gone") throw usedUp();
      if (outcome.kind === "held") {
        // The votes split between several who asked at once; none of them may have won.
        if (!outcome.certain && attempt < SPLIT_RETRIES) {
          await this.clock.sleep(fullJitterMs(attempt, SPLIT_DELAY_MS, SPLIT_DELAY_MS_MAX, this.random()));
          continue;
        }
        const holder = outcome.hold && toHolder(outcome.hold);
        return {
          kind: "held",
          holder,
          retryAfterMs: holder ? Math.max(1, holder.expiresInMs) : SPLIT_DELAY_MS_MAX,
        };
      }
      const lease = {
        leaseId,
        names: [name],
        mode: "exclusive" as const,
        owner: request.owner ?? null,
        metadata: request.metadata ?? null,
        fencingToken: outcome.token,
        ttlMs,
        validForMs: validForMs(ttlMs, this.clock.monotonicMs() - started),
        waitedMs: Math.floor(started - asked),
        acks: outcome.acks,
        primaries: this.primaries,
      };
      if (lease.validForMs > 0) return { kind: "acquired", lease };
      await this.votes.release({ resource: resource(name), leaseId }, request.leaseId !== undefined);
      throw tooSlow(ttlMs);
    }
  }

  /**
   * Lets the lease live `ttlMs` from now; never shortens it. Without the token a round trip more. Throws `lease_lost`
   * and `no_quorum`.
   */
  async renew(request: {
    name: string;
    leaseId: string;
    ttlMs: number;
    fencingToken?: number | undefined;
  }): Promise<Lease> {
    const { name, leaseId, ttlMs } = request;
    const asked = this.clock.monotonicMs();
    const token = request.fencingToken ?? (await this.#token(name, leaseId));
    const started = this.clock.monotonicMs();
    const outcome = await this.votes.renew({ resource: resource(name), leaseId, token, ttlMs });
    if (outcome.kind === "lost") throw lost();
    const validMs = validForMs(ttlMs, this.clock.monotonicMs() - started);
    if (validMs <= 0) throw tooSlow(ttlMs);
    return {
      leaseId,
      names: [name],
      mode: "exclusive",
      owner: outcome.owner || null,
      metadata: parseMetadata(outcome.metadata),
      fencingToken: token,
      ttlMs,
      validForMs: validMs,
      waitedMs: Math.floor(started - asked),
      acks: outcome.acks,
      primaries: this.primaries,
    };
  }

  /** Whether the lease was held until now. A stranger's leaseId changes nothing. Throws `no_quorum`. */
  release(request: { name: string; leaseId: string }): Promise<boolean> {
    const { name, leaseId } = request;
    return this.votes.release({ resource: resource(name), leaseId }, !madeHere(leaseId));
  }

  /** Throws `no_quorum`. */
  async inspect(name: string): Promise<{ holder: Holder | null; fencingToken: number | null }> {
    const { hold, token } = await this.votes.inspect(resource(name));
    return { holder: hold && toHolder(hold), fencingToken: token };
  }

  /** The token of a lease whose holder did not send it: only when it is exact on a majority, never from fewer. */
  async #token(name: string, leaseId: string): Promise<number> {
    const { hold, token } = await this.votes.inspect(resource(name));
    if (hold?.digest !== createHash("sha1").update(leaseId).digest("hex")) throw lost();
    if (token !== null) return token;
    throw new CoordinationError(
      "no_quorum",
      "A majority hold this lease, but too few primaries answered to tell its fencing token. Renew with the fencingToken of the grant.",
      { help: { retryAfterMs: 1000 } },
    );
  }
}

const resource = (name: string) => `lock/${name}`;

function toHolder(hold: Hold): Holder {
  return {
    owner: hold.owner || null,
    metadata: parseMetadata(hold.metadata),
    mode: hold.mode,
    heldForMs: hold.heldForMs,
    expiresInMs: hold.expiresInMs,
  };
}

function parseMetadata(json: string): unknown {
  return json === "" ? null : JSON.parse(json);
}

function lost(): CoordinationError {
  return new CoordinationError(
    "lease_lost",
    "This lease is not held any more: it expired, was released, or never was. Stop what it protected and acquire again.",
  );
}

function usedUp(): CoordinationError {
  return new CoordinationError(
    "lease_lost",
    "This leaseId was released before, and an id is used for one lease. Acquire with a new one.",
  );
}

function tooSlow(ttlMs: number): CoordinationError {
  return new CoordinationError(
    "no_quorum",
    `A majority of the primaries answered, but so late that nothing was left of ttlMs ${ttlMs}. Ask for a longer ttlMs.`,
  );
}

const SPLIT_RETRIES = 6;
const SPLIT_DELAY_MS = 4;
const SPLIT_DELAY_MS_MAX = 40;
