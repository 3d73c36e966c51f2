import { fullJitterMs } from "../../algorithms/backoff.js";
import type { Ballot } from "../../algorithms/ballot.js";
import {
  type Intent,
  type Part,
  type Placing,
  place,
  type TransactionRecord,
} from "../../algorithms/intent.js";
import { KEYED_MAX, type Keyed, type KeyedChange, type Version } from "../../algorithms/register.js";
import type { Clock, Random } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import type { Ids } from "../../ids.js";
import { registerName } from "../../scripts/register-kinds.js";
import { aborting, DECIDED_MS, NOTHING, recordIn } from "./intents.js";
import type { Decision, Moment, State } from "./proposals.js";
import { notCompleted, tooManyKeyed } from "./register-failures.js";
import { type Register, type Registers, toRegister } from "./registers.js";
import { type Changed, changesIn, homeOf, repeatedBy, toldOf } from "./transaction-answers.js";

/** What a transaction checks, reads and changes: each register once, in any order. */
export interface TransactionRequest {
  readonly parts: readonly Part[];
  readonly keyed: Keyed | null;
  readonly signal?: AbortSignal | undefined;
}

export type TransactionOutcome =
  /** `found`: every register as it was before; null: it was not there. */
  | { readonly kind: "committed"; readonly changed: Changed; readonly found: Found }
  /** An earlier request with the same idempotency key was. */
  | { readonly kind: "repeated"; readonly changed: Changed }
  /** Nothing was changed: this register is not as it was checked for. */
  | {
      readonly kind: "mismatch";
      readonly name: string;
      readonly part: Part;
      readonly current: Register | null;
    }
  | { readonly kind: "key_mismatch" };

type Found = ReadonlyMap<string, Register | null>;

type Attempted =
  | Exclude<TransactionOutcome, { kind: "repeated" }>
  | { readonly kind: "repeated"; readonly change: KeyedChange }
  /** By a writer that had waited for it. */
  | { readonly kind: "aborted" };

/** A register that has the intent, as it was found. */
type Placed = Extract<Placing, { kind: "there" }> & Pick<State, "leftMs">;

/**
 * Several registers that change together or not at all, by two-phase commit (algorithms/intent.ts). The transaction's
 * record is made; each register gets its intent, one after the other in the order of their names, so that no two
 * transactions wait for each other; then the record is committed, in one change. From that moment all of it is there: the
 * intents are cleared, and the record goes last. Whoever began it may die at any step; others finish it.
 */
export class RegisterTransactions {
  constructor(
    private readonly registers: Registers,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly ids: Pick<Ids, "hexNonce">,
  ) {}

  /** Throws as `Changes.change` does: nothing was changed, except where it throws `outcome_unknown`. */
  async commit({ parts, keyed, signal }: TransactionRequest): Promise<TransactionOutcome> {
    const ordered = [...parts].sort((a, b) => (a.name < b.name ? -1 : 1));
    const deadlineMs = this.clock.monotonicMs() + LASTS_MS_MAX;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (attempt > 0)
        await this.clock.sleep(fullJitterMs(attempt, PAUSE_MS.base, PAUSE_MS.cap, this.random()), signal);
      const outcome = await this.#attempt(ordered, keyed, deadlineMs, signal);
      if (outcome.kind === "repeated") return repeatedBy(outcome.change, keyed, ordered);
      const before = outcome.kind === "mismatch" && keyed && (await this.#before(ordered, keyed));
      if (before) return before;
      if (outcome.kind !== "aborted") return outcome;
    }
    throw notCompleted();
  }

  /** What the time of a record is over for is finished here: nobody else did. */
  async end(recordName: string): Promise<void> {
    const changed = await this.registers.changes.change<boolean>(
      recordName,
      (state, { isOver }) => (isOver ? aborting(state, []) : KEEP),
      { seesEnd: true },
    );
    if (changed.kind !== "kept") return;
    const record = recordIn(changed.state.version?.json);
    if (record && record.state !== "active") await this.#finish(recordName, record);
  }

