import type { IncomingMessage, ServerResponse } from "node:http";
import type { Arrival } from "../../algorithms/limiter.js";
import { WAIT_MS_MAX } from "../fields.js";

/** What method, path and headers tell. */
export type Arrived = Pick<Arrival, "priority" | "units">;

/** How a request is to be treated before its body is known; null: it is let in whatever else there is to do. */
export function arrivalOf({ method, url = "", headers }: IncomingMessage): Arrived | null {
  if (!url.startsWith("/v1/")) return null;
  const bytes = bytesOf(headers["content-length"]);
  const units = bytes < UNIT_BYTES ? 1 : Math.min(UNITS_MAX, 1 + Math.floor(bytes / UNIT_BYTES));
  const urgent = method === "DELETE" || (method === "POST" && URGENT.test(url));
  return { priority: urgent ? "urgent" : "ordinary", units };
}

/** What keeps or gives back something that the caller has. */
const URGENT = /\/(?:renew|release|heartbeat|resign|proclaim)(?:\?|$)/;

/** Whether the body may say that the caller can wait. */
export function mayWait({ method, headers }: IncomingMessage): boolean {
  const bytes = bytesOf(headers["content-length"]);
  return method === "POST" && bytes > 0 && bytes <= PEEK_BYTES_MAX;
}

export function bytesOf(contentLength: string | undefined): number {
  return contentLength === undefined ? 0 : Number(contentLength);
}

/** Whether nothing of the body has still to come. */
export function isBodyHere(incoming: IncomingMessage): boolean {
  if (incoming.complete || hasRaw(incoming)) return true;
  const { "content-length": length, "transfer-encoding": encoding } = incoming.headers;
  return encoding === undefined && incoming.readableLength >= bytesOf(length);
}

/** How long the caller can wait, by its body, ms; null: it has gone before that was here. */
export async function waitMsOf(incoming: IncomingMessage, outgoing: ServerResponse): Promise<number | null> {
  const bytes = bytesOf(incoming.headers["content-length"]);
  if (incoming.readableLength < bytes && !(await arrives(incoming, outgoing, bytes))) return null;
  const body = incoming.read(bytes) as Buffer | null;
  if (!body) return null;
  // From here the framework's adapter takes a body that was read already.
  (incoming as Raw).rawBody = body;
  incoming.resume();
  const waitMs = Number(WAIT_MS.exec(body.toString("latin1"))?.[1] ?? 0);
  return Math.min(waitMs, WAIT_MS_MAX);
}

function arrives(incoming: IncomingMessage, outgoing: ServerResponse, bytes: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (here: boolean) => {
      incoming.off("readable", look);
      outgoing.off("close", close);
      resolve(here);
    };
    const look = () => incoming.readableLength >= bytes && end(true);
    const close = () => end(false);
    incoming.on("readable", look);
    outgoing.once("close", close);
  });
}

function hasRaw(incoming: IncomingMessage): boolean {
  return (incoming as Raw).rawBody !== undefined;
}

type Raw = IncomingMessage & { rawBody?: Buffer };
/** Where it stands elsewhere, in metadata, it tells the same: the request can wait. */
const WAIT_MS = /"waitMs"\s*:\s*(\d{1,6})/;
/** Larger bodies than these of an acquire have another purpose, or a lot of metadata. */
const PEEK_BYTES_MAX = 8_192;
/** What is large costs more. */
const UNIT_BYTES = 8_192;
const UNITS_MAX = 16;
