import { describe, expect, test } from "vitest";
import { CoordinationError, ERROR_CODES } from "../../src/errors.js";
import { statusOf, toProblem } from "../../src/http/problem.js";

test("each code has its status", () => {
  expect(Object.fromEntries(ERROR_CODES.map((code) => [code, statusOf(code)]))).toEqual({
    invalid_request: 400,
    unauthenticated: 401,
    forbidden: 403,
    not_found: 404,
    unknown_member: 404,
    no_members: 404,
    method_not_allowed: 405,
    request_timeout: 408,
    held: 409,
    lease_mismatch: 409,
    limit_mismatch: 409,
    superseded: 409,
    too_many: 409,
    lease_lost: 410,
    too_large: 413,
    unsupported_media_type: 415,
    expectation_failed: 417,
    rate_limited: 429,
    quota_exceeded: 429,
    headers_too_large: 431,
    internal: 500,
    no_quorum: 503,
    authentication_unavailable: 503,
    version_mismatch: 412,
    idempotency_mismatch: 422,
    too_many_keyed: 429,
    contended: 503,
    unknown_participant: 404,
    already_decided: 409,
    not_decided: 409,
    contrary_vote: 409,
    decision_forgotten: 410,
    too_many_transactions: 503,
    outcome_unknown: 504,
    overloaded: 503,
    shutting_down: 503,
  });
});

describe("a problem", () => {
  test("says what happened, and what helps", () => {
    const failure = new CoordinationError("held", "orders-42 is held.", { help: { retryAfterMs: 8_412 } });
    expect(toProblem(failure, "7f3a")).toEqual({
      type: "urn:quorate:problem:held",
      title: "Another lease holds it",
      status: 409,
      code: "held",
      detail: "orders-42 is held.",
      requestId: "7f3a",
      retryAfterMs: 8_412,
    });
  });

  test("never has the cause or the stack of a failure", () => {
    const cause = new Error("at /srv/quorate");
    const text = JSON.stringify(
      toProblem(new CoordinationError("internal", "A mistake.", { cause }), "7f3a"),
    );
    expect(text).not.toMatch(/srv|stack|cause/);
  });

  test("of each code has a title and a type of its own", () => {
    const problems = ERROR_CODES.map((code) => toProblem(new CoordinationError(code, "Why."), "7f3a"));
    expect(new Set(problems.map(({ title }) => title)).size).toBe(ERROR_CODES.length);
    expect(new Set(problems.map(({ type }) => type)).size).toBe(ERROR_CODES.length);
  });
});
