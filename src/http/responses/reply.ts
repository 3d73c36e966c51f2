import type { z } from "@hono/zod-openapi";

/**
 * The answer to a request, as a value: the framework's Response is made of it once, with all its headers, by `observed`.
 * A header set on a finished Response would make the framework build a `Headers` object, at a fifth of the cost of a
 * request.
 */
export class Reply {
  constructor(
    readonly status: number,
    readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null,
    /** By their names in lower case. */
    readonly headers: Readonly<Record<string, string>> = NONE,
    /** What its JSON says, where that is known. */
    readonly told?: object,
  ) {}
}

/** An answer whose JSON is text already. */
export function jsonReply(text: string | ReadableStream<Uint8Array>, status = 200): Reply {
  return new Reply(status, text, JSON_HEADERS);
}

/** An answer that tells its version as well. */
export function versionedReply(told: object, etag: string, status = 200): Reply {
  return new Reply(status, JSON.stringify(told), { ...JSON_HEADERS, etag }, told);
}

/** What the handler of a route returns: a value that is answered as JSON with status 200, or the answer itself. */
export type Handled<A extends z.ZodType> = z.output<A> | Reply;

const NONE = {};
const JSON_HEADERS = { "content-type": "application/json" };
