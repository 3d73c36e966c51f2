import { CoordinationError } from "../errors.js";

/** Failures of requests that no route gets to see; those that are always the same are made once. */

export const NOT_FOUND = new CoordinationError(
  "not_found",
  "There is nothing at this path. GET /docs shows the API.",
);

export function methodNotAllowed(allow: readonly string[]): CoordinationError {
  return new CoordinationError("method_not_allowed", `This path has ${allow.join(", ")} only.`, {
    help: { allow },
  });
}

export const UNSUPPORTED_MEDIA_TYPE = new CoordinationError(
  "unsupported_media_type",
  "Send the body as JSON, with the header content-type: application/json.",
);

export function tooLarge(bytesMax: number): CoordinationError {
  return new CoordinationError(
    "too_large",
    `The body may have ${bytesMax} bytes at most. Send less at once.`,
  );
}

export const HEADERS_TOO_LARGE = new CoordinationError(
  "headers_too_large",
  "Path and headers together may have 16 KB. Send less in them.",
);

export const REQUEST_TIMEOUT = new CoordinationError(
  "request_timeout",
  "The request did not arrive in time. Send it at once.",
);

export const EXPECTATION_FAILED = new CoordinationError(
  "expectation_failed",
  "The header Expect is understood only as 100-continue. Do not send it.",
);

export const NO_CREDENTIAL = new CoordinationError(
  "unauthenticated",
  "This needs a key: send it as Authorization: Bearer.",
);

/** Why is in the log of the instance. */
export const INVALID_CREDENTIAL = new CoordinationError(
  "unauthenticated",
  "The key, token or certificate of this request is not valid.",
);

export const AUTHENTICATION_UNAVAILABLE = new CoordinationError(
  "authentication_unavailable",
  "This instance cannot verify tokens now. Try again after retryAfterMs, or use another instance.",
  { help: { retryAfterMs: 5_000 } },
);

export function internal(requestId: string): CoordinationError {
  return new CoordinationError(
    "internal",
    `Internal error. The log of this instance has details under requestId ${requestId}.`,
  );
}
