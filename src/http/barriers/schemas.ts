import { z } from "@hono/zod-openapi";
import { answer, name, request, waitMs } from "../fields.js";

export const BarrierParams = z.object({ name: name("Name of the barrier.", "import-done") });

/** So that all ids fit into the value of a register. */
export const ARRIVALS_MAX = 256;
const TTL_MS_MAX = 86_400_000;

const generation = z.int().min(1).max(Number.MAX_SAFE_INTEGER).openapi({
  format: "int64",
  description: "Grows by one each time that all are released.",
  example: 1_795_222_235_123,
});

const count = z.int().min(1).max(ARRIVALS_MAX);

export const ArriveBody = request("ArriveRequest", "To arrive at a barrier.", {
  id: name("Who arrives: counts once in each generation.", "worker-1"),
  generation: generation.optional().openapi({
    description:
      "The one that an earlier answer told, to wait on, or the next one after it was released. Then the request can be sent again: an older generation is answered as released. Without it: the one that others arrive at now.",
  }),
  count: count.openapi({ description: "How many have to arrive. All name the same.", example: 3 }),
  ttlMs: z.int().min(100).max(TTL_MS_MAX).openapi({
    description: "For how long it counts if it does not arrive again, ms; at least for as long as it waits.",
    example: 30_000,
  }),
  waitMs: waitMs("How long to wait for the others").optional(),
});

export const ArrivedSchema = answer("Arrived", "How an arrival stands.", {
  generation: generation.openapi({ description: "The one at which it has arrived." }),
  arrived: count.min(0).openapi({ description: "How many have arrived and still count.", example: 3 }),
  released: z.boolean().openapi({ description: "Whether all have arrived: go on." }),
});
