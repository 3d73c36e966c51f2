import { z } from "@hono/zod-openapi";
import { json, label, name } from "../fields.js";
import {
  fencingToken,
  grant,
  holding,
  leaseId,
  leaseRequest,
  line,
  owner,
  position,
  renewal,
} from "../leases/schemas.js";

export const ElectionParams = z.object({
  name: name("Name of the election.", "billing"),
});

const VALUE_BYTES_MAX = 4096;

const value = json(VALUE_BYTES_MAX, "What the leader publishes", { url: "http://10.0.0.7:9000" });

const term = fencingToken.openapi({
  description: "The fencing token of this term: only grows from one leader to the next.",
});

export const campaignBody = (ttlMaxMs: number) =>
  z
    .strictObject({
      ...leaseRequest(ttlMaxMs),
      candidate: label(256, "A label that others see.", "worker-7").optional(),
      value: value.optional(),
    })
    .openapi("CampaignRequest");

export const renewTermBody = (ttlMaxMs: number) => {
  const { fencingToken: _, ...rest } = renewal(ttlMaxMs);
  const description = "The term of the grant. Without it, renewing takes one more round trip.";
  return z
    .strictObject({ ...rest, term: term.optional().openapi({ description }) })
    .openapi("RenewTermRequest");
};

export const ProclaimBody = z
  .strictObject({ leaseId, value: value.refine((given) => given !== undefined, "must be there") })
  .openapi("ProclaimRequest");

export const TermSchema = z
  .object({
    ...grant,
    name: z.string().openapi({ example: "billing" }),
    candidate: owner,
    term,
    value: z.unknown(),
  })
  .openapi("Term");

export const ProclaimedSchema = z.object({ term }).openapi("Proclaimed");

export const ResignedSchema = z
  .object({ resigned: z.boolean().openapi({ description: "Whether it led until now." }) })
  .openapi("Resigned");

const WaitingCandidateSchema = z
  .object({
    position,
    candidate: owner,
    owner: owner.openapi({ deprecated: true, description: "The candidate." }),
    mode: z.string().openapi({ deprecated: true, example: "exclusive" }),
  })
  .openapi("WaitingCandidate");

export const ElectionSchema = z
  .object({
    name: z.string().openapi({ example: "billing" }),
    leader: z
      .object({ candidate: owner, term, value: z.unknown(), ...holding })
      .openapi("Leader")
      .nullable()
      .openapi({ description: "null: nobody leads, or it cannot be known who does; see known." }),
    known: z.boolean().openapi({
      description: "Whether a majority agrees on that. false: votes are split, so ask again.",
    }),
    waiting: line.waiting,
    queue: z.array(WaitingCandidateSchema).readonly().openapi({ description: "The first 100 of them." }),
  })
  .openapi("Election");
