import { type CoordinationError, type ErrorCode, shuttingDown } from "../../errors.js";
import { limitMismatch, lost, mismatch } from "../../primitives/lease-failures.js";
import { noMembers, superseded, tooManyPoints, unknownMember } from "../../primitives/member-failures.js";
import { RING_POINTS_MAX } from "../../primitives/ring-builds.js";
import { noQuorum, shortageOf } from "../../redis/shortage.js";
import {
  expectationFailed,
  headersTooLarge,
  internal,
  methodNotAllowed,
  notFound,
  requestTimeout,
  tooLarge,
  unsupportedMediaType,
} from "../failures.js";
import { held, isHeld } from "../held.js";
import { invalid } from "../invalid.js";
import { notAnOperator } from "../operator.js";
import { overloaded } from "../overloads.js";
import { BODY_BYTES_MAX } from "../schemas/fields.js";
import { acquireBody } from "../schemas/locks.js";
import { fencingToken } from "./leases.js";
import { breakRequests, holder } from "./locks.js";
import { oneUp } from "./system.js";

export const problemRequestId = "Xk0lq3bB7u2Rz9aT";

/** A failure of each code, made by what throws it: its words are those that a caller reads. */
export const failures: Readonly<Record<ErrorCode, CoordinationError>> = {
  invalid_request: invalidAcquire(),
  not_found: notFound(),
  unknown_member: unknownMember("search", "search-1"),
  no_members: noMembers("search"),
  method_not_allowed: methodNotAllowed(["GET"]),
  held: held(isHeld("orders-42"), { kind: "held", holder, retryAfterMs: 8_412, queuePosition: 2 }),
  forbidden: notAnOperator(),
  lease_mismatch: mismatch(),
  limit_mismatch: limitMismatch(8),
  superseded: superseded("search-1"),
  // 80 members of the greatest weight, 256.
  too_many: tooManyPoints("search", 80 * 256 * 256, RING_POINTS_MAX),
  lease_lost: lost({ kind: "broken", reason: breakRequests.break.value.reason }, fencingToken),
  too_large: tooLarge(BODY_BYTES_MAX),
  unsupported_media_type: unsupportedMediaType(),
  request_timeout: requestTimeout(),
  expectation_failed: expectationFailed(),
  headers_too_large: headersTooLarge(),
  internal: internal(problemRequestId),
  no_quorum: noQuorum(shortageOf(oneUp) ?? ""),
  overloaded: overloaded(1_000),
  shutting_down: shuttingDown(),
};

/** What a misspelt field and a wrong number get. */
function invalidAcquire(): CoordinationError {
  const schema = acquireBody(600_000);
  const given = { ttlMs: 50, waitMS: 20_000 };
  return invalid({ part: "json", schema, given, issues: schema.safeParse(given).error?.issues ?? [] });
}
