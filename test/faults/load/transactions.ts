import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { uuidV7 } from "../../../src/algorithms/two-phase.js";
import type { Outcome, Request } from "../../history/operation.js";
import { decisionIn } from "../../history/transactions.js";
import type { Reply } from "../cluster/http.js";
import { type Asker, isOpen, Requests } from "./asking.js";
import { failed, type Lease } from "./lock-service.js";
import { acquire, type LockUser, release, someInstance } from "./locks.js";

/** Who begins transactions, some of them under a lock. */
export type Coordinator = Asker & LockUser;

/**
 * Transactions across services, one after the other: somebody begins, or dies before that, or aborts; the participants vote, some
 * too late or never, and whoever voted yes asks until it knows the decision, also beyond the end of all else. Many name a lock
 * that whoever begins has, and gives back meanwhile.
 */
export async function agree(user: Coordinator): Promise<void> {
  const { chance, signal, id } = user;
  for (let turn = 1; !signal.aborted; turn++) {
    const transaction = uuidV7(Date.now(), randomBytes(10).toString("hex"));
    const participants = PARTICIPANTS.slice(0, chance.whole(1, PARTICIPANTS.length));
    const deed = await underALock({ ...user, chance: chance.stream(`${id}, lock ${turn}`) });
    const shortMs = chance.pick([400, 1_000, 3_000]);
    const deadlineMs = deed?.isForgotten ? FORGOTTEN_DEADLINE_MS : shortMs;
    const begin = { kind: "begin", transaction, participants, deadlineMs } as const;
    const beginning = coordinate(user, deed ? { ...begin, lease: deed.lease } : begin);
    // Most are told of it by whoever began it.
    if (chance.happens(0.9)) await beginning;
    const voting = participants.map((participant, place) =>
      participate(user, transaction, {
        participant,
        deadlineMs,
        afterMs: deed?.isForgotten && place === 0 ? ENDED_AFTER_MS : 0,
      }),
    );
    await Promise.all([beginning, deed?.end(), ...voting]);
    await sleep(chance.between(0.2, 1.8) * user.thinkMs);
  }
}

/** The lock that a transaction names. */
interface Deed {
  readonly lease: Lease;
  /** It is not given back, and ends before the last vote. */
  readonly isForgotten: boolean;
  /** Gives it back before the last vote, while it is under way, or afterwards. */
  end(): Promise<void>;
}

/** Null: another has it, nobody can tell, or none is wanted. */
async function underALock(user: Coordinator): Promise<Deed | null> {
  const { chance, thinkMs } = user;
  if (!chance.happens(UNDER_A_LOCK)) return null;
  const name = chance.pick(DEEDS);
  const ask = { name, ttlMs: chance.pick([500, 1_000, 3_000]), waitMs: chance.whole(0, 200) };
  const answer = await acquire(user, someInstance(user), ask);
  if (answer.kind !== "granted") return null;
  const lease = { name, leaseId: answer.leaseId, token: answer.token };
  const isForgotten = chance.happens(FORGOTTEN);
  const end = async () => {
    if (isForgotten) return;
    await sleep(chance.between(0, 2) * thinkMs);
    await release(user, someInstance(user), lease);
  };
  return { lease, isForgotten, end };
}

async function coordinate(user: Asker, request: Extract<Request, { kind: "begin" }>): Promise<void> {
  const { chance, thinkMs } = user;
  using requests = new Requests(user);
  const { transaction, participants, deadlineMs, lease } = request;
  if (chance.happens(DIES)) return;
  await sleep(chance.between(0, 0.3) * thinkMs);
  const leases = lease && [
    { kind: "locks", names: [lease.name], leaseId: lease.leaseId, fencingToken: lease.token },
  ];
  const body = { id: transaction, participants, deadlineMs, leases };
  await requests.insist(request, { method: "POST", path: "/v1/transactions", body }, standing, 4);
  if (!chance.happens(ABORTS)) return;
  await sleep(chance.between(0, 1) * thinkMs);
  const sent = {
    method: "POST",
    path: `/v1/transactions/${transaction}/abort`,
    body: { reason: "for a test" },
  };
  await requests.ask({ kind: "abort", transaction }, sent, standing);
}

