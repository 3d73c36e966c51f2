import { z } from "@hono/zod-openapi";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type CoordinationError, ERROR_CODES, type ErrorCode } from "../errors.js";
import { INVALID_CREDENTIAL } from "./failures.js";
import { answer } from "./fields.js";
import { HolderSchema } from "./leases/schemas.js";
import { failures, problemRequestId } from "./problem-examples.js";

/** Status and title of each code: only this file knows them. Source of the shape: RFC 9457. */
const TABLE = {
  invalid_request: [400, "The request is not valid"],
  unauthenticated: [401, "A valid key is needed"],
  forbidden: [403, "This is not allowed"],
  not_found: [404, "There is nothing at this path"],
  unknown_member: [404, "The service has no such member"],
  no_members: [404, "The service has no member that could own a key"],
  method_not_allowed: [405, "This path has other methods"],
  request_timeout: [408, "The request did not arrive in time"],
  held: [409, "Another lease holds it"],
  lease_mismatch: [409, "This leaseId is for something else"],
  limit_mismatch: [409, "The semaphore has another limit"],
  superseded: [409, "A later registration has replaced it"],
  too_many: [409, "It exceeds a limit"],
  lease_lost: [410, "The lease is not held any more"],
  too_large: [413, "The body is too large"],
  unsupported_media_type: [415, "The body is not JSON"],
  expectation_failed: [417, "The expectation of the request cannot be met"],
  rate_limited: [429, "Too many requests in this time"],
  quota_exceeded: [429, "Too many at the same time"],
  headers_too_large: [431, "The headers are too large"],
  internal: [500, "Internal error"],
  no_quorum: [503, "No majority of the primaries can decide this now"],
  authentication_unavailable: [503, "Credentials cannot be verified now"],
  overloaded: [503, "This instance is overloaded"],
  shutting_down: [503, "This instance is stopping"],
} as const satisfies Record<ErrorCode, readonly [ContentfulStatusCode, string]>;

export type ProblemStatus = (typeof TABLE)[ErrorCode][0];

export function statusOf(code: ErrorCode): ProblemStatus {
  return TABLE[code][0];
}

/** The headers that tell of a failure besides its body, by their names in lower case. */
export function problemHeaders(error: CoordinationError): Readonly<Record<string, string>> {
  const { retryAfterMs, allow } = error.help;
  return {
    "content-type": "application/problem+json",
    ...(retryAfterMs !== undefined && { "retry-after": String(Math.ceil(retryAfterMs / 1000)) }),
    ...(allow !== undefined && { allow: allow.join(", ") }),
    // RFC 6750: whether a credential was missing or not valid.
    ...(error.code === "unauthenticated" && {
      "www-authenticate": error === INVALID_CREDENTIAL ? 'Bearer error="invalid_token"' : "Bearer",
    }),
  };
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

const ProblemSchema = answer("Problem", {
  type: z.string().openapi({ example: "urn:quorate:problem:held" }),
  title: z.string(),
  status: z.int(),
  code: z.enum(ERROR_CODES).openapi({ description: "What to program against: it never changes." }),
  detail: z.string().openapi({ description: "What happened, and what to do." }),
  requestId: z.string().openapi({ description: "The X-Request-Id of this request, as in the logs." }),
  retryAfterMs: z
    .int()
    .optional()
    .openapi({ description: "When to try again, ms; the header Retry-After rounds it up." }),
  field: z.string().optional().openapi({ description: "The first field that is wrong, as a path." }),
  errors: z.array(z.object({ field: z.string(), detail: z.string() })).optional(),
  allow: z.array(z.string()).optional().openapi({ description: "The methods that the path has." }),
  holder: HolderSchema.optional().openapi({ description: "The current holder, without its leaseId." }),
  queuePosition: z.int().min(1).optional().openapi({
    description:
      "The place in the queue when waitMs was over, or the place that a waiting request would have had; 1: the next.",
  }),
  limit: z.int().optional().openapi({ description: "The limit of the semaphore." }),
  lost: z
    .object({
      why: z.enum(["expired", "released", "broken", "taken", "restarted"]).openapi({
        description:
          "taken: a later lease holds it or has held it. restarted: a majority of the primaries restarted since it was granted, and no later holder is known.",
      }),
      reason: z.string().optional().openapi({ description: "Why an operator broke it." }),
      newest: z
        .int()
        .optional()
        .openapi({ format: "int64", description: "No token above this one has been granted since." }),
    })
    .optional()
    .openapi({ description: "What is known about why the lease was lost." }),
});

/** The responses with these problems, by status, for the API description. */
export function problemResponses(codes: readonly ErrorCode[]) {
  const byStatus = new Map<ProblemStatus, ErrorCode[]>();
  for (const code of codes) {
    const status = statusOf(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        description: ofStatus.map((code) => `\`${code}\`: ${TABLE[code][1]}.`).join(" "),
        ...(ofStatus.some((code) => failures[code].help.retryAfterMs !== undefined) && RETRY_AFTER),
        ...(ofStatus.includes("unauthenticated") && CHALLENGE),
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

const CHALLENGE = {
  headers: {
    "WWW-Authenticate": {
      description: 'Bearer, with error="invalid_token" if a credential was sent.',
      schema: { type: "string" },
    },
  },
} as const;

/** A problem of each code, for `#/components/examples`. */
export function problemExamples() {
  return Object.fromEntries(
    ERROR_CODES.map((code) => [
      code,
      { summary: TABLE[code][1], value: toProblem(failures[code], problemRequestId) },
    ]),
  );
}
