import { z } from "@hono/zod-openapi";
import { PRIMARY_STATES } from "../../redis/primary.js";
import { ms } from "../fields.js";

export const PrimarySchema = z
  .object({
    address: z.string().openapi({ example: "127.0.0.1:6379" }),
    state: z.enum(PRIMARY_STATES).openapi({
      description:
        "up: takes part. quarantined: takes part, but grants no new lease for quarantineMs, since it may have forgotten some. refusing: takes part, but refuses writes, so that it grants and registers nothing; see reason. readmitting: it restarted or missed something, and gets what it lacks. down: does not answer. wrong_role: is a replica. misconfigured: cannot be a primary here; see reason.",
      example: "up",
    }),
    forMs: ms("How long it has been so", 734_112),
    reason: z
      .string()
      .nullable()
      .openapi({ description: "Why it does not take part, or refuses writes.", example: null }),
    quarantineMs: ms("How long it will grant no new lease", 0),
    latencyMs: z
      .object({ p50: z.number().nullable(), p99: z.number().nullable() })
      .openapi({ description: "Of the latest calls of this instance.", example: { p50: 0.31, p99: 1.9 } }),
  })
  .openapi("Primary");

const grantsInMs = z.int().nullable().openapi({
  description:
    "Time until a majority grant new leases, ms: after a restart they wait for those that they may have forgotten. 0: they do now. null: there is no quorum, so nobody knows. Renewals, releases and reads do not wait for it.",
  example: 0,
});

export const PrimariesSchema = z
  .object({
    primaries: z.array(PrimarySchema),
    configurationVersion: z.int().nullable().openapi({
      description: "Version of the configuration that this instance goes by; null before the first.",
      example: 1,
    }),
    majority: z.int().openapi({ example: 2 }),
    quorum: z.boolean().openapi({ description: "Whether a majority take part and accept writes." }),
    grantsInMs,
  })
  .openapi("Primaries");

export const LiveSchema = z.object({ status: z.literal("ok") }).openapi("Live");

export const ReadySchema = z
  .object({
    status: z.literal("ready"),
    quorum: z.boolean().openapi({
      description:
        "Whether a majority of the primaries take part and accept writes. Not a reason to take this instance out.",
    }),
    reason: z.string().nullable().openapi({ description: "Why there is no quorum.", example: null }),
    grantsInMs,
  })
  .openapi("Ready");

export const DescriptionSchema = z.record(z.string(), z.unknown()).openapi("Description");
