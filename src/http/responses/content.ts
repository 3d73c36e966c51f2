import { z } from "@hono/zod-openapi";

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

/** An answer of server-sent events. */
export function streamed(examples: Examples<string>) {
  return {
    description: "Events, until the client disconnects or this instance stops.",
    content: {
      "text/event-stream": { schema: z.string().openapi({ description: "A stream of events." }), examples },
    },
  } as const;
}

export type Body<T extends z.ZodType> = ReturnType<typeof body<T>>;
