import { QuorateError } from "./errors.js";
import {
  ATTEMPT_MS,
  type CallOptions,
  isCurable,
  type Received,
  TIMEOUT_MS,
  type Transport,
} from "./transport.js";
import { sleep } from "./world.js";

/**
 * A state, now and whenever it changes, by blocking reads. `path` ends with `?` or a parameter. It goes on after failures,
 * until the signal aborts. A reader that is slow gets the newest only.
 */
export async function* changes<T extends object>(
  transport: Transport,
  path: string,
  answerHas: string,
  { timeoutMs = TIMEOUT_MS, signal }: CallOptions,
): AsyncGenerator<T, never, void> {
  const { clock } = transport.world;
  let etag: string | null = null;
  for (;;) {
    const waitMs: number = etag === null ? 0 : WAIT_MS;
    try {
      const answer: Received<T | null> = await transport.send({
        method: "GET",
        path: `${path}waitMs=${waitMs}`,
        ...(etag !== null && { headers: { "if-none-match": etag } }),
        deadlineMs: clock.monotonicMs() + waitMs + timeoutMs,
        limitMs: () => waitMs + ATTEMPT_MS,
        answerHas,
        signal,
      });
      // Nothing has changed: 304, without a body.
      if (answer.body === null) {
        // A proxy may not wait.
        if (clock.monotonicMs() - answer.sentAtMs < waitMs / 2) await pause(transport, signal);
        continue;
      }
      etag = answer.etag;
      yield answer.body;
      // A proxy, or another origin, may keep it from us.
      if (etag === null) await pause(transport, signal);
    } catch (error) {
      if (signal?.aborted || !(error instanceof QuorateError && mayChange(error))) throw error;
      await pause(transport, signal);
    }
  }
}

export const mayChange = (error: QuorateError) =>
  ["held", "deadline"].includes(error.code) || isCurable(error);

/** Before what has failed over all instances is tried again. */
export function pause(
  { world: { clock, random } }: Transport,
  signal: AbortSignal | undefined,
): Promise<void> {
  return sleep(clock, PAUSE_MS * random(), signal);
}

const WAIT_MS = 20_000;
const PAUSE_MS = 2_000;
