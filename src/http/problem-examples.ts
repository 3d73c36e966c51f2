import type { ErrorCode, ErrorHelp } from "../errors.js";
import { holder } from "./locks/examples.js";

export const problemRequestId = "Xk0lq3bB7u2Rz9aT";

/** What a problem says beside what its code says. */
export const problemDetails: Record<ErrorCode, { readonly detail: string } & ErrorHelp> = {
  invalid_request: {
    detail: "waitMS: there is no such field; did you mean waitMs?",
    field: "waitMS",
    errors: [
      { field: "waitMS", detail: "there is no such field; did you mean waitMs?" },
      { field: "ttlMs", detail: "must be a whole number from 100 to 600000" },
    ],
  },
  not_found: { detail: "There is nothing at this path. GET /docs shows what there is." },
  unknown_member: {
    detail:
      "Service search has no member search-1: it expired, left, or was never registered. Register it again (PUT).",
  },
  no_members: {
    detail:
      "Service search has no live member with a weight above 0. Register one first (PUT /v1/services/search/members/{id}).",
  },
  method_not_allowed: { detail: "This path has GET only.", allow: ["GET"] },
  held: {
    detail: "orders-42 is held by another lease. Try again, at the latest after retryAfterMs.",
    retryAfterMs: 8_412,
    queuePosition: 2,
    holder,
  },
  forbidden: {
    detail:
      "This needs the operator's key: Authorization: Bearer, and the QUORATE_OPERATOR_KEY of this service.",
  },
  lease_mismatch: {
    detail:
      "This leaseId is for something else: other names, another mode, or another kind. An id is used for one lease: choose a new one.",
  },
  limit_mismatch: {
    detail:
      "This semaphore has the limit 8, and all who acquire must name the same. An operator can change it (PUT).",
    limit: 8,
  },
  superseded: {
    detail:
      "A later registration of member search-1 exists: another process has taken this id. Register again, or stop.",
  },
  too_many: {
    detail:
      "The members of service search have 5120000 points in its ring, 256 for each 1.0 of weight, and a ring may have 4194304. Only the ratio of weights counts: register them with lower ones.",
  },
  lease_lost: {
    detail:
      "An operator broke this lease: worker-7 was taken down by hand. Stop what it protected and acquire again.",
    lost: { why: "broken", reason: "worker-7 was taken down by hand" },
  },
  too_large: { detail: "The body may have 65536 bytes at most. Send less at once." },
  unsupported_media_type: {
    detail: "Send the body as JSON, with the header content-type: application/json.",
  },
  request_timeout: { detail: "The request did not arrive in time. Send it at once." },
  expectation_failed: { detail: "Of the header Expect only 100-continue is understood. Send none." },
  headers_too_large: { detail: "Path and headers may have 16 KB together. Put less into them." },
  internal: {
    detail: `This is a mistake in Quorate. Its log tells more under requestId ${problemRequestId}.`,
  },
  no_quorum: {
    detail:
      "1 of 3 primaries answered; 2 are needed. Try again when more are up: GET /v1/primaries tells which.",
    retryAfterMs: 1_000,
  },
  overloaded: {
    detail:
      "This instance has more to do than it can. Nothing was done. Try again after retryAfterMs, or ask another.",
    retryAfterMs: 1_000,
  },
  shutting_down: { detail: "This instance is stopping. Use another." },
  outcome_unknown: { detail: "It may have happened or not. Read it to know." },
};
