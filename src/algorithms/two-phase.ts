/**
 * Two-phase commit on one register per transaction: what each message makes of it. Pure. A decision is made once, in the
 * change that makes it certain: the last yes commits, a no or the deadline aborts. Source: Gray, "Notes on Data Base
 * Operating Systems" (1978); Mohan and Lindsay, for presumed abort: what nobody knows of was not committed.
 */
export interface Transaction {
  readonly state: TransactionState;
  /** Null: there is none yet. Once there is one it never changes. */
  readonly decision: Decided | null;
  /** Why it was aborted. */
  readonly reason: string | null;
  /** None where a vote came for a transaction that nobody knew of. */
  readonly participants: readonly Participant[];
  /** What participants are told to do, as JSON. */
  readonly payload: string | null;
  /** Digest of the request that began it; null: none did. */
  readonly begunBy: string | null;
  /** Leases that must be held for it to commit; missing: none. */
  readonly leases?: readonly NamedLease[];
}

/** A lease that a transaction names. */
export interface NamedLease {
  readonly kind: "locks" | "semaphores" | "elections";
  /** All that it holds, as the API has them. */
  readonly names: readonly string[];
  readonly fencingToken: number;
  /** Its secret, to renew it by: missing once the transaction is decided. Never shown, never logged. */
  readonly leaseId?: string;
}

/** `ended`: decided, and every participant knows. */
export type TransactionState = "active" | Decided | "ended";
export type Decided = "committed" | "aborted";
export type Vote = "yes" | "no";

export interface Participant {
  readonly name: string;
  readonly vote: Vote | null;
  /** It has carried out the decision, and need not be told any more. */
  readonly acknowledged: boolean;
}

/** What a message makes of a transaction. */
export type Step =
  | { readonly kind: "changed"; readonly next: Transaction }
  /** It was as asked for already. */
  | { readonly kind: "same" }
  /** It needs leases that have to be renewed first. */
  | { readonly kind: "unheld"; readonly leases: readonly NamedLease[] }
  | {
      readonly kind: "refused";
      readonly why: Refusal;
      /** What becomes of it all the same: a vote that comes too late aborts. */
      readonly next?: Transaction;
    };

export type Refusal =
  | "already_decided"
  | "not_decided"
  | "contrary_vote"
  | "unknown_participant"
  | "unknown_transaction"
  /** The id was used for another one. */
  | "begun_by_another";

/** A transaction as a change finds it; null: nobody knows of it. */
export interface Seen {
  readonly transaction: Transaction | null;
  /** An active one has not been decided in its time. */
  readonly isOver: boolean;
  /** Whether the leases that it names are held. `unknown`: nobody has looked, or too long ago. `lost`: not all are. */
  readonly leases: "held" | "lost" | "unknown";
}

export interface Begin {
  readonly participants: readonly string[];
  readonly payload: string | null;
  readonly begunBy: string;
  readonly leases?: readonly NamedLease[] | undefined;
}

export function begin(
  { transaction, leases: areHeld }: Seen,
  { participants, payload, begunBy, leases = [] }: Begin,
): Step {
  if (transaction?.begunBy === begunBy) return SAME;
  // A vote came first, and found nothing.
  if (transaction && transaction.begunBy === null) return refused("already_decided");
  if (transaction) return refused("begun_by_another");
  if (leases.length > 0 && areHeld !== "held") return { kind: "unheld", leases };
  const all = participants.map((name) => ({ name, vote: null, acknowledged: false }));
  const named = leases.length > 0 && { leases };
  return changed({
    state: "active",
    decision: null,
    reason: null,
    participants: all,
    payload,
    begunBy,
    ...named,
  });
}

export function vote(seen: Seen, name: string, its: Vote, reason: string | null): Step {
  const { transaction, isOver } = seen;
  if (transaction === null) return refused("already_decided", UNKNOWN_ABORTED);
  const { participants, decision } = transaction;
  const participant = participants.find((one) => one.name === name);
  if (!participant && transaction.begunBy !== null) return refused("unknown_participant");
  if (participant?.vote === its) return SAME;
  if (decision !== null) return refused("already_decided");
  if (isOver) return refused("already_decided", aborted(transaction, OVER));
  if (participant?.vote) return refused("contrary_vote");
  const voted = { ...transaction, participants: withOne(participants, name, { vote: its }) };
  if (its === "no") return changed(aborted(voted, reason ?? `${name} voted no`));
  const isLast = voted.participants.every((one) => one.vote === "yes");
  if (!isLast) return changed(voted);
  const { leases = [] } = voted;
  if (leases.length === 0 || seen.leases === "held") return changed(decided(voted, "committed", null));
  return seen.leases === "lost" ? changed(aborted(voted, LEASE_LOST)) : { kind: "unheld", leases };
}

