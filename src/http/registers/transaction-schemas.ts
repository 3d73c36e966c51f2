import { z } from "@hono/zod-openapi";
import { answer, json, name, request } from "../fields.js";
import { registerKey, TTL_MS_MAX, VALUE_BYTES_MAX } from "./schemas.js";

/** Registers that one transaction checks, reads and changes. */
export const KEYS_MAX = 16;

const key = registerKey.openapi({ description: "The key of a register.", example: "accounts/7" });

const ETAG = /^(W\/)?"[^"]{1,64}"$/;

const Check = request("RegisterCheck", "What a register must be for the transaction to be made.", {
  key: key.optional(),
  etag: z.string().regex(ETAG, "an entity tag in quotes").nullable().optional().openapi({
    description: "Its ETag, in quotes as in the header. null: it must not be there.",
    example: '"1d06f14b8a20:5f2ac1a58b7e4b1d9c3e6f70"',
  }),
  election: name("In place of a key: an election by consensus.", "billing").optional(),
  term: z.int().min(1).max(Number.MAX_SAFE_INTEGER).optional().openapi({
    format: "int64",
    description: "The election must be led in this term.",
    example: 1795222235123458,
  }),
})
  .refine(({ key: its, election }) => (its === undefined) !== (election === undefined), {
    path: ["key"],
    message: "either a key, or an election",
  })
  .refine(({ key: its, etag }) => (its === undefined) === (etag === undefined), {
    path: ["etag"],
    message: "with a key, and only then",
  })
  .refine(({ election, term }) => (election === undefined) === (term === undefined), {
    path: ["term"],
    message: "with an election, and only then",
  });

const Change = request("RegisterChange", "What a transaction does with a register: it sets or deletes it.", {
  key,
  value: json(VALUE_BYTES_MAX, "Its new value", { balance: 70 }).optional(),
  ttlMs: z.int().min(100).max(TTL_MS_MAX).optional().openapi({
    description: "Time after which it is deleted, ms. Without it, it stays.",
  }),
  delete: z.literal(true).optional().openapi({ description: "In place of a value: it is deleted." }),
})
  .refine(({ value, delete: deletes }) => (value === undefined) === (deletes === true), {
    path: ["value"],
    message: "either a value, or delete",
  })
  .refine(({ ttlMs, delete: deletes }) => ttlMs === undefined || !deletes, {
    path: ["ttlMs"],
    message: "only with a value",
  });

const once = (keys: readonly string[]) => new Set(keys).size === keys.length;
const keyed = (parts: readonly { readonly key: string }[]) => once(parts.map((part) => part.key));
/** No key has a line break. */
const checkedOf = (checks: readonly z.output<typeof Check>[]) =>
  checks.map(({ key: its, election }) => its ?? `\n${election}`);
const NO_KEY_TWICE = "no key twice";

export const TransactionBody = request(
  "RegisterTransactionRequest",
  "To check, read and change several registers at once.",
  {
    checks: z
      .array(Check)
      .max(KEYS_MAX)
      .refine((checks) => once(checkedOf(checks)), NO_KEY_TWICE)
      .optional()
      .openapi({ description: "If one of them does not hold, nothing is changed." }),
    reads: z
      .array(key)
      .max(KEYS_MAX)
      .refine(once, NO_KEY_TWICE)
      .optional()
      .openapi({ description: "Registers to read, as they are just before the changes." }),
    changes: z
      .array(Change)
      .max(KEYS_MAX)
      .refine(keyed, NO_KEY_TWICE)
      .optional()
      .openapi({ description: "All are made, or none." }),
  },
).superRefine((body, context) => {
  const keys = keysOf(body).length;
  const count = keys + electionsOf(body).length;
  if (keys > 0 && count <= KEYS_MAX) return;
  const message = keys === 0 ? "names no key" : `names ${count} keys, and may name ${KEYS_MAX}`;
  context.addIssue({ code: "custom", path: [], message });
});

/** Every key of a transaction, once. */
export function keysOf({ checks = [], reads = [], changes = [] }: Body): readonly string[] {
  const checked = checks.flatMap(({ key: its }) => (its === undefined ? [] : [its]));
  return [...new Set([...checked, ...reads, ...changes.map((one) => one.key)])];
}

/** The elections whose term it checks. */
export function electionsOf({ checks = [] }: Body): readonly string[] {
  return checks.flatMap(({ election }) => (election === undefined ? [] : [election]));
}

interface Body {
  readonly checks?:
    | readonly { readonly key?: string | undefined; readonly election?: string | undefined }[]
    | undefined;
  readonly reads?: readonly string[] | undefined;
  readonly changes?: readonly { readonly key: string }[] | undefined;
}

const version = z
  .int()
  .nullable()
  .openapi({ format: "int64", description: "null: it is not there.", example: 8 });
const etag = z.string().nullable().openapi({
  description: "In quotes, as in the header. null: it is not there.",
  example: '"1d06f14b8a20:5f2ac1a58b7e4b1d9c3e6f70"',
});
const itsKey = z.string().openapi({ description: "Its key.", example: "accounts/7" });

export const TransactionAnswerSchema = answer(
  "RegisterTransaction",
  "A transaction of several registers that was made.",
  {
    changes: z
      .array(
        answer("RegisterOfTransaction", "A register as the transaction left it.", {
          key: itsKey,
          version,
          etag,
        }),
      )
      .openapi({ description: "In the order of the request." }),
    reads: z
      .array(
        answer("ReadRegister", "A register as the transaction found it.", {
          key: itsKey,
          value: z
            .unknown()
            .openapi({ description: "null also where it is not there: then so is its version." }),
          version,
          etag,
          expiresInMs: z.int().min(0).nullable().openapi({ description: "null: it stays.", example: null }),
        }),
      )
      .openapi({ description: "In the order of the request. None where repeated." }),
    repeated: z.boolean().openapi({
      description:
        "It was made by an earlier request with the same Idempotency-Key, and not again. What that one read is not remembered.",
    }),
  },
);
