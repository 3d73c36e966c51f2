import { createHash } from "node:crypto";
import { fullJitterMs } from "../algorithms/backoff.js";
import { validForMs } from "../algorithms/validity.js";
import type { Clock, Random } from "../clock.js";
import { CoordinationError } from "../errors.js";
import { type Ids, madeHere } from "../ids.js";
import type { Lost } from "../redis/hold-votes.js";
import type { AcquireTerms, Claim, Hold, Mode } from "../redis/lease-calls.js";
import type { AcquireOutcome, Inspection, LeaseVotes } from "../redis/redlock.js";
import type { Place } from "./place.js";
import type { WaitingRoom } from "./waiting.js";

/** What every kind of lease has, as its holder sees it. */
export interface Grant {
  readonly leaseId: string;
  readonly owner: string | null;
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

/** One who waits, as others see it. */
export interface Waiting {
  /** 1: the next. */
  readonly position: number;
  readonly mode: Mode;
  readonly owner: string | null;
}

/** What every request for a lease may say. */
export interface LeaseRequest {
  readonly ttlMs: number;
  readonly owner?: string | undefined;
  /** Chosen by the caller, who may repeat the request with it; made here when absent. */
  readonly leaseId?: string | undefined;
  /** How long to stand in line, ms. */
  readonly waitMs?: number | undefined;
  /** Aborted when the client has gone. */
  readonly signal?: AbortSignal | undefined;
}

/** What is asked for: everything of a claim but the secret. */
export interface Wanted extends Omit<Claim, "leaseId"> {
  /** Whether others would do as well, should these be gone: then it is worth to ask again at once. */
  readonly others?: boolean;
}

export type Outcome = { readonly kind: "acquired"; readonly grant: Grant; readonly wanted: Wanted } | Held;

export interface Held {
  readonly kind: "held";
  /** Null where votes split, or others only come first. */
  readonly holder: Holder | null;
  readonly retryAfterMs: number;
  /** Its place in line when its time to wait was over, or where it would have stood; 1: the next. */
  readonly queuePosition: number;
}

/** Locks, permits and terms alike: acquiring with waiting, renewing with repair, releasing. */
export class Leases {
  constructor(
    readonly votes: LeaseVotes,
    private readonly room: WaitingRoom,
    private readonly primaries: number,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly ids: Ids,
  ) {}

