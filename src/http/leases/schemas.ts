import { z } from "@hono/zod-openapi";
import { ms, waitMs } from "../fields.js";

/** What locks, permits and terms of office have in common. */

export const leaseId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{22,64}$/, "22 to 64 of A-Z a-z 0-9 _ -")
  .openapi({
    description:
      "The secret of the lease: who knows it may renew and release. Choose it yourself (at least 128 random bits, used for one lease) when the request may be repeated.",
    example: "q-mZ2c0m8nTzK1bq0gVwYk3A",
  });

export const fencingToken = z.int().min(1).max(Number.MAX_SAFE_INTEGER).openapi({
  format: "int64",
  description: "Only grows from one holder of a name to the next. Send it along to what the lock guards.",
  example: 1795222235123458,
});

const ttlMs = (ttlMaxMs: number) =>
  z.int().min(100).max(ttlMaxMs).openapi({
    description: "Time to live from now, ms. Ends the lease when nobody renews it.",
    example: 10_000,
  });

/** What every request for a lease may say. */
export const leaseRequest = (ttlMaxMs: number) => ({
  ttlMs: ttlMs(ttlMaxMs),
  waitMs: waitMs("How long to stand in line: first come, first served").optional(),
  leaseId: leaseId.optional(),
});

/** What every renewal says. */
export const renewal = (ttlMaxMs: number) => ({
  leaseId,
  ttlMs: ttlMs(ttlMaxMs),
  fencingToken: fencingToken.optional().openapi({
    description: "The token of the grant. Without it renewing takes a round trip more.",
  }),
});

export const renewBody = (ttlMaxMs: number) => z.strictObject(renewal(ttlMaxMs)).openapi("RenewRequest");

export const ReleaseBody = z.strictObject({ leaseId }).openapi("ReleaseRequest");

export const ReleasedSchema = z
  .object({ released: z.boolean().openapi({ description: "Whether the lease was held until now." }) })
  .openapi("Released");

/** What every grant says, but for the token. */
export const grant = {
  leaseId,
  ttlMs: ms("Time to live that was asked for", 10_000),
  validForMs: z.int().openapi({
    description: "Trust the lease until your own send time + waitedMs + validForMs, on your monotonic clock.",
    example: 9895,
  }),
  waitedMs: ms("Time from the request to the start of the attempt that won", 0),
  acks: z.int().openapi({ description: "Primaries known to agree when this was sent.", example: 2 }),
  primaries: z.int().openapi({ example: 3 }),
};

export const owner = z.string().nullable().openapi({ example: "worker-7" });

/** For how long a lease has been held, and will be. */
export const holding = {
  heldForMs: ms("How long it has been held", 1588),
  expiresInMs: ms("Time until it ends when nobody renews it", 8412),
};

export const HolderSchema = z
  .object({
    owner,
    metadata: z.unknown(),
    mode: z.string().openapi({ example: "exclusive" }),
    ...holding,
  })
  .openapi("Holder");

export const position = z.int().openapi({ description: "1: the next.", example: 1 });

const WaitingSchema = z
  .object({
    position,
    mode: z.string().openapi({ example: "exclusive" }),
    owner,
  })
  .openapi("Waiting");

/** Those who wait. */
export const line = {
  waiting: z.int().min(0).openapi({ description: "How many wait in line.", example: 1 }),
  queue: z.array(WaitingSchema).readonly().openapi({ description: "The first 100 of them." }),
};
