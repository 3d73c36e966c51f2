import { validForMs } from "../../algorithms/validity.js";
import type { Clock } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import { type Answers, answerOf } from "../../quorum/answers.js";
import type { LeaseVotes } from "../../quorum/lease-votes.js";
import type { Primaries } from "../../quorum/primaries.js";
import { boundOn } from "../../quorum/scan.js";
import {
  type BindVote,
  BOUND_MAX,
  type BoundLease,
  type BoundTo,
  bindLease,
  unbindLeases,
} from "../../scripts/bound-calls.js";
import type { Keys } from "../../scripts/keys.js";
import type { Mode } from "../../scripts/lease-calls.js";
import { type LeaseKind, namesOf } from "../../scripts/resource-kinds.js";
import { superseded, tooManyBound, unknownMember, wrongMemberKey } from "../members/member-failures.js";
import { SharedReads } from "../reads/shared-reads.js";
import { lost } from "./lease-failures.js";
import type { LeaseObserver } from "./lease-observer.js";

/** A lease that a heartbeat has renewed. */
export interface BoundHeld {
  readonly kind: LeaseKind;
  readonly names: readonly string[];
  readonly mode: Mode;
  readonly fencingToken: number;
  /** Time for which it may be trusted, in ms, from the moment at which the heartbeat was sent. */
  readonly validForMs: number;
  readonly ttlMs: number;
  /** A secret: no answer tells it. */
  readonly leaseId: string;
}

type Loss = NonNullable<CoordinationError["help"]["lost"]>;

/** A lease that a heartbeat has found ended. */
export interface BoundLost {
  readonly lost: Loss;
  readonly kind: LeaseKind;
  readonly names: readonly string[];
  readonly fencingToken: number;
}

/** What became of the leases of a member. One that is in neither list was not renewed. */
export interface BoundOutcome {
  readonly held: readonly BoundHeld[];
  readonly lost: readonly BoundLost[];
}

/** Whether a caller may use all of these. */
export type MayUse = (kind: LeaseKind, names: readonly string[]) => boolean;

/**
 * Leases that heartbeats of a member keep. Each primary has a list of them, which tells where to look; whether a lease is held is
 * voted on lease by lease. That a majority have the member says nothing of a hold, which may be on another majority. Heartbeats that
 * come while others look at the same list, or renew the same lease, share what is done next: each is as good as renewed then.
 */
