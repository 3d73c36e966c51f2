/** Every code that a caller can meet. The table of their HTTP statuses is in http/problem.ts. */
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
  "forbidden",
  "held",
  "lease_mismatch",
  "limit_mismatch",
  "superseded",
  "too_many",
  "lease_lost",
  "internal",
  "no_quorum",
  "overloaded",
  "shutting_down",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** What helps a caller beside the sentence: never a leaseId, a password or a stack. */
export interface ErrorHelp {
  /** When trying again makes sense, in ms. */
  readonly retryAfterMs?: number;
  /** The field that is wrong, as a path: `ttlMs`, `members.0.id`. */
  readonly field?: string;
  /** All mistakes of a request. */
  readonly errors?: readonly { readonly field: string; readonly detail: string }[];
  /** The methods that the path has. */
  readonly allow?: readonly string[];
  /** Who holds what was asked for. */
  readonly holder?: unknown;
  /** The place in line when the time to wait was over; 1: the next. */
  readonly queuePosition?: number;
  /** The limit of the semaphore. */
  readonly limit?: number;
  /** What is known of why a lease was lost. */
  readonly lost?: {
    readonly why: "expired" | "released" | "broken" | "taken" | "restarted";
    /** Why an operator broke it. */
    readonly reason?: string;
    /** No token above this one has been given out since. */
    readonly newest?: number;
  };
}

/** The one class of failure. `message` says what happened and what to do, in words a stranger understands. */
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

/** Of an instance that stops. */
export function shuttingDown(): CoordinationError {
  return new CoordinationError("shutting_down", "This instance is stopping. Use another.");
}
