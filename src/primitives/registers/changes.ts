import { fullJitterMs } from "../../algorithms/backoff.js";
import type { Ballot } from "../../algorithms/ballot.js";
import type { Intent } from "../../algorithms/intent.js";
import { hasEnded, isDecided, KEYED_MAX, type Keyed, longestLeftMs } from "../../algorithms/register.js";
import type { Clock, Random } from "../../clock.js";
import type { Ids } from "../../ids.js";
import { Hedge } from "../../quorum/hedge.js";
import type { Primaries } from "../../quorum/primaries.js";
import { type Accepted, RegisterRound } from "../../quorum/register-rounds.js";
import type { Keys } from "../../scripts/keys.js";
import type { Proposal } from "../../scripts/register-calls.js";
import { Ballots } from "./ballots.js";
import { KeyQueues } from "./key-queues.js";
import {
  appliedIn,
  type Changed,
  type Decision,
  type Found,
  foundIn,
  isFull,
  leftAfter,
  type Moment,
  type Proposed,
  proposalOf,
  proposing,
  repeatedIn,
  type State,
  tombstoneOf,
  versionFor,
} from "./proposals.js";
import { contended, outcomeUnknown, tooManyKeyed } from "./register-failures.js";

export interface ChangeOptions {
  readonly keyed?: Keyed | null | undefined;
  /** Ends the change while nothing was proposed. Asked for only where there is something to wait for. */
  readonly signal?: AbortSignal | undefined;
  /** `fn` decides what becomes of a version whose time is over. Else it is deleted first. */
  readonly seesEnd?: boolean;
  /** `fn` decides what becomes of a version with an intent. Else that is settled first. */
  readonly seesIntent?: boolean;
  /** What is kept is sent to all primaries, also where a majority have it. */
  readonly spreads?: boolean;
}

/** What a change does about the intent of a transaction that is in its way: see intents.ts. */
export interface Settling {
  settle(name: string, intent: Intent, signal?: AbortSignal): Promise<void>;
}

/**
 * Changes of registers: prepare and accept on a majority, each ballot used once. From this one operation everything else
 * follows. Source: Rystsov, "CASPaxos".
 */
