import type { IncomingMessage, ServerResponse } from "node:http";
import type { CoordinationError } from "../errors.js";
import type { Ids } from "../ids.js";
import { statusOf, toProblem } from "./problem.js";

/**
 * What a request meets before the framework and its body: null lets it pass. As cheap as can be, since it is met by
 * what is refused, too.
 */
export type Gate = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
) => CoordinationError | null | Promise<CoordinationError | null>;

/** Answers without the framework. */
export function refuse(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  error: CoordinationError,
  ids: Ids,
): void {
  const requestId = requestIdOf(incoming.headers["x-request-id"], ids);
  const { retryAfterMs } = error.help;
  const body = JSON.stringify(toProblem(error, requestId));
  if (retryAfterMs !== undefined) outgoing.setHeader("retry-after", Math.ceil(retryAfterMs / 1000));
  outgoing.writeHead(statusOf(error.code), {
    "content-type": "application/problem+json",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-request-id": requestId,
  });
  outgoing.end(body);
}

/** The same as an answer of the framework, where there is no request to answer. */
export function problemOf(error: CoordinationError, requestId: string): Response {
  return new Response(JSON.stringify(toProblem(error, requestId)), {
    status: statusOf(error.code),
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-request-id": requestId,
    },
  });
}

/** The caller's own id of the request where it has a proper one, else a new one. */
export function requestIdOf(given: string | string[] | undefined, ids: Ids): string {
  return typeof given === "string" && REQUEST_ID.test(given) ? given : ids.nonce();
}

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;
