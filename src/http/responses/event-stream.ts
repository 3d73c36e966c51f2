import type { Logger } from "pino";

/**
 * Shortest and longest silence of a stream: proxies cut at 60 s. Chosen at random, so that thousands of streams which sent
 * an event at the same moment do not all send the next comment at the same moment.
 */
export const KEEP_ALIVE_MS = { min: 10_000, max: 15_000 } as const;

/** A comment, which event readers skip. */
export const KEEP_ALIVE = ": keep-alive\n\n";

/** How soon a reader should reconnect when the stream ends. */
export const RETRY = "retry: 1000\n\n";

/**
 * One event. A reader sends its `id` to go on from there, or that of an earlier one if this has none; `json` is its data, on one
 * line, as JSON.stringify writes it.
 */
export function toEvent(type: string, id: string | null, json: string): string {
  return `event: ${type}\n${id === null ? "" : `id: ${id}\n`}data: ${json}\n\n`;
}

/**
 * Server-sent events as a body: the text that `chunks` yields, pulled as the reader takes it. The signal aborts when the
 * reader disconnects.
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
          // The answer has begun: it can only be ended.
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

/** Headers of such an answer. */
export const EVENT_STREAM_HEADERS = {
  "content-type": "text/event-stream",
  // nginx would buffer it.
  "x-accel-buffering": "no",
  // A connection that served a stream for hours is not reused, and stopping does not wait for it to idle.
  connection: "close",
} as const;
