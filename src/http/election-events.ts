import { CoordinationError } from "../errors.js";
import type { ElectionState } from "../primitives/election.js";
import type { Services } from "./context.js";
import { KEEP_ALIVE, KEEP_ALIVE_MS, RETRY, toEvent } from "./event-stream.js";

/** An election as everybody sees it; its version goes beside it. */
export function toElection(name: string, { version: _, ...state }: ElectionState) {
  return { name, ...state };
}

/**
 * The states of an election as server-sent events, from `first` on, until the reader goes or this instance stops. Who
 * has `seen` a version is not told it again.
 */
export async function* electionEvents(
  { elections, clock, stopping }: Services,
  name: string,
  { first, seen }: { readonly first: ElectionState; readonly seen: string | undefined },
  gone: AbortSignal,
): AsyncGenerator<string> {
  yield RETRY;
  let version: string | null = seen ?? null;
  let state: ElectionState | null = first;
  while (!gone.aborted && !stopping.begun) {
    if (state && state.version !== version) {
      version = state.version;
      yield toEvent("state", version, toElection(name, state));
    } else yield KEEP_ALIVE;
    const known: string | null = version;
    state = await stopping.during(gone, async (signal): Promise<ElectionState | null> => {
      try {
        return await elections.change(name, known, clock.monotonicMs() + KEEP_ALIVE_MS, signal);
      } catch (error) {
        if (!(error instanceof CoordinationError)) throw error;
        // While no majority answers nothing is known to have changed.
        await clock.sleep(ASK_AGAIN_MS, signal).catch(() => {});
        return null;
      }
    });
  }
}

const ASK_AGAIN_MS = 1_000;
