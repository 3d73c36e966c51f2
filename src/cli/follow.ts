import { QuorateError } from "../client/errors.js";
import { ATTEMPT_MS, isCurable, TIMEOUT_MS, type Transport } from "../client/transport.js";
import { sleep } from "../client/world.js";
import { segment } from "./names.js";
import type { Election } from "./types.js";

export interface Follower {
  /** Called with the state at the beginning, and whenever leader, term or value have changed. */
  readonly changed: (election: Election) => void;
  /** Called once when no instance answers any more, though it is asked again and again. */
  readonly troubled: (error: QuorateError) => void;
}

/** Follows an election for ever. Throws where it cannot be read at the beginning, or never will be. */
export async function follow(
  transport: Transport,
  name: string,
  { changed, troubled }: Follower,
): Promise<never> {
  const { clock, random } = transport.world;
  let etag: string | null = null;
  let isTroubled = false;
  for (;;) {
    try {
      const answer = await next(transport, name, etag);
      isTroubled = false;
      if (answer.body === null || answer.etag === etag) continue;
      etag = answer.etag;
      changed(answer.body);
    } catch (error) {
      if (etag === null || !(error instanceof QuorateError && isCurable(error))) throw error;
      if (!isTroubled) troubled(error);
      isTroubled = true;
      await sleep(clock, PAUSE_MS * (0.5 + random()));
    }
  }
}

/** The state once it is no longer that of `etag`; after a while also an answer without a body: nothing has changed. */
function next(transport: Transport, name: string, etag: string | null) {
  const waitMs = etag === null ? 0 : WAIT_MS;
  return transport.send<Election | null>({
    method: "GET",
    path: `/elections/${segment(name)}?waitMs=${waitMs}`,
    ...(etag !== null && { headers: { "if-none-match": etag } }),
    deadlineMs: transport.world.clock.monotonicMs() + waitMs + TIMEOUT_MS,
    limitMs: () => waitMs + ATTEMPT_MS,
  });
}

/** Not longer, so that a reader is told within 20 s that nobody answers. */
const WAIT_MS = 8_000;
const PAUSE_MS = 1_000;
