import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type CoordinationError, ERROR_CODES, type ErrorCode } from "../errors.js";
import { INVALID_CREDENTIAL } from "./failures.js";
import { failures, problemRequestId } from "./problem-examples.js";
import { inCamelCase, problemName, problemSchemas } from "./problem-schemas.js";

/** Status and title of each code: only this file knows them. Source of the shape: RFC 9457. */
const TABLE = {
  invalid_request: [400, "The request is not valid"],
  unauthenticated: [401, "A valid key is needed"],
  forbidden: [403, "This is not allowed"],
  not_found: [404, "There is nothing at this path"],
  unknown_member: [404, "The service has no such member"],
  no_members: [404, "The service has no member to name"],
  unknown_participant: [404, "The transaction has no such participant"],
  method_not_allowed: [405, "This path has other methods"],
  request_timeout: [408, "The request did not arrive in time"],
  held: [409, "Another lease holds it"],
  lease_mismatch: [409, "This leaseId is for something else"],
  limit_mismatch: [409, "It has another limit or count"],
  superseded: [409, "A later registration has replaced it"],
  already_decided: [409, "The transaction is decided"],
  not_decided: [409, "The transaction is not decided yet"],
  contrary_vote: [409, "The participant has voted otherwise"],
  too_many: [409, "It exceeds a limit"],
  lease_lost: [410, "The lease is not held any more"],
  decision_forgotten: [410, "The decision is not remembered any more"],
  version_mismatch: [412, "It has changed meanwhile"],
  too_large: [413, "The body is too large"],
  unsupported_media_type: [415, "The body is not JSON"],
  expectation_failed: [417, "The expectation of the request cannot be met"],
  idempotency_mismatch: [422, "The Idempotency-Key or id was used for something else"],
  rate_limited: [429, "Too many requests in this time"],
  quota_exceeded: [429, "Too many at the same time"],
  too_many_keyed: [429, "Too many changes with an Idempotency-Key"],
  headers_too_large: [431, "The headers are too large"],
  internal: [500, "Internal error"],
  no_quorum: [503, "No majority of the primaries can decide this now"],
  contended: [503, "Others change it at this moment"],
  too_many_transactions: [503, "Too many transactions are stored"],
  authentication_unavailable: [503, "Credentials cannot be verified now"],
  overloaded: [503, "This instance is overloaded"],
  shutting_down: [503, "This instance is stopping"],
  outcome_unknown: [504, "It is not known whether the change was made"],
} as const satisfies Record<ErrorCode, readonly [ContentfulStatusCode, string]>;

export type ProblemStatus = (typeof TABLE)[ErrorCode][0];

export function statusOf(code: ErrorCode): ProblemStatus {
  return TABLE[code][0];
}

/** The headers that tell of a failure besides its body, by their names in lower case. */
export function problemHeaders(error: CoordinationError): Readonly<Record<string, string>> {
  const { retryAfterMs, allow, etag } = error.help;
  return {
    "content-type": "application/problem+json",
    ...(retryAfterMs !== undefined && { "retry-after": String(Math.ceil(retryAfterMs / 1000)) }),
    ...(allow !== undefined && { allow: allow.join(", ") }),
    ...(etag !== undefined && { etag }),
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

/** Any problem. */
export const ProblemSchema = problemSchemas((code) => ({ status: TABLE[code][0], title: TABLE[code][1] }));

/** A response of the API description with one of some problems, all of one status, and its name among the components. */
interface ProblemResponse {
  readonly status: string;
  readonly name: string;
  readonly response: ReturnType<typeof problemResponse>;
}

/** The responses with these problems, one for each status that they have. */
export function problemResponses(codes: readonly ErrorCode[]): ProblemResponse[] {
  // In one order, whatever that of the codes of a route: the same codes are the same response.
  const wanted = ERROR_CODES.filter((code) => codes.includes(code));
  const statuses = [...new Set(wanted.map(statusOf))].sort();
  return statuses.map((status) => {
    const ofStatus = wanted.filter((code) => statusOf(code) === status);
    return { status: String(status), name: responseName(ofStatus), response: problemResponse(ofStatus) };
  });
}

/** Any problem, for routes whose clients do not look at codes: listed at all routes it would hide which codes each has. */
export const OTHER_PROBLEMS: ProblemResponse = {
  status: "default",
  name: "AnyProblem",
  response: {
    description: "Any other problem: see Failures above.",
    content: {
      "application/problem+json": {
        schema: { $ref: "#/components/schemas/Problem" },
        examples: { too_large: { $ref: "#/components/examples/too_large" } },
      },
    },
  },
};

function responseName(codes: readonly ErrorCode[]): string {
  return codes.join() === UNAVAILABLE.join() ? "Unavailable" : codes.map(inCamelCase).join("Or");
}

/** Those of most routes. */
const UNAVAILABLE = ["no_quorum", "authentication_unavailable", "overloaded", "shutting_down"];

function problemResponse(codes: readonly ErrorCode[]) {
  const examples = codes.map((code) => [code, { $ref: `#/components/examples/${code}` }]);
  return {
    description: codes.map((code) => `\`${code}\`: ${TABLE[code][1]}.`).join(" "),
    ...(codes.some((code) => failures[code].help.retryAfterMs !== undefined) && RETRY_AFTER),
    ...(codes.includes("unauthenticated") && CHALLENGE),
    content: {
      "application/problem+json": { schema: anyOfThese(codes), examples: Object.fromEntries(examples) },
    },
  };
}

/** Their `code` is a constant, which discriminates them: a discriminator would say no more. */
function anyOfThese(codes: readonly ErrorCode[]) {
  const refs = codes.map((code) => ({ $ref: `#/components/schemas/${problemName(code)}` }));
  const [only, ...others] = refs;
  return only && others.length === 0 ? only : { oneOf: refs };
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
