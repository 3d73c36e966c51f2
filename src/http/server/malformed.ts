import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import type { Ids } from "../../ids.js";
import { statusOf, toProblem } from "../problem.js";
import { requestIdOf } from "./gate.js";

/**
 * Answers what node's parser or its deadlines made of a connection, where there is no request that could be answered:
 * a problem like any other, and the end of the connection. `asked`: the request that it belongs to, if there is one.
 */
export function answerMalformed(
  error: Error & { code?: string; reason?: string },
  socket: Socket,
  asked: ServerResponse | undefined,
  { ids, clock }: { readonly ids: Ids; readonly clock: Clock },
): void {
  // It is told of all that comes after the first mistake, too.
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
  // Nothing was asked, as by a client that connects in advance: nobody waits for an answer.
  if (failure.code === "request_timeout" && socket.bytesRead === 0) {
    socket.end();
  } else {
    socket.end(toMessage(failure, requestIdOf(underWay?.req.headers["x-request-id"], ids)));
  }
  // Closed at once, with something of it unread, the kernel would reset it, and the answer would be lost.
  clock.after(LINGER_MS, () => socket.destroy());
}

function failureOf({ code = "", reason }: { code?: string; reason?: string }): CoordinationError | null {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return new CoordinationError("request_timeout", "The request did not arrive in time. Send it at once.");
  if (code === "HPE_HEADER_OVERFLOW")
    return new CoordinationError(
      "headers_too_large",
      "Path and headers may have 16 KB together. Put less into them.",
    );
  if (code === "HPE_CHUNK_EXTENSIONS_OVERFLOW")
    return new CoordinationError("too_large", "Extensions of chunks may have 16 KB. Send none.");
  // Everything else is the end of the connection, not something that was sent.
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

/** How long, and for how much, the rest of a message that is refused is read on. */
const LINGER_MS = 500;
const LINGER_BYTES = 4 * 1024 * 1024;
