import { z } from "@hono/zod-openapi";
import { PRIMARY_STATES } from "../../redis/lifecycle.js";
import { answer, ms } from "../fields.js";

const ServerSchema = answer("Server", {
  product: z.enum(["redis", "valkey"]).openapi({ example: "redis" }),
  version: z.string().openapi({ example: "7.4.2" }),
  role: z.enum(["primary", "replica"]).openapi({ example: "primary" }),
  persistence: z.object({
    appendOnly: z.boolean().openapi({ description: "Whether it has an append-only file.", example: true }),
    appendFsync: z.string().nullable().openapi({
      description: "The setting appendfsync: always, everysec or no. null: the server refuses CONFIG GET.",
      example: "always",
    }),
    save: z.string().nullable().openapi({
      description: 'The setting save; "": no snapshots. null: the server refuses CONFIG GET.',
      example: "3600 1 300 100 60 10000",
    }),
    writesSucceed: z
      .boolean()
      .nullable()
      .openapi({ description: "Whether its last writes to disk succeeded. null: unknown.", example: true }),
  }),
  memory: z.object({
    usedBytes: z.number().nullable().openapi({ description: "null: unknown.", example: 1_402_880 }),
    maxBytes: z.number().nullable().openapi({
      description: "The setting maxmemory. null: there is no limit, or it is unknown.",
      example: 268_435_456,
    }),
    maxmemoryPolicy: z.string().nullable().openapi({ description: "null: unknown.", example: "noeviction" }),
  }),
  clock: z.object({
    differenceMs: z.int().openapi({
      description: "By how much its clock is ahead of the clock of this instance, ms; below 0: behind.",
      example: -2,
    }),
    uncertaintyMs: z
      .int()
      .min(0)
      .openapi({ description: "The true difference is at most this far from differenceMs, ms.", example: 1 }),
  }),
});

export const PrimarySchema = answer("Primary", {
  address: z.string().openapi({ example: "127.0.0.1:6379" }),
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
  latencyMs: z
    .object({ p50: z.number().nullable(), p99: z.number().nullable() })
    .openapi({ description: "Of the latest calls of this instance.", example: { p50: 0.31, p99: 1.9 } }),
  server: ServerSchema.nullable().openapi({
    description: "What the server says of itself, up to 2 s ago. null: it does not answer.",
  }),
});

const grantsInMs = z.int().nullable().openapi({
  description:
    "Time until a majority grants new leases, ms: after a restart primaries wait for leases that they may have forgotten. 0: a majority grants now. null: there is no quorum, so it is unknown. Renewals, releases and reads do not wait for it.",
  example: 0,
});

export const PrimariesSchema = answer("Primaries", {
  primaries: z.array(PrimarySchema),
  configurationVersion: z.int().nullable().openapi({
    description: "Version of the configuration that this instance uses; null before the first.",
    example: 1,
  }),
  majority: z.int().openapi({ example: 2 }),
  quorum: z.boolean().openapi({ description: "Whether a majority participates and accepts writes." }),
  grantsInMs,
  version: z.string().openapi({ description: "Version of Quorate of this instance.", example: "0.1.0" }),
  deployment: z.string().nullable().openapi({
    description: "The same for all instances of one deployment, and for no other; null before it is known.",
    example: "5f0c1d2ab8e94c77",
  }),
  embedded: z.boolean().openapi({
    description:
      "Whether this instance started the primaries itself, as REDIS_URLS names none; they keep nothing.",
    example: false,
  }),
  commandTimeoutMs: ms("How long this instance waits for an answer of a primary", 100),
});

export const LiveSchema = answer("Live", { status: z.literal("ok") });

export const ReadySchema = answer("Ready", {
  status: z.literal("ready"),
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

export const DescriptionSchema = z.record(z.string(), z.unknown()).openapi("Description");
