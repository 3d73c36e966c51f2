import { z } from "@hono/zod-openapi";
import { answer, booleanInQuery, json, label, ms, name, request } from "../fields.js";
import { LoadSchema } from "./load-schemas.js";
import { ProbeSchema, probeInRequest } from "./probe-schemas.js";

const service = name("Name of the service.", "search");

export const ServiceParams = z.object({ service });

export const MemberParams = z.object({
  service,
  id: name("Id of the member, unique in its service.", "search-1"),
});

export const registration = {
  address: label(
    512,
    "Where the member can be reached; Quorate never connects to it, unless probe says so.",
    "10.0.0.7:9000",
  ),
  weight: z
    .number()
    .min(0)
    .max(256)
    .openapi({ description: "Its share relative to the others; 0: none.", example: 1 }),
  zone: label(64, "Where it runs: replicas are placed in distinct zones first.", "eu-1a"),
  tags: z
    .array(label(64, "A tag.", "canary"))
    .max(16)
    .openapi({ description: "For whoever reads the members." }),
  metadata: json(2048, "Whatever others should see"),
};

export const incarnation = z.int().min(1).max(Number.MAX_SAFE_INTEGER).openapi({
  format: "int64",
  description: "Raised by each registration: distinguishes a process from its successor under the same id.",
  example: 1795222235123,
});

export const registerBody = (ttlMaxMs: number) =>
  request("RegisterRequest", "To register a member of a service.", {
    address: registration.address,
    weight: registration.weight.optional(),
    zone: registration.zone.optional(),
    tags: registration.tags.optional(),
    metadata: registration.metadata.optional(),
    probe: probeInRequest.optional(),
    ttlMs: z
      .int()
      .min(1000)
      .max(ttlMaxMs)
      .optional()
      .openapi({ description: "Time without a heartbeat after which it is gone, ms.", example: 15_000 }),
  });

const status = z.enum(["up", "draining"]).openapi("MemberStatusWanted", {
  description:
    "draining: it leaves the ring at once, gets no more work, and stays listed while it ends what it has. up: it has its place again.",
});

export const updateBody = (drainMsMax: number) =>
  request("UpdateMemberRequest", "What to change of a member; what is missing stays as it is.", {
    incarnation: incarnation.optional().openapi({
      description: "The incarnation that is meant; if there is a later one, the answer is a 409.",
    }),
    status: status.optional(),
    drainMs: z.int().min(0).max(drainMsMax).optional().openapi({
      description:
        "With status draining: how long it stays listed, ms, whatever its heartbeats do. Missing: until it leaves or expires.",
      example: 30_000,
    }),
    weight: registration.weight.optional(),
    zone: registration.zone.nullable().optional().openapi({ description: "null: none." }),
    tags: registration.tags.optional(),
    metadata: registration.metadata.optional(),
  })
    .refine((body) => Object.keys(body).some((field) => field !== "incarnation"), "says what to change")
    .refine(({ status, drainMs }) => drainMs === undefined || status === "draining", {
      path: ["drainMs"],
      message: "only with status draining",
    });

/** A weak tag is well-formed, and matches nothing. */
const ETAGS = /^\s*(\*|(W\/)?"[^"]*"(\s*,\s*(W\/)?"[^"]*")*)\s*$/;

export const IfMatchHeaders = z.object({
  "if-match": z.string().max(256).regex(ETAGS, 'entity tags in quotes, or "*"').optional().openapi({
    description:
      "The ETag of the version to change, as an earlier answer had it: if it is not the current one, the answer is a 412.",
  }),
});

export const LeaveQuery = (graceMsMax: number) =>
  z
    .strictObject({
      incarnation: numberInQuery(1, Number.MAX_SAFE_INTEGER).optional().openapi({
        type: "integer",
        format: "int64",
        description: "The incarnation that is meant; if there is a later one, the answer is a 409.",
      }),
      restart: booleanInQuery(
        "Whether its process comes back: then its place in the ring is kept for restartGraceMs, and it is listed as suspect until it is registered again.",
      ),
      restartGraceMs: numberInQuery(1_000, graceMsMax)
        .optional()
        .openapi({
          type: "integer",
          minimum: 1_000,
          maximum: graceMsMax,
          description: `With restart: for how long, ms; ${RESTART_GRACE_MS.toLocaleString("en")} if left out.`,
        }),
    })
    .refine(({ restart, restartGraceMs }) => restart || restartGraceMs === undefined, {
      path: ["restartGraceMs"],
      message: "only with restart=true",
    });

