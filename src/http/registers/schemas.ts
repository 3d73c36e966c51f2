import { z } from "@hono/zod-openapi";
import { answer, json, limitInQuery, nextName, request } from "../fields.js";

/** Largest value, bytes of JSON without spaces. */
export const VALUE_BYTES_MAX = 64 * 1024;
/** Largest body: the same value may be written with spaces and escapes. */
export const VALUE_BODY_BYTES_MAX = 2 * VALUE_BYTES_MAX;
export const KEY_BYTES_MAX = 512;
export const TTL_MS_MAX = 365 * 86_400_000;

export const isKey = (text: string): boolean =>
  Buffer.byteLength(text) <= KEY_BYTES_MAX && !/[\p{Cc}\p{Cs}]/u.test(text);

/** The key of a register, in a request. */
export const registerKey = z
  .string()
  .min(1)
  .refine(isKey, `1 to ${KEY_BYTES_MAX} bytes of UTF-8 without control characters`)
  // However they are spelled in a path, they stand for another path.
  .refine((text) => text !== "." && text !== "..", "must not be . or ..");

export const RegisterParams = z.object({
  key: registerKey.openapi({
    description: `Any text of 1 to ${KEY_BYTES_MAX} bytes of UTF-8 without control characters, but . and .., percent-encoded: %2F for a slash.`,
    example: "config/region",
  }),
});

/** Registers that a page looks at. */
export const PAGE_MAX = 1_000;
export const PAGE = 100;

export const AcksQuery = z.strictObject({
  acks: z
    .enum(["majority", "all"])
    .openapi("Acks", {
      description:
        "all: the answer waits until every primary has acknowledged the change or failed to, and tells which are missing. The change is made all the same once a majority have it.",
      example: "all",
    })
    .optional(),
});

export const missing = z.array(z.string()).optional().openapi({
  description:
    "With acks=all: host and port of the primaries that did not acknowledge it; empty: all have it. It is sent to them again as soon as they take part.",
  example: [],
});

const prefix = z
  .string()
  .refine(isKey, `at most ${KEY_BYTES_MAX} bytes of UTF-8 without control characters`)
  .optional()
  .openapi({ description: "Only keys with this prefix.", example: "config/" });

export const FollowRegistersQuery = z.strictObject({ prefix });

export const ListRegistersQuery = z.strictObject({
  prefix,
  cursor: z
    .string()
    .regex(/^[k.][\w-]{1,1023}$/, "the cursor of a page")
    .optional()
    .openapi({ description: "The cursor of the previous page.", example: "kY29uZmlnL3JlZ2lvbg" }),
  limit: limitInQuery("How many registers this page looks at, at most.", PAGE_MAX, PAGE),
});

const ETAGS = /^\s*(\*|(W\/)?"[^"]*"(\s*,\s*(W\/)?"[^"]*"){0,15})\s*$/;

export const IdempotencyHeaders = z.object({
  "idempotency-key": z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, "1 to 255 printable ASCII characters without spaces")
    .optional()
    .openapi({
      description:
        "A key of your own, new for each change: a request that is sent again with it within 10 minutes changes nothing more, and gets the answer of the first.",
    }),
});

export const ChangeHeaders = IdempotencyHeaders.extend({
  "if-match": z.string().regex(ETAGS, 'entity tags in quotes, or "*"').optional().openapi({
    description:
      "Only if it has this ETag, or one of these; *: only if it is there. Else the answer is version_mismatch.",
  }),
  "if-none-match": z
    .string()
    .regex(/^\s*\*\s*$/, "*")
    .optional()
    .openapi({
      description: "*: only if it is not there. Else the answer is version_mismatch.",
    }),
});

export const PutBody = request("PutRegisterRequest", "To set a register.", {
  value: json(VALUE_BYTES_MAX, "Its value", { leader: "eu-1" }).refine(
    (given) => given !== undefined,
    "must be there",
  ),
  ttlMs: z.int().min(100).max(TTL_MS_MAX).optional().openapi({
    description: "Time after which it is deleted, ms. Without it, it stays.",
    example: 60_000,
  }),
});

const key = z.string().openapi({ description: "Its key.", example: "config/region" });

const version = z.int().min(1).openapi({
  format: "int64",
  description:
    "Grows by one with each change. A register that is made anew after it was deleted may begin at 1 again; an ETag never comes again.",
  example: 7,
});

export const ChangedRegisterSchema = answer("ChangedRegister", "A register that was set.", {
  key,
  version,
  missing,
});

export const RegisterSchema = answer("Register", "A register.", {
  key,
  value: z.unknown().openapi({ description: "Its value.", example: { leader: "eu-1" } }),
  version,
  expiresInMs: z
    .int()
    .min(0)
    .nullable()
    .openapi({ description: "Time until it is deleted, ms. null: it stays.", example: null }),
});

export const RegistersSchema = answer(
  "Registers",
  "One page of registers, in the byte order of their keys.",
  {
    registers: z
      .array(
        answer("ListedRegister", "A register in a list.", {
          ...RegisterSchema.shape,
          etag: z.string().openapi({
            description: "Names this version, as for If-Match, with its quotes.",
            example: '"1d06f14b8a20:5f2ac1a58b7e4b1d9c3e6f70"',
          }),
        }),
      )
      .openapi({ description: "Fewer than limit where they would exceed 1 MB, or where some were deleted." }),
    cursor: nextName,
  },
);

export const DeletedRegisterSchema = answer("DeletedRegister", "The outcome of deleting a register.", {
  deleted: z.boolean().openapi({ description: "Whether it was there until now." }),
  missing,
});
