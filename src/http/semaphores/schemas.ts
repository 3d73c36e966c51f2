import { z } from "@hono/zod-openapi";
import { HOLDERS_MAX } from "../../primitives/semaphore.js";
import { answer, limitInQuery, name, request, wholeInQuery } from "../fields.js";
import {
  fencingToken,
  grant,
  holding,
  leaseRequest,
  line,
  metadataOfHolder,
  nameOf,
  owner,
  seenByOthers,
} from "../leases/schemas.js";

export const SemaphoreParams = z.object({
  name: name("Name of the semaphore.", "reports"),
});

const limit = z.int().min(1).max(1000).openapi({
  description: "How many permits there are in total.",
  example: 8,
});

const permits = z.int().min(1).max(100).openapi({ description: "How many permits.", example: 1 });

export const acquirePermitsBody = (ttlMaxMs: number) =>
  z
    .strictObject({
      limit: limit.openapi({
        description: "How many permits there are in total: every acquire names the same limit.",
      }),
      permits: permits.optional().openapi({ description: "How many permits to acquire, 1 by default." }),
      ...leaseRequest(ttlMaxMs),
      ...seenByOthers,
    })
    .refine((request) => (request.permits ?? 1) <= request.limit, {
      path: ["permits"],
      message: "more than the limit",
    })
    .openapi("AcquirePermitsRequest", { description: "To acquire permits of a semaphore." });

export const PermitsSchema = answer("Permits", "A lease on permits of a semaphore.", {
  ...grant,
  name: nameOf("reports"),
  permits,
  slots: z
    .array(z.int().min(1).max(1000))
    .readonly()
    .openapi({ description: "Which of the `limit` slots these permits are.", example: [3] }),
  limit,
  owner,
  metadata: metadataOfHolder,
  fencingToken: fencingToken.openapi({
    description:
      "Above all earlier tokens of each of these slots. Tokens of different slots do not compare, as their holders hold at the same time: a guarded resource keeps the newest token of each slot.",
  }),
});

export const HoldersQuery = z.strictObject({
  cursor: wholeInQuery("The cursor of the previous page.", {
    min: 0,
    max: 1000,
    fallback: 0,
  }),
  limit: limitInQuery("How many holders a page has at most.", HOLDERS_MAX),
});

export const SemaphoreSchema = answer(
  "Semaphore",
  "A semaphore as it is now: who holds permits, and how many wait.",
  {
    name: nameOf("reports"),
    limit: limit.nullable().openapi({ description: "null: no permit was acquired lately." }),
    held: z.int().min(0).openapi({ description: "How many permits are held.", example: 1 }),
    holders: z
      .array(
        answer("PermitHolder", "The holder of some permits, without its leaseId.", {
          owner,
          metadata: metadataOfHolder,
          permits,
          ...holding,
        }),
      )
      .readonly()
      .openapi({ description: "One page of the holders." }),
    cursor: z.int().nullable().openapi({
      description: "Send it to get the next page of holders. null: this is the last page.",
      example: null,
    }),
    waiting: line.waiting,
  },
);

export const LimitBody = request("LimitRequest", "To change how many permits there are.", { limit });

export const LimitSchema = answer("Limit", "How many permits a semaphore has.", {
  name: nameOf("reports"),
  limit,
});
