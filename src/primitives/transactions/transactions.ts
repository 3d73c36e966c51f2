import {
  abort,
  acknowledge,
  ageOf,
  type Begin,
  begin,
  expire,
  type NamedLease,
  REMEMBERED_MS,
  type Refusal,
  type Seen,
  type Step,
  type Transaction,
  UNACKNOWLEDGED_MS,
  uuidV7,
  type Vote,
  vote,
} from "../../algorithms/two-phase.js";
import type { Clock } from "../../clock.js";
import type { Ids } from "../../ids.js";
import { Namespace } from "../../namespace.js";
import type { InFlight } from "../leases/lease-terms.js";
import { type Versioned, Watches } from "../reads/watch.js";
import type { Decision, Moment, State } from "../registers/proposals.js";
import type { RegisterNews } from "../registers/register-news.js";
import type { Registers } from "../registers/registers.js";
import type { Held, NamedLeases } from "./named-leases.js";
import { leasesTooSlow } from "./transaction-failures.js";

/** A transaction as it is now. */
export interface Told {
  readonly transaction: Transaction;
  /** Time left to decide it, ms; null: it is decided. */
  readonly deadlineInMs: number | null;
}

export type Outcome =
  | ({ readonly kind: "told"; readonly isNew: boolean } & Told)
  | { readonly kind: "refused"; readonly why: Refusal; readonly transaction: Transaction | null }
  /** Nothing is known of this id, and its time was too long ago, or is too far ahead, to say that nothing was decided. */
  | { readonly kind: "forgotten" | "ahead" }
  /** Nobody knows of it, and as many as may be are stored. */
  | { readonly kind: "full" };

/** As those see it who wait for the decision. */
export interface Inspected extends Versioned {
  /** Null: nobody knows of it. */
  readonly told: Told | null;
}

/**
 * Transactions across services: two-phase commit, one register for each. Any instance takes any step, so none is needed
 * to finish what another began. By the names of registers, which end with the id. All throw as `Changes.change` does.
 */
export class Transactions {
  readonly #watches: Watches<Inspected>;
  /** How many are stored: by the last count of the primaries, and those that were made here since. */
  #stored = 0;

  constructor(
    private readonly registers: Pick<Registers, "changes" | "state">,
    private readonly clock: Clock,
    private readonly ids: Pick<Ids, "hexNonce">,
    private readonly leases: Pick<NamedLeases, "check" | "renew">,
    news?: Pick<RegisterNews, "listen">,
  ) {
    const listen = news && ((name: string, wake: () => void) => news.listen(name, wake));
    this.#watches = new Watches(clock, (name) => this.get(name), listen);
  }

  newId(): string {
    return uuidV7(this.clock.wallMicros() / 1_000, this.ids.hexNonce());
  }

  /** By this instance's clock: only for telling what is not there. */
  isOld(name: string): boolean {
    return ageOf(idIn(name), this.clock.wallMicros() / 1_000) === "forgotten";
  }

  /** @param count how many the primaries have. */
  sawStored(count: number): void {
    this.#stored = count;
  }

  /** Throws also as `NamedLeases.check` does. */
  begin(name: string, terms: Begin, deadlineMs: number): Promise<Outcome> {
    const renew: Renew = (leases) => this.leases.check(namespaceOf(name), leases);
    return this.#step(name, (seen) => begin(seen, terms), { deadlineMs, renew });
  }

  vote(name: string, participant: string, its: Vote, reason: string | null): Promise<Outcome> {
    const renew: Renew = (leases) => this.leases.renew(namespaceOf(name), leases);
    return this.#step(name, (seen) => vote(seen, participant, its, reason), { renew });
  }

  abort(name: string, reason: string): Promise<Outcome> {
    return this.#step(name, (seen) => abort(seen, reason));
  }

  acknowledge(name: string, participant: string): Promise<Outcome> {
    return this.#step(name, (seen) => acknowledge(seen, participant));
  }

  async get(name: string): Promise<Inspected> {
    const state = await this.registers.state(name, true);
    const transaction = transactionIn(state);
    if (!transaction || !state.version) return { version: NONE, told: null };
    return {
      version: state.version.etag,
      told: { transaction, deadlineInMs: deadlineOf(transaction, state) },
    };
  }

  /** The transaction once it is decided, or as it is when `deadlineMs` has passed. */
  decided(name: string, deadlineMs: number, signal?: AbortSignal, inFlight?: InFlight): Promise<Inspected> {
    const isDecided = ({ told }: Inspected) => told?.transaction.state !== "active";
    return this.#watches.until(name, isDecided, deadlineMs, signal, inFlight);
  }

  /** What becomes of one whose time is over: an active one is aborted, one that was remembered for long enough goes. */
  async end(name: string): Promise<void> {
    await this.registers.changes.change<null>(
      name,
      (state, { isOver }) => {
        const step = expire({ transaction: transactionIn(state), isOver, leases: "unknown" });
        if (step.kind === "changed") return writing(step.next, null, null);
        const isThere = state.version !== null && state.version.json !== null;
        if (!isOver || !isThere) return { kind: "keep", result: null };
        return { kind: "write", json: null, ttlMs: null, result: null, told: NONE };
      },
      { seesEnd: true },
    );
  }

