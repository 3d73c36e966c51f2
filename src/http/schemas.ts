import { z } from "@hono/zod-openapi";

/** Bytes of a request body, at most. */
export const BODY_BYTES_MAX = 64 * 1024;
/** Bytes of a request body of the routes that take many things at once. */
export const BATCH_BODY_BYTES_MAX = 2 * 1024 * 1024;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

const name = (what: string, example: string) =>
  z
    .string()
    .regex(NAME, `a name of 1 to 128 of A-Z a-z 0-9 . _ : - that begins with a letter or digit`)
    .openapi({ description: what, example });

function jsonBytes(value: unknown): number {
  try {
    return Buffer.byteLength(JSON.stringify(value) ?? "");
  } catch {
    // Nested so deep that the stack does not suffice: that takes far more bytes than any limit here.
    return Number.POSITIVE_INFINITY;
  }
}

/** JSON of at most `bytes` when written without spaces. */
const json = (bytes: number, what: string) =>
  z
    .unknown()
    .refine((value) => jsonBytes(value) <= bytes, `at most ${bytes} bytes of JSON`)
    .openapi({ description: `${what}; up to ${bytes} bytes of JSON.`, example: { build: "7f3a" } });

const label = (max: number, what: string, example: string) =>
  z.string().min(1).max(max).openapi({ description: what, example });

const leaseId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{22,64}$/, "22 to 64 of A-Z a-z 0-9 _ -")
  .openapi({
    description:
      "The secret of the lease: who knows it may renew and release. Choose it yourself (at least 128 random bits, used for one lease) when the request may be repeated.",
    example: "q-mZ2c0m8nTzK1bq0gVwYk3A",
  });

const fencingToken = z.int().min(1).max(Number.MAX_SAFE_INTEGER).openapi({
  format: "int64",
  description: "Only grows from one holder of a name to the next. Send it along to what the lock guards.",
  example: 1795222235123457,
});

const ms = (what: string, example: number) =>
  z
    .int()
    .min(0)
    .openapi({ description: `${what}, ms.`, example });

// ---------------------------------------------------------------- locks

export const LockParams = z.object({
  name: name("Name of the lock.", "orders-42").openapi({ param: { name: "name", in: "path" } }),
});

const ttlMs = (ttlMaxMs: number) =>
  z.int().min(100).max(ttlMaxMs).openapi({
    description: "Time to live from now, ms. Ends the lease when nobody renews it.",
    example: 10_000,
  });

export const acquireBody = (ttlMaxMs: number) =>
  z
    .strictObject({
      ttlMs: ttlMs(ttlMaxMs),
      waitMs: z
        .literal(0, "waiting in line is not there yet: leave waitMs out, or send 0 and repeat the request")
        .optional()
        .openapi({ type: "integer", description: "How long to wait in line, ms; 0 for now.", example: 0 }),
      mode: z.literal("exclusive").optional(),
      owner: label(256, "A label that others see.", "worker-7").optional(),
      leaseId: leaseId.optional(),
      metadata: json(2048, "Whatever others should see").optional(),
    })
    .openapi("AcquireRequest");

export const renewBody = (ttlMaxMs: number) =>
  z
    .strictObject({
      leaseId,
      ttlMs: ttlMs(ttlMaxMs),
      fencingToken: fencingToken.optional().openapi({
        description: "The token of the grant. Without it renewing takes a round trip more.",
      }),
    })
    .openapi("RenewRequest");

export const ReleaseBody = z.strictObject({ leaseId }).openapi("ReleaseRequest");

export const LeaseSchema = z
  .object({
    leaseId,
    names: z.array(z.string()).readonly().openapi({ example: ["orders-42"] }),
    mode: z.enum(["exclusive", "shared"]),
    owner: z.string().nullable().openapi({ example: "worker-7" }),
    metadata: z.unknown(),
    fencingToken,
    ttlMs: ms("Time to live that was asked for", 10_000),
    validForMs: z.int().openapi({
      description:
        "Trust the lease until your own send time + waitedMs + validForMs, on your monotonic clock.",
      example: 9895,
    }),
    waitedMs: ms("Time from the request to the start of the attempt that won", 0),
    acks: z.int().openapi({ description: "Primaries known to agree when this was sent.", example: 2 }),
    primaries: z.int().openapi({ example: 3 }),
  })
  .openapi("Lease");

export const ReleasedSchema = z
  .object({ released: z.boolean().openapi({ description: "Whether the lease was held until now." }) })
  .openapi("Released");

export const HolderSchema = z
  .object({
    owner: z.string().nullable().openapi({ example: "worker-7" }),
    metadata: z.unknown(),
    mode: z.string().openapi({ example: "exclusive" }),
    heldForMs: ms("How long it has been held", 1588),
    expiresInMs: ms("Time until it ends when nobody renews it", 8412),
  })
  .openapi("Holder");

export const LockSchema = z
  .object({
    name: z.string().openapi({ example: "orders-42" }),
    mode: z.string().nullable().openapi({ description: "null: nobody holds it.", example: "exclusive" }),
    holders: z.array(HolderSchema).readonly(),
    fencingToken: fencingToken.nullable().openapi({
      description: "The holder's token, where a majority agree on it.",
    }),
    newest: z.int(),
    waiting: z.int(),
    queue: z.array(z.object({position: z.int(), mode: z.string(), owner: z.string().nullable()})).readonly(),
  })
  .openapi("Lock");

// ---------------------------------------------------------------- members

const service = name("Name of the service.", "search").openapi({ param: { name: "service", in: "path" } });

