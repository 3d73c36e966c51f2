import { HOLDERS_MAX } from "../../primitives/semaphore.js";
import type { Services } from "../context.js";
import { leaseRoutes } from "../leases/routes.js";
import { ReleaseBody, ReleasedSchema, renewBody } from "../leases/schemas.js";
import { byOperator, operatorOnly } from "../operator.js";
import { bodyProblems, problems } from "../problem.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
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

export function semaphoreRoutes(routes: Routes, services: Services): void {
  permitRoutes(routes, services);
  const { semaphores, config, log } = services;
  routes.add(
    {
      method: "get",
      path: "/v1/semaphores/{name}",
      operationId: "getSemaphore",
      tags: ["semaphores"],
      summary: "See who holds permits of a semaphore",
      description: "held counts all permits; holders come in pages.",
      request: { params: SemaphoreParams, query: HoldersQuery },
      responses: {
        200: json("The semaphore, used or not.", SemaphoreSchema, examples.semaphores),
        ...problems("no_quorum"),
      },
    },
    async ({ params: { name }, query: { cursor: after = 0, limit: most = HOLDERS_MAX } }) => ({
      name,
      ...(await semaphores.inspect(name, { most, after })),
    }),
  );
  routes.add(
    {
      method: "put",
      path: "/v1/semaphores/{name}",
      operationId: "setLimit",
      tags: ["semaphores"],
      summary: "Change the limit of a semaphore, as an operator",
      description:
        "From now on every acquire must name this limit. No permit is taken away: if the limit is lowered, nothing is granted until the permits above it have ended.",
      security: byOperator,
      authorize: operatorOnly(config.operatorKey),
      request: { params: SemaphoreParams, body: body(LimitBody, examples.limitRequests) },
      responses: {
        200: json("It is changed.", LimitSchema, examples.limits),
        ...bodyProblems("forbidden", "no_quorum"),
      },
    },
    async ({ params: { name }, body: { limit } }, c) => {
      await semaphores.setLimit(name, limit);
      log.info({ requestId: c.get("requestId"), semaphore: name, limit }, "an operator set a limit");
      return { name, limit };
    },
  );
}

function permitRoutes(routes: Routes, { semaphores, config }: Services): void {
  leaseRoutes(routes, {
    tag: "semaphores",
    path: "/v1/semaphores/{name}",
    params: SemaphoreParams,
    lease: json("The permits.", PermitsSchema, examples.permits),
    acquire: {
      verb: "acquire",
      operationId: "acquirePermits",
      summary: "Acquire permits of a semaphore",
      description:
        "All requested permits or none; never more than limit are held at a time. Every acquire names the same limit. Waiting works as for locks: first come, first served.",
      body: body(acquirePermitsBody(config.ttlMaxMs), examples.acquireRequests),
      codes: ["limit_mismatch"],
      call: ({ name }, { permits = 1, ...request }, client) =>
        semaphores.acquire({ ...request, name, permits, ...client }),
      heldText: ({ name }) => `${name} has too few free permits`,
    },
    renew: {
      verb: "renew",
      operationId: "renewPermits",
      summary: "Renew permits",
      description: "Extends all permits of the lease to ttlMs from now; never shortens it.",
      body: body(renewBody(config.ttlMaxMs), examples.renewRequests),
      call: ({ name }, body) => semaphores.renew({ ...body, name }),
    },
    release: {
      verb: "release",
      operationId: "releasePermits",
      summary: "Release permits",
      description: "All permits of the lease. A leaseId that holds none changes nothing.",
      body: body(ReleaseBody, examples.releaseRequests),
      answer: json("Whether any were held until now.", ReleasedSchema, examples.releases),
      call: async ({ name }, { leaseId }) => ({ released: await semaphores.release(name, leaseId) }),
    },
  });
}