const numberInQuery = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, "a whole number")
    .transform(Number)
    .pipe(z.int().min(min).max(max));

/** Of a leave that says no other time: long enough for most processes to start. */
export const RESTART_GRACE_MS = 30_000;

const memberStatus = z.enum(["up", "suspect", "draining"]).openapi("MemberStatus", {
  description:
    "suspect: several others could not reach it, or it restarts. It stays in the ring; prefer others. draining: it ends its work, and has no place in the ring. Members that have left or expired are not listed.",
});

export const anyStatus = z.enum([...memberStatus.options, "left", "expired"]).openapi("AnyMemberStatus", {
  description: "That of a member, or of one that is gone.",
});

export const MemberSchema = answer("Member", "A live member of a service.", {
  id: z.string().openapi({ description: "Its id, unique in the service.", example: "search-1" }),
  address: registration.address,
  weight: registration.weight,
  zone: z.string().nullable().openapi({ description: "Where it runs.", example: "eu-1a" }),
  tags: z.array(z.string()).openapi({ description: "Its tags.", example: ["canary"] }),
  metadata: z.unknown().openapi({ description: "What it lets others see.", example: { build: "7f3a" } }),
  probe: ProbeSchema.optional(),
  status: memberStatus,
  incarnation,
  revision: z.int().openapi({ description: "Raised by each change within one incarnation.", example: 1 }),
  ttlMs: ms("Time without a heartbeat after which it is gone", 15_000),
  lastHeartbeatAgeMs: ms("Time since the last heartbeat", 812),
  endsInMs: z.int().nullable().openapi({
    description:
      "When it is removed whatever its heartbeats do, ms: it drains with drainMs, or restarts. null: heartbeats decide.",
    example: null,
  }),
  load: LoadSchema.nullable().openapi({
    description: "As the last heartbeat with a load reported it. null: none has since the registration.",
  }),
});

export const heartbeatIntervalMs = ms("How often to send heartbeats: a third of ttlMs", 5000);

/** As long as ids.ts makes them. */
export const memberKey = z
  .string()
  .regex(/^[A-Za-z0-9_-]{22}$/, "the memberKey of a registration")
  .openapi("MemberKey", {
    description:
      "The secret of one registration, told only to whoever registers. With it and the incarnation a request comes from that very process, and not from somebody who knows the id of the member; any other is refused.",
    example: "pL0aVb7tQh2ZsX5yKc9wRg",
  });

// Not an extension of Member: generators would make a nameless part of what it adds.
export const RegisteredSchema = answer("Registered", "A member, as it was registered.", {
  ...MemberSchema.shape,
  heartbeatIntervalMs,
  memberKey,
});

/** Two heartbeats may be lost before the member is gone. */
export function heartbeatIntervalMsOf(ttlMs: number): number {
  return Math.floor(ttlMs / 3);
}

export const LeftSchema = answer("Left", "The outcome of leaving.", {
  left: z.boolean().openapi({ description: "Whether it was a member until now." }),
});

export const SuspectBody = request("SuspectRequest", "To say that a member cannot be reached.", {
  reporter: name("Id of the live member of the same service that says so.", "search-2"),
  reason: label(256, "What happened: the event says so when the member is suspect.", "no answer within 2 s"),
  incarnation: incarnation.optional().openapi({
    description:
      "The incarnation that could not be reached; if there is a later one, the answer is a 409, and the report does not count.",
  }),
});

export const SuspicionSchema = answer("Suspicion", "What is held against a member.", {
  suspect: z.boolean().openapi({ description: "Whether the member is suspect now.", example: false }),
  reporters: z
    .int()
    .openapi({ description: "How many have reported it, as far as it still counts.", example: 1 }),
  reportersNeeded: z.int().openapi({
    description: "How many reporters it takes; those whose own heartbeat is late count half.",
    example: 3,
  }),
  windowMs: ms("For how long this report counts: twice as long with each repetition", 15_000),
});

export const ringId = z.string().openapi({
  description: "Identifies the content of the ring: the same ringId gives the same owners, everywhere.",
  example: "6f1c2a9b4d3e8f70",
});
