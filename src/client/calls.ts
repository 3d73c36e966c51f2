import { wasSent } from "./attempt.js";
import { QuorateError } from "./errors.js";
import {
  ATTEMPT_MS,
  type Call,
  type CallOptions,
  type Received,
  TIMEOUT_MS,
  type Transport,
} from "./transport.js";
import { sleep } from "./world.js";

/** A request about what is kept in registers. */
export interface Request {
  readonly method: Call["method"];
  /** Below /v1. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** A field that every answer to it has. */
  readonly has: string;
  /** For how long its answer may wait, ms. */
  readonly waitMs?: number;
  /** Whether it may not be sent again where it may have taken effect. */
  readonly isOnce?: boolean;
}

/** Sends a request, again and again where nothing came of it, for at most `timeoutMs` and what it waits for. */
export async function call<T>(
  transport: Transport,
  { method, path, headers = {}, body, has, waitMs = 0, isOnce }: Request,
  { timeoutMs = TIMEOUT_MS, signal }: CallOptions,
  onFailure: (error: unknown) => void = () => {},
): Promise<Received<T>> {
  const { clock, random } = transport.world;
  const deadlineMs = clock.monotonicMs() + waitMs + timeoutMs;
  const seen = (error: unknown) => {
    onFailure(error);
    if (isOnce && mayBeDone(error)) throw error;
  };
  for (;;) {
    try {
      return await transport.send<T>({
        ...{ method, path, headers, answerHas: has, deadlineMs, signal, onFailure: seen },
        ...(body && { body: () => body }),
        limitMs: () => waitMs + ATTEMPT_MS,
      });
    } catch (error) {
      const isBusy = error instanceof QuorateError && BUSY.includes(error.code);
      const pauseMs = PAUSE_MS * random();
      if (!isBusy || (isOnce && mayBeDone(error)) || clock.monotonicMs() + pauseMs >= deadlineMs) throw error;
      await sleep(clock, pauseMs, signal);
    }
  }
}

/**
 * Sends a change that is made once, however often it has to be sent: under an Idempotency-Key. Where the register remembers as
 * many as it can, it is sent without one, and not again where it may have been made.
 */
export async function change<T>(
  transport: Transport,
  request: Request,
  options: CallOptions,
): Promise<Received<T>> {
  let failures = 0;
  const headers = { ...request.headers, "idempotency-key": transport.world.leaseId() };
  try {
    return await call<T>(transport, { ...request, headers }, options, () => void failures++);
  } catch (error) {
    const isFull = error instanceof QuorateError && error.code === "too_many_keyed";
    // An earlier attempt may still be under way.
    if (!isFull || failures > 1) throw error;
    return call(transport, { ...request, isOnce: true }, options);
  }
}

/** Undefined where the answer is that there is none. */
export function unlessMissing(error: unknown): undefined {
  if (error instanceof QuorateError && error.code === "not_found") return undefined;
  throw error;
}

/** Whether a request that failed so may have taken effect, or still may. */
const mayBeDone = (error: unknown) =>
  !(error instanceof QuorateError) || (MAY_BE_DONE.includes(error.code) && wasSent(error));

const MAY_BE_DONE = ["unreachable", "request_timeout", "internal", "outcome_unknown", "unexpected_answer"];
/** Worth another try, at any instance: others came first, or it cannot be told what became of it. */
const BUSY = ["contended", "outcome_unknown"];
/** As long as the primaries may need to answer again. */
const PAUSE_MS = 500;

/** How long one request waits for something that may take for ever, ms. */
export const WAIT_MS = 20_000;
