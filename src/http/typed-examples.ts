import type { z } from "@hono/zod-openapi";

/**
 * The examples of the API description tell one story: worker-7 holds orders-42 for a deployment, worker-8 wants it too,
 * and three members share the work of search. Each example is typed by its schema.
 */

export type Answer<T extends z.ZodType> = z.output<T>;

export type Request<T extends (ttlMaxMs: number) => z.ZodType> = z.input<ReturnType<T>>;
