import { z } from "@hono/zod-openapi";
import { answer, json, label, name, request } from "../fields.js";
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
  request("CampaignRequest", {
    ...leaseRequest(ttlMaxMs),
    candidate: label(256, "A label that others see.", "worker-7").optional(),
    value: value.optional(),
  });

export const renewTermBody = (ttlMaxMs: number) => {
  const { fencingToken: _, ...rest } = renewal(ttlMaxMs);
  const description = "The term of the grant. Without it, renewing takes one more round trip.";
  return request("RenewTermRequest", { ...rest, term: term.optional().openapi({ description }) });
};

export const ProclaimBody = request("ProclaimRequest", {
  leaseId,
  value: value.refine((given) => given !== undefined, "must be there"),
});

export const TermSchema = answer("Term", {
  ...grant,
  name: z.string().openapi({ example: "billing" }),
  candidate: owner,
  term,
  value: z.unknown(),
});

export const ProclaimedSchema = answer("Proclaimed", { term });

export const ResignedSchema = answer("Resigned", {
  resigned: z.boolean().openapi({ description: "Whether it led until now." }),
});

const WaitingCandidateSchema = answer("WaitingCandidate", {
  position,
  candidate: owner,
  owner: owner.openapi({ deprecated: true, description: "The candidate." }),
  mode: z.string().openapi({ deprecated: true, example: "exclusive" }),
});

export const ElectionSchema = answer("Election", {
  name: z.string().openapi({ example: "billing" }),
  leader: answer("Leader", { candidate: owner, term, value: z.unknown(), ...holding })
    .nullable()
    .openapi({ description: "null: nobody leads, or it cannot be known who does; see known." }),
  known: z.boolean().openapi({
    description: "Whether a majority agrees on that. false: votes are split, so ask again.",
  }),
  waiting: line.waiting,
  queue: z.array(WaitingCandidateSchema).readonly().openapi({ description: "The first 100 of them." }),
});