  async #attempt(
    parts: readonly Part[],
    keyed: Keyed | null,
    deadlineMs: number,
    signal?: AbortSignal,
  ): Promise<Attempted> {
    const recordName = registerName("record", "-", this.ids.hexNonce());
    const names = parts.map(({ name }) => name);
    const abandon = () =>
      this.#finish(recordName, { state: "aborted", names, told: NOTHING }).catch(() => {
        // Whoever meets an intent, or the upkeep, does it.
      });
    try {
      const creation = await this.#create(recordName, names);
      const placed = new Map<string, Placed>();
      for (const part of parts) {
        const intent = this.#intentOf(part, recordName, creation, homeOf(parts) === part.name ? keyed : null);
        const its = await this.#place(part, intent, deadlineMs, signal);
        if (its.kind !== "there") {
          await abandon();
          return its;
        }
        placed.set(part.name, its);
      }
      if (!(await this.#decide(recordName, creation, names, toldOf(changesIn(parts, placed))))) {
        await abandon();
        return { kind: "aborted" };
      }
      const found = new Map([...placed].map(([name, state]) => [name, toRegister(state)]));
      return { kind: "committed", changed: changesIn(parts, placed), found };
    } catch (error) {
      if (error instanceof Undecided) throw error.cause;
      // Nobody else commits it.
      void abandon();
      throw isUnknown(error) ? notCompleted() : error;
    }
  }

  /** The transaction begins. Returns the etag of its record. */
  async #create(recordName: string, names: readonly string[]): Promise<Ballot> {
    const record: TransactionRecord = { state: "active", names, told: NOTHING };
    const made = await this.registers.changes.change<null>(recordName, () => ({
      kind: "write",
      json: JSON.stringify(record),
      ttlMs: ACTIVE_MS,
      result: null,
      told: NOTHING,
    }));
    if (made.kind !== "written") throw new Error("the record of a transaction has a name of its own");
    return made.etag;
  }

  #intentOf(part: Part, record: string, creation: Ballot, keyed: Keyed | null): Intent {
    const etag = this.registers.changes.newEtag();
    return { record, creation, etag, write: part.write ?? null, keyed: keyed && { ...keyed, atMs: 0 } };
  }

  /** Notes an intent, once those of others are settled. */
  async #place(
    part: Part,
    intent: Intent,
    deadlineMs: number,
    signal?: AbortSignal,
  ): Promise<Placed | Exclude<Attempted, { kind: "committed" | "aborted" }>> {
    const { changes, intents } = this.registers;
    const etagOfNothing = changes.newEtag();
    const fn = (state: State, moment: Moment): Decision<Placing> =>
      placing(state, part, intent, { ...moment, etagOfNothing });
    for (;;) {
      // Others may come first again and again.
      if (this.clock.monotonicMs() > deadlineMs) throw notCompleted();
      const changed = await changes.change<Placing>(part.name, fn, { seesIntent: true, signal });
      if (changed.kind !== "kept") throw new Error("an intent is a replacement");
      const { result, state } = changed;
      switch (result.kind) {
        case "blocked":
          await intents.settle(part.name, result.by, signal);
          continue;
        case "mismatch": {
          const current = toRegister({ ...state, version: result.current });
          return { kind: "mismatch", name: part.name, part, current };
        }
        case "too_many_keyed":
          throw tooManyKeyed(KEYED_MAX);
        case "repeated":
          return result;
        default:
          return { kind: "there", version: result.version, leftMs: state.leftMs };
      }
    }
  }

  /** Whether it is committed, and else aborted. From here on nobody knows better than the record. */
  async #decide(
    recordName: string,
    creation: Ballot,
    names: readonly string[],
    told: string,
  ): Promise<boolean> {
    const record: TransactionRecord = { state: "committed", names, told };
    const fn = ({ version }: State): Decision<boolean> => {
      if (!canCommit(version, creation)) return { kind: "keep", result: false };
      return { kind: "write", json: JSON.stringify(record), ttlMs: DECIDED_MS, result: true, told: NOTHING };
    };
    try {
      const decided = await this.registers.changes.change(recordName, fn, { seesEnd: true });
      if (!("result" in decided && decided.result)) return false;
    } catch (error) {
      throw isUnknown(error) ? new Undecided(error) : error;
    }
    void this.#finish(recordName, record).catch(() => {
      // Whoever meets an intent, or the upkeep, does it.
    });
    return true;
  }

  /** Clears the intents of what is decided; then its record goes. */
  async #finish(recordName: string, record: TransactionRecord): Promise<void> {
    const { changes, intents } = this.registers;
    await Promise.all(record.names.map((name) => intents.clear(name, recordName, record)));
    const remove = ({ version }: State): Decision<boolean> =>
      version?.json == null ? KEEP : { kind: "write", json: null, ttlMs: null, result: true, told: NOTHING };
    await changes.change(recordName, remove, { seesEnd: true });
  }

  /** The earlier request may have changed what is checked, or somebody who came after it. */
  async #before(parts: readonly Part[], keyed: Keyed): Promise<TransactionOutcome | null> {
    const home = homeOf(parts);
    if (home === null) return null;
    const looked = await this.registers.changes.change(home, () => KEEP, { keyed });
    if (looked.kind === "key_mismatch") return looked;
    return looked.kind === "repeated" ? repeatedBy({ ...keyed, ...looked }, keyed, parts) : null;
  }
}

/** Only the very record that was made when it began, and while nobody has aborted it. */
function canCommit(version: Version | null, creation: Ballot): boolean {
  return version?.etag === creation && recordIn(version.json)?.state === "active";
}

function placing(
  { version, leftMs }: State,
  part: Part,
  intent: Intent,
  { nowMs, earliestMs, etagOfNothing }: Moment & { readonly etagOfNothing: Ballot },
): Decision<Placing> {
  const keyed = intent.keyed && { ...intent.keyed, atMs: nowMs };
  const result = place(version, part, { ...intent, keyed }, { etagOfNothing, earliestMs });
  if (result.kind !== "placed") return { kind: "keep", result };
  return { kind: "replace", version: result.version, leftMs, result };
}

/** Whether it was committed is not known. */
class Undecided extends Error {
  constructor(cause: unknown) {
    super("", { cause });
  }
}

const isUnknown = (error: unknown) => error instanceof CoordinationError && error.code === "outcome_unknown";

const KEEP = Object.freeze({ kind: "keep", result: false });

/** Tries of one request: each is aborted only by a writer that waited for it. */
const ATTEMPTS_MAX = 4;
const PAUSE_MS = { base: 10, cap: 500 };
/** After that no register is waited for any more, ms. */
const LASTS_MS_MAX = 5_000;
/** A transaction that was not decided by then is aborted, if nobody waits for it before, ms. */
const ACTIVE_MS = 10_000;
