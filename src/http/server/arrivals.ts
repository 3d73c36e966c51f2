import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context } from "hono";
import type { Arrival } from "../../algorithms/limiter.js";
import { isApart } from "../access/open-paths.js";
import { WAIT_MS_MAX } from "../fields.js";

/** What method, path and headers say about a request. */
export type Arrived = Pick<Arrival, "priority" | "units">;

/** How a request is treated before its body is known; null: it is admitted whatever the load. */
export function arrivalOf({ method, url = "", headers }: IncomingMessage): Arrived | null {
  if (!url.startsWith("/v1/") && isApart(url)) return null;
  const bytes = bytesOf(headers["content-length"]);
  const units = bytes < UNIT_BYTES ? 1 : Math.min(UNITS_MAX, 1 + Math.floor(bytes / UNIT_BYTES));
  const leaves = method === "DELETE" && !STORED.test(url);
  const urgent = leaves || (method === "POST" && URGENT.test(url));
  return { priority: urgent ? "urgent" : "ordinary", units };
}

/** Requests that keep or give back something that the caller holds. */
const URGENT = /^[^?]*\/(?:renew|release|heartbeats?|resign|proclaim)(?:\?|$)/;

/** What is deleted there was not held. */
const STORED = /^[^?]*\/(?:registers|latches)\//;

/** Whether the body may say that the client can wait. */
export function mayWait({ method, headers }: IncomingMessage): boolean {
  const bytes = bytesOf(headers["content-length"]);
  return method === "POST" && bytes > 0 && bytes <= PEEK_BYTES_MAX;
}

/** What arrived over a socket; undefined: the app was called without one. */
export function incomingOf(c: Context): IncomingMessage | undefined {
  return (c.env as { incoming?: IncomingMessage } | undefined)?.incoming;
}

/** What answers a request over its socket; undefined: the app was called without one. */
export function outgoingOf(c: Context): ServerResponse | undefined {
  return (c.env as { outgoing?: ServerResponse } | undefined)?.outgoing;
}

/** A header that a request has once at most; the framework's `c.req.header` builds an object to look it up. */
export function headerOf(
  c: Context,
  name: "x-request-id" | "traceparent" | "content-type" | "content-length" | "transfer-encoding",
): string | undefined {
  const incoming = incomingOf(c);
  return incoming ? (incoming.headers[name] as string | undefined) : c.req.header(name);
}

/** All headers by their names in lower case; the framework's `c.req.header()` would make a web `Headers` of them first. */
export function headersOf(c: Context): Readonly<Record<string, unknown>> {
  return incomingOf(c)?.headers ?? c.req.header();
}

export function bytesOf(contentLength: string | undefined): number {
  return contentLength === undefined ? 0 : Number(contentLength);
}

/** Whether the whole body has arrived. */
export function isBodyHere(incoming: IncomingMessage): boolean {
  if (incoming.complete || hasRaw(incoming)) return true;
  const { "content-length": length, "transfer-encoding": encoding } = incoming.headers;
  return encoding === undefined && incoming.readableLength >= bytesOf(length);
}

/** The body, if it has a length and has arrived whole; null: it must be waited for, or there is none. */
export function takeBody(incoming: IncomingMessage): Buffer | null {
  const { rawBody } = incoming as Raw;
  if (rawBody) return rawBody;
  const bytes = bytesOf(incoming.headers["content-length"]);
  if (bytes === 0 || incoming.readableLength < bytes) return null;
  const body = incoming.read(bytes);
  // To its end: the message is not over before that.
  incoming.resume();
  return body;
}

/** Tells a client that waits for it (`Expect: 100-continue`) to send its body, once. */
export function askForBody(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const raw = incoming as Raw;
  if (raw.asked || !/^100-continue$/i.test(incoming.headers.expect ?? "")) return;
  raw.asked = true;
  outgoing.writeContinue();
}

/** How long the client can wait, by its body, ms; null: it disconnected before the body arrived. */
export async function waitMsOf(incoming: IncomingMessage, outgoing: ServerResponse): Promise<number | null> {
  const bytes = bytesOf(incoming.headers["content-length"]);
  askForBody(incoming, outgoing);
  if (incoming.readableLength < bytes && !(await arrives(incoming, outgoing, bytes))) return null;
  const body = takeBody(incoming);
  if (!body) return null;
  // It can be read once only.
  (incoming as Raw).rawBody = body;
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

type Raw = IncomingMessage & { rawBody?: Buffer; asked?: boolean };
/** In metadata, where it may stand too, it does no harm: the request is taken as one that can wait. */
const WAIT_MS = /"waitMs"\s*:\s*(\d{1,6})/;
/** Larger bodies are not those of an acquire, or have a lot of metadata. */
const PEEK_BYTES_MAX = 8_192;
/** Large bodies cost more. */
const UNIT_BYTES = 8_192;
const UNITS_MAX = 16;
