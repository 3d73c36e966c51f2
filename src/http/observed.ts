import type { Context } from "hono";
import { CoordinationError } from "../errors.js";
import type { Env, Services } from "./context.js";
import { internal } from "./failures.js";
import type { RouteMetrics } from "./metrics.js";
import { statusOf, toProblem } from "./problem.js";
import { readBody } from "./requests/body-limit.js";
import { Reply } from "./responses/reply.js";
import { inFlight } from "./server/admission.js";
import { headerOf } from "./server/arrivals.js";
import { requestIdOf } from "./server/gate.js";

/** Answers a request, whose body is `text`; null: it has none. Throws or rejects where the answer is a failure. */
export type Answer = (c: Context<Env>, text: string | null) => Promise<Reply> | Reply;

/** How a route appears in metrics, and how large its bodies may be. */
interface Observed {
  readonly route: string;
  readonly isBatch: boolean;
}

/**
 * Every request, whatever its route: request id, size of the body, whether this instance is stopping, headers, metrics
 * and one log line. Without a promise where the answer needs none.
 */
export function observed(
  services: Services,
  { route, isBatch }: Observed,
  answer: Answer,
): (c: Context<Env>) => Promise<Response> | Response {
  const { metrics, ids, clock, stopping } = services;
  const routeMetrics = metrics.route(route);
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
      if (reply) return recorded(services, c, reply, routeMetrics, startedMs);
      metrics.abandoned();
      // The client has gone: nobody reads this.
      return c.body(null);
    };
    const failed = (error: unknown) => replied(toFailure(error, c, services));
    try {
      const reply = inFlight(c, () => readBody(c, isBatch), answerUnlessStopping);
      return reply instanceof Promise ? reply.then(replied, failed) : replied(reply);
    } catch (error) {
      return failed(error);
    }
  };
}

/** The answer with the headers that all answers have, once it is counted and logged. */
function recorded(
  { log, clock, stopping }: Services,
  c: Context<Env>,
  { status, body, headers }: Reply,
  metrics: RouteMetrics,
  startedMs: number,
): Response {
  const requestId = c.get("requestId");
  const response = new Response(body, {
    status,
    headers: {
      "cache-control": "no-store",
      ...headers,
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
  const line = { requestId, method, path, status, code, ms: Math.round(ms * 10) / 10 };
  if (failed) log.warn(line, "request failed");
  else log.debug(line, "request");
  return response;
}

/** The same for what fails outside of the routes. */
export function answerFailure(error: unknown, c: Context<Env>, services: Services): Response {
  const { body, status, headers } = toFailure(error, c, services);
  return new Response(body, { status, headers });
}

/** Any failure as problem+json. Only a CoordinationError is told as it is; anything else is logged and called internal. */
function toFailure(error: unknown, c: Context<Env>, { log }: Services): Reply {
  const requestId = c.get("requestId");
  const known = error instanceof CoordinationError;
  if (!known) log.error({ requestId, err: error }, "unexpected exception");
  const failure = known ? error : internal(requestId);
  c.set("code", failure.code);
  const { retryAfterMs, allow } = failure.help;
  return new Reply(statusOf(failure.code), JSON.stringify(toProblem(failure, requestId)), {
    "content-type": "application/problem+json",
    ...(retryAfterMs !== undefined && { "retry-after": String(Math.ceil(retryAfterMs / 1000)) }),
    ...(allow !== undefined && { allow: allow.join(", ") }),
  });
}