  /**
   * Takes what `want` names, or tells who has it. `want` is asked for each attempt anew. Throws `no_quorum`,
   * `shutting_down`, `lease_lost` for a leaseId that was used up, `lease_mismatch` for one that is for something else,
   * and `limit_mismatch`.
   */
  async acquire(
    request: LeaseRequest & { readonly metadata: string },
    want: (leaseId: string) => Wanted | Promise<Wanted>,
  ): Promise<Outcome> {
    const { ttlMs, owner = "", waitMs = 0, signal } = request;
    const chosen = request.leaseId !== undefined;
    const leaseId = request.leaseId ?? this.ids.leaseId();
    const askedMs = this.clock.monotonicMs();
    const deadline = askedMs + waitMs;
    let place: Place | null = null;
    let granted = false;
    let gone = false;
    // Null where nothing is left of it.
    const accept = async (
      claim: Claim,
      startedMs: number,
      won: { token: number; acks: number },
    ): Promise<Grant | null> => {
      const validMs = validForMs(ttlMs, this.clock.monotonicMs() - startedMs);
      // Who has gone cannot hold what it was never told of.
      if (validMs <= 0 || (signal?.aborted === true && !chosen)) {
        await this.votes.release(claim, chosen);
        return null;
      }
      granted = true;
      return {
        leaseId,
        owner: request.owner ?? null,
        fencingToken: won.token,
        ttlMs,
        validForMs: validMs,
        waitedMs: Math.floor(startedMs - askedMs),
        acks: won.acks,
        primaries: this.primaries,
      };
    };
    try {
      for (let attempt = 0; ; attempt++) {
        const wanted = await want(leaseId);
        const claim = { ...wanted, leaseId };
        const startedMs = this.clock.monotonicMs();
        const outcome = await this.votes.acquire(
          claim,
          { ttlMs, owner, metadata: request.metadata, chosen, place: this.#standing(place, deadline) },
          place,
        );
        const endedMs = this.clock.monotonicMs();
        if (outcome.kind === "granted") {
          const grant = await accept(claim, startedMs, outcome);
          if (grant) return { kind: "acquired", grant, wanted };
          throw tooSlow(ttlMs);
        }
        const refused = asRefused(outcome);
        const certain = refused.certain && !wanted.others;
        if (!certain && waitMs === 0 && attempt < (wanted.others ? OTHERS_RETRIES : SPLIT_RETRIES)) {
          // The votes split between several who asked at once; none of them may have won.
          await this.clock.sleep(this.#jitterMs(attempt));
          continue;
        }
        if (endedMs >= deadline) {
          if (outcome.kind === "quarantined") throw quarantined(outcome);
          return refused;
        }
        if (!place) {
          place = await this.room.enter(claim);
          continue;
        }
        const hintMs = certain ? refused.retryAfterMs + 1 : this.#jitterMs(SPLIT_RETRIES);
        const turn = await place.turn(deadline, hintMs, signal);
        gone = turn === "gone";
        if (gone) return refused;
        const won = turn === "handed" ? this.votes.handed(place.votes) : null;
        if (!won || validForMs(ttlMs, this.clock.monotonicMs() - won.sinceMs) <= 0) continue;
        const grant = await accept(claim, Math.max(askedMs, won.sinceMs), won);
        if (grant) return { kind: "acquired", grant, wanted };
        throw tooSlow(ttlMs);
      }
    } finally {
      // One that chose its id may come back with it for its place.
      if (place) this.room.leave(place, { granted, keepMs: gone && chosen ? COME_BACK_MS : 0 });
    }
  }

  #standing(place: Place | null, deadlineMs: number): AcquireTerms["place"] {
    if (!place) return null;
    const { ticket, handedOn } = place;
    const keptMs = Math.ceil(Math.max(0, deadlineMs - this.clock.monotonicMs())) + KEPT_MS;
    return { ticket, instance: this.room.instance, keptMs, handedOn };
  }

  /**
   * Lets the lease live `ttlMs` from now; never shortens it. Without the token a round trip more. Throws `lease_lost`
   * and `no_quorum`.
   */
  async renew(
    wanted: Wanted,
    request: {
      readonly leaseId: string;
      readonly ttlMs: number;
      readonly fencingToken?: number | undefined;
    },
  ): Promise<{ grant: Grant; mode: Mode; metadata: string; revision: string }> {
    const { leaseId, ttlMs } = request;
    const asked = this.clock.monotonicMs();
    const token = request.fencingToken ?? (await this.token(wanted, leaseId));
    const started = this.clock.monotonicMs();
    const outcome = await this.votes.renew({ ...wanted, leaseId, token, ttlMs });
    if (outcome.kind === "lost") throw lost(outcome.why, token);
    if (outcome.kind === "other") throw mismatch();
    const validMs = validForMs(ttlMs, this.clock.monotonicMs() - started);
    if (validMs <= 0) throw tooSlow(ttlMs);
    return {
      grant: {
        leaseId,
        owner: outcome.owner || null,
        fencingToken: token,
        ttlMs,
        validForMs: validMs,
        waitedMs: Math.floor(started - asked),
        acks: outcome.acks,
        primaries: this.primaries,
      },
      mode: outcome.mode,
      metadata: outcome.metadata,
      revision: outcome.revision,
    };
  }

  /** Whether the lease was held until now. A stranger's leaseId changes nothing. Throws `no_quorum`. */
  release(wanted: Wanted, leaseId: string): Promise<boolean> {
    return this.votes.release({ ...wanted, leaseId }, !madeHere(leaseId));
  }

  /** The token of a lease whose holder did not send it: only when it is exact on a majority, never from fewer. */
  async token(wanted: Wanted, leaseId: string): Promise<number> {
    const hold = holdOf(await this.votes.inspect(wanted.resources[0] ?? ""), leaseId);
    if (!hold) {
      // No lease has a token as low as that, so this renews nothing; but it tells why.
      const outcome = await this.votes.renew({ ...wanted, leaseId, token: 0, ttlMs: 1 });
      const why = outcome.kind === "lost" && outcome.why.kind !== "taken" ? outcome.why : null;
      throw lost(why ?? { kind: "expired" }, 0);
    }
    if (hold.token !== null) return hold.token;
    throw new CoordinationError(
      "no_quorum",
      "A majority hold this lease, but too few primaries answered to tell its fencing token. Renew with the fencingToken of the grant.",
      { help: { retryAfterMs: 1000 } },
    );
  }

  #jitterMs(attempt: number): number {
    return fullJitterMs(attempt, SPLIT_DELAY_MS, SPLIT_DELAY_MS_MAX, this.random());
  }
}

/** The hold of a lease among those that a majority name. */
export function holdOf({ holds }: Inspection, leaseId: string): Inspection["holds"][number] | undefined {
  const digest = createHash("sha1").update(leaseId).digest("hex");
  return holds.find((hold) => hold.digest === digest);
}

/** The id is for this and nothing else, where its caller chose it. */
export function purposeOf(leaseId: string | undefined, text: string): string | null {
  return leaseId === undefined || madeHere(leaseId) ? null : text;
}

export function toHolder(hold: Hold): Holder {
  return {
    owner: hold.owner || null,
    metadata: parseMetadata(hold.metadata),
    mode: hold.mode,
    heldForMs: hold.heldForMs,
    expiresInMs: hold.expiresInMs,
  };
}

export function toQueue({ line }: Inspection): Waiting[] {
  return line.map(({ mode, owner }, place) => ({ position: place + 1, mode, owner: owner || null }));
}

export function parseMetadata(json: string): unknown {
  return json === "" ? null : JSON.parse(json);
}

export function metadataText(metadata: unknown): string {
  return metadata === undefined ? "" : JSON.stringify(metadata);
}

/** Throws where asking again changes nothing. */
function asRefused(outcome: Exclude<AcquireOutcome, { kind: "granted" }>): Held & { certain: boolean } {
  switch (outcome.kind) {
    case "gone":
      throw usedUp();
    case "other":
      throw mismatch();
    case "limit":
      throw new CoordinationError(
        "limit_mismatch",
        `This semaphore has the limit ${outcome.limit}, and all who acquire must name the same. An operator can change it (PUT).`,
        { help: { limit: outcome.limit } },
      );
    case "quarantined":
      return { kind: "held", holder: null, retryAfterMs: outcome.forMs, queuePosition: 1, certain: true };
    case "held": {
      const holder = outcome.hold && toHolder(outcome.hold);
      return {
        kind: "held",
        holder,
        retryAfterMs: holder
          ? Math.max(1, holder.expiresInMs)
          : outcome.certain
            ? QUEUED_RETRY_MS
            : SPLIT_DELAY_MS_MAX,
        queuePosition: outcome.ahead + 1,
        certain: outcome.certain,
      };
    }
  }
}

function mismatch(): CoordinationError {
  return new CoordinationError(
    "lease_mismatch",
    "This leaseId is for something else: other names, another mode, or another kind. Name all that it was acquired for, or choose a new id: one is used for one lease.",
  );
}

function quarantined({ primaries, forMs }: { primaries: number; forMs: number }): CoordinationError {
  return new CoordinationError(
    "no_quorum",
    `${primaries} primaries lost their data and grant no new lease until those that they may have forgotten have ended. Try again after retryAfterMs.`,
    { help: { retryAfterMs: forMs } },
  );
}

/** Says what is known of why. */
export function lost(why: Lost["why"], token: number): CoordinationError {
  const stop = "Stop what it protected and acquire again.";
  switch (why.kind) {
    case "broken":
      return new CoordinationError("lease_lost", `An operator broke this lease: ${why.reason}. ${stop}`, {
        help: { lost: { why: "broken", reason: why.reason } },
      });
    case "taken":
      // Other readers have it, as they had beside it.
      if (why.counter <= token) return lost({ kind: "expired" }, token);
      return new CoordinationError(
        "lease_lost",
        `This lease ended, and a later one with a token of up to ${why.counter} has or had what it held. ${stop}`,
        { help: { lost: { why: "taken", newest: why.counter } } },
      );
    case "released":
      return new CoordinationError("lease_lost", `This lease was released. ${stop}`, {
        help: { lost: { why: "released" } },
      });
    case "expired":
      return new CoordinationError(
        "lease_lost",
        `This lease is not held any more: it expired, was released, or never was. ${stop}`,
        { help: { lost: { why: "expired" } } },
      );
  }
}

function usedUp(): CoordinationError {
  return new CoordinationError(
    "lease_lost",
    "This leaseId was released before, and an id is used for one lease. Acquire with a new one.",
    { help: { lost: { why: "released" } } },
  );
}

function tooSlow(ttlMs: number): CoordinationError {
  return new CoordinationError(
    "no_quorum",
    `A majority of the primaries answered, but so late that nothing was left of ttlMs ${ttlMs}. Ask for a longer ttlMs.`,
  );
}

const SPLIT_RETRIES = 6;
const OTHERS_RETRIES = 20;
const SPLIT_DELAY_MS = 4;
const SPLIT_DELAY_MS_MAX = 40;
/** Nobody can tell when it is the turn of one that does not wait. */
const QUEUED_RETRY_MS = 1_000;
/** What a place in line is kept for beyond the time to wait, should a message be late. */
const KEPT_MS = 2_000;
const COME_BACK_MS = 3_000;
