import { validForMs } from "../../algorithms/validity.js";
import type { Clock, Random } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import { type Ids, madeHere } from "../../ids.js";
import { Namespace } from "../../namespace.js";
import type { LeaseVotes } from "../../quorum/lease-votes.js";
import type { BoundTo } from "../../scripts/bound-calls.js";
import type { Mode } from "../../scripts/lease-calls.js";
import { nonceOf } from "../members/member-key.js";
import type { WaitQueue } from "../queue/wait-queue.js";
import { Acquisition } from "./acquisition.js";
import type { BoundLeases } from "./bound-leases.js";
import { lost, mismatch, tooSlow } from "./lease-failures.js";
import type { LeaseObserver } from "./lease-observer.js";
import {
  type Grant,
  type Granted,
  holdOf,
  type LeaseRequest,
  type Outcome,
  type RenewRequest,
  type Wanted,
} from "./lease-terms.js";

/** Operations that locks, permits and terms share: acquiring with waiting, renewing with repair, releasing. */
export class Leases {
  constructor(
    readonly votes: LeaseVotes,
    readonly waitQueue: WaitQueue,
    readonly primaries: number,
    readonly clock: Clock,
    readonly random: Random,
    private readonly ids: Ids,
    private readonly bound: Pick<BoundLeases, "check" | "bind">,
    readonly observer?: LeaseObserver,
  ) {}

  /**
   * Acquires what `want` names, or reports its holder. `want` is called anew for each attempt. Throws `no_quorum`,
   * `shutting_down`, `lease_lost` for a leaseId that was used up, `lease_mismatch` for one that belongs to a different
   * request, `limit_mismatch`, and `too_many` where it would have to join a queue that is full. With a member also `unknown_member`,
   * `superseded`, `forbidden`, and `too_many` where it has as many leases as it may: then nothing was acquired, unless that
   * befell the member in the meantime and the caller chose the leaseId.
   */
  async acquire(
    request: LeaseRequest & { readonly metadata: string },
    want: (leaseId: string) => Wanted | Promise<Wanted>,
  ): Promise<Outcome> {
    const { namespace = Namespace.default } = request;
    const leaseId = request.leaseId ?? namespace.inner(this.ids.leaseId());
    const acquisition = new Acquisition(leaseId, request, want, this);
    if (!request.member) return acquisition.run();
    const { memberKey, ...which } = request.member;
    const member = { ...which, nonce: nonceOf(memberKey) };
    // Before it waits, and takes from others what it then could not keep.
    await this.bound.check(member);
    const outcome = await acquisition.run();
    return outcome.kind === "held" ? outcome : this.#bind(member, outcome, request.leaseId !== undefined);
  }

  /** Puts a lease that was granted into the list of its member, or gives it back. */
  async #bind(member: BoundTo, { grant, wanted }: Granted, isChosen: boolean): Promise<Outcome> {
    const { leaseId, ttlMs, fencingToken: token } = grant;
    const startedMs = this.clock.monotonicMs();
    try {
      const { mode, resources, queues, fingerprint, limit } = wanted;
      const bound = { mode: mode ?? "exclusive", resources, queues, fingerprint, limit };
      await this.bound.bind(member, { ...bound, leaseId, token, ttlMs });
      const validMs = grant.validForMs - Math.ceil(this.clock.monotonicMs() - startedMs);
      if (validMs <= 0) throw tooSlow(ttlMs);
      return { kind: "acquired", grant: { ...grant, validForMs: validMs }, wanted };
    } catch (error) {
      // If the client chose the leaseId, another of its requests may have been granted the lease meanwhile.
      if (!isChosen) await this.release(wanted, leaseId).catch(() => {});
      throw error;
    }
  }

  /**
   * Extends the lease to `ttlMs` from now; never shortens it. Without the token it takes one more round trip. Throws
   * `lease_lost` and `no_quorum`.
   */
  async renew(
    wanted: Wanted,
    request: RenewRequest,
  ): Promise<{ grant: Grant; mode: Mode; metadata: string }> {
    const { leaseId, ttlMs } = request;
    const asked = this.clock.monotonicMs();
    const token = request.fencingToken ?? (await this.held(wanted, leaseId)).token;
    const started = this.clock.monotonicMs();
    const outcome = await this.votes.renew({ ...wanted, leaseId, token, ttlMs });
    if (outcome.kind === "lost") {
      this.observer?.ended(leaseId);
      throw lost(outcome.why, token);
    }
    if (outcome.kind === "other") throw mismatch();
    const validMs = validForMs(ttlMs, this.clock.monotonicMs() - started);
    if (validMs <= 0) throw tooSlow(ttlMs);
    this.observer?.holds(wanted.queues, leaseId, ttlMs);
    return {
      grant: {
        leaseId,
        owner: outcome.latest.owner || null,
        fencingToken: token,
        ttlMs,
        validForMs: validMs,
        waitedMs: Math.floor(started - asked),
        acks: outcome.acks,
        primaries: this.primaries,
      },
      mode: outcome.latest.mode,
      metadata: outcome.latest.metadata,
    };
  }

  /**
   * Returns whether the lease was held until now. A leaseId that is not the holder's changes nothing. `isTold`: it leaves a
   * tombstone even where it held nothing. Throws `no_quorum`.
   */
  release(wanted: Wanted, leaseId: string, isTold = !madeHere(leaseId)): Promise<boolean> {
    this.observer?.ended(leaseId);
    return this.votes.release({ ...wanted, leaseId }, isTold);
  }

  /** A lease whose holder did not send its token: with the token that is exact on a majority, never on fewer. */
  async held(wanted: Wanted, leaseId: string): Promise<{ token: number; revision: string }> {
    const look = async () => holdOf(await this.votes.inspect(wanted.resources[0] ?? ""), leaseId);
    // Primaries that answered may have been too few to show it: it is looked for once more before it is called lost.
    const hold = (await look()) ?? (await look());
    if (!hold) throw lost(await this.votes.ending(leaseId), 0);
    const { token, revision } = hold;
    if (token !== null) return { token, revision };
    throw new CoordinationError(
      "no_quorum",
      "A majority hold this lease, but too few primaries answered to tell its fencing token. Renew with the fencingToken of the grant.",
      { help: { retryAfterMs: 1000 } },
    );
  }
}
