import { z } from "@hono/zod-openapi";
import { PRIMARY_STATES } from "../../redis/lifecycle.js";
import { answer, ms } from "../fields.js";

const settingOrNull = (description: string, example: string) =>
  z
    .string()
    .nullable()
    .openapi({ description: `${description} null: the server refuses CONFIG GET.`, example });

const PersistenceSchema = answer("Persistence", "What a server keeps on its disk.", {
  appendOnly: z.boolean().openapi({ description: "Whether it has an append-only file.", example: true }),
  appendFsync: settingOrNull("The setting appendfsync: always, everysec or no.", "always"),
  save: settingOrNull('The setting save; "": no snapshots.', "3600 1 300 100 60 10000"),
  writesSucceed: z
    .boolean()
    .nullable()
    .openapi({ description: "Whether its last writes to disk succeeded. null: unknown.", example: true }),
});

const MemorySchema = answer("Memory", "The memory of a server.", {
  usedBytes: z
    .number()
    .nullable()
    .openapi({ description: "How much it uses. null: unknown.", example: 1_402_880 }),
  maxBytes: z.number().nullable().openapi({
    description: "The setting maxmemory. null: there is no limit, or it is unknown.",
    example: 268_435_456,
  }),
  maxmemoryPolicy: z.string().nullable().openapi({
    description: "The setting maxmemory-policy. null: unknown.",
    example: "noeviction",
  }),
});

const ClockSchema = answer("ClockDifference", "The clock of a server, compared with that of this instance.", {
  differenceMs: z
    .int()
    .openapi({ description: "By how much it is ahead, ms; below 0: behind.", example: -2 }),
  uncertaintyMs: ms("The true difference is at most this far from differenceMs", 1),
});

const ServerSchema = answer("Server", "What a server says of itself.", {
  product: z.enum(["redis", "valkey"]).openapi({ description: "What it is.", example: "redis" }),
  version: z.string().openapi({ description: "Its version.", example: "7.4.2" }),
  role: z.enum(["primary", "replica"]).openapi({
    description: "replica: it follows another server, and cannot be a primary.",
    example: "primary",
  }),
  persistence: PersistenceSchema,
  memory: MemorySchema,
  clock: ClockSchema,
});

const differences = (what: string) => z.int().min(0).openapi({ description: what, example: 0 });

const CopiesSchema = answer(
  "Copies",
  "How the copies of a primary differed from what all should have, in the last comparison that this instance made. Only what was found twice in a row counts.",
  {
    missing: differences("Records that it lacked."),
    stale: differences("Records of which it had an older version."),
    diverged: differences("Records of the right version with other content: these are not repaired."),
    unconfirmed: differences(
      "Records that it had, and no majority: the rest of an operation that failed, or of a member that is gone. These end by themselves.",
    ),
    repaired: differences("How many of them were repaired."),
    comparedAgeMs: ms("Time since that comparison ended", 21_410),
  },
);

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
  lag: answer(
    "Lag",
    "How far it lags behind the changes of registers that a majority have acknowledged to this instance.",
    {
      registers: z.int().min(0).openapi({
        description:
          "Registers of which it has not acknowledged the latest change that this instance made, 10,000 at most. They are sent again as soon as it takes part.",
        example: 0,
      }),
      forMs: ms("How long there have been any, 0 if there are none", 0),
    },
  ),
  copies: CopiesSchema.nullable().openapi({
    description:
      "What the last comparison by this instance found here. null: it has made none yet; instances take turns.",
  }),
  server: ServerSchema.nullable().openapi({
    description: "What the server says of itself, up to 2 s ago. null: it does not answer.",
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
