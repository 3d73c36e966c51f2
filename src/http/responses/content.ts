import type { z } from "@hono/zod-openapi";
import type { Context } from "hono";

/** Examples by name, in the order in which they are shown. */
export type Examples<V> = Readonly<Record<string, { readonly summary?: string; readonly value: V }>>;

/** A JSON body. One that is not required may be missing: then it is an empty object. */
export function body<T extends z.ZodType>(schema: T, examples: Examples<z.input<T>>, required = true) {
  return { required, content: { "application/json": { schema, examples } } } as const;
}

/** A JSON answer. */
export function json<T extends z.ZodType>(description: string, schema: T, examples: Examples<z.output<T>>) {
  return { description, content: { "application/json": { schema, examples } } } as const;
}

export type Body<T extends z.ZodType> = ReturnType<typeof body<T>>;

/** Answers with JSON that is text already. */
export function jsonText(c: Context, text: string | ReadableStream<Uint8Array>): Response {
  return c.body(text, 200, { "content-type": "application/json" });
}
