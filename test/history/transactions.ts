import { type Violation, violation } from "./check.js";
import type { Call, Sequential } from "./linearizability/linearizable.js";
import { judge, lossOf } from "./objects.js";
import {
  asked,
  type Decision,
  done,
  groupBy,
  type History,
  type Operation,
  type Outcome,
  ofKind,
  type Request,
} from "./operation.js";

/**
 * Transactions across services are linearizable, each by itself: so there is one decision ever, none is a commit but with the yes
 * of each participant, none whose lease had ended before its last yes, and what was acknowledged counts. And whoever voted yes
 * learns the decision, before recording ends.
 */
export function checkTransactions({ operations, events }: History): Violation[] {
  const all = asked(operations, "begin", "vote", "acknowledge", "abort", "decision");
  const jumps = ofKind(events, "clock_jump").length > 0;
  const endedMs = endsOf(operations);
  return [...groupBy(all, ({ request }) => request.transaction)].flatMap(([name, its]) => [
    ...judge({
      promise: "transactions",
      name,
      operations: knowing(its, endedMs),
      events,
      object: transaction,
      tells,
      more: [...deadlines(its, jumps), ...losses(its)],
    }),
    ...(lossOf(its, events) < Number.POSITIVE_INFINITY ? [] : unaware(name, its)),
  ]);
}

type TransactionRequest =
  | Extract<Request, { kind: "begin" | "acknowledge" | "abort" | "decision" }>
  /** `comesTooLate`: for the lease. */
  | (Extract<Request, { kind: "vote" }> & { readonly comesTooLate?: true });
type TransactionOperation = Operation & { readonly request: TransactionRequest };
type Input = TransactionRequest | { readonly kind: "expire" } | { readonly kind: "lose" };

const tells = (outcome: Outcome) =>
  outcome.kind === "stands" ||
  outcome.kind === "decided" ||
  (outcome.kind === "failed" && (outcome.code === "not_found" || outcome.code === "contrary_vote"));

/** It may be aborted by itself, but not before its time. */
function deadlines(operations: readonly TransactionOperation[], jumps: boolean): Call<Input, Outcome>[] {
  return operations.flatMap(({ request, startMs }) =>
    request.kind === "begin"
      ? [
          {
            input: { kind: "expire" },
            startMs: startMs + (jumps ? 0 : request.deadlineMs * (1 - DRIFT)),
            answer: null,
          },
        ]
      : [],
  );
}

/** The lease that it names may end at any time. */
function losses(operations: readonly TransactionOperation[]): Call<Input, Outcome>[] {
  return operations.flatMap(({ request, startMs }) =>
    request.kind === "begin" && request.lease ? [{ input: { kind: "lose" }, startMs, answer: null }] : [],
  );
}

type NamedLease = NonNullable<Extract<Request, { kind: "begin" }>["lease"]>;

/** When a lease had ended for sure: it was released, or a later holder had its lock. Infinite: nothing shows it. */
function endsOf(operations: readonly Operation[]): (lease: NamedLease) => number {
  const releases = groupBy(done(operations, "release", "released"), ({ request }) => request.leaseId);
  const grants = groupBy(done(operations, "acquire", "granted"), ({ request }) => request.name);
  return ({ name, leaseId, token }) => {
    const later = (grants.get(name) ?? []).filter(({ outcome }) => outcome.token > token);
    return [...(releases.get(leaseId) ?? []), ...later].reduce(
      (first, { endMs }) => Math.min(first, endMs),
      Number.POSITIVE_INFINITY,
    );
  };
}

/** With the votes that were sent when the lease had ended. One that was under way may have renewed it before, and commit afterwards. */
function knowing(
  its: readonly TransactionOperation[],
  endedMs: (lease: NamedLease) => number,
): readonly TransactionOperation[] {
  const lease = its.flatMap(({ request }) => (request.kind === "begin" && request.lease) || [])[0];
  if (!lease) return its;
  const leaseEndedMs = endedMs(lease);
  return its.map((one) => {
    const { request, startMs } = one;
    if (request.kind !== "vote" || startMs <= leaseEndedMs) return one;
    return { ...one, request: { ...request, comesTooLate: true as const } };
  });
}

