import { createRoute } from "@hono/zod-openapi";
import { HOLDERS_MAX } from "../../primitives/semaphore.js";
import type { App, Services } from "../context.js";
import { held } from "../leases/held.js";
import { ReleaseBody, ReleasedSchema, renewBody } from "../leases/schemas.js";
import { byOperator, operatorOnly } from "../operator.js";
import { problems } from "../problem.js";
import { body, json } from "../responses/content.js";
import { ofClient } from "../server/admission.js";
import * as examples from "./examples.js";
import {
  acquirePermitsBody,
  HoldersQuery,
  LimitBody,
  LimitSchema,
  PermitsSchema,
  SemaphoreParams,
  SemaphoreSchema,
} from "./schemas.js";

export function semaphoreRoutes(app: App, { semaphores, config, log }: Services): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/semaphores/{name}/acquire",
      operationId: "acquirePermits",
      tags: ["semaphores"],
      summary: "Acquire permits of a semaphore",
      description:
        "All permits that are asked for or none; never more than limit are held at a time. All who acquire name the same limit. Waiting goes as with locks: first come, first served.",
      request: {
        params: SemaphoreParams,
        body: body(acquirePermitsBody(config.ttlMaxMs), examples.acquireRequests),
      },
      responses: {
        200: json("The permits.", PermitsSchema, examples.permits),
        ...problems(
          "invalid_request",
          "too_large",
          "unsupported_media_type",
          "held",
          "lease_mismatch",
          "limit_mismatch",
          "lease_lost",
          "no_quorum",
        ),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      const { permits = 1, ...request } = c.req.valid("json");
      const outcome = await semaphores.acquire({ ...request, name, permits, ...ofClient(c) });
      if (outcome.kind === "held") throw held(`${name} has too few free permits`, outcome);
      return c.json(outcome.lease, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/semaphores/{name}/renew",
      operationId: "renewPermits",
      tags: ["semaphores"],
      summary: "Renew permits",
      description: "All permits of the lease live ttlMs from now; never shortens it.",
      request: { params: SemaphoreParams, body: body(renewBody(config.ttlMaxMs), examples.renewRequests) },
      responses: {
        200: json("The permits.", PermitsSchema, examples.permits),
        ...problems("invalid_request", "too_large", "unsupported_media_type", "lease_lost", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      return c.json(await semaphores.renew({ ...c.req.valid("json"), name }), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/semaphores/{name}/release",
      operationId: "releasePermits",
      tags: ["semaphores"],
      summary: "Release permits",
      description: "All permits of the lease. A leaseId that holds none changes nothing.",
      request: { params: SemaphoreParams, body: body(ReleaseBody, examples.releaseRequests) },
      responses: {
        200: json("Whether any were held until now.", ReleasedSchema, examples.releases),
        ...problems("invalid_request", "too_large", "unsupported_media_type", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      return c.json({ released: await semaphores.release(name, c.req.valid("json").leaseId) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/semaphores/{name}",
      operationId: "getSemaphore",
      tags: ["semaphores"],
      summary: "See who holds permits of a semaphore",
      description: "held counts all permits; holders come in pages.",
      request: { params: SemaphoreParams, query: HoldersQuery },
      responses: {
        200: json("The semaphore, used or not.", SemaphoreSchema, examples.semaphores),
        ...problems("invalid_request", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      const { cursor: after = 0, limit: most = HOLDERS_MAX } = c.req.valid("query");
      return c.json({ name, ...(await semaphores.inspect(name, { most, after })) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/v1/semaphores/{name}",
      operationId: "setLimit",
      tags: ["semaphores"],
      summary: "Change the limit of a semaphore, as an operator",
      description:
        "From now on all who acquire must name this one. No permit is taken away: where it is lowered, nothing is granted until those above it have ended.",
      security: byOperator,
      middleware: operatorOnly(config.operatorKey),
      request: { params: SemaphoreParams, body: body(LimitBody, examples.limitRequests) },
      responses: {
        200: json("It is changed.", LimitSchema, examples.limits),
        ...problems("invalid_request", "too_large", "unsupported_media_type", "forbidden", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      const { limit } = c.req.valid("json");
      await semaphores.setLimit(name, limit);
      log.info({ requestId: c.get("requestId"), semaphore: name, limit }, "an operator set a limit");
      return c.json({ name, limit }, 200);
    },
  );
}
