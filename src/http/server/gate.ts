import type { IncomingMessage, ServerResponse } from "node:http";
import type { CoordinationError } from "../../errors.js";
import type { Ids } from "../../ids.js";
import { statusOf, toProblem } from "../problem.js";

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
  if (outgoing.destroyed) return;
  const requestId = requestIdOf(incoming.headers["x-request-id"], ids);
  const { status, before, after, headers } = partsOf(error);
  const body = before + requestId + after;
  outgoing.writeHead(status, [
    ...headers,
    "content-length",
    String(Buffer.byteLength(body)),
    "x-request-id",
    requestId,
  ]);
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

/** What all answers with one error have in common. Those of an overload are made in advance, and answer thousands. */
interface Parts {
  readonly status: number;
  /** The body, before and after the request id. */
  readonly before: string;
  readonly after: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
}

const known = new WeakMap<CoordinationError, Parts>();

function partsOf(error: CoordinationError): Parts {
  const parts = known.get(error);
  if (parts) return parts;
  const { retryAfterMs } = error.help;
  const [before = "", after = ""] = JSON.stringify(toProblem(error, PLACE)).split(PLACE);
  const headers = [
    "content-type",
    "application/problem+json",
    "cache-control",
    "no-store",
    "x-content-type-options",
    "nosniff",
  ];
  if (retryAfterMs !== undefined) headers.push("retry-after", String(Math.ceil(retryAfterMs / 1000)));
  const made = { status: statusOf(error.code), before, after, headers };
  known.set(error, made);
  return made;
}

/** Stands where a request id will: nothing that a text of ours could have. */
const PLACE = "{request id}";

/** The caller's own id of the request where it has a proper one, else a new one. */
export function requestIdOf(given: string | string[] | undefined, ids: Ids): string {
  return typeof given === "string" && REQUEST_ID.test(given) ? given : ids.nonce();
}

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;
