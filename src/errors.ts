/** Every code that a caller can meet. Their HTTP statuses are listed in http/problem.ts. */
export const ERROR_CODES = [
  "invalid_request",
  "method_not_allowed",
  "request_timeout",
  "too_large",
  "unsupported_media_type",
  "expectation_failed",
  "headers_too_large",
  "not_found",
  "unknown_member",
  "no_members",
  "unknown_participant",
  "unauthenticated",
  "forbidden",
  "held",
  "lease_mismatch",
  "limit_mismatch",
  "superseded",
  "already_decided",
  "not_decided",
  "contrary_vote",
  "rate_limited",
  "quota_exceeded",
  "too_many",
  "lease_lost",
  "decision_forgotten",
  "version_mismatch",
  "idempotency_mismatch",
  "too_many_keyed",
  "internal",
  "no_quorum",
  "contended",
  "too_many_transactions",
  "authentication_unavailable",
  "overloaded",
  "shutting_down",
  "outcome_unknown",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** Details that help a caller beyond the message: never a leaseId, a password or a stack. */
export interface ErrorHelp {
  /** When a retry makes sense, in ms. */
  readonly retryAfterMs?: number;
  /** Path of the invalid field: `ttlMs`, `members.0.id`. */
  readonly field?: string;
  /** All mistakes of a request. */
  readonly errors?: readonly { readonly field: string; readonly detail: string }[];
  /** The methods that the path supports. */
  readonly allow?: readonly string[];
  /** The holder of the requested resource. */
  readonly holder?: unknown;
  /** Position in the queue when the time to wait was over; 1: the next. */
  readonly queuePosition?: number;
  /** The limit of the semaphore, or the count of the barrier or latch. */
  readonly limit?: number;
  /** The ETag of what is stored now, and the version of a register or the revision of a member; missing: nothing is. */
  readonly etag?: string;
  readonly version?: number;
  readonly revision?: number;
  /** What was decided of a transaction. */
  readonly decision?: "committed" | "aborted";
  /** What is known of why a lease was lost. */
  readonly lost?: {
    readonly why: "expired" | "released" | "broken" | "taken" | "restarted";
    /** The operator's reason for breaking it. */
    readonly reason?: string;
    /** No token above this one has been issued since. */
    readonly newest?: number;
  };
}

/** The one class of failure. `message` says what happened and what to do, in words that need no prior knowledge. */
export class CoordinationError extends Error {
  override readonly name = "CoordinationError";
  constructor(
    readonly code: ErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly help?: ErrorHelp } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.help = Object.freeze(options.help ?? {});
  }
  readonly help: ErrorHelp;
}

/** The error of an instance that is stopping. */
export function shuttingDown(): CoordinationError {
  return new CoordinationError("shutting_down", "This instance is stopping. Use another.");
}