/** Those whose yes counts, or may count, and who were never told a decision. */
function unaware(name: string, operations: readonly TransactionOperation[]): Violation[] {
  const voted = operations.filter(
    ({ request, outcome }) => request.kind === "vote" && request.vote === "yes" && outcome?.kind === "stands",
  );
  return [...groupBy(voted, ({ client }) => client)].flatMap(([client, votes]) => {
    const told = operations.some((one) => one.client === client && decisionIn(one.outcome) !== null);
    return told ? [] : [violation("transactions", `${client} never learns what became of ${name}`, ...votes)];
  });
}

export function decisionIn(outcome: Outcome | null): Decision | null {
  return outcome?.kind === "stands" || outcome?.kind === "decided" ? outcome.decision : null;
}

interface State {
  readonly decision: Decision | null;
  /** By participant; null: nobody has begun it, and nobody will. */
  readonly votes: Readonly<Record<string, "yes" | "no" | null>> | null;
  /** Of the lease that it names; missing: it names none. */
  readonly lease?: "held" | "lost";
}

/** Null: nothing is known of it. */
const transaction: Sequential<State | null, Input, Outcome> = {
  initial: null,
  step(before, input, output) {
    const { after, answer } = meeting(before, input);
    if (!output) return wholeOf(after) === wholeOf(before) ? undefined : after;
    return answer === tellOf(output) ? after : undefined;
  },
  key: wholeOf,
};

/** What a message makes of a transaction, and what its sender is told. */
function meeting(before: State | null, input: Input): { after: State | null; answer: string } {
  const stays = (answer: string) => ({ after: before, answer });
  const becomes = (after: State) => ({ after, answer: keyOf(after) });
  const aborted: State = { ...before, decision: "aborted", votes: before?.votes ?? null };
  switch (input.kind) {
    case "expire":
      return before?.decision === null ? becomes(aborted) : stays("");
    case "lose":
      return { after: before?.lease ? { ...before, lease: "lost" } : before, answer: "" };
    case "begin": {
      if (before) return stays(before.votes ? keyOf(before) : "decided aborted");
      return becomes({
        decision: null,
        votes: Object.fromEntries(input.participants.map((name) => [name, null])),
        ...(input.lease && { lease: "held" as const }),
      });
    }
    case "abort":
      return before?.decision === "committed" ? stays("decided committed") : becomes(aborted);
    case "vote":
      return voting(before, input);
    case "acknowledge":
    case "decision":
      return stays(before ? keyOf(before) : "failed not_found");
  }
}

function voting(
  before: State | null,
  { participant, vote, comesTooLate }: Extract<Input, { kind: "vote" }>,
): { after: State | null; answer: string } {
  if (!before) return { after: { decision: "aborted", votes: null }, answer: "decided aborted" };
  const its = before.votes?.[participant];
  if (its === vote) return { after: before, answer: keyOf(before) };
  if (before.decision !== null) return { after: before, answer: `decided ${before.decision}` };
  if (its) return { after: before, answer: "failed contrary_vote" };
  const votes = { ...before.votes, [participant]: vote };
  const isCommitted = Object.values(votes).every((one) => one === "yes");
  const isLost = before.lease === "lost" || (before.lease === "held" && comesTooLate);
  const last = isLost ? "aborted" : "committed";
  const decision = vote === "no" ? "aborted" : isCommitted ? last : null;
  const after: State = { ...before, decision, votes };
  return { after, answer: keyOf(after) };
}

function tellOf(outcome: Outcome): string {
  switch (outcome.kind) {
    case "stands":
      return keyOf(outcome);
    case "decided":
      return `decided ${outcome.decision}`;
    case "failed":
      return `failed ${outcome.code}`;
    default:
      return outcome.kind;
  }
}

/** With what nobody is told. */
function wholeOf(state: State | null): string {
  return `${keyOf(state)} ${state?.lease ?? ""}`;
}

function keyOf(state: State | null): string {
  if (!state) return "";
  const votes = Object.entries(state.votes ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${state.decision} ${votes.map(([name, vote]) => `${name}=${vote}`).join(" ")}`;
}

/** Clocks of primaries and the driver's differ in speed by so much. */
const DRIFT = 0.02;
