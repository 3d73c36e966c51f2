import { z } from "@hono/zod-openapi";
import { ms } from "./fields.js";

export const PrimarySchema = z
  .object({
    address: z.string().openapi({ example: "127.0.0.1:6379" }),
    state: z.enum(["up", "quarantined", "readmitting", "down", "wrong_role", "misconfigured"]).openapi({
      description:
        "up: takes part. quarantined: takes part, but grants no new lease for quarantineMs, since it may have forgotten some. readmitting: it restarted or missed something, and gets what it lacks. down: does not answer. wrong_role: is a replica. misconfigured: cannot be a primary here; see reason.",
      example: "up",
    }),
    forMs: ms("How long it has been so", 734_112),
    reason: z.string().nullable().openapi({ description: "Why it does not take part.", example: null }),
    quarantineMs: ms("How long it will grant no new lease", 0),
    latencyMs: z
      .object({ p50: z.number().nullable(), p99: z.number().nullable() })
      .openapi({ description: "Of the latest calls of this instance.", example: { p50: 0.31, p99: 1.9 } }),
  })
  .openapi("Primary");

export const PrimariesSchema = z
  .object({
    primaries: z.array(PrimarySchema),
    configurationVersion: z.int().nullable().openapi({
      description: "Version of the configuration that this instance goes by; null before the first.",
      example: 1,
    }),
    majority: z.int().openapi({ example: 2 }),
    quorum: z.boolean().openapi({ description: "Whether a majority are up." }),
  })
  .openapi("Primaries");

export const LiveSchema = z.object({ status: z.literal("ok") }).openapi("Live");

export const ReadySchema = z
  .object({
    status: z.literal("ready"),
    quorum: z.boolean().openapi({
      description: "Whether a majority of the primaries are up. Not a reason to take this instance out.",
    }),
  })
  .openapi("Ready");

export const DescriptionSchema = z.record(z.string(), z.unknown()).openapi("Description");