  /** Takes a step. Where it needs leases, they are renewed first, and it is taken while they are held. */
  async #step(
    name: string,
    step: (seen: Seen) => Step,
    { deadlineMs = null, renew = NO_LEASES }: Terms = {},
  ) {
    let held: Held | null = null;
    for (let renewals = 0; ; renewals++) {
      const outcome = await this.#once(name, step, deadlineMs, held);
      if (outcome.kind !== "unheld") return outcome;
      if (renewals === RENEWALS_MAX) throw leasesTooSlow();
      held = await renew(outcome.leases);
    }
  }

  async #once(
    name: string,
    step: (seen: Seen) => Step,
    deadlineMs: number | null,
    held: Held | null,
  ): Promise<Outcome | Unheld> {
    // The same for all tries of this change: what was proposed once must not be told as refused.
    const isFull = this.#stored >= STORED_MAX;
    // Likewise: time enough must be left when a commit is proposed for the first time.
    let isCommitting = false;
    const changed = await this.registers.changes.change<Outcome | Unheld>(
      name,
      (state, moment) => {
        const leases = isCommitting ? "held" : this.#areHeld(held);
        const decision = decide(name, state, { ...moment, leases }, step, { deadlineMs, isFull });
        isCommitting ||= decision.kind === "write" && isCommit(decision.result);
        return decision;
      },
      { seesEnd: true },
    );
    const { kind, result } = changed as Extract<typeof changed, { result: Outcome | Unheld }>;
    if (kind === "written" && (result.kind === "refused" || (result.kind === "told" && result.isNew)))
      this.#stored++;
    return result;
  }

  #areHeld(held: Held | null): Seen["leases"] {
    if (held?.kind !== "held") return held?.kind ?? "unknown";
    return held.untilMs - this.clock.monotonicMs() >= LEFT_MS_MIN ? "held" : "unknown";
  }
}

/** A step that needs leases which have to be renewed first. */
interface Unheld {
  readonly kind: "unheld";
  readonly leases: readonly NamedLease[];
}

type Renew = (leases: readonly NamedLease[]) => Promise<Held>;

interface Terms {
  readonly deadlineMs?: number | null;
  readonly renew?: Renew;
}

const NO_LEASES: Renew = () => {
  throw new Error("this step needs no leases");
};

const isCommit = (outcome: Outcome | Unheld) =>
  outcome.kind === "told" && outcome.transaction.state === "committed";

function decide(
  name: string,
  state: State,
  { isOver, nowMs, leases }: Moment & Pick<Seen, "leases">,
  step: (seen: Seen) => Step,
  { deadlineMs, isFull }: { readonly deadlineMs: number | null; readonly isFull: boolean },
): Decision<Outcome | Unheld> {
  const stored = transactionIn(state);
  // One that was remembered for long enough, and only waits to be removed.
  const transaction = isOver && stored?.state !== "active" ? null : stored;
  if (!transaction) {
    const age = ageOf(idIn(name), nowMs);
    if (age !== "new") return { kind: "keep", result: { kind: age } };
  }
  const made = step({ transaction, isOver, leases });
  if (made.kind === "unheld") return { kind: "keep", result: made };
  const next = made.kind === "same" ? null : (made.next ?? null);
  if (isFull && next && !stored) return { kind: "keep", result: { kind: "full" } };
  const leftMs = transaction ? state.leftMs : deadlineMs;
  const result = outcomeOf(made, next ?? transaction, leftMs, transaction === null);
  return next ? writing(next, leftMs, result) : { kind: "keep", result };
}

const namespaceOf = (name: string) => new Namespace(name.split("/")[1] ?? "");
const idIn = (name: string) => name.slice(name.lastIndexOf("/") + 1);

function outcomeOf(
  step: Exclude<Step, Unheld>,
  now: Transaction | null,
  leftMs: number | null,
  isNew: boolean,
): Outcome {
  if (step.kind === "refused") return { kind: "refused", why: step.why, transaction: now };
  if (!now) throw new Error("a step that is not refused has a transaction");
  return { kind: "told", transaction: now, deadlineInMs: now.state === "active" ? leftMs : null, isNew };
}

/** An active one ends at its deadline, and a decided one when it is not needed any more. */
function writing<R>(next: Transaction, leftMs: number | null, result: R): Decision<R> {
  const isNeeded = next.state !== "ended" && next.participants.length > 0;
  const decidedMs = isNeeded ? UNACKNOWLEDGED_MS : REMEMBERED_MS;
  const ttlMs = next.state === "active" ? leftMs : decidedMs;
  return { kind: "write", json: JSON.stringify(next), ttlMs, result, told: NONE };
}

function transactionIn({ version }: State): Transaction | null {
  return version?.json == null ? null : (JSON.parse(version.json) as Transaction);
}

function deadlineOf({ state }: Transaction, { leftMs }: State): number | null {
  return state === "active" ? leftMs : null;
}

const NONE = "-";
/** What all leases that a transaction names must have left when it is to be committed, ms. */
const LEFT_MS_MIN = 1_000;
/** For one step: each is followed by a change that takes milliseconds. */
const RENEWALS_MAX = 3;

/** Transactions of all namespaces that are stored: nearly 6 a second can end, as long as each is remembered for a day. */
export const STORED_MAX = 500_000;
