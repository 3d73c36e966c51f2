import type { Context } from "hono";
import { CoordinationError } from "../errors.js";
import type { Env, Services } from "./context.js";
import { internal } from "./failures.js";
import { statusOf, toProblem } from "./problem.js";
import { readBody } from "./requests/body-limit.js";
import { inFlight } from "./server/admission.js";
import { requestIdOf } from "./server/gate.js";

/** Answers a request, whose body is `text`; null: it has none. Throws where the answer is a failure. */
export type Answer = (c: Context<Env>, text: string | null) => Promise<Response>;

/** How a route appears in metrics, and how large its bodies may be. */
interface Observed {
  readonly route: string;
  readonly isBatch: boolean;
}

/**
 * Every request, whatever its route: request id, size of the body, whether this instance is stopping, headers, metrics
 * and one log line.
 */
export function observed(
  services: Services,
  { route, isBatch }: Observed,
  answer: Answer,
): (c: Context<Env>) => Promise<Response> {
  const { metrics, ids, clock, stopping } = services;
  return async (c) => {
    const startedMs = clock.monotonicMs();
    c.set("requestId", requestIdOf(c.req.header("x-request-id"), ids));
    const answerUnlessStopping = (text: string | null) => {
      // Probes and metrics are answered to the end; work that arrives after the signal belongs to another instance.
      if (c.req.path.startsWith("/v1/")) stopping.assertNot();
      return answer(c, text);
    };
    let response: Response | null;
    try {
      response = await inFlight(c, () => readBody(c, isBatch), answerUnlessStopping);
    } catch (error) {
      response = answerFailure(error, c, services);
    }
    if (response) return recorded(services, c, response, route, startedMs);
    metrics.abandoned();
    // The client has gone: nobody reads this.
    return c.body(null);
  };
}

/** The answer with the headers that all answers have, once it is counted and logged. */
function recorded(
  { metrics, log, clock, stopping }: Services,
  c: Context<Env>,
  response: Response,
  route: string,
  startedMs: number,
): Response {
  const { headers, status } = response;
  const requestId = c.get("requestId");
  headers.set("x-request-id", requestId);
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  headers.set("x-content-type-options", "nosniff");
  if (stopping.announced) headers.set("connection", "close");
  const ms = clock.monotonicMs() - startedMs;
  const { method, path } = c.req;
  const code = c.get("code");
  metrics.request(method, route, status, code ?? "", ms);
  // Without the query, which may contain keys of others, and without the body, which may contain leaseIds.
  const line = { requestId, method, path, status, code, ms: Math.round(ms * 10) / 10 };
  if (status >= 500) log.warn(line, "request failed");
  else log.debug(line, "request");
  return response;
}

/** Any failure as problem+json. Only a CoordinationError is told as it is; anything else is logged and called internal. */
export function answerFailure(error: unknown, c: Context<Env>, { log }: Services): Response {
  const requestId = c.get("requestId");
  const known = error instanceof CoordinationError;
  if (!known) log.error({ requestId, err: error }, "unexpected exception");
  const failure = known ? error : internal(requestId);
  c.set("code", failure.code);
  const { retryAfterMs, allow } = failure.help;
  if (retryAfterMs !== undefined) c.header("retry-after", String(Math.ceil(retryAfterMs / 1000)));
  if (allow !== undefined) c.header("allow", allow.join(", "));
  const status = statusOf(failure.code);
  return c.body(JSON.stringify(toProblem(failure, requestId)), status, {
    "content-type": "application/problem+json",
  });
}