export const ServiceParams = z.object({ service });

export const MemberParams = z.object({
  service,
  id: name("Id of the member, unique in its service.", "search-1").openapi({
    param: { name: "id", in: "path" },
  }),
});

const registration = {
  address: label(512, "Where the member can be reached; Quorate never calls it.", "10.0.0.7:9000"),
  weight: z
    .number()
    .min(0)
    .max(256)
    .openapi({ description: "Its share beside the others'; 0: none.", example: 1 }),
  zone: label(64, "Where it runs: replicas go to distinct zones first.", "eu-1a"),
  tags: z.array(label(64, "A tag.", "canary")).max(16),
  metadata: json(2048, "Whatever others should see"),
};

const incarnation = z.int().min(1).max(Number.MAX_SAFE_INTEGER).openapi({
  format: "int64",
  description: "Raised by each registration: tells a process from its successor under the same id.",
  example: 1795222235123,
});

export const registerBody = (ttlMaxMs: number) =>
  z
    .strictObject({
      address: registration.address,
      weight: registration.weight.optional(),
      zone: registration.zone.optional(),
      tags: registration.tags.optional(),
      metadata: registration.metadata.optional(),
      ttlMs: z
        .int()
        .min(1000)
        .max(ttlMaxMs)
        .optional()
        .openapi({ description: "Time without a heartbeat after which it is gone, ms.", example: 15_000 }),
    })
    .openapi("RegisterRequest");

export const HeartbeatBody = z
  .strictObject({
    incarnation: incarnation.optional().openapi({
      description: "The incarnation of the registration; a later one makes this heartbeat a 409.",
    }),
  })
  .openapi("HeartbeatRequest");

export const MemberSchema = z
  .object({
    id: z.string().openapi({ example: "search-1" }),
    address: registration.address,
    weight: registration.weight,
    zone: z.string().nullable().openapi({ example: "eu-1a" }),
    tags: z.array(z.string()).openapi({ example: ["canary"] }),
    metadata: z.unknown(),
    status: z.enum(["up"]),
    incarnation,
    revision: z.int().openapi({ description: "Raised by each change within one incarnation.", example: 1 }),
    ttlMs: ms("Time without a heartbeat after which it is gone", 15_000),
    lastHeartbeatAgeMs: ms("Time since the last heartbeat", 812),
  })
  .openapi("Member");

const heartbeatIntervalMs = ms("The interval of heartbeats to keep: a third of ttlMs", 5000);

export const RegisteredSchema = MemberSchema.extend({ heartbeatIntervalMs }).openapi("Registered");

export const PulseSchema = z
  .object({
    incarnation,
    revision: z.int().openapi({ example: 1 }),
    ttlMs: ms("Time without a heartbeat after which it is gone", 15_000),
    heartbeatIntervalMs,
  })
  .openapi("Pulse");

export const LeftSchema = z
  .object({ left: z.boolean().openapi({ description: "Whether it was a member until now." }) })
  .openapi("Left");

const ringId = z.string().openapi({
  description: "Names the content of the ring: the same ringId gives the same owners, everywhere.",
  example: "6f1c2a9b4d3e8f70",
});

export const MembersSchema = z.object({ members: z.array(MemberSchema), ringId }).openapi("Members");

export const ServicesSchema = z
  .object({
    services: z.array(
      z.object({
        service: z.string().openapi({ example: "search" }),
        members: z.int().openapi({ example: 3 }),
      }),
    ),
  })
  .openapi("Services");

// ---------------------------------------------------------------- owners

const KEY_BYTES_MAX = 1024;

const ringKey = z
  .string()
  .min(1)
  .refine((key) => Buffer.byteLength(key) <= KEY_BYTES_MAX, `at most ${KEY_BYTES_MAX} bytes of UTF-8`)
  .openapi({ description: `Any UTF-8 text up to ${KEY_BYTES_MAX} bytes.`, example: "user:42" });

const REPLICAS_MAX = 64;
const replicasText = "How many members to name, the owner first, distinct zones first.";

export const OwnerQuery = z.strictObject({
  key: ringKey.openapi({ param: { name: "key", in: "query" } }),
  replicas: z
    .string()
    .regex(/^\d{1,3}$/, "a whole number")
    .transform(Number)
    .pipe(z.int().min(1).max(REPLICAS_MAX))
    .optional()
    .openapi({
      type: "integer",
      minimum: 1,
      maximum: REPLICAS_MAX,
      default: 1,
      description: replicasText,
      param: { name: "replicas", in: "query" },
    }),
});

const ageMs = ms("Age of the view of the members that this answer was made from", 120);

export const OwnerSchema = z
  .object({ key: ringKey, owner: MemberSchema, replicas: z.array(MemberSchema), ringId, ageMs })
  .openapi("Owner");

export const OwnersBody = z
  .strictObject({
    keys: z.array(ringKey).min(1).max(10_000),
    replicas: z.int().min(1).max(REPLICAS_MAX).optional().openapi({ description: replicasText, example: 1 }),
  })
  .openapi("OwnersRequest");

export const OwnersSchema = z
  .object({
    owners: z.array(
      z.object({
        key: ringKey,
        owner: z.string().openapi({ description: "Id of the owner.", example: "search-1" }),
        replicas: z.array(z.string()).openapi({ example: ["search-1"] }),
      }),
    ),
    members: z.record(z.string(), MemberSchema).openapi({ description: "The members named above, by id." }),
    ringId,
    ageMs,
  })
  .openapi("Owners");

// ---------------------------------------------------------------- the service itself

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
