import type { Context } from "hono";
import { CoordinationError } from "../errors.js";
import type { Env, Services } from "./context.js";
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
  const { metrics, log, ids, clock, stopping } = services;
  return async (c) => {
    const started = clock.monotonicMs();
    const requestId = requestIdOf(c.req.header("x-request-id"), ids);
    c.set("requestId", requestId);
    let response: Response;
    try {
      const answered = await inFlight(
        c,
        () => readBody(c, isBatch),
        (text) => {
          // Probes and metrics answer to the end; work that arrives after the signal belongs to another instance.
          if (c.req.path.startsWith("/v1/")) stopping.assertNot();
          return answer(c, text);
        },
      );
      if (!answered) {
        metrics.abandoned();
        // The client has gone: nobody reads this.
        return c.body(null);
      }
      response = answered;
    } catch (error) {
      response = answerFailure(error, c, services);
    }
    const { headers, status } = response;
    headers.set("x-request-id", requestId);
    if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
    headers.set("x-content-type-options", "nosniff");
    if (stopping.announced) headers.set("connection", "close");
    const ms = clock.monotonicMs() - started;
    const { method, path } = c.req;
    const code = c.get("code");
    metrics.request(method, route, status, code ?? "", ms);
    // Without the query, which may have keys of others, and without the body, which may have leaseIds.
    const line = { requestId, method, path, status, code, ms: Math.round(ms * 10) / 10 };
    if (status >= 500) log.warn(line, "request failed");
    else log.debug(line, "request");
    return response;
  };
}

/** Any failure as problem+json. Only a CoordinationError is told as it is; anything else is logged and called internal. */
export function answerFailure(error: unknown, c: Context<Env>, { log }: Services): Response {
  const requestId = c.get("requestId");
  const known = error instanceof CoordinationError;
  if (!known) log.error({ requestId, err: error }, "unexpected exception");
  const failure = known
    ? error
    : new CoordinationError(
        "internal",
        `Internal error. The log of this instance has details under requestId ${requestId}.`,
      );
  c.set("code", failure.code);
  const { retryAfterMs, allow } = failure.help;
  if (retryAfterMs !== undefined) c.header("retry-after", String(Math.ceil(retryAfterMs / 1000)));
  if (allow !== undefined) c.header("allow", allow.join(", "));
  const status = statusOf(failure.code);
  return c.body(JSON.stringify(toProblem(failure, requestId)), status, {
    "content-type": "application/problem+json",
  });
}
