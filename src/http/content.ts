import type { z } from "@hono/zod-openapi";

/** A JSON body that must be there: without `required` a request with neither body nor content type skips validation. */
export function body<T extends z.ZodType>(schema: T, required = true) {
  return { required, content: { "application/json": { schema } } } as const;
}

/** A JSON answer. */
export function json<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { "application/json": { schema } } } as const;
}
