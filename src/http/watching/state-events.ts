import { CoordinationError } from "../../errors.js";
import type { Versioned } from "../../primitives/reads/watch.js";
import type { Dependencies } from "../context.js";
import { KEEP_ALIVE, KEEP_ALIVE_MS, RETRY, toEvent } from "../responses/event-stream.js";
import type { Watched } from "./blocking-read.js";

/** A state whose changes are told. */
export interface Followed<T extends Versioned> extends Pick<Watched<T>, "change" | "toJson"> {
  /** The state at the beginning. */
  readonly first: T;
  /** The version that the reader has already: it is not told again. */
  readonly seen: string | undefined;
}

/** Server-sent events `state`, from the first state on, until the reader goes or this instance stops. */
export async function* stateEvents<T extends Versioned>(
  { clock, random, stopping }: Pick<Dependencies, "clock" | "random" | "stopping">,
  { first, seen, change, toJson }: Followed<T>,
  gone: AbortSignal,
): AsyncGenerator<string> {
  yield RETRY;
  let version: string | null = seen ?? null;
  let state: T | null = first;
  while (!gone.aborted && !stopping.begun) {
    if (state && state.version !== version) {
      version = state.version;
      yield toEvent("state", version, toJson(state));
    } else yield KEEP_ALIVE;
    const known: string | null = version;
    const silentForMs = KEEP_ALIVE_MS.min + random() * (KEEP_ALIVE_MS.max - KEEP_ALIVE_MS.min);
    state = await stopping.during(gone, async (signal): Promise<T | null> => {
      try {
        return await change(known, clock.monotonicMs() + silentForMs, signal);
      } catch (error) {
        if (!(error instanceof CoordinationError)) throw error;
        // While no majority answers, nothing is known to have changed.
        await clock.sleep(RETRY_DELAY_MS, signal).catch(() => {});
        return null;
      }
    });
  }
}

const RETRY_DELAY_MS = 1_000;
