import { HOLDERS_MAX } from "../../primitives/semaphore.js";
import type { Dependencies } from "../context.js";
import { memberOf } from "../leases/binding.js";
import { ACQUIRE_PROBLEMS, grantedOr } from "../leases/held.js";
import { ReleaseBody, ReleasedSchema, renewBody } from "../leases/schemas.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import { ofClient } from "../server/client.js";
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

export function semaphoreRoutes(routes: Routes, dependencies: Dependencies): void {
  permitRoutes(routes, dependencies);
  const { log } = dependencies;
  routes.add({
    method: "get",
    path: "/v1/semaphores/{name}",
    operationId: "getSemaphore",
    needs: { action: "read", kind: "semaphores", names: { inPath: "name" } },
    tags: ["semaphores"],
    summary: "See who holds permits of a semaphore",
    description: "held counts all permits; holders come in pages.",
    request: { params: SemaphoreParams, query: HoldersQuery },
    answer: json("The semaphore, used or not.", SemaphoreSchema, examples.semaphores),
    problems: ["no_quorum"],
    handle: async (
      { params: { name }, query: { cursor: after = 0, limit: most = HOLDERS_MAX } },
      { semaphores },
    ) => ({
      name,
      ...(await semaphores.inspect(name, { most, after })),
    }),
  });
  routes.add({
    method: "put",
    path: "/v1/semaphores/{name}",
    operationId: "setLimit",
    needs: { action: "operate", act: "set-limit", kind: "semaphores", names: { inPath: "name" } },
    tags: ["semaphores"],
    summary: "Change the limit of a semaphore, as an operator",
    description:
      "From now on every acquire must name this limit. No permit is taken away: if the limit is lowered, nothing is granted until the permits above it have ended.",
    request: { params: SemaphoreParams, body: body(LimitBody, examples.limitRequests) },
    answer: json("It is changed.", LimitSchema, examples.limits),
    problems: ["no_quorum"],
    handle: async ({ params: { name }, body: { limit } }, { semaphores, namespace }, c) => {
      await semaphores.setLimit(name, limit);
      const where = { requestId: c.get("requestId"), namespace: namespace.name, semaphore: name };
      log.info({ ...where, limit }, "an operator set a limit");
      return { name, limit };
    },
  });
}

function permitRoutes(routes: Routes, { config }: Dependencies): void {
  routes.add({
    method: "post",
    path: "/v1/semaphores/{name}/acquire",
    operationId: "acquirePermits",
    needs: { action: "use", act: "acquire", kind: "semaphores", names: { inPath: "name" } },
    tags: ["semaphores"],
    summary: "Acquire permits of a semaphore",
    description:
      "All requested permits or none; never more than limit are held at a time. Every acquire names the same limit. Waiting works as for locks: first come, first served.",
    request: {
      params: SemaphoreParams,
      body: body(acquirePermitsBody(config.ttlMaxMs), examples.acquireRequests),
    },
    answer: json("The permits.", PermitsSchema, examples.permits),
    problems: [...ACQUIRE_PROBLEMS, "limit_mismatch"],
    handle: async ({ params: { name }, body: { permits = 1, ...request } }, { semaphores }, c) =>
      grantedOr(
        `${name} has too few free permits`,
        await semaphores.acquire({
          ...request,
          member: memberOf(c, request.member),
          name,
          permits,
          ...ofClient(c),
        }),
      ),
  });
  routes.add({
    method: "post",
    path: "/v1/semaphores/{name}/renew",
    operationId: "renewPermits",
    needs: { action: "use", act: "renew", kind: "semaphores", names: { inPath: "name" } },
    tags: ["semaphores"],
    summary: "Renew permits",
    description: "Extends all permits of the lease to ttlMs from now; never shortens it.",
    request: { params: SemaphoreParams, body: body(renewBody(config.ttlMaxMs), examples.renewRequests) },
    answer: json("The permits.", PermitsSchema, examples.permits),
    problems: ["lease_lost", "no_quorum"],
    handle: ({ params: { name }, body }, { semaphores }) => semaphores.renew({ ...body, name }),
  });
  routes.add({
    method: "post",
    path: "/v1/semaphores/{name}/release",
    operationId: "releasePermits",
    needs: { action: "use", act: "release", kind: "semaphores", names: { inPath: "name" } },
    tags: ["semaphores"],
    summary: "Release permits",
    description: "All permits of the lease. A leaseId that holds none changes nothing.",
    request: { params: SemaphoreParams, body: body(ReleaseBody, examples.releaseRequests) },
    answer: json("Whether any were held until now.", ReleasedSchema, examples.releases),
    problems: ["no_quorum"],
    handle: async ({ params: { name }, body: { leaseId } }, { semaphores }) => ({
      released: await semaphores.release(name, leaseId),
    }),
  });
}
