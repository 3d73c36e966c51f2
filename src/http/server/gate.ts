import type { IncomingMessage, ServerResponse } from "node:http";
import type { CoordinationError } from "../../errors.js";
import type { Ids } from "../../ids.js";
import { problemHeaders, statusOf, toProblem } from "../problem.js";

/**
 * What a request passes before the framework and before its body is read: null lets it pass. As cheap as possible, since
 * refused requests meet it, too.
 */
export type Gate = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
) => CoordinationError | null | Promise<CoordinationError | null>;

/** Answers without the framework. */
export function refuse(outgoing: ServerResponse, error: CoordinationError, requestId: string): void {
  if (outgoing.destroyed) return;
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

/** The same as a Response, for where the framework has no request to answer. */
export function problemOf(error: CoordinationError, requestId: string): Response {
  return new Response(JSON.stringify(toProblem(error, requestId)), {
    status: statusOf(error.code),
    headers: { ...HEADERS, ...problemHeaders(error), "x-request-id": requestId },
  });
}

/** What all answers with one error have in common. An error of an overload answers thousands. */
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
  const [before = "", after = ""] = JSON.stringify(toProblem(error, PLACE)).split(PLACE);
  const headers = Object.entries({ ...HEADERS, ...problemHeaders(error) }).flat();
  const made = { status: statusOf(error.code), before, after, headers };
  known.set(error, made);
  return made;
}

const HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/** Placeholder of the request id: occurs in no text of ours. */
const PLACE = "{request id}";

/** The id that the caller gave the request, if it is well-formed, else a new one. */
export function requestIdOf(given: string | string[] | undefined, ids: Ids): string {
  return typeof given === "string" && REQUEST_ID.test(given) ? given : ids.nonce();
}

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;
