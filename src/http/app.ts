import type { Context } from "hono";
import type { CoordinationError } from "../errors.js";
import { barrierRoutes } from "./barriers/routes.js";
import type { App, Env, Services } from "./context.js";
import { counterRoutes } from "./counters/routes.js";
import { discoveryRoutes } from "./discovery/routes.js";
import { docsRoutes } from "./docs/routes.js";
import { electionRoutes } from "./elections/routes.js";
import { methodNotAllowed, NOT_FOUND } from "./failures.js";
import { hookRoutes } from "./hooks/routes.js";
import { latchRoutes } from "./latches/routes.js";
import { lockRoutes } from "./locks/routes.js";
import { severalLockRoutes } from "./locks/several-routes.js";
import { memberEventsRoute } from "./members/events-route.js";
import { heartbeatRoutes } from "./members/heartbeat-routes.js";
import { memberHistoryRoute } from "./members/history-route.js";
import { memberListRoute } from "./members/list-route.js";
import { memberRoutes } from "./members/routes.js";
import { answerFailure } from "./observed.js";
import { ownerRoutes } from "./owners/routes.js";
import { pickRoutes } from "./picks/routes.js";
import { registerRoutes } from "./registers/routes.js";
import { registerTransactionRoute } from "./registers/transaction-route.js";
import { Routes } from "./registration.js";
import { semaphoreRoutes } from "./semaphores/routes.js";
import { systemRoutes } from "./system/routes.js";
import { transactionRoutes } from "./transactions/routes.js";

/** The HTTP service: all routes, and the answer where there is none. */
export function createApp(services: Services): App {
  const routes = new Routes(services);
  const { app } = routes;
  app.onError((error, c) => answerFailure(error, c, services));
  routes.otherwise((c) => {
    throw missing(app, c);
  });
  severalLockRoutes(routes, services);
  lockRoutes(routes, services);
  semaphoreRoutes(routes, services);
  electionRoutes(routes, services);
  memberRoutes(routes, services);
  heartbeatRoutes(routes);
  memberListRoute(routes, services);
  memberEventsRoute(routes, services);
  memberHistoryRoute(routes);
  hookRoutes(routes, services);
  ownerRoutes(routes);
  registerTransactionRoute(routes);
  registerRoutes(routes, services);
  counterRoutes(routes);
  barrierRoutes(routes, services);
  latchRoutes(routes, services);
  transactionRoutes(routes, services);
  pickRoutes(routes);
  discoveryRoutes(routes);
  systemRoutes(routes, services);
  docsRoutes(routes);
  return app;
}

/** 405 where the path exists with other methods, else 404. */
function missing(app: App, c: Context<Env>): CoordinationError {
  const methods = new Set(
    app.routes
      .filter(({ method, path }) => method !== "ALL" && patternOf(path).test(c.req.path))
      .map(({ method }) => method),
  );
  return methods.size === 0 ? NOT_FOUND : methodNotAllowed([...methods].sort());
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/:[a-z]+/g, "[^/]+").replaceAll(".", "\\.")}$`);
}