async function participate(
  coordinator: Asker,
  transaction: string,
  {
    participant,
    deadlineMs,
    afterMs,
  }: { readonly participant: string; readonly deadlineMs: number; readonly afterMs: number },
): Promise<void> {
  const { chance, thinkMs } = coordinator;
  const user = { ...coordinator, id: `${coordinator.id}-${participant}` };
  using requests = new Requests(user);
  const path = `/v1/transactions/${transaction}`;
  const cast = (vote: "yes" | "no", triesMax: number) =>
    requests.insist(
      { kind: "vote", transaction, participant, vote },
      { method: "POST", path: `${path}/vote`, body: { participant, vote } },
      standing,
      triesMax,
    );
  const its = chance.weighted({ yes: 16, no: 1, late: 1, never: 1 });
  if (its === "never") return;
  await sleep(afterMs);
  if (its === "late") await sleep(deadlineMs * chance.between(0.8, 1.2));
  else await sleep(chance.between(0, 1) * thinkMs);
  let outcome = await cast(its === "no" ? "no" : "yes", 4);
  if (its === "no") return;
  if (chance.happens(CHANGES_ITS_MIND)) await cast("no", 1);
  if (decisionIn(outcome) === null) outcome = await learn(user, requests, transaction);
  if (decisionIn(outcome) === null || chance.happens(0.2)) return;
  const sent = { method: "POST", path: `${path}/acknowledge`, body: { participant } };
  await requests.ask({ kind: "acknowledge", transaction, participant }, sent, standing);
}

/** Waits for the decision until it is told, or nobody knows of the transaction; in vain only long after all faults. */
async function learn({ chance, signal, thinkMs }: Asker, requests: Requests, transaction: string) {
  let endMs = Number.POSITIVE_INFINITY;
  for (;;) {
    const waitMs = chance.whole(100, 1_000);
    const sent = { method: "GET", path: `/v1/transactions/${transaction}?waitMs=${waitMs}` };
    const outcome = await requests.ask({ kind: "decision", transaction, waitMs }, sent, standing);
    if (decisionIn(outcome) !== null) return outcome;
    if (outcome.kind === "failed" && outcome.code === "not_found") return outcome;
    if (signal.aborted) endMs = Math.min(endMs, performance.now() + LEARNS_WITHIN_MS);
    if (performance.now() > endMs) return outcome;
    if (isOpen(outcome)) await sleep(thinkMs);
  }
}

function standing({ status, code, body }: Reply): Outcome {
  if (code === "already_decided") return { kind: "decided", decision: body.decision };
  if (status !== 200 && status !== 201) return failed(status, code);
  const { decision, reason, participants } = body as {
    decision: "committed" | "aborted" | null;
    reason: string | null;
    participants: readonly { readonly name: string; readonly vote: "yes" | "no" | null }[];
  };
  return {
    kind: "stands",
    decision,
    ...(reason !== null && { reason }),
    votes: Object.fromEntries(participants.map(({ name, vote }) => [name, vote])),
  };
}

const PARTICIPANTS = ["stock", "payment", "mail"];
/** Locks that transactions name. */
const DEEDS = ["deed-0", "deed-1", "deed-2"];
/** Shares of those who begin. */
const DIES = 0.05;
const ABORTS = 0.1;
const UNDER_A_LOCK = 0.6;
/** Of those under a lock. */
const FORGOTTEN = 0.03;
/** Whoever begins renews its leases: one that is not given back has ended by then, ms. */
const ENDED_AFTER_MS = 5_200;
const FORGOTTEN_DEADLINE_MS = 9_000;
/** Of those who voted yes. */
const CHANGES_ITS_MIND = 0.05;
/** The longest deadline, and what the upkeep takes, on a busy machine, ms. */
const LEARNS_WITHIN_MS = 20_000;