export function abort({ transaction, isOver }: Seen, reason: string): Step {
  if (transaction === null) return changed({ ...UNKNOWN_ABORTED, reason });
  if (transaction.decision === "aborted") return SAME;
  if (transaction.decision === "committed") return refused("already_decided");
  return changed(aborted(transaction, isOver ? OVER : reason));
}

export function acknowledge({ transaction, isOver }: Seen, name: string): Step {
  if (transaction === null) return refused("unknown_transaction");
  const { participants, decision } = transaction;
  const participant = participants.find((one) => one.name === name);
  if (!participant) return refused("unknown_participant");
  if (decision === null)
    return isOver ? refused("not_decided", aborted(transaction, OVER)) : refused("not_decided");
  if (participant.acknowledged) return SAME;
  const all = withOne(participants, name, { acknowledged: true });
  const state = all.every((one) => one.acknowledged) ? "ended" : transaction.state;
  return changed({ ...transaction, participants: all, state });
}

/** Whoever looks for transactions whose time is over. */
export function expire({ transaction, isOver }: Seen): Step {
  if (!isOver || transaction?.decision !== null) return SAME;
  return changed(aborted(transaction, OVER));
}

/** How a decided transaction is told of that took no part in a decision: it was never begun, and never will be. */
export const UNKNOWN_ABORTED: Transaction = Object.freeze({
  state: "aborted",
  decision: "aborted",
  reason: "nobody had begun it when a message about it came",
  participants: [],
  payload: null,
  begunBy: null,
});

/** How long what was decided is known once nobody needs it any more, and ids are taken for new ones, ms. */
export const REMEMBERED_MS = 86_400_000;

/** How long a decision is kept for participants that have not acknowledged it, ms: 30 days. */
export const UNACKNOWLEDGED_MS = 30 * REMEMBERED_MS;

/**
 * What an id of which nothing is known may be, by the time in it. `forgotten`: its transaction may have been decided and
 * removed, so nobody may take it for a new one. `ahead`: it would be taken for a new one for too long.
 */
export function ageOf(id: string, nowMs: number): "new" | "forgotten" | "ahead" {
  const madeMs = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
  if (nowMs - madeMs > REMEMBERED_MS / 2) return "forgotten";
  return madeMs - nowMs > AHEAD_MS_MAX ? "ahead" : "new";
}

/** A UUID of version 7, in lower case: it begins with the time when it was made. Source: RFC 9562, 5.7. */
export const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** @param random 20 hex digits. */
export function uuidV7(nowMs: number, random: string): string {
  const time = Math.floor(nowMs).toString(16).padStart(12, "0");
  const variant = ((Number.parseInt(random.slice(3, 4), 16) & 3) | 8).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-${variant}${random.slice(4, 7)}-${random.slice(7, 19)}`;
}

/** Below all ids that were made at this time or later. */
export const firstIdOf = (madeMs: number): string => uuidV7(Math.max(0, madeMs), "0".repeat(20));

/** Ids that were made longer ago belong to nothing that is undecided: half a day before it begins, a day, and clocks, ms. */
export const UNDECIDED_MS_MAX = 2 * REMEMBERED_MS;

/** Why a transaction is aborted whose last vote finds that a lease has ended that it names. */
export const LEASE_LOST = "lease_lost";

const OVER = "its deadline passed";
const AHEAD_MS_MAX = 3_600_000;
const SAME: Step = Object.freeze({ kind: "same" });

const changed = (next: Transaction): Step => ({ kind: "changed", next });

const refused = (why: Refusal, next?: Transaction): Step => ({ kind: "refused", why, ...(next && { next }) });

const aborted = (transaction: Transaction, reason: string) => decided(transaction, "aborted", reason);

function decided(
  { leases, ...transaction }: Transaction,
  decision: Decided,
  reason: string | null,
): Transaction {
  const told = leases && { leases: leases.map(({ leaseId: _secret, ...lease }) => lease) };
  return { ...transaction, ...told, state: decision, decision, reason };
}

function withOne(
  participants: readonly Participant[],
  name: string,
  change: Partial<Participant>,
): readonly Participant[] {
  return participants.map((one) => (one.name === name ? { ...one, ...change } : one));
}
