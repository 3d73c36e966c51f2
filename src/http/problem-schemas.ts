import { z } from "@hono/zod-openapi";
import { ERROR_CODES, type ErrorCode } from "../errors.js";
import { answer } from "./fields.js";
import { HolderSchema } from "./leases/schemas.js";

/** What the schema of a problem is made of, besides the fields of its code. */
export interface Titled {
  readonly status: number;
  readonly title: string;
}

/**
 * The problems of all codes, each under a name of its own, as a union that `code` discriminates. A field that is not
 * optional here is in every problem of this code: the tests hold each answer that they get against these schemas.
 */
export function problemSchemas(titled: (code: ErrorCode) => Titled) {
  const schemas = ERROR_CODES.map((code) => problemSchema(code, titled(code)));
  return z.discriminatedUnion("code", schemas as [Problem, ...Problem[]]).openapi("Problem", {
    description:
      "Why a request failed (RFC 9457). Program against its code, on which the other fields depend.",
  });
}

/** The name of the schema of a code: `lease_lost` has `LeaseLostProblem`. */
export const problemName = (code: ErrorCode): string => `${inCamelCase(code)}Problem`;

/** `lease_lost` is `LeaseLost`. */
export const inCamelCase = (code: ErrorCode): string =>
  code.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());

type Problem = ReturnType<typeof problemSchema>;

function problemSchema(code: ErrorCode, { status, title }: Titled) {
  return answer(problemName(code), `${title}.${NOTES[code] ?? ""}`, {
    type: only(`urn:quorate:problem:${code}`, "The same for all problems with this code."),
    title: z.string().openapi({ description: "The code in words.", example: title }),
    status: only(status, "The HTTP status."),
    code: only(code, "What to program against: it never changes."),
    detail: z.string().openapi({ description: "What happened, and what to do." }),
    requestId: z.string().openapi({ description: "The X-Request-Id of this request, as in the logs." }),
    ...FIELDS[code],
  });
}

/** The one value that a field has: as `const`, since generators make a type of its own of every enum. */
function only<V extends string | number>(value: V, description: string) {
  const type = typeof value === "string" ? ("string" as const) : ("integer" as const);
  const keywords = { type, const: value, description };
  return z.literal(value).openapi(keywords);
}

const retryAfterMs = z
  .int()
  .min(0)
  .openapi({ description: "When to try again, ms; the header Retry-After rounds it up." });

export const LossSchema = answer("Loss", "What is known about why a lease was lost.", {
  why: z.enum(["expired", "released", "broken", "taken", "restarted"]).openapi({
    description:
      "taken: a later lease holds it or has held it. restarted: a majority of the primaries restarted since it was granted, and no later holder is known.",
  }),
  reason: z.string().optional().openapi({ description: "Why an operator broke it." }),
  newest: z
    .int()
    .optional()
    .openapi({ format: "int64", description: "No token above this one has been granted since." }),
});

const WrongFieldSchema = answer("WrongField", "A field or parameter of the request that is wrong.", {
  field: z.string().openapi({ description: "Its path, such as members.0.id; empty: the body itself." }),
  detail: z.string().openapi({ description: "What is wrong with it." }),
});

const sometimesRetryAfterMs = retryAfterMs.optional().openapi({
  description:
    "When to try again, ms; the header Retry-After rounds it up. Missing if it is no use to try the same again.",
});

/** What a field that may be missing cannot say where it refers to a schema. */
const NOTES: Readonly<Partial<Record<ErrorCode, string>>> = {
  held: " Without a holder other requests come first, or were made at the same moment.",
};

/** The fields that only some codes have. */
const FIELDS: Readonly<Partial<Record<ErrorCode, z.ZodRawShape>>> = {
  invalid_request: {
    field: z.string().optional().openapi({ description: "The first field that is wrong, as a path." }),
    errors: z.array(WrongFieldSchema).optional().openapi({
      description: "All fields that are wrong. Missing if the request could not be read at all.",
    }),
  },
  method_not_allowed: {
    allow: z.array(z.string()).openapi({ description: "The methods that the path has." }),
  },
  held: {
    retryAfterMs,
    queuePosition: z.int().min(1).openapi({
      description:
        "The place in the queue when waitMs was over, or the place that a waiting request would have had; 1: the next.",
    }),
    // Without words of its own: they would make it another schema.
    holder: HolderSchema.optional(),
  },
  already_decided: {
    decision: z.enum(["committed", "aborted"]).openapi({ description: "It never changes." }),
  },
  limit_mismatch: {
    limit: z
      .int()
      .openapi({ description: "The limit of the semaphore, or the count of the barrier or latch." }),
  },
  rate_limited: { retryAfterMs },
  quota_exceeded: { retryAfterMs },
  too_many: { retryAfterMs: sometimesRetryAfterMs },
  lease_lost: {
    lost: LossSchema,
    field: z.string().optional().openapi({ description: "Which lease, where a request names several." }),
  },
  version_mismatch: {
    etag: z
      .string()
      .optional()
      .openapi({ description: "The ETag of what is stored now; also as header ETag. Missing: nothing is." }),
    version: z.int().optional().openapi({ format: "int64", description: "The version of a register." }),
    revision: z.int().optional().openapi({ description: "The revision of a member." }),
    field: z
      .string()
      .optional()
      .openapi({ description: "The check of a transaction that does not hold.", example: "checks.1.etag" }),
  },
  too_many_keyed: { retryAfterMs },
  contended: { retryAfterMs },
  too_many_transactions: { retryAfterMs },
  no_quorum: { retryAfterMs: sometimesRetryAfterMs },
  authentication_unavailable: { retryAfterMs },
  overloaded: { retryAfterMs },
};
