import { z } from "@hono/zod-openapi";
import { PRIMARY_STATES } from "../../redis/lifecycle.js";
import { answer, ms } from "../fields.js";

export const PrimarySchema = answer("Primary", "A primary, as this instance sees it.", {
  address: z.string().openapi({ description: "Its host and port.", example: "127.0.0.1:6379" }),
  state: z.enum(PRIMARY_STATES).openapi({
    description:
      "up: participates. quarantined: participates, but grants no new lease for quarantineMs, since it may have forgotten some. refusing: participates, but refuses writes, so that it grants and registers nothing; see reason. readmitting: it restarted or missed writes, and is given what it lacks. down: does not answer. wrong_role: is a replica. misconfigured: cannot be a primary here; see reason.",
    example: "up",
  }),
  forMs: ms("How long it has been in this state", 734_112),
  reason: z
    .string()
    .nullable()
    .openapi({ description: "Why it does not participate, or refuses writes.", example: null }),
  quarantineMs: ms("How long it will not grant new leases", 0),
  latencyMs: answer("Latencies", "Of the latest calls of this instance, ms; null: there were none.", {
    p50: z
      .number()
      .nullable()
      .openapi({ description: "Half of them took at most this long.", example: 0.31 }),
    p99: z.number().nullable().openapi({ description: "99 % of them took at most this long.", example: 1.9 }),
  }),
});

const grantsInMs = z.int().nullable().openapi({
  description:
    "Time until a majority grants new leases, ms: after a restart primaries wait for leases that they may have forgotten. 0: a majority grants now. null: there is no quorum, so it is unknown. Renewals, releases and reads do not wait for it.",
  example: 0,
});

export const PrimariesSchema = answer("Primaries", "The primaries, as this instance sees them.", {
  primaries: z.array(PrimarySchema).openapi({ description: "In the order of the settings." }),
  configurationVersion: z.int().nullable().openapi({
    description: "Version of the configuration that this instance uses; null before the first.",
    example: 1,
  }),
  majority: z.int().openapi({ description: "How many of them must agree.", example: 2 }),
  quorum: z.boolean().openapi({ description: "Whether a majority participates and accepts writes." }),
  grantsInMs,
});

export const LiveSchema = answer("Live", "Sent by any instance that runs.", {
  status: z.literal("ok").openapi({ description: "Always ok." }),
});

export const ReadySchema = answer("Ready", "Sent by an instance that takes requests.", {
  status: z.literal("ready").openapi({ description: "Always ready: other instances answer with a problem." }),
  quorum: z.boolean().openapi({
    description:
      "Whether a majority of the primaries participates and accepts writes. Not a reason to take this instance out of rotation.",
  }),
  reason: z.string().nullable().openapi({ description: "Why there is no quorum.", example: null }),
  grantsInMs,
  worker: z.int().optional().openapi({
    description: "Which worker answers, 1 to QUORATE_WORKERS; only where several serve the port.",
    example: 2,
  }),
});

export const DescriptionSchema = z
  .record(z.string(), z.unknown())
  .openapi("Description", { description: "An OpenAPI document." });
