import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { routePath } from "hono/route";
import { CoordinationError } from "../errors.js";
import type { App, Env, Services } from "./context.js";
import { docsRoutes } from "./docs/routes.js";
import { electionRoutes } from "./elections/routes.js";
import { lockRoutes } from "./locks/routes.js";
import { severalLockRoutes } from "./locks/several-routes.js";
import { memberRoutes } from "./members/routes.js";
import { ownerRoutes } from "./owners/routes.js";
import { statusOf, toProblem } from "./problem.js";
import { readBody } from "./requests/body-limit.js";
import { refuseMisfits } from "./requests/strict.js";
import { type Answer, oneHandlerEach } from "./route-handler.js";
import { semaphoreRoutes } from "./semaphores/routes.js";
import { inFlight } from "./server/admission.js";
import { requestIdOf } from "./server/gate.js";
import { systemRoutes } from "./system/routes.js";

/** The HTTP service: everything a request meets before and after its route. */
export function createApp(services: Services): App {
  const app: App = new OpenAPIHono<Env>();
  app.onError((error, c) => answerFailure(error, c, services));
  const around = (answer: Answer) => observe(services, answer);
  app.notFound(
    around(async (c) => {
      throw missing(app, c);
    }),
  );
  oneHandlerEach(app, around);
  refuseMisfits(app);
  severalLockRoutes(app, services);
  lockRoutes(app, services);
  semaphoreRoutes(app, services);
  electionRoutes(app, services);
  memberRoutes(app, services);
  ownerRoutes(app, services);
  systemRoutes(app, services);
  docsRoutes(app);
  return app;
}

/** What every request meets: request id, size of the body, whether this instance stops, headers, metrics and one log line. */
function observe(services: Services, answer: Answer): Answer {
  const { metrics, log, ids, clock, stopping } = services;
  return async (c) => {
    const started = clock.monotonicMs();
    const requestId = requestIdOf(c.req.header("x-request-id"), ids);
    c.set("requestId", requestId);
    let response: Response;
    try {
      const answered = await inFlight(c, {
        readBody: () => readBody(c),
        answer: () => {
          // Probes and metrics answer to the end; work that comes after the signal goes to another instance.
          if (c.req.path.startsWith("/v1/")) stopping.assertNot();
          return answer(c);
        },
      });
      if (!answered) {
        metrics.abandoned();
        // Nobody is there to read it.
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
    const route = routePath(c, -1);
    const { method, path } = c.req;
    const code = c.get("code");
    metrics.request(method, route || "none", status, code ?? "", ms);
    // Not the query: keys of others may be in it. Not the body: leaseIds are.
    const line = { requestId, method, path, status, code, ms: Math.round(ms * 10) / 10 };
    if (status >= 500) log.warn(line, "request failed");
    else log.debug(line, "request");
    return response;
  };
}

/** Any failure as problem+json. Only what CoordinationError says goes out; everything else is logged and called internal. */
function answerFailure(error: unknown, c: Context<Env>, { log }: Services): Response {
  const requestId = c.get("requestId");
  const known = asCoordinationError(error);
  if (!known) log.error({ requestId, err: error }, "unexpected exception");
  const failure =
    known ??
    new CoordinationError(
      "internal",
      `This is a mistake in Quorate. Its log tells more under requestId ${requestId}.`,
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

function asCoordinationError(error: unknown): CoordinationError | undefined {
  if (error instanceof CoordinationError) return error;
  if (!(error instanceof HTTPException)) return undefined;
  if (error.status === 400)
    return new CoordinationError("invalid_request", "The body is not well-formed JSON.");
  if (error.status !== 415) return undefined;
  return new CoordinationError(
    "unsupported_media_type",
    "Send the body as JSON, with the header content-type: application/json.",
  );
}

/** 405 where the path exists with other methods, else 404. */
function missing(app: App, c: Context<Env>): CoordinationError {
  const methods = new Set(
    app.routes
      .filter(({ method, path }) => method !== "ALL" && patternOf(path).test(c.req.path))
      .map(({ method }) => method),
  );
  if (methods.size === 0) {
    return new CoordinationError(
      "not_found",
      "There is nothing at this path. GET /docs shows what there is.",
    );
  }
  const allow = [...methods].sort();
  return new CoordinationError("method_not_allowed", `This path has ${allow.join(", ")} only.`, {
    help: { allow },
  });
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/:[a-z]+/g, "[^/]+").replaceAll(".", "\\.")}$`);
}
