import type { Decided, Refusal } from "../../algorithms/two-phase.js";
import { CoordinationError } from "../../errors.js";

/** Failures of transactions. */

export function alreadyDecided(decision: Decided): CoordinationError {
  return new CoordinationError(
    "already_decided",
    `The transaction is ${decision}, and stays so: carry out that decision. Nothing was changed.`,
    { help: { decision } },
  );
}

export function refusedBy(why: Exclude<Refusal, "already_decided">): CoordinationError {
  return REFUSALS[why];
}

const REFUSALS = {
  not_decided: new CoordinationError(
    "not_decided",
    "The transaction is not decided yet: there is nothing to acknowledge. Read it with waitMs until it is.",
  ),
  contrary_vote: new CoordinationError(
    "contrary_vote",
    "This participant has voted yes, which cannot be taken back: wait for the decision.",
  ),
  unknown_participant: new CoordinationError(
    "unknown_participant",
    "The transaction has no participant of this name: participants are named when it begins.",
  ),
  unknown_transaction: new CoordinationError(
    "not_found",
    "Nobody has begun a transaction with this id. A vote or an abort would leave it aborted.",
  ),
  begun_by_another: new CoordinationError(
    "idempotency_mismatch",
    "A transaction with this id was begun by another request. Use a new id for each transaction.",
  ),
} as const;

export function decisionForgotten(): CoordinationError {
  return new CoordinationError(
    "decision_forgotten",
    "Nothing is known of this id any more, and it is so old that its transaction may have been decided either way.",
  );
}

export function tooManyTransactions(): CoordinationError {
  return new CoordinationError(
    "too_many_transactions",
    "As many transactions as may be are stored, most of them decided and remembered. Nothing was changed: those that have begun go on; begin others later.",
    { help: { retryAfterMs: 60_000 } },
  );
}

/** It was begun, but those that are to be called for it may not be known. */
export function callsInDoubt(cause: unknown): CoordinationError {
  return new CoordinationError(
    "outcome_unknown",
    "The transaction is begun, but its participants may not be called: without their votes it is aborted at its deadline. With an id of your own the same request can be sent again.",
    { cause },
  );
}

/** A commit must not be proposed when a lease is nearly over. */
export function leasesTooSlow(): CoordinationError {
  return new CoordinationError(
    "no_quorum",
    "A majority of the primaries renewed the leases that the transaction names, but so late that less than a second was left of them. Nothing was decided: try again.",
    { help: { retryAfterMs: 1_000 } },
  );
}
