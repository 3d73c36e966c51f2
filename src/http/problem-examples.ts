import { KEYED_MAX } from "../algorithms/register.js";
import { type CoordinationError, type ErrorCode, shuttingDown } from "../errors.js";
import { limitMismatch, lost, mismatch } from "../primitives/leases/lease-failures.js";
import {
  noMembers,
  superseded,
  tooManyPoints,
  unknownMember,
  versionMismatch,
} from "../primitives/members/member-failures.js";
import {
  contended,
  idempotencyMismatch,
  outcomeUnknown,
  tooManyKeyed,
} from "../primitives/registers/register-failures.js";
import { RING_POINTS_MAX } from "../primitives/rings/ring-builds.js";
import {
  alreadyDecided,
  decisionForgotten,
  refusedBy,
  tooManyTransactions,
} from "../primitives/transactions/transaction-failures.js";
import { noQuorum, shortageOf } from "../quorum/shortage.js";
import { lacks } from "./access/authorization.js";
import { quotaExceeded, rateLimited } from "./access/key-limits.js";
import {
  AUTHENTICATION_UNAVAILABLE,
  EXPECTATION_FAILED,
  HEADERS_TOO_LARGE,
  internal,
  methodNotAllowed,
  NO_CREDENTIAL,
  NOT_FOUND,
  REQUEST_TIMEOUT,
  tooLarge,
  UNSUPPORTED_MEDIA_TYPE,
} from "./failures.js";
import { BODY_BYTES_MAX } from "./fields.js";
import { fencingToken } from "./leases/examples.js";
import { held, isHeld } from "./leases/held.js";
import { breakRequests, holder } from "./locks/examples.js";
import { acquireBody } from "./locks/schemas.js";
import { invalid } from "./requests/invalid.js";
import { overloaded } from "./server/overloads.js";
import { oneUp } from "./system/examples.js";

export const problemRequestId = "Xk0lq3bB7u2Rz9aT";

/** A failure of each code, made by what throws it: its words are those that a caller reads. */
export const failures: Readonly<Record<ErrorCode, CoordinationError>> = {
  invalid_request: invalidAcquire(),
  not_found: NOT_FOUND,
  unknown_member: unknownMember("search", "search-1"),
  no_members: noMembers("search"),
  method_not_allowed: methodNotAllowed(["GET"]),
  held: held(isHeld("orders-42"), { kind: "held", holder, retryAfterMs: 8_412, queuePosition: 2 }),
  unauthenticated: NO_CREDENTIAL,
  forbidden: lacks({ namespace: "team-a", kind: "locks", name: "orders-42", action: "use" }),
  lease_mismatch: mismatch(),
  limit_mismatch: limitMismatch(8),
  rate_limited: rateLimited({ quota: 10, windowS: 10, retryAfterMs: 820 }),
  quota_exceeded: quotaExceeded(2, "leases", "team-a"),
  superseded: superseded("search-1"),
  // 80 members of the greatest weight, 256.
  too_many: tooManyPoints("search", 80 * 256 * 256, RING_POINTS_MAX),
  already_decided: alreadyDecided("committed"),
  not_decided: refusedBy("not_decided"),
  contrary_vote: refusedBy("contrary_vote"),
  unknown_participant: refusedBy("unknown_participant"),
  decision_forgotten: decisionForgotten(),
  lease_lost: lost({ kind: "broken", reason: breakRequests.break.value.reason }, fencingToken),
  idempotency_mismatch: idempotencyMismatch(),
  too_many_keyed: tooManyKeyed(KEYED_MAX),
  contended: contended(1_000),
  too_many_transactions: tooManyTransactions(),
  outcome_unknown: outcomeUnknown(),
  version_mismatch: versionMismatch("search-1", { incarnation: 1795222235123, revision: 1 }),
  too_large: tooLarge(BODY_BYTES_MAX),
  unsupported_media_type: UNSUPPORTED_MEDIA_TYPE,
  request_timeout: REQUEST_TIMEOUT,
  expectation_failed: EXPECTATION_FAILED,
  headers_too_large: HEADERS_TOO_LARGE,
  internal: internal(problemRequestId),
  no_quorum: noQuorum(shortageOf(oneUp) ?? ""),
  authentication_unavailable: AUTHENTICATION_UNAVAILABLE,
  overloaded: overloaded(1_000),
  shutting_down: shuttingDown(),
};

/** What a misspelt field and a wrong number get. */
function invalidAcquire(): CoordinationError {
  const schema = acquireBody(600_000);
  const given = { ttlMs: 50, waitMS: 20_000 };
  return invalid({ part: "json", schema, given, issues: schema.safeParse(given).error?.issues ?? [] });
}
