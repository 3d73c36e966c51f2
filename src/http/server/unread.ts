import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../clock.js";
import type { CoordinationError } from "../../errors.js";
import { bytesOf } from "./arrivals.js";
import { writeRefusal } from "./gate.js";

/** Whether a request may bring more than is read of one that was refused. */
export function isLong({ headers, complete }: IncomingMessage): boolean {
  if (complete) return false;
  return headers["transfer-encoding"] !== undefined || bytesOf(headers["content-length"]) > BYTES_MAX;
}

/**
 * Refuses a request whose body is not read, and ends its connection: first from here only, since a client that still sends
 * would lose the answer if the connection were reset. Nothing is read meanwhile, so the client is slowed down to a halt.
 */
export function refuseUnread(
  { socket }: IncomingMessage,
  outgoing: ServerResponse,
  why: CoordinationError,
  requestId: string,
  clock: Clock,
): void {
  if (outgoing.destroyed) return;
  outgoing.setHeader("connection", "close");
  // Not `end`: then node would read the rest of the request, however long it is.
  outgoing.write(writeRefusal(outgoing, why, requestId), () => {
    socket.end();
    const cancel = clock.after(LINGER_MS, () => socket.destroy());
    socket.once("close", cancel);
  });
}

const BYTES_MAX = 64 * 1024;
const LINGER_MS = 500;
