import { heldByMajority } from "../algorithms/holds.js";
import { judgeRenewal, type Lost, otherNames, type RenewalVerdict } from "../algorithms/renewals.js";
import { repliedByMajority } from "../algorithms/tally.js";
import type { Hold } from "../scripts/hold.js";
import { inspectName, type Waiter } from "../scripts/holder-calls.js";
import {
  type Claim,
  type LeaseRenewal,
  NOBODY,
  proclaim,
  type Renewal,
  type RenewVote,
  readTombstone,
  releaseLease,
  renewLease,
  repairLease,
} from "../scripts/lease-calls.js";
import { AcquireVotes } from "./acquire-votes.js";
import { type Answers, answerOf, type Heard } from "./answers.js";
import { holdersOn } from "./scan.js";

/** What a majority of the primaries know of a name. */
export interface Inspection {
  /** The holds that a majority report, one writer or readers; with their token where it is exact on a majority. */
  readonly holds: readonly (Hold & { readonly token: number | null })[];
  /** Whether a majority say that no lease holds it. */
  readonly free: boolean;
  /** No token above this one has been given out. */
  readonly highest: number;
  /** Number of waiters, and the first of them in queue order. */
  readonly waiting: number;
  readonly queue: readonly Waiter[];
}

/** The votes on leases: on new ones, and on those that were granted. */
export class LeaseVotes extends AcquireVotes {
  /** Extends a lease on a majority, and repairs it in the background where it is missing. Throws `no_quorum`. */
  renew(lease: LeaseRenewal): Promise<RenewalVerdict<Renewal>> {
    const beforeColdStart = lease.token < this.primaries.floor;
    const judge = ({ values }: Heard<RenewVote>) =>
      judgeRenewal<Renewal>(values, this.primaries.majority, beforeColdStart);
    return this.primaries.decide(renewLease(this.keys, lease), judge, {
      lastWord: ({ values }) => otherNames(values),
      // A repair is never a vote of the renewal that found the lease missing.
      afterwards: (heard) => {
        const last = judge(heard);
        if (last?.kind === "extended") this.#repair(lease, last.latest, heard.answers);
      },
    });
  }

  /** How a lease ended that is not held any more, as far as its tombstones tell. Throws `no_quorum`. */
  async ending(leaseId: string): Promise<Lost["why"]> {
    const found = await this.primaries.askMajority(readTombstone(this.keys, leaseId));
    const broken = found.find((ending) => ending?.kind === "broken");
    return broken ?? found.find((ending) => ending) ?? { kind: "expired" };
  }

  /**
   * Ends a lease everywhere; a primary that does not answer gets the release later. Returns whether any primary still had it.
   * Throws `no_quorum` if a majority did not answer: the lease then ends as soon as they do. `chosen`: the caller chose the
   * id, so a tombstone stays everywhere. `brokenFor`: an operator's reason.
   */
  async release(claim: Claim, chosen: boolean, brokenFor: string | null = null): Promise<boolean> {
    const call = (always: boolean) =>
      releaseLease(this.keys, claim, { forMs: this.tombstoneMs, always, brokenFor });
    const attempts = await this.primaries.decide(call(chosen), this.primaries.ofMajority, {
      afterwards: ({ answers, values }) => {
        const attempt = values.find((found) => found !== null);
        // Where one primary had an earlier attempt than others, the one that was granted may still come, behind the release.
        const mayCome = !chosen && values.some((found) => found !== null && found !== attempt);
        if (!mayCome && values.length === answers.length) return;
        this.primaries.all.forEach((primary, index) => {
          if (mayCome || !answers[index]?.ok) primary.compensateLater(`release/${claim.leaseId}`, call(true));
        });
      },
    });
    return attempts.some((attempt) => attempt !== null);
  }

  /**
   * Ends all leases that hold a resource, with all their names. They are ended by their ids: a primary that is reached
   * late ends no newer lease, and one that does not have them grants them nothing later. Returns how many they were; null:
   * none, as one of them holds a resource that may not be ended. Throws `no_quorum`.
   */
  async break(
    resource: string,
    reason: string,
    mayEnd: (resource: string) => boolean = () => true,
  ): Promise<number | null> {
    const { majority, all } = this.primaries;
    const found = await this.primaries.askAgreeing(
      (primary) => holdersOn(primary, this.keys, resource),
      (holders) =>
        holders
          .map(({ leaseId }) => leaseId)
          .sort()
          .join(),
    );
    const byLease = new Map<string, { resources: readonly string[]; votes: number }>();
    for (const { leaseId, resources } of found.flat())
      byLease.set(leaseId, { resources, votes: (byLease.get(leaseId)?.votes ?? 0) + 1 });
    // A lease that cannot have a majority is not held yet, and may be asked for just now.
    const held = [...byLease].filter(([, { votes }]) => votes + all.length - found.length >= majority);
    if (!held.every(([, { resources }]) => resources.every(mayEnd))) return null;
    for (let at = 0; at < held.length; at += BROKEN_AT_ONCE_MAX) {
      await Promise.all(
        held.slice(at, at + BROKEN_AT_ONCE_MAX).map(([leaseId, { resources }]) => {
          const claim = { ...NOBODY, leaseId, mode: null, resources, queues: resources };
          return this.release(claim, true, reason);
        }),
      );
    }
    return held.length;
  }

  /** Changes the metadata of a lease on a majority; false: it is not held any more. Throws `no_quorum`. */
  proclaim(lease: Claim & { readonly token: number }, revision: string, metadata: string): Promise<boolean> {
    return this.primaries.decide(proclaim(this.keys, lease, revision, metadata), ({ values }) =>
      repliedByMajority(values, this.primaries.majority),
    );
  }

  /** What a majority know about a name. Throws `no_quorum`. */
  async inspect(resource: string): Promise<Inspection> {
    const { majority } = this.primaries;
    const views = await this.primaries.askAgreeing(inspectName(this.keys, resource), ({ counter, holds }) =>
      JSON.stringify([counter, ...holds.map((hold) => [hold.digest, hold.counter, hold.revision])]),
    );
    const tokenOf = ({ digest }: Hold) => {
      const counters = views.map(
        (view) => view.holds.find((hold) => hold.digest === digest)?.counter ?? null,
      );
      const verdict = this.tally(counters, majority);
      return verdict.kind === "token" ? verdict.token : null;
    };
    const holds = views.map((view) => view.holds);
    const fullest = views.reduce((best, view) => (view.queue.length > best.queue.length ? view : best));
    return {
      holds: heldByMajority(holds, majority).map((hold) => ({ ...hold, token: tokenOf(hold) })),
      free: holds.filter(({ length }) => length === 0).length >= majority,
      highest: Math.max(
        ...views.flatMap((view) => [view.counter, ...view.holds.map((hold) => hold.counter)]),
      ),
      waiting: Math.max(...views.map((view) => view.waiting)),
      queue: fullest.queue,
    };
  }

  /** Gives the lease to the primaries that lack it. */
  #repair(lease: LeaseRenewal, renewal: Renewal, answers: Answers<RenewVote>): void {
    const call = repairLease(this.keys, lease, renewal);
    this.primaries.all.forEach((primary, index) => {
      const answer = answers[index];
      // A counter that stands in the way of a writer may not do so for a reader, as which it was renewed.
      const lacks = answer?.ok && (answer.value.kind === "missing" || answer.value.kind === "taken");
      if (lacks) void answerOf(primary, call);
    });
  }
}

/** Leases that are ended at once when an operator breaks a lock with thousands of holders. */
const BROKEN_AT_ONCE_MAX = 50;
