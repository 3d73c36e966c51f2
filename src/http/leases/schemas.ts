import { z } from "@hono/zod-openapi";
import { answer, json, label, ms, name, request, waitMs } from "../fields.js";
import { incarnation, memberKey } from "../members/schemas.js";

/** Fields that locks, permits and terms of office share. */

export const leaseId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{22,64}$/, "22 to 64 of A-Z a-z 0-9 _ -")
  .openapi("LeaseId", {
    description:
      "The secret of the lease: anyone who knows it may renew and release it. Choose it yourself (at least 128 random bits, used for one lease) if the request may be repeated.",
    example: "q-mZ2c0m8nTzK1bq0gVwYk3A",
  });

export const leaseKind = z
  .enum(["locks", "semaphores", "elections"])
  .openapi("LeaseKind", { description: "What it holds." });

export const fencingToken = z.int().min(1).max(Number.MAX_SAFE_INTEGER).openapi({
  format: "int64",
  description:
    "Only grows from one holder of a name to the next. Send it to the resource that the lock guards.",
  example: 1795222235123458,
});

const ttlMs = (ttlMaxMs: number) =>
  z.int().min(100).max(ttlMaxMs).openapi({
    description: "Time to live from now, ms. The lease ends then unless it is renewed.",
    example: 10_000,
  });

const MemberProofSchema = request(
  "LeaseMember",
  "The member that the lease is bound to: its heartbeats with this incarnation and memberKey renew it for ttlMs each time, and tell whether it is still held.",
  {
    service: name("Name of the service.", "search"),
    id: name("Id of the member.", "search-1"),
    incarnation,
    memberKey,
  },
);

/** What every request for a lease may contain. */
export const leaseRequest = (ttlMaxMs: number) => ({
  ttlMs: ttlMs(ttlMaxMs),
  waitMs: waitMs("How long to wait in the queue: first come, first served").optional(),
  leaseId: leaseId.optional(),
  member: MemberProofSchema.optional(),
});

/** What a request may say for others to see. */
export const seenByOthers = {
  owner: label(256, "A label that others see.", "worker-7").optional(),
  metadata: json(2048, "Whatever others should see").optional(),
};

/** What every renewal contains. */
export const renewal = (ttlMaxMs: number) => ({
  leaseId,
  ttlMs: ttlMs(ttlMaxMs),
  fencingToken: fencingToken.optional().openapi({
    description: "The token of the grant. Without it, renewing takes one more round trip.",
  }),
});

export const renewBody = (ttlMaxMs: number) =>
  request("RenewRequest", "To renew a lease.", renewal(ttlMaxMs));

export const ReleaseBody = request("ReleaseRequest", "To release a lease.", { leaseId });

export const ReleasedSchema = answer("Released", "The outcome of a release.", {
  released: z.boolean().openapi({ description: "Whether the lease was held until now." }),
});

/** What every grant contains, except for the token. */
export const grant = {
  leaseId,
  ttlMs: ms("The requested time to live", 10_000),
  validForMs: z.int().openapi({
    description: "Trust the lease until your own send time + waitedMs + validForMs, on your monotonic clock.",
    example: 9895,
  }),
  waitedMs: ms("Time from the request to the start of the attempt that won", 0),
  acks: z
    .int()
    .openapi({ description: "Primaries that were known to agree when this was sent.", example: 2 }),
  primaries: z.int().openapi({ description: "How many primaries there are.", example: 3 }),
};

export const owner = z
  .string()
  .nullable()
  .openapi({ description: "The label that the holder has given itself.", example: "worker-7" });

export const metadataOfHolder = z.unknown().openapi({
  description: "What the holder lets others see.",
  example: { build: "7f3a" },
});

/** In an answer: the name of what it is about. */
export const nameOf = (example: string) => z.string().openapi({ description: "Its name.", example });

const modeOfHolder = z.string().openapi({ description: "exclusive or shared.", example: "exclusive" });

/** How long a lease has been held, and how long it will be. */
export const holding = {
  heldForMs: ms("How long it has been held", 1588),
  expiresInMs: ms("Time until it ends unless it is renewed", 8412),
};

export const HolderSchema = answer("Holder", "The holder of a lease, without its leaseId.", {
  owner,
  metadata: metadataOfHolder,
  mode: modeOfHolder,
  ...holding,
});

export const position = z.int().openapi({ description: "1: the next.", example: 1 });

const WaitingSchema = answer("Waiting", "A request in the queue.", {
  position,
  mode: modeOfHolder,
  owner,
});

/** The queue. */
export const line = {
  waiting: z.int().min(0).openapi({ description: "How many requests wait in the queue.", example: 1 }),
  queue: z.array(WaitingSchema).readonly().openapi({ description: "The first 100 of them." }),
};
