import type { Context } from "hono";
import type { Principal } from "../access/key-ring.js";
import { rateLimitFields } from "../access/rates.js";
import { CoordinationError } from "../errors.js";
import type { Dependencies, Env } from "./context.js";
import { internal } from "./failures.js";
import { problemHeaders, statusOf, toProblem } from "./problem.js";
import { readBody } from "./requests/body-limit.js";
import { traceparentOf } from "./requests/traceparent.js";
import { Reply } from "./responses/reply.js";
import type { RouteMetrics } from "./route-metrics.js";
import { inFlight } from "./server/admission.js";
import { headerOf, incomingOf } from "./server/arrivals.js";
import { requestIdOf } from "./server/gate.js";
import { whenThere } from "./when-there.js";

/** Answers a request, whose body is `text`; null: it has none. Throws or rejects where the answer is a failure. */
export type Answer = (c: Context<Env>, text: string | null) => Promise<Reply> | Reply;

/** Where the requests of a route are counted, and how large their bodies may be. */
export interface Observed {
  readonly counted: RouteMetrics;
  readonly isBatch: boolean;
  /** If other than that of all such routes. */
  readonly bodyBytesMax?: number | undefined;
  /** Whether it answers callers without a key. */
  readonly isOpen: boolean;
}

/**
 * Every request, whatever its route: request id, who makes it, size of the body, whether this instance is stopping, headers,
 * metrics and one log line. Without a promise where the answer needs none.
 */
export function observed(
  dependencies: Dependencies,
  { counted, isBatch, bodyBytesMax, isOpen }: Observed,
  answer: Answer,
): (c: Context<Env>) => Promise<Response> | Response {
  const { metrics, ids, clock, stopping, identity } = dependencies;
  return (c) => {
    const startedMs = clock.monotonicMs();
    const requestId = requestIdOf(headerOf(c, "x-request-id"), ids);
    c.set("requestId", requestId);
    const answerUnlessStopping = (text: string | null) => {
      // Probes and metrics are answered to the end; work that arrives after the signal belongs to another instance.
      if (c.req.path.startsWith("/v1/")) stopping.assertNot();
      return answer(c, text);
    };
    const replied = (reply: Reply | null) => {
      if (reply) return recorded(dependencies, c, reply, counted, startedMs);
      metrics.abandoned();
      // The client has gone: nobody reads this.
      return c.body(null);
    };
    const failed = (error: unknown) =>
      replied(isGivenUp(error, c) ? null : toFailure(error, c, dependencies));
    const answered = () => inFlight(c, () => readBody(c, isBatch, bodyBytesMax), answerUnlessStopping);
    const answeredTo = (principal: Principal) => {
      c.set("principal", principal);
      return answered();
    };
    try {
      const reply = isOpen ? answered() : whenThere(identity.of(c), answeredTo);
      return reply instanceof Promise ? reply.then(replied, failed) : replied(reply);
    } catch (error) {
      return failed(error);
    }
  };
}

/** The answer with the headers that all answers have, once it is counted and logged. */
function recorded(
  { log, clock, stopping, clientOf }: Dependencies,
  c: Context<Env>,
  { status, body, headers }: Reply,
  metrics: RouteMetrics,
  startedMs: number,
): Response {
  const requestId = c.get("requestId");
  const rate = c.get("rate");
  const response = new Response(body, {
    status,
    headers: {
      "cache-control": "no-store",
      ...headers,
      ...(rate && rateLimitFields(rate)),
      "x-request-id": requestId,
      "x-content-type-options": "nosniff",
      ...(stopping.announced && { connection: "close" }),
    },
  });
  const ms = clock.monotonicMs() - startedMs;
  const { method, path } = c.req;
  const code = c.get("code");
  metrics.answered(method, status, code, ms);
  const failed = status >= 500;
  if (!failed && !log.isLevelEnabled("debug")) return response;
  // Without the query, which may contain keys of others, and without the body, which may contain leaseIds.
  const address = clientOf(incomingOf(c));
  const traceparent = traceparentOf(headerOf(c, "traceparent"));
  const line = { requestId, traceparent, address, method, path, status, code, ms: Math.round(ms * 10) / 10 };
  if (failed) log.warn(line, "request failed");
  else log.debug(line, "request");
  return response;
}

/** The same for what fails outside of the routes. */
export function answerFailure(error: unknown, c: Context<Env>, dependencies: Dependencies): Response {
  const { body, status, headers } = toFailure(error, c, dependencies);
  return new Response(body, { status, headers });
}

/** Whether the work for a request ended since its client has disconnected. */
function isGivenUp(error: unknown, c: Context<Env>): boolean {
  // The signal is looked at last: it costs the framework as much as the rest of a request.
  if (error instanceof CoordinationError) return false;
  const { aborted, reason } = c.req.raw.signal;
  return aborted && error === reason;
}

/** Any failure as problem+json. Only a CoordinationError is told as it is; anything else is logged and called internal. */
function toFailure(error: unknown, c: Context<Env>, { log, auditing }: Dependencies): Reply {
  const requestId = c.get("requestId");
  const known = error instanceof CoordinationError;
  if (!known) log.error({ requestId, err: error }, "unexpected exception");
  const failure = known ? error : internal(requestId);
  c.set("code", failure.code);
  auditing.failed(c, failure.code);
  const problem = JSON.stringify(toProblem(failure, requestId));
  return new Reply(statusOf(failure.code), problem, problemHeaders(failure));
}
