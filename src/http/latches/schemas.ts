import { z } from "@hono/zod-openapi";
import { answer, name, request, waitMsInQuery } from "../fields.js";

export const LatchParams = z.object({ name: name("Name of the latch.", "migrated") });

export const LATCH_COUNT_MAX = 1_000_000;

const count = z.int().min(1).max(LATCH_COUNT_MAX).openapi({
  description: "How often it has to be counted down until it opens.",
  example: 3,
});

export const PutLatchBody = request("PutLatchRequest", "To make a latch.", { count });

export const LatchQuery = z.strictObject({ waitMs: waitMsInQuery("How long to wait until it is open") });

export const LatchSchema = answer("Latch", "A latch.", {
  name: z.string().openapi({ description: "Its name.", example: "migrated" }),
  count,
  remaining: z
    .int()
    .min(0)
    .openapi({ description: "How often it still has to be. 0: it is open.", example: 1 }),
});

export const DeletedLatchSchema = answer("DeletedLatch", "The outcome of deleting a latch.", {
  deleted: z.boolean().openapi({ description: "Whether it was there until now." }),
});
