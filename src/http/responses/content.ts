import type { z } from "@hono/zod-openapi";

/** Examples by name, in the order in which they are shown. */
type Examples<V> = Readonly<Record<string, { readonly summary?: string; readonly value: V }>>;

/** A JSON body that must be there: without `required` a request with neither body nor content type skips validation. */
export function body<T extends z.ZodType>(schema: T, examples: Examples<z.input<T>>, required = true) {
  return { required, content: { "application/json": { schema, examples } } } as const;
}

/** A JSON answer. */
export function json<T extends z.ZodType>(description: string, schema: T, examples: Examples<z.output<T>>) {
  return { description, content: { "application/json": { schema, examples } } } as const;
}
