import { z } from "@hono/zod-openapi";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { CoordinationError, ErrorCode } from "../errors.js";

/** The only place that knows which status a code has, and its title. Source of the shape: RFC 9457. */
const TABLE = {
  invalid_request: [400, "The request is not valid"],
  not_found: [404, "There is nothing at this path"],
  unknown_member: [404, "The service has no such member"],
  no_members: [404, "The service has no member that could own a key"],
  method_not_allowed: [405, "This path has other methods"],
  held: [409, "Another lease holds it"],
  superseded: [409, "A later registration has taken its place"],
  lease_lost: [410, "The lease is not held any more"],
  too_large: [413, "The body is too large"],
  unsupported_media_type: [415, "The body is not JSON"],
  internal: [500, "Quorate made a mistake"],
  no_quorum: [503, "No majority of the primaries answered"],
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

const base = {
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string().openapi({ description: "What happened, and what to do." }),
  requestId: z.string().openapi({ description: "The X-Request-Id of this request, as the logs have it." }),
  retryAfterMs: z.int().optional().openapi({ description: "When trying again makes sense." }),
  field: z.string().optional().openapi({ description: "The first field that is wrong, as a path." }),
  errors: z.array(z.object({ field: z.string(), detail: z.string() })).optional(),
  holder: z.unknown().optional().openapi({ description: "Who holds it: never with its leaseId." }),
};

/** The responses of an operation that can fail with these codes, beside those that every operation has. */
export function problems<const C extends ErrorCode>(...codes: C[]) {
  const byStatus = new Map<ProblemStatus, ErrorCode[]>();
  for (const code of new Set<ErrorCode>([...codes, "internal", "shutting_down"])) {
    const status = statusOf(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        description: ofStatus.map((code) => `\`${code}\`: ${TABLE[code][1]}.`).join(" "),
        content: {
          "application/problem+json": {
            schema: z.object({ ...base, code: z.enum(ofStatus as [ErrorCode, ...ErrorCode[]]) }),
            examples: Object.fromEntries(ofStatus.map((code) => [code, { value: example(code) }])),
          },
        },
      },
    ]),
  );
}

const DETAILS: Partial<Record<ErrorCode, object>> = {
  invalid_request: {
    detail: "ttlMs: Too small: expected number to be >=100",
    field: "ttlMs",
    errors: [{ field: "ttlMs", detail: "Too small: expected number to be >=100" }],
  },
  held: {
    detail: "orders-42 is held by another lease. Try again after retryAfterMs.",
    retryAfterMs: 8412,
    holder: { owner: "worker-7", metadata: null, mode: "exclusive", heldForMs: 1588, expiresInMs: 8412 },
  },
  no_quorum: { detail: "1 of 3 primaries answered; 2 are needed.", retryAfterMs: 1000 },
};

function example(code: ErrorCode) {
  const [status, title] = TABLE[code];
  return {
    type: `urn:quorate:problem:${code}`,
    title,
    status,
    code,
    detail: `${title}.`,
    requestId: "4f1d7c2e9a",
    ...DETAILS[code],
  };
}
