import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import type { Ids } from "../../ids.js";
import { HEADERS_TOO_LARGE, REQUEST_TIMEOUT } from "../failures.js";
import { statusOf, toProblem } from "../problem.js";
import { requestIdOf } from "./gate.js";

/**
 * Answers an error of node's parser or of its deadlines, for which the framework has no request to answer: by a problem
 * like any other, and the end of the connection. `asked`: the request that the error belongs to, if any.
 */
export function answerMalformed(
  error: Error & { code?: string; reason?: string },
  socket: Socket,
  asked: ServerResponse | undefined,
  { ids, clock }: { readonly ids: Ids; readonly clock: Clock },
): void {
  // node reports everything after the first error, too.
  if (socket.writableEnded) {
    if (socket.bytesRead > LINGER_BYTES) socket.destroy();
    return;
  }
  const failure = failureOf(error);
  const underWay = asked && !asked.writableFinished ? asked : undefined;
  if (!failure || underWay?.headersSent || !socket.writable) {
    socket.destroy();
    return;
  }
  // Nothing was sent, as by a client that connects in advance: nobody waits for an answer.
  if (failure.code === "request_timeout" && socket.bytesRead === 0) {
    socket.end();
  } else {
    socket.end(toMessage(failure, requestIdOf(underWay?.req.headers["x-request-id"], ids)));
  }
  // If it were closed at once with unread data, the kernel would reset it, and the answer would be lost.
  clock.after(LINGER_MS, () => socket.destroy());
}

function failureOf({ code = "", reason }: { code?: string; reason?: string }): CoordinationError | null {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return REQUEST_TIMEOUT;
  if (code === "HPE_HEADER_OVERFLOW") return HEADERS_TOO_LARGE;
  if (code === "HPE_CHUNK_EXTENSIONS_OVERFLOW")
    return new CoordinationError("too_large", "Chunk extensions may have 16 KB. Send none.");
  if (code === "ERR_SSL_HTTP_REQUEST")
    return new CoordinationError("invalid_request", "This port speaks HTTPS: use https:// in the URL.");
  // Anything else is the end of the connection, not an error in what was sent.
  if (!code.startsWith("HPE_")) return null;
  return new CoordinationError(
    "invalid_request",
    `The request is not well-formed HTTP${reason ? `: ${reason}` : ""}.`,
  );
}

function toMessage(failure: CoordinationError, requestId: string): string {
  const status = statusOf(failure.code);
  const body = JSON.stringify(toProblem(failure, requestId));
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Content-Type: application/problem+json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Cache-Control: no-store",
    "X-Content-Type-Options: nosniff",
    `X-Request-Id: ${requestId}`,
    "Connection: close",
    "",
    body,
  ].join("\r\n");
}

/** How long the rest of a refused message is read, and how much of it. */
const LINGER_MS = 500;
const LINGER_BYTES = 4 * 1024 * 1024;
