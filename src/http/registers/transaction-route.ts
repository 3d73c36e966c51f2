import type { z } from "@hono/zod-openapi";
import type { Part } from "../../algorithms/intent.js";
import { keyedOf } from "../../primitives/registers/keyed.js";
import {
  checkMismatch,
  idempotencyMismatch,
  termOver,
} from "../../primitives/registers/register-failures.js";
import type { TransactionOutcome } from "../../primitives/registers/register-transactions.js";
import type { Register } from "../../primitives/registers/registers.js";
import { BATCH_BODY_BYTES_MAX } from "../fields.js";
import { assertMayRead, assertMayUse } from "../leases/binding.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import { IdempotencyHeaders } from "./schemas.js";
import * as examples from "./transaction-examples.js";
import { electionsOf, keysOf, TransactionAnswerSchema, TransactionBody } from "./transaction-schemas.js";

/** Several registers at once, all or none. */
export function registerTransactionRoute(routes: Routes): void {
  routes.add({
    method: "post",
    path: "/v1/registers/transactions",
    operationId: "transactRegisters",
    needs: { action: "use", act: "transact", kind: "registers", names: { inBody: keysOf } },
    tags: ["registers"],
    summary: "Check, read and change several registers at once",
    description:
      "All changes are made or none, and no reader sees some of them. They are made only if every check holds: else the answer is version_mismatch, whose field says which check failed. What is read is as it was at that moment, before the changes, and takes a grant for read as well. With an Idempotency-Key it can be sent again after outcome_unknown.",
    request: { headers: IdempotencyHeaders, body: body(TransactionBody, examples.requests) },
    // Values are kept, so their numbers are looked at, unlike those of a batch.
    bodyBytesMax: BATCH_BODY_BYTES_MAX,
    answer: json("It is made.", TransactionAnswerSchema, examples.answers),
    problems: [
      "no_quorum",
      "contended",
      "outcome_unknown",
      "version_mismatch",
      "idempotency_mismatch",
      "too_many_keyed",
    ],
    handle: async ({ headers: { "idempotency-key": key }, body: asked }, { registerTransactions }, c) => {
      assertMayRead(c, "registers", asked.reads ?? []);
      // To check a term holds up its election for a moment: that takes more than the right to look at it.
      assertMayUse(c, "elections", electionsOf(asked));
      const outcome = await registerTransactions.commit({
        parts: partsOf(asked),
        keyed: key === undefined ? null : keyedOf(key, "transact", asked),
        signal: c.req.raw.signal,
      });
      return toAnswer(asked, outcome);
    },
  });
}

type Asked = z.output<typeof TransactionBody>;

function partsOf(asked: Asked): Part[] {
  const { checks = [], changes = [] } = asked;
  const tags = new Map(
    checks.flatMap(({ key, etag }) =>
      key === undefined || etag === undefined ? [] : [[key, etag === null ? null : tagIn(etag)] as const],
    ),
  );
  const terms = checks.flatMap(({ election, term }) =>
    election === undefined ? [] : [{ name: election, term }],
  );
  const writes = new Map(
    changes.map(({ key, value, ttlMs, delete: deletes }) => [
      key,
      { json: deletes ? null : JSON.stringify(value), ttlMs: ttlMs ?? null },
    ]),
  );
  const parts = keysOf(asked).map((name) => ({ name, check: tags.get(name), write: writes.get(name) }));
  return [...parts, ...terms];
}

/** A proxy may have made a tag weak. */
const tagIn = (etag: string) => etag.slice(etag.indexOf('"') + 1, -1);

function toAnswer(
  { checks = [], reads = [], changes = [] }: Asked,
  outcome: TransactionOutcome,
): z.output<typeof TransactionAnswerSchema> {
  if (outcome.kind === "key_mismatch") throw idempotencyMismatch();
  if (outcome.kind === "mismatch") {
    const { name, term } = outcome.part;
    if (term !== undefined) throw termOver(checks.findIndex(({ election }) => election === name));
    throw checkMismatch(
      checks.findIndex(({ key }) => key === name),
      outcome.current && { version: outcome.current.number, etag: outcome.current.etag },
    );
  }
  const isNew = outcome.kind === "committed";
  return {
    changes: changes.map(({ key }) => {
      const made = outcome.changed.get(key);
      return { key, version: made?.number ?? null, etag: made ? `"${made.etag}"` : null };
    }),
    reads: isNew ? reads.map((key) => toRead(key, outcome.found.get(key) ?? null)) : [],
    repeated: !isNew,
  };
}

function toRead(key: string, register: Register | null) {
  if (!register) return { key, value: null, version: null, etag: null, expiresInMs: null };
  const { json: text, number, etag, expiresInMs } = register;
  const ends = expiresInMs === null ? null : Math.ceil(expiresInMs);
  return { key, value: JSON.parse(text) as unknown, version: number, etag: `"${etag}"`, expiresInMs: ends };
}
