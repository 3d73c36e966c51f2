import { z } from "@hono/zod-openapi";
import { isSealed } from "./access/sealed-cursors.js";

/** Fields that the schemas of several resources share. */

/** Maximum size of a request body, bytes. */
export const BODY_BYTES_MAX = 64 * 1024;
/** The same for routes that take many things at once. */
export const BATCH_BODY_BYTES_MAX = 2 * 1024 * 1024;

/** Proxies cut at 60 s, some at 30. */
export const WAIT_MS_MAX = 25_000;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

export const name = (what: string, example: string) =>
  z
    .string()
    .regex(NAME, "a name of 1 to 128 of A-Z a-z 0-9 . _ : - that begins with a letter or digit")
    .openapi({ description: what, example });

/** In a query: the cursor of the previous page of names. */
export const cursorOfNames = (example: string) =>
  z
    .string()
    .max(256)
    .refine((text) => NAME.test(text) || isSealed(text), "the cursor of a page")
    .openapi({ description: "The cursor of the previous page.", example });

/** The body of a request, under its name in the API description. Refuses fields that it does not have. */
export const request = <S extends z.ZodRawShape>(title: string, description: string, fields: S) =>
  z.strictObject(fields).openapi(title, { description });

/** An object in answers, under its name in the API description. */
export const answer = <S extends z.ZodRawShape>(title: string, description: string, fields: S) =>
  z.object(fields).openapi(title, { description });

function jsonBytes(value: unknown): number {
  try {
    return Buffer.byteLength(JSON.stringify(value) ?? "");
  } catch {
    // Nested too deep for the stack.
    return Number.POSITIVE_INFINITY;
  }
}

/** JSON of at most `bytes` when written without spaces. */
export const json = (bytes: number, what: string, example: unknown = { build: "7f3a" }) =>
  z
    .unknown()
    .superRefine((value, context) => {
      const size = jsonBytes(value);
      const message =
        size === Number.POSITIVE_INFINITY ? "is nested too deep" : `at most ${bytes} bytes of JSON`;
      if (size > bytes) context.addIssue({ code: "custom", message });
    })
    .openapi({ description: `${what}; up to ${bytes} bytes of JSON.`, example });

export const label = (max: number, what: string, example: string) =>
  z.string().min(1).max(max).openapi({ description: what, example });

export const ms = (what: string, example: number) =>
  z
    .int()
    .min(0)
    .openapi({ description: `${what}, ms.`, example });

export const waitMs = (what: string) =>
  z
    .int()
    .min(0)
    .max(WAIT_MS_MAX)
    .openapi({ description: `${what}, ms; 0: not at all.`, example: 10_000 });

/** A whole number in a query, which arrives as text. */
export const wholeInQuery = (
  what: string,
  range: { readonly min: number; readonly max: number; readonly fallback: number },
) =>
  z
    .string()
    .regex(/^\d{1,5}$/, "a whole number")
    .transform(Number)
    .pipe(z.int().min(range.min).max(range.max))
    .optional()
    .openapi({
      type: "integer",
      minimum: range.min,
      maximum: range.max,
      default: range.fallback,
      description: what,
    });

export const waitMsInQuery = (what: string) =>
  wholeInQuery(`${what}, ms.`, { min: 0, max: WAIT_MS_MAX, fallback: 0 });

/** True or false in a query. */
export const booleanInQuery = (description: string) =>
  z
    .enum(["true", "false"])
    .transform((text) => text === "true")
    .pipe(z.boolean())
    .optional()
    .openapi({ type: "boolean", default: false, description });

/** How many things a page of an answer has at most. */
export const limitInQuery = (what: string, max: number, fallback = max) =>
  wholeInQuery(what, { min: 1, max, fallback });

/** In an answer: the cursor of the next page. */
export const nextCursor = z.string().nullable().openapi({
  description: "Send it to get the next page. null: this is the last page.",
  example: null,
});

/** The same where the cursor is a name. */
export const nextName = nextCursor.openapi({
  description:
    "Where the next page begins: send it to get that. null: this is the last page. A page may be empty though another follows.",
});
