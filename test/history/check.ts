import { checkBarriers } from "./barriers.js";
import { checkChanges } from "./changes.js";
import { checkCounters, checkLatches } from "./counts.js";
import { checkDeadlines } from "./deadlines.js";
import { checkElections } from "./elections.js";
import { checkExpiry } from "./expiry.js";
import { checkHolds } from "./holds.js";
import { checkMembers } from "./members.js";
import { withoutLostOffices, withoutOffices } from "./offices.js";
import type { History, Operation } from "./operation.js";
import { checkOrder } from "./order.js";
import { checkOwners } from "./owners.js";
import { checkRecovery } from "./recovery.js";
import { checkRegisters } from "./registers.js";
import { checkTokens } from "./tokens.js";
import { checkTransactions } from "./transactions.js";
import { checkTransfers } from "./transfers.js";
import { checkWatchers } from "./watchers.js";

/** A promise that was broken, and the operations that show it. */
export interface Violation {
  readonly promise: Promised;
  /** One sentence. */
  readonly what: string;
  /** In the order of their starts. */
  readonly operations: readonly Operation[];
}

export type Promised =
  /** Fencing tokens are unique and grow in real-time order. */
  | "tokens"
  /** One exclusive holder at a time. */
  | "holds"
  /** One leader per term, terms and values never go back, and no read contradicts a leader who may trust its term. */
  | "elections"
  /** Who waits in line is not overtaken. */
  | "order"
  /** A live member is never missing, a dead one is gone in time, a leave is seen, a change is never undone. */
  | "members"
  /** Each watcher is told of each member in order, of no event twice, and of the end of each incarnation once. */
  | "watchers"
  /** The same ringId gives the same owner for a key; a member that is gone owns nothing. */
  | "owners"
  /** Registers are linearizable, each by itself, and an etag names one version ever. */
  | "registers"
  /** Registers that change together are linearizable as one, and no money is made or lost. */
  | "transfers"
  /** Counters are linearizable, each by itself, and what is added is added once. */
  | "counters"
  /** Latches are linearizable, each by itself, and open once they were counted down as often as was set. */
  | "latches"
  /** Nobody is released before all have arrived, or told that he waits afterwards; generations only grow. */
  | "barriers"
  /** One decision ever, no commit without every yes, votes that were acknowledged count, and who voted yes learns the decision. */
  | "transactions"
  /** Nothing hangs. */
  | "deadlines"
  /** After the faults stop everything works again. */
  | "recovery";

/** All violations in a history; pure. `tell` (tell.ts) makes readable lines of one. */
export function check(history: History): Violation[] {
  const kept = withoutLostOffices(history);
  return [
    ...checkTokens(kept),
    ...checkHolds(kept),
    ...checkElections(kept),
    ...checkOrder(withoutOffices(history)),
    ...checkMembers(history),
    ...checkExpiry(history),
    ...checkChanges(history),
    ...checkWatchers(history),
    ...checkOwners(history),
    ...checkRegisters(history),
    ...checkTransfers(history),
    ...checkCounters(history),
    ...checkLatches(history),
    ...checkBarriers(history),
    ...checkTransactions(history),
    ...checkDeadlines(history),
    ...checkRecovery(history),
  ];
}

/** A violation with its operations in the order of time. */
export function violation(promise: Promised, what: string, ...operations: readonly Operation[]): Violation {
  return { promise, what, operations: [...operations].sort((a, b) => a.startMs - b.startMs || a.id - b.id) };
}
