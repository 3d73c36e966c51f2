import { z } from "@hono/zod-openapi";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type CoordinationError, ERROR_CODES, type ErrorCode } from "../errors.js";
import { HolderSchema } from "./leases/schemas.js";
import { problemDetails, problemRequestId } from "./problem-examples.js";

/** The only place that knows which status a code has, and its title. Source of the shape: RFC 9457. */
const TABLE = {
  invalid_request: [400, "The request is not valid"],
  forbidden: [403, "This is not allowed"],
  not_found: [404, "There is nothing at this path"],
  unknown_member: [404, "The service has no such member"],
  no_members: [404, "The service has no member that could own a key"],
  method_not_allowed: [405, "This path has other methods"],
  request_timeout: [408, "The request did not arrive in time"],
  held: [409, "Another lease holds it"],
  lease_mismatch: [409, "This leaseId is for something else"],
  limit_mismatch: [409, "The semaphore has another limit"],
  superseded: [409, "A later registration has taken its place"],
  too_many: [409, "There is more of it than a limit allows"],
  lease_lost: [410, "The lease is not held any more"],
  too_large: [413, "The body is too large"],
  unsupported_media_type: [415, "The body is not JSON"],
  expectation_failed: [417, "What the request expects cannot be met"],
  headers_too_large: [431, "The headers are too large"],
  internal: [500, "Quorate made a mistake"],
  no_quorum: [503, "No majority of the primaries can decide this now"],
  overloaded: [503, "This instance has more to do than it can"],
  shutting_down: [503, "This instance is stopping"],
  outcome_unknown: [504, "It may have happened or not"],
} as const satisfies Record<ErrorCode, readonly [ContentfulStatusCode, string]>;

export type ProblemStatus = (typeof TABLE)[ErrorCode][0];

export function statusOf(code: ErrorCode): ProblemStatus {
  return TABLE[code][0];
}

/** The body of the answer to a failure. */
export function toProblem(error: CoordinationError, requestId: string) {
  const [status, title] = TABLE[error.code];
  return {
    type: `urn:quorate:problem:${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.message,
    requestId,
    ...error.help,
  };
}

const ProblemSchema = z
  .object({
    type: z.string().openapi({ example: "urn:quorate:problem:held" }),
    title: z.string(),
    status: z.int(),
    code: z.enum(ERROR_CODES).openapi({ description: "What to program against: it never changes." }),
    detail: z.string().openapi({ description: "What happened, and what to do." }),
    requestId: z.string().openapi({ description: "The X-Request-Id of this request, as the logs have it." }),
    retryAfterMs: z
      .int()
      .optional()
      .openapi({ description: "When trying again makes sense, ms; the header Retry-After rounds it up." }),
    field: z.string().optional().openapi({ description: "The first field that is wrong, as a path." }),
    errors: z.array(z.object({ field: z.string(), detail: z.string() })).optional(),
    allow: z.array(z.string()).optional().openapi({ description: "The methods that the path has." }),
    holder: HolderSchema.optional().openapi({ description: "Who holds it: never with its leaseId." }),
    queuePosition: z.int().min(1).optional().openapi({
      description:
        "The place in line when the time to wait was over, or where one would have stood; 1: the next.",
    }),
    limit: z.int().optional().openapi({ description: "The limit that the semaphore has." }),
    lost: z
      .object({
        why: z.enum(["expired", "released", "broken", "taken", "restarted"]).openapi({
          description:
            "taken: a later lease has or had what it held. restarted: a majority of the primaries restarted since it was granted, and nobody is known to have had it.",
        }),
        reason: z.string().optional().openapi({ description: "Why an operator broke it." }),
        newest: z
          .int()
          .optional()
          .openapi({ format: "int64", description: "No token above this one has been given out since." }),
      })
      .optional()
      .openapi({ description: "What is known of why the lease was lost." }),
  })
  .openapi("Problem");

/** The responses of an operation under /v1 that can fail with these codes, beside those that all of them have. */
export function problems(...codes: ErrorCode[]) {
  return problemsOutsideV1("invalid_request", ...codes, "overloaded", "shutting_down");
}

/** The same of an operation outside /v1: such ones answer to the end. */
export function problemsOutsideV1(...codes: ErrorCode[]) {
  const byStatus = new Map<ProblemStatus, ErrorCode[]>();
  for (const code of new Set<ErrorCode>([...codes, "internal"])) {
    const status = statusOf(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        description: ofStatus.map((code) => `\`${code}\`: ${TABLE[code][1]}.`).join(" "),
        ...(ofStatus.some((code) => problemDetails[code].retryAfterMs !== undefined) && RETRY_AFTER),
        content: {
          "application/problem+json": {
            schema: ProblemSchema.extend({ code: z.enum(ofStatus) }),
            examples: Object.fromEntries(
              ofStatus.map((code) => [code, { $ref: `#/components/examples/${code}` }]),
            ),
          },
        },
      },
    ]),
  );
}

const RETRY_AFTER = {
  headers: {
    "Retry-After": { description: "retryAfterMs in seconds, rounded up.", schema: { type: "integer" } },
  },
} as const;

/** A problem of each code, for `#/components/examples`. */
export function problemExamples() {
  return Object.fromEntries(
    ERROR_CODES.map((code) => {
      const [status, title] = TABLE[code];
      const type = `urn:quorate:problem:${code}`;
      const value = { type, title, status, code, requestId: problemRequestId, ...problemDetails[code] };
      return [code, { summary: title, value }];
    }),
  );
}
