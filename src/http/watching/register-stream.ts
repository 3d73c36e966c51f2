import type { Context } from "hono";
import { CoordinationError } from "../../errors.js";
import type { RegisterWatch, Told } from "../../primitives/registers/events/register-watch.js";
import { permittedOf } from "../access/authorization.js";
import type { Dependencies, Env } from "../context.js";
import {
  EVENT_STREAM_HEADERS,
  eventStream,
  KEEP_ALIVE,
  KEEP_ALIVE_MS,
  RETRY,
} from "../responses/event-stream.js";
import { Reply } from "../responses/reply.js";
import { streamSignal } from "./stream-signal.js";

/** A stream of server-sent events from one watcher of registers, or of what is kept in them. */
export function streamOf(
  c: Context<Env>,
  dependencies: Dependencies,
  watch: RegisterWatch,
  toText: (told: Told) => string,
): Reply {
  const { log, revocations } = dependencies;
  const permitted = permittedOf(c);
  const events = eventStream((gone) => {
    // Where the client has gone, nobody may pull what ends the stream.
    gone.addEventListener("abort", () => watch.end());
    return revocations.stream(permitted, gone, (ended) => watched(dependencies, watch, toText, ended));
  }, log);
  return new Reply(200, events, EVENT_STREAM_HEADERS);
}

/** The last comment for a reader that is too slow. */
export const tooSlow = (what: string): string =>
  `: too slow: ${what} changed faster than they were read; come back for a new snapshot\n\n`;

async function* watched(
  { clock, random, stopping }: Pick<Dependencies, "clock" | "random" | "stopping">,
  watch: RegisterWatch,
  toText: (told: Told) => string,
  gone: AbortSignal,
): AsyncGenerator<string> {
  const { signal, over } = streamSignal(stopping, gone);
  const silentUntilMs = () =>
    clock.monotonicMs() + KEEP_ALIVE_MS.min + random() * (KEEP_ALIVE_MS.max - KEEP_ALIVE_MS.min);
  try {
    yield RETRY;
    let deadlineMs = silentUntilMs();
    while (!gone.aborted && !stopping.begun) {
      const told = await taken(watch);
      if (told === "later") await clock.sleep(RETRY_MS, signal).catch(() => {});
      else if (told) {
        const text = toText(told);
        if (text !== "") yield text;
        if (told.kind === "behind") return;
        if (text !== "") deadlineMs = silentUntilMs();
      } else await watch.change(deadlineMs, signal);
      if (clock.monotonicMs() < deadlineMs) continue;
      yield KEEP_ALIVE;
      deadlineMs = silentUntilMs();
    }
  } finally {
    over();
    watch.end();
  }
}

/** What the watcher is told next; null: nothing for now. While no majority answers, the snapshot has to wait. */
async function taken(watch: RegisterWatch): Promise<Told | null | "later"> {
  try {
    return await watch.take();
  } catch (error) {
    if (error instanceof CoordinationError) return "later";
    throw error;
  }
}

/** While no majority answers. */
const RETRY_MS = 500;
