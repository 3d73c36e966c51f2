import { z } from "@hono/zod-openapi";
import { answer, json, request } from "../fields.js";
import { isKey, KEY_BYTES_MAX, TTL_MS_MAX, VALUE_BYTES_MAX } from "./schemas.js";

/** Registers that one transaction checks, reads and changes. */
export const KEYS_MAX = 16;

const key = z
  .string()
  .min(1)
  .refine(isKey, `1 to ${KEY_BYTES_MAX} bytes of UTF-8 without control characters`)
  .openapi({ description: "The key of a register.", example: "accounts/7" });

const ETAG = /^(W\/)?"[^"]{1,64}"$/;

const Check = request("RegisterCheck", "What a register must be for the transaction to be made.", {
  key,
  etag: z.string().regex(ETAG, "an entity tag in quotes").nullable().openapi({
    description: "Its ETag, in quotes as in the header. null: it must not be there.",
    example: '"1d06f14b8a20:5f2ac1a58b7e4b1d9c3e6f70"',
  }),
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
const NO_KEY_TWICE = "no key twice";

export const TransactionBody = request(
  "RegisterTransactionRequest",
  "To check, read and change several registers at once.",
  {
    checks: z
      .array(Check)
      .max(KEYS_MAX)
      .refine(keyed, NO_KEY_TWICE)
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
  const count = keysOf(body).length;
  if (count > 0 && count <= KEYS_MAX) return;
  const message = count === 0 ? "names no key" : `names ${count} keys, and may name ${KEYS_MAX}`;
  context.addIssue({ code: "custom", path: [], message });
});

/** Every key of a transaction, once. */
export function keysOf({ checks = [], reads = [], changes = [] }: Body): readonly string[] {
  return [...new Set([...checks.map((one) => one.key), ...reads, ...changes.map((one) => one.key)])];
}

interface Body {
  readonly checks?: readonly { readonly key: string }[] | undefined;
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
