import { CoordinationError } from "../../errors.js";
import type { ElectionState } from "../../primitives/election.js";
import type { Services } from "../context.js";
import { KEEP_ALIVE, KEEP_ALIVE_MS, RETRY, toEvent } from "../responses/event-stream.js";

/** An election as everybody sees it; its version goes beside it. */
function toElection(name: string, { version: _, ...state }: ElectionState) {
  return { name, ...state };
}

const texts = new WeakMap<ElectionState, string>();

/** The same as JSON, made once for all who are told this state. */
export function electionText(name: string, state: ElectionState): string {
  const known = texts.get(state);
  if (known !== undefined) return known;
  const text = JSON.stringify(toElection(name, state));
  texts.set(state, text);
  return text;
}

/**
 * The states of an election as server-sent events, from `first` on, until the reader goes or this instance stops. Who
 * has `seen` a version is not told it again.
 */
export async function* electionEvents(
  { elections, clock, random, stopping }: Services,
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
      yield toEvent("state", version, electionText(name, state));
    } else yield KEEP_ALIVE;
    const known: string | null = version;
    const silentForMs = KEEP_ALIVE_MS.min + random() * (KEEP_ALIVE_MS.max - KEEP_ALIVE_MS.min);
    state = await stopping.during(gone, async (signal): Promise<ElectionState | null> => {
      try {
        return await elections.change(name, known, clock.monotonicMs() + silentForMs, signal);
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
