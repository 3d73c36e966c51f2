import { z } from "@hono/zod-openapi";
import { answer, ms, name, request } from "../fields.js";
import { fencingToken, leaseKind } from "../leases/schemas.js";
import { mode } from "../locks/schemas.js";
import { LossSchema } from "../problem-schemas.js";
import { LoadBody } from "./load-schemas.js";
import { heartbeatIntervalMs, incarnation, MemberSchema, memberKey, ringId } from "./schemas.js";

/** How many heartbeats one request may have. */
export const HEARTBEATS_MAX = 1_000;
const heartbeat = {
  incarnation: incarnation.optional().openapi({
    description:
      "The incarnation of the registration; if there is a later one, the answer to this heartbeat is `superseded`.",
  }),
  memberKey: memberKey.optional(),
  load: LoadBody.optional(),
};

type Keyed = { readonly incarnation?: number | undefined; readonly memberKey?: string | undefined };
const keyIsOfIncarnation = ({ incarnation, memberKey }: Keyed) =>
  memberKey === undefined || incarnation !== undefined;
const NEEDS_INCARNATION = { path: ["memberKey"], message: "only with the incarnation that it belongs to" };

export const HeartbeatBody = request("HeartbeatRequest", "To say that a member is alive.", heartbeat).refine(
  keyIsOfIncarnation,
  NEEDS_INCARNATION,
);

export const HeartbeatsBody = request("HeartbeatsRequest", "To say that many members are alive.", {
  beats: z
    .array(
      request("MemberHeartbeat", "The heartbeat of one member.", {
        service: name("Name of the service.", "search"),
        id: name("Id of the member.", "search-1"),
        ...heartbeat,
      }).refine(keyIsOfIncarnation, NEEDS_INCARNATION),
    )
    .min(1)
    .max(HEARTBEATS_MAX)
    .superRefine((beats, context) => {
      const seen = new Set<string>();
      for (const [index, { service, id }] of beats.entries()) {
        const member = `${service}/${id}`;
        if (seen.has(member))
          context.addIssue({ code: "custom", path: [index], message: "is of a member that came before" });
        seen.add(member);
      }
    })
    .openapi({ description: `Up to ${HEARTBEATS_MAX}, each of another member.` }),
});

const bound = {
  kind: leaseKind,
  names: z
    .array(z.string())
    .readonly()
    .openapi({ description: "The names that it was acquired for.", example: ["orders-42"] }),
  fencingToken: fencingToken.openapi({ description: "Its fencing token; of an election its term." }),
};

const BoundLeasesSchema = answer("BoundLeases", "What became of the leases that are bound to the member.", {
  held: z
    .array(
      answer("BoundHeld", "A lease that was renewed.", {
        ...bound,
        mode,
        validForMs: z.int().openapi({
          description:
            "Trust it until your own send time of the heartbeat + validForMs, on your monotonic clock.",
          example: 9_895,
        }),
      }),
    )
    .readonly()
    .openapi({ description: "Those that are held." }),
  lost: z
    .array(answer("BoundLost", "A lease that has ended.", { ...bound, lost: LossSchema }))
    .readonly()
    .openapi({
      description: "Those that ended without having been released. Each is told once, as a rule.",
    }),
});

export const PulseSchema = answer("Pulse", "The member whose heartbeat it was.", {
  incarnation,
  revision: MemberSchema.shape.revision,
  ttlMs: MemberSchema.shape.ttlMs,
  heartbeatIntervalMs,
  ringId: ringId.nullable().openapi({
    description:
      "Identifies the ring of the service as this instance saw it a moment ago: a second for small deployments, 20 s with 100,000 members. If it is another than yours, read the members again. null: this instance does not know it yet.",
  }),
  leases: BoundLeasesSchema.optional().openapi({
    description:
      "Present where the heartbeat had a memberKey. A lease that is in neither list was not renewed: it ends in its time.",
  }),
});

const AliveSchema = answer("HeartbeatAlive", "The member stays alive.", {
  outcome: only("alive"),
  ...PulseSchema.shape,
});

/** The problems that a single heartbeat of several may have. */
export const HEARTBEAT_CODES = [
  "unknown_member",
  "superseded",
  "forbidden",
  "too_many",
  "overloaded",
  "no_quorum",
] as const;

const FailedSchema = answer("HeartbeatFailed", "This heartbeat failed; the others are not affected.", {
  outcome: only("failed"),
  code: z.enum(HEARTBEAT_CODES).openapi("HeartbeatFailure", {
    description: "The code of the problem that this heartbeat alone would have been answered with.",
  }),
  detail: z.string().openapi({ description: "What happened, and what to do." }),
  retryAfterMs: ms("When to try again; missing if it is no use to try the same again", 1_000).optional(),
});

const OutcomeSchema = z
  .discriminatedUnion("outcome", [AliveSchema, FailedSchema])
  .openapi("HeartbeatOutcome", { description: "What became of one heartbeat." });

export const HeartbeatsSchema = answer("Heartbeats", "What became of each heartbeat.", {
  outcomes: z
    .array(OutcomeSchema)
    .readonly()
    .openapi({ description: "One for each heartbeat, in their order." }),
});

function only<V extends string>(value: V) {
  // As `const`, since generators make a type of its own of every enum.
  const keywords = { type: "string" as const, const: value, description: "Tells the outcomes apart." };
  return z.literal(value).openapi(keywords);
}
