import { QuorateError } from "../client/errors.js";
import { ATTEMPT_MS, isCurable, type Received, TIMEOUT_MS, type Transport } from "../client/transport.js";
import { sleep } from "../client/world.js";

export interface Follower<T> {
  /** Called with the state at the beginning, and whenever it has changed. */
  readonly changed: (state: T) => Promise<void> | void;
  /** Called once when no instance answers any more, though it is asked again and again. */
  readonly troubled: (error: QuorateError) => void;
  /** Called where it is not there, at the beginning or any more. Without it, that is a failure. */
  readonly missing?: () => void;
}

/** What is followed by blocking reads. */
export interface Followed {
  /** Below /v1. */
  readonly path: string;
  /** A field that every state has. */
  readonly field: string;
}

/** Follows a state for ever. Throws where it cannot be read at the beginning, or never will be. */
export async function follow<T extends object>(
  transport: Transport,
  followed: Followed,
  { changed, troubled, missing }: Follower<T>,
): Promise<never> {
  const { clock, random } = transport.world;
  let etag: string | null = null;
  let isTroubled = false;
  const pause = () => sleep(clock, PAUSE_MS * (0.5 + random()));
  for (;;) {
    try {
      const answer: Received<T | null> = await next<T>(transport, followed, etag);
      isTroubled = false;
      if (answer.body !== null && (etag === null || answer.etag !== etag)) {
        await changed(answer.body);
        etag = answer.etag;
        if (etag !== null) continue;
      }
      // A proxy may keep the tag from us, or answer without waiting.
      if (clock.monotonicMs() - answer.sentAtMs < WAIT_MS / 2) await pause();
    } catch (error) {
      if (missing && error instanceof QuorateError && error.code === "not_found") {
        if (etag === MISSING) await pause();
        else missing();
        etag = MISSING;
        continue;
      }
      if (etag === null || !(error instanceof QuorateError && isCurable(error))) throw error;
      if (!isTroubled) troubled(error);
      isTroubled = true;
      await pause();
    }
  }
}

/** The state once it is no longer that of `etag`; after a while also an answer without a body: nothing has changed. */
function next<T>(transport: Transport, { path, field }: Followed, etag: string | null) {
  const waitMs = etag === null ? 0 : WAIT_MS;
  return transport.send<T | null>({
    method: "GET",
    path: `${path}?waitMs=${waitMs}`,
    ...(etag !== null && { headers: { "if-none-match": etag } }),
    deadlineMs: transport.world.clock.monotonicMs() + waitMs + TIMEOUT_MS,
    limitMs: () => waitMs + ATTEMPT_MS,
    answerHas: field,
  });
}

/** The ETag of a register that is not there. */
const MISSING = '"none"';
/** Not longer, so that a reader is told within 20 s that nobody answers. */
const WAIT_MS = 8_000;
const PAUSE_MS = 1_000;