export class Changes {
  readonly #ballots: Ballots;
  readonly #queues = new KeyQueues(WAITING_MAX, () => contended(RETRY_AFTER_MS));
  #intents: Settling | null = null;
  readonly hedge: Hedge;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly random: Random,
    ids: Pick<Ids, "hexNonce">,
    /** A majority have accepted a change, and the primary at this place did not say so. */
    private readonly missed: (place: number, name: string) => void = () => {},
  ) {
    this.#ballots = new Ballots(clock, ids);
    this.hedge = new Hedge(clock);
  }

  /**
   * Applies `fn` to the register, once, and returns what became of it. `fn` is pure: it may be called for several tries.
   * Throws `no_quorum` and `contended` (nothing was proposed), `outcome_unknown` and `too_many_keyed`.
   */
  async change<R>(
    name: string,
    fn: (state: State, moment: Moment) => Decision<R>,
    options: ChangeOptions = {},
  ): Promise<Changed<R>> {
    const waitsMs = this.clock.monotonicMs();
    const inTurn = async () => {
      if (this.clock.monotonicMs() - waitsMs > WAIT_MS_MAX) throw contended(RETRY_AFTER_MS);
      return this.primaries.steadily(() => this.#change(name, fn, options));
    };
    for (;;) {
      const changed = await this.#queues.run(name, inTurn, options);
      if (changed.kind !== "blocked") return changed;
      // Meanwhile others may change it: its transaction, too, and the next one, so this may be needed again and again.
      await this.#intents?.settle(name, changed.by, options.signal);
    }
  }

  /** From now on changes that meet intents settle them. */
  settleBy(intents: Settling): void {
    this.#intents = intents;
  }

  /** Names a version, and is never used again. */
  newEtag(): Ballot {
    return this.#ballots.next();
  }

  /** A primary refuses ballots below this one. */
  saw(floor: Ballot): void {
    this.#ballots.saw(floor);
  }

  async #change<R>(
    name: string,
    fn: (state: State, moment: Moment) => Decision<R>,
    options: ChangeOptions,
  ): Promise<Changed<R> | Blocked> {
    const { keyed = null, seesEnd = false, seesIntent = false, spreads = false } = options;
    let proposed: Proposed<R> | null = null;
    let mayBeReplaced = false;
    let lacksQuorum = false;
    const untilMs = this.clock.monotonicMs() + TRIES_MS_MAX;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (attempt > 0) await this.#pause(attempt, proposed ? undefined : options.signal);
      if (this.clock.monotonicMs() > untilMs) break;
      const round = new RegisterRound(this.primaries, this.keys, name);
      const ballot = this.#ballots.next(attempt);
      const askedMs = this.clock.monotonicMs();
      const prepared = await round.prepare(ballot, this.hedge);
      lacksQuorum = prepared.kind === "no_quorum";
      if (lacksQuorum && !proposed) break;
      if (prepared.kind === "refused") this.#ballots.saw(prepared.promised);
      if (prepared.kind !== "promised") continue;

      const found = foundIn(prepared.promises);
      const { latest, copies, state } = found;
      const isOver = latest !== null && hasEnded(copies, latest, this.primaries.majority);
      const intent = state.version?.intent;
      if (isOver && !seesEnd && !intent) {
        // That is a change of its own; what was asked for is applied to what it leaves.
        await this.#accept(name, round, ballot, tombstoneOf(state, ballot));
        continue;
      }
      const before: Changed<R> | null =
        (proposed && appliedIn<R>(proposed, found)) ?? (keyed && repeatedIn(keyed, state));
      const decision: Changed<R> | Decision<R> | Blocked =
        before ??
        (intent && !seesIntent
          ? { kind: "blocked", by: intent }
          : fn(state, { isOver, nowMs: found.latestMs, earliestMs: found.earliestMs }));
      if (decision.kind === "replace") {
        const { version, leftMs, result } = decision;
        const accepted = await this.#accept(name, round, ballot, proposalOf(version, leftMs));
        if (accepted === "accepted") return { kind: "kept", state: { version, leftMs }, result };
        mayBeReplaced ||= accepted === "unknown";
        continue;
      }
      const isRefused = decision.kind === "write" && keyed !== null && isFull(found);
      if (decision.kind !== "write" || isRefused) {
        // What it has proposed may be on a primary, and be decided as long as what was found stays below it.
        const isPending = proposed !== null || mayBeReplaced;
        if (!(await this.#settle(name, round, ballot, found, askedMs, { spreads, isPending }))) continue;
        if (decision.kind === "write") throw tooManyKeyed(KEYED_MAX);
        return decision.kind === "keep" ? { kind: "kept", state, result: decision.result } : decision;
      }
      const { version, proposal } = versionFor(decision, found, proposed?.etag ?? ballot, keyed);
      proposed = proposing(proposed, version, found, decision.result);
      const accepted = await this.#accept(name, round, ballot, proposal);
      const { number, etag } = version;
      if (accepted === "accepted") return { kind: "written", number, etag, result: decision.result };
      // Accepted by none, it has no effect.
      if (accepted === "refused" && etag === ballot) proposed = null;
    }
    if (proposed || mayBeReplaced) throw outcomeUnknown();
    throw lacksQuorum ? this.primaries.noQuorum() : contended(RETRY_AFTER_MS);
  }

  /** Makes sure that what was found is decided: a majority have it already, or accept it unchanged. */
  async #settle(
    name: string,
    round: RegisterRound,
    ballot: Ballot,
    { copies, latest }: Found,
    askedMs: number,
    { spreads, isPending }: { readonly spreads: boolean; readonly isPending: boolean },
  ): Promise<boolean> {
    const isSettled = isDecided(copies, latest, this.primaries.majority);
    if (isSettled && !isPending && !(spreads && latest)) return true;
    if (!latest) return false;
    const leftMs = leftAfter(longestLeftMs(copies, latest), this.clock.monotonicMs() - askedMs);
    return (await this.#accept(name, round, ballot, { ...latest, leftMs })) === "accepted";
  }

  async #accept(
    name: string,
    round: RegisterRound,
    ballot: Ballot,
    proposal: Proposal,
  ): Promise<Accepted["kind"]> {
    const accepted = await round.accept(ballot, proposal, (answers) => {
      const isOne = (answer: (typeof answers)[number]) => answer?.ok && answer.value === null;
      if (answers.filter(isOne).length < this.primaries.majority) return;
      for (const [place, answer] of answers.entries()) if (!answer?.ok) this.missed(place, name);
    });
    if (accepted.kind !== "accepted") this.#ballots.saw(accepted.promised);
    return accepted.kind;
  }

  #pause(attempt: number, signal: AbortSignal | undefined): Promise<void> {
    return this.clock.sleep(fullJitterMs(attempt, PAUSE_MS.base, PAUSE_MS.cap, this.random()), signal);
  }
}

interface Blocked {
  readonly kind: "blocked";
  readonly by: Intent;
}

/** Tries of one change: each takes two round trips at least, and up to twice the command timeout. */
const ATTEMPTS_MAX = 12;
/** After that none begins, ms: where no majority answers, each takes long. */
const TRIES_MS_MAX = 1_000;
const PAUSE_MS = { base: 2, cap: 100 };
/** Changes of one register that wait in one instance. */
const WAITING_MAX = 1_000;
/** Whoever has waited for longer when its turn comes changes nothing any more, ms: those before it may have found no majority, or were transactions. */
const WAIT_MS_MAX = 5_000;
const RETRY_AFTER_MS = 1_000;
