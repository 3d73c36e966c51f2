import { createHash } from "node:crypto";
import type { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { UUID_V7 } from "../../algorithms/two-phase.js";
import type { Callees, TransactionName } from "../../primitives/transactions/callbacks.js";
import {
  alreadyDecided,
  callsInDoubt,
  decisionForgotten,
  refusedBy,
  tooManyTransactions,
} from "../../primitives/transactions/transaction-failures.js";
import type { Inspected, Outcome, Told } from "../../primitives/transactions/transactions.js";
import { grantedTo, lacks, permittedOf } from "../access/authorization.js";
import type { Dependencies, Env } from "../context.js";
import { assertMayUse } from "../leases/binding.js";
import type { Routes } from "../registration.js";
import { invalidFields } from "../requests/invalid.js";
import { body, json } from "../responses/content.js";
import { Reply } from "../responses/reply.js";
import { inFlightOf } from "../server/admission.js";
import { transactionEventsRoute } from "./events-route.js";
import * as examples from "./examples.js";
import { listTransactionsRoute } from "./list-route.js";
import {
  AbortBody,
  AcknowledgeBody,
  BeginBody,
  TransactionParams,
  TransactionQuery,
  TransactionSchema,
  VoteBody,
} from "./schemas.js";
import { toJson } from "./to-json.js";

export function transactionRoutes(routes: Routes, dependencies: Dependencies): void {
  beginRoute(routes, dependencies);
  readRoute(routes, dependencies);
  listTransactionsRoute(routes, dependencies);
  transactionEventsRoute(routes, dependencies);
  voteRoute(routes);
  acknowledgeRoute(routes);
  abortRoute(routes);
}

function beginRoute(routes: Routes, { callbackDeliveries }: Dependencies): void {
  routes.add({
    method: "post",
    path: "/v1/transactions",
    operationId: "beginTransaction",
    needs: { action: "use", act: "begin-transaction", kind: "transactions", names: "listed" },
    tags: ["transactions"],
    summary: "Begin a transaction",
    description:
      "Participants prepare what they have to do, vote, wait for the decision, do it, and acknowledge. It is committed once all have voted yes, and aborted by the first no, by an abort, or at its deadline. Leases that it names must be held then; one that is not held now is refused. Participants with a URL in callbacks are called by POST instead, signed as Standard Webhooks are: with the type prepare, which they answer with {vote, reason}, and then commit or abort, until they answer with a status from 200 to 299. Hosts must be listed in QUORATE_CALLBACK_ALLOW.",
    request: { body: body(BeginBody, examples.begins) },
    answer: json("It had been begun by the same request.", TransactionSchema, examples.begun),
    otherAnswers: { 201: json("It is begun.", TransactionSchema, examples.begun) },
    problems: [...PROBLEMS, "too_many_transactions", "idempotency_mismatch", "lease_lost", "lease_mismatch"],
    handle: async ({ body }, { transactions, namespace }, c) => {
      const { id: chosen, participants, deadlineMs, payload, leases = [] } = body;
      const id = chosen === undefined ? transactions.newId() : idOf(chosen);
      if (chosen !== undefined) assertGranted(c, id);
      const callees = calleesIn(body);
      if (callees) callbackDeliveries.check(callees.urls);
      const text = payload === undefined ? null : JSON.stringify(payload);
      for (const { kind, names } of leases) assertMayUse(c, kind, names);
      const begunBy = digest(partsOf(body, text, callees));
      const terms = { participants, payload: text, begunBy, leases };
      const outcome = await transactions.begin(id, terms, deadlineMs);
      const told = toldBy(outcome);
      if (callees) await callBack(callbackDeliveries, { namespace: namespace.name, id }, callees);
      const answer = toJson(id, told);
      const headers = { "content-type": "application/json" };
      const isNew = outcome.kind === "told" && outcome.isNew;
      return new Reply(isNew ? 201 : 200, JSON.stringify(answer), headers, answer);
    },
  });
}

function readRoute(routes: Routes, { clock, stopping, revocations }: Dependencies): void {
  routes.add({
    method: "get",
    path: "/v1/transactions/{id}",
    operationId: "getTransaction",
    needs: { action: "read", kind: "transactions", names: { inPath: "id" } },
    tags: ["transactions"],
    summary: "Read a transaction, or wait for its decision",
    description:
      "With waitMs the answer comes as soon as it is decided, or as it is after that time. It changes nothing: one whose deadline has passed is active until a vote or the service, within some seconds, aborts it.",
    request: { params: TransactionParams, query: TransactionQuery },
    answer: json("The transaction.", TransactionSchema, examples.transactions),
    problems: ["not_found", "decision_forgotten", "no_quorum", "contended", "outcome_unknown"],
    handle: async ({ params, query: { waitMs = 0 } }, { transactions }, c) => {
      const id = idOf(params.id);
      const deadlineMs = clock.monotonicMs() + waitMs;
      const wait = (signal: AbortSignal): Promise<Inspected> =>
        transactions.decided(id, deadlineMs, signal, inFlightOf(c));
      const { told } =
        waitMs === 0
          ? await transactions.get(id)
          : await revocations.during(permittedOf(c), c.req.raw.signal, (allowed) =>
              stopping.during(allowed, wait),
            );
      if (told?.transaction.state === "active" && waitMs > 0) stopping.assertNot();
      if (told === null)
        throw transactions.isOld(id) ? decisionForgotten() : refusedBy("unknown_transaction");
      return toJson(id, told);
    },
  });
}

function voteRoute(routes: Routes): void {
  routes.add({
    method: "post",
    path: "/v1/transactions/{id}/vote",
    operationId: "voteOnTransaction",
    needs: { action: "use", act: "vote", kind: "transactions", names: { inPath: "id" } },
    tags: ["transactions"],
    summary: "Vote on a transaction",
    description:
      "The last yes commits it, a no aborts it. Where the transaction names leases, the last yes renews them, and aborts it if one has ended; while no majority can tell, it does not count, and can be sent again. The same vote can be sent again. A vote for an id that nobody has begun leaves it aborted, so that it cannot begin any more.",
    request: { params: TransactionParams, body: body(VoteBody, examples.votes) },
    answer: json("The vote counts.", TransactionSchema, examples.voted),
    problems: [...PROBLEMS, "too_many_transactions", "contrary_vote", "unknown_participant"],
    handle: async ({ params, body: { participant, vote, reason } }, { transactions }) => {
      const id = idOf(params.id);
      return toJson(id, toldBy(await transactions.vote(id, participant, vote, reason ?? null)));
    },
  });
}

function acknowledgeRoute(routes: Routes): void {
  routes.add({
    method: "post",
    path: "/v1/transactions/{id}/acknowledge",
    operationId: "acknowledgeTransaction",
    needs: { action: "use", act: "acknowledge", kind: "transactions", names: { inPath: "id" } },
    tags: ["transactions"],
    summary: "Say that a participant has done what was decided",
    description: "Once all have, the transaction is ended, and remembered for 24 hours more.",
    request: { params: TransactionParams, body: body(AcknowledgeBody, examples.acknowledgements) },
    answer: json("It is noted.", TransactionSchema, examples.acknowledged),
    problems: [...PROBLEMS, "not_found", "not_decided", "unknown_participant"],
    handle: async ({ params, body: { participant } }, { transactions }) => {
      const id = idOf(params.id);
      return toJson(id, toldBy(await transactions.acknowledge(id, participant)));
    },
  });
}

function abortRoute(routes: Routes): void {
  routes.add({
    method: "post",
    path: "/v1/transactions/{id}/abort",
    operationId: "abortTransaction",
    needs: { action: "use", act: "abort-transaction", kind: "transactions", names: { inPath: "id" } },
    tags: ["transactions"],
    summary: "Abort a transaction",
    description: "Unless it is committed. An id that nobody has begun is aborted as well.",
    request: { params: TransactionParams, body: body(AbortBody, examples.aborts) },
    answer: json("It is aborted.", TransactionSchema, examples.abortedByHand),
    problems: [...PROBLEMS, "too_many_transactions"],
    handle: async ({ params, body: { reason } }, { transactions }) => {
      const id = idOf(params.id);
      return toJson(id, toldBy(await transactions.abort(id, reason)));
    },
  });
}

const PROBLEMS = [
  "already_decided",
  "decision_forgotten",
  "no_quorum",
  "contended",
  "outcome_unknown",
] as const;

function idOf(text: string): string {
  if (!UUID_V7.test(text))
    throw invalidFields([{ field: "id", detail: "must be a UUID of version 7 in lower case" }]);
  return text;
}

/** What one request to begin has in common with its repetition. Those without leases are as they were before there were any. */
function partsOf(
  { participants, deadlineMs, leases = [] }: z.output<typeof BeginBody>,
  payload: string | null,
  callees: Terms | null,
): string {
  const of = (part: object | null) => (part ? [part] : []);
  const named = leases.map(({ kind, names, leaseId, fencingToken }) => [kind, names, leaseId, fencingToken]);
  return JSON.stringify([
    participants,
    deadlineMs,
    payload,
    ...of(callees),
    ...(named.length > 0 ? [{ named }] : []),
  ]);
}

type Terms = Omit<Callees, "caller">;

/** Whom the service is to call; null: nobody. */
function calleesIn({ participants, callbacks, callbackSecret }: z.output<typeof BeginBody>): Terms | null {
  if (callbacks === undefined && callbackSecret === undefined) return null;
  if (callbacks === undefined || callbackSecret === undefined)
    throw invalidFields([{ field: "callbackSecret", detail: "belongs together with callbacks" }]);
  const stranger = Object.keys(callbacks).find((name) => !participants.includes(name));
  if (stranger !== undefined)
    throw invalidFields([{ field: `callbacks.${stranger}`, detail: "must be one of the participants" }]);
  return { urls: callbacks, secret: callbackSecret };
}

/** The transaction is begun already: nobody may be told that nothing was done. */
async function callBack(
  deliveries: Dependencies["callbackDeliveries"],
  name: TransactionName,
  callees: Terms,
): Promise<void> {
  try {
    await deliveries.begin(name, callees);
  } catch (error) {
    throw callsInDoubt(error);
  }
}

/** An id in a body is judged as those in paths are. */
function assertGranted(c: Context<Env>, id: string): void {
  if (grantedTo(c).match(id)) return;
  const { namespace, kind, action } = permittedOf(c);
  throw lacks({ namespace, kind, action, name: id });
}

function toldBy(outcome: Outcome): Told {
  switch (outcome.kind) {
    case "told":
      return outcome;
    case "forgotten":
      throw decisionForgotten();
    case "ahead":
      throw invalidFields([{ field: "id", detail: "has a time in it that is more than an hour ahead" }]);
    case "full":
      throw tooManyTransactions();
    case "refused": {
      if (outcome.why !== "already_decided") throw refusedBy(outcome.why);
      throw alreadyDecided(outcome.transaction?.decision ?? "aborted");
    }
  }
}

/** Of what began a transaction, to tell it from another: 128 bits. */
function digest(text: string): string {
  return createHash("sha256").update(text).digest().subarray(0, 16).toString("base64url");
}
