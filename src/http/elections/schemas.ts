import { z } from "@hono/zod-openapi";
import { answer, json, label, name, request } from "../fields.js";
import {
  fencingToken,
  grant,
  holding,
  leaseId,
  leaseRequest,
  line,
  nameOf,
  owner,
  position,
  renewal,
} from "../leases/schemas.js";
import { BlockingReadQuery, EventsQuery } from "../watching/schemas.js";

export const ElectionParams = z.object({
  name: name("Name of the election.", "billing"),
});

const VALUE_BYTES_MAX = 4096;

const value = json(VALUE_BYTES_MAX, "What the leader publishes", { url: "http://10.0.0.7:9000" });

const term = fencingToken.openapi({
  description: "The fencing token of this term: only grows from one leader to the next.",
});

const candidate = owner.openapi({ description: "The label that the candidate has given itself." });

const published = z.unknown().openapi({
  description: "What the leader publishes.",
  example: { url: "http://10.0.0.7:9000" },
});

const BY_CONSENSUS =
  "Whether it is an election by consensus: one leader per term whatever clocks do. Elections by consensus have names of their own: say it in each request.";

const consensus = z.boolean().optional().openapi({ description: BY_CONSENSUS, example: false });

const consensusInQuery = z
  .enum(["true", "false"])
  .optional()
  .transform((text) => text === "true")
  .openapi({ type: "boolean", default: false, description: BY_CONSENSUS });

export const ElectionQuery = BlockingReadQuery.extend({ consensus: consensusInQuery });
export const ElectionEventsQuery = EventsQuery.extend({ consensus: consensusInQuery });

export const campaignBody = (ttlMaxMs: number) =>
  request("CampaignRequest", "To become the leader.", {
    ...leaseRequest(ttlMaxMs),
    candidate: label(256, "A label that others see.", "worker-7").optional(),
    value: value.optional(),
    consensus,
  }).refine(({ member, consensus = false }) => member === undefined || !consensus, {
    path: ["member"],
    message: "not with consensus: its leader renews by itself",
  });

export const renewTermBody = (ttlMaxMs: number) => {
  const { fencingToken: _, ...rest } = renewal(ttlMaxMs);
  const description = "The term of the grant. Without it, renewing takes one more round trip.";
  return request("RenewTermRequest", "To renew a term.", {
    ...rest,
    term: term.optional().openapi({ description }),
    consensus,
  });
};

export const ProclaimBody = request("ProclaimRequest", "To publish another value as the leader.", {
  leaseId,
  value: value.refine((given) => given !== undefined, "must be there"),
  consensus,
});

export const ResignBody = request("ResignRequest", "To stop leading.", { leaseId, consensus });

export const TermSchema = answer("Term", "The term of a leader.", {
  ...grant,
  name: nameOf("billing"),
  candidate,
  term,
  value: published,
});

export const ProclaimedSchema = answer("Proclaimed", "The outcome of publishing a value.", { term });

export const ResignedSchema = answer("Resigned", "The outcome of resigning.", {
  resigned: z.boolean().openapi({ description: "Whether it led until now." }),
});

const WaitingCandidateSchema = answer("WaitingCandidate", "A candidate in the queue.", {
  position,
  candidate,
  owner: owner.openapi({ deprecated: true, description: "The candidate." }),
  mode: z.string().openapi({ deprecated: true, description: "Always exclusive.", example: "exclusive" }),
});

const LeaderSchema = answer("Leader", "The leader, without its leaseId.", {
  candidate,
  term,
  value: published,
  ...holding,
});

export const ElectionSchema = answer("Election", "An election as it is now: who leads, and who waits to.", {
  name: nameOf("billing"),
  leader: z
    .union([LeaderSchema, z.null()])
    .openapi({ description: "null: nobody leads, or it cannot be known who does; see known." }),
  known: z.boolean().openapi({
    description: "Whether a majority agrees on that. false: votes are split, so ask again.",
  }),
  waiting: line.waiting,
  queue: z.array(WaitingCandidateSchema).readonly().openapi({ description: "The first 100 of them." }),
});
