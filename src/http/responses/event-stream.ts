import type { Logger } from "pino";

/**
 * How long a stream may be silent, at least and at most: proxies cut at 60 s. By chance, so that thousands of streams
 * which were told the same at the same moment do not all speak again at the same moment.
 */
export const KEEP_ALIVE_MS = { min: 10_000, max: 15_000 } as const;

/** A comment, which readers of events skip. */
export const KEEP_ALIVE = ": keep-alive\n\n";

/** How soon a reader should connect again when the stream ends. */
export const RETRY = "retry: 1000\n\n";

/** One event; `id` is what a reader sends to go on from there, `json` its data, which JSON.stringify leaves on one line. */
export function toEvent(type: string, id: string, json: string): string {
  return `event: ${type}\nid: ${id}\ndata: ${json}\n\n`;
}

/**
 * Server-sent events as a body: what `chunks` yields, asked for as the reader takes it. The signal aborts when the
 * reader goes.
 */
export function eventStream(
  chunks: (gone: AbortSignal) => AsyncGenerator<string>,
  log: Logger,
): ReadableStream<Uint8Array> {
  const gone = new AbortController();
  const each = chunks(gone.signal);
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      async pull(stream) {
        const next = await each.next().catch((error: unknown) => {
          // The answer has begun: all that can be said is its end.
          log.error({ err: error }, "unexpected exception in an event stream");
          return { done: true, value: undefined } as const;
        });
        if (gone.signal.aborted) return;
        if (next.done) stream.close();
        else stream.enqueue(encoder.encode(next.value));
      },
      cancel() {
        gone.abort();
      },
    },
    { highWaterMark: 0 },
  );
}

/** What a body of this kind is sent with. */
export const EVENT_STREAM_HEADERS = {
  "content-type": "text/event-stream",
  // nginx would gather it.
  "x-accel-buffering": "no",
  // A connection that served one for hours is not used again; and on stopping nothing waits for it to idle.
  connection: "close",
} as const;