export class BoundLeases {
  readonly #lists: SharedReads<Listed>;
  readonly #renewals: SharedReads<Renewed | null>;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly votes: Pick<LeaseVotes, "renew">,
    private readonly clock: Pick<Clock, "monotonicMs" | "soon">,
    private readonly settings: { readonly ttlMaxMs: number },
    private readonly observer?: LeaseObserver,
  ) {
    this.#lists = new SharedReads(clock, LISTS_AT_ONCE_MAX);
    this.#renewals = new SharedReads(clock, RENEWALS_AT_ONCE_MAX);
  }

  /** Throws what `bind` would throw now. */
  check(member: BoundTo): Promise<void> {
    return this.#bind(member, null);
  }

  /**
   * Puts a lease whose token is committed into the list of its member. Throws `unknown_member`, `superseded`, `forbidden`,
   * `too_many` and `no_quorum`.
   */
  bind(member: BoundTo, lease: BoundLease): Promise<void> {
    return this.#bind(member, lease);
  }

  async #bind(member: BoundTo, lease: BoundLease | null): Promise<void> {
    const { majority } = this.primaries;
    const refused = await this.primaries.decide<BindVote, Exclude<BindVote, "bound"> | null>(
      bindLease(this.keys, member, lease, this.#keptMs),
      ({ values }) => {
        const refusals = values.filter((vote) => vote !== "bound");
        if (values.length - refusals.length >= majority) return null;
        return refusals.length < majority ? undefined : WORST_FIRST.find((vote) => refusals.includes(vote));
      },
    );
    const { service, id } = member;
    switch (refused) {
      case null:
        return;
      case "superseded":
        throw superseded(id);
      case "wrong-key":
        throw wrongMemberKey(id);
      case "full":
        throw tooManyBound(id, BOUND_MAX);
      default:
        throw unknownMember(service, id);
    }
  }

  /** The leases in the lists of a majority: all that were bound, and some that have ended. Throws `no_quorum`. */
  listed(member: BoundTo): Promise<Listed> {
    const { service, id, incarnation } = member;
    return this.#lists.read(`${service}/${id}/${incarnation}`, () => this.#list(member));
  }

  async #list(member: BoundTo): Promise<Listed> {
    let complete: (answers: Answers<readonly BoundLease[]>) => void = () => {};
    const answers = new Promise<Answers<readonly BoundLease[]>>((resolve) => {
      complete = resolve;
    });
    const lists = await this.primaries.decide<readonly BoundLease[], readonly (readonly BoundLease[])[]>(
      (primary) => boundOn(primary, this.keys, member, this.#keptMs),
      this.primaries.ofMajority,
      { afterwards: (heard) => complete(heard.answers) },
    );
    const latest = new Map<string, BoundLease>();
    for (const lease of lists.flat())
      if ((latest.get(lease.leaseId)?.token ?? 0) < lease.token) latest.set(lease.leaseId, lease);
    return { leases: [...latest.values()], answers, isTidied: false };
  }

  /** Renews each of the leases by itself. What the caller may not use is neither renewed nor told. */
  async renew(member: BoundTo, listed: Listed, mayUse: MayUse): Promise<BoundOutcome> {
    const renewed = await Promise.all(
      listed.leases.map(async (lease) => {
        const named = namesOf(lease.resources);
        if (!mayUse(named.kind, named.names)) return null;
        const key = [lease.resources[0], lease.leaseId, lease.token].join(" ");
        return { lease, ...named, outcome: await this.#renewals.read(key, () => this.#renew(lease)) };
      }),
    );
    const held: BoundHeld[] = [];
    const lost: BoundLost[] = [];
    const kept: BoundLease[] = [];
    const ended: BoundLease[] = [];
    for (const one of renewed) {
      if (!one?.outcome) continue;
      const { lease, kind, names, outcome } = one;
      const named = { kind, names, fencingToken: lease.token };
      (outcome.kind === "held" ? kept : ended).push(lease);
      if (outcome.kind === "held") {
        const { leaseId, ttlMs, mode } = lease;
        held.push({ ...named, leaseId, ttlMs, mode, validForMs: outcome.validForMs });
      } else if (outcome.kind === "lost") lost.push({ ...named, lost: outcome.lost });
    }
    if (!listed.isTidied) void listed.answers.then((all) => this.#tidy(member, all, kept, ended));
    listed.isTidied = true;
    return { held, lost };
  }

  /** Null: nobody can tell now, or too late for it to be of use. `released`: by its holder, who knows. */
  async #renew(lease: BoundLease): Promise<Renewed | null> {
    const startedMs = this.clock.monotonicMs();
    try {
      const outcome = await this.votes.renew(lease);
      if (outcome.kind === "extended") {
        const validMs = validForMs(lease.ttlMs, this.clock.monotonicMs() - startedMs);
        this.observer?.holds(lease.queues, lease.leaseId, lease.ttlMs);
        this.observer?.beaten(validMs > 0 ? "held" : "unknown");
        return validMs > 0 ? { kind: "held", validForMs: validMs } : null;
      }
      this.observer?.ended(lease.leaseId);
      const why = outcome.kind === "lost" ? outcome.why : ({ kind: "expired" } as const);
      if (why.kind === "released") return { kind: "released" };
      this.observer?.beaten("lost");
      return { kind: "lost", lost: lost(why, lease.token).help.lost ?? { why: "expired" } };
    } catch (error) {
      if (!(error instanceof CoordinationError && error.code === "no_quorum")) throw error;
      this.observer?.beaten("unknown");
      return null;
    }
  }

  /** Takes what has ended from the lists, and puts what is held where it is missing. Nothing depends on the outcome. */
  #tidy(
    member: BoundTo,
    answers: Answers<readonly BoundLease[]>,
    kept: readonly BoundLease[],
    ended: readonly BoundLease[],
  ): void {
    this.primaries.all.forEach((primary, index) => {
      const answer = answers[index];
      if (!answer?.ok) return;
      if (ended.length > 0) void answerOf(primary, unbindLeases(this.keys, member, ended));
      const here = new Set(answer.value.map(({ leaseId }) => leaseId));
      const missing = kept.filter(({ leaseId }) => !here.has(leaseId));
      for (const lease of missing.slice(0, REPAIRS_AT_ONCE_MAX))
        void answerOf(primary, bindLease(this.keys, member, lease, this.#keptMs));
    });
  }

  /** Longer than any lease in the list lives without a heartbeat. */
  get #keptMs(): number {
    return this.settings.ttlMaxMs + 60_000;
  }
}

/** What a majority have in their lists. */
export interface Listed {
  readonly leases: readonly BoundLease[];
  /** Of all primaries, once each has answered or failed. */
  readonly answers: Promise<Answers<readonly BoundLease[]>>;
  /** Whether one of those who share it sees to the lists. */
  isTidied: boolean;
}

type Renewed =
  | { readonly kind: "held"; readonly validForMs: number }
  | { readonly kind: "released" }
  | { readonly kind: "lost"; readonly lost: Loss };

const WORST_FIRST = ["superseded", "wrong-key", "full", "unknown"] as const;
/** Members whose lists are read at once, each in parts. */
const LISTS_AT_ONCE_MAX = 64;
/** Leases of all heartbeats that this instance renews at once: some ms of each primary's time. */
const RENEWALS_AT_ONCE_MAX = 64;
/** Leases that one heartbeat puts into the list of a primary; those left come with the next. */
const REPAIRS_AT_ONCE_MAX = 32;
