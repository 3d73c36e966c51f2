import type { z } from "@hono/zod-openapi";

/**
 * What the API description shows is one story: worker-7 holds orders-42 for a deployment, worker-8 asks for it too, and
 * three members share the work of search. Each example is typed by its schema.
 */

export type Answer<T extends z.ZodType> = z.output<T>;

export type Request<T extends (ttlMaxMs: number) => z.ZodType> = z.input<ReturnType<T>>;
