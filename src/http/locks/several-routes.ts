import { createRoute } from "@hono/zod-openapi";
import type { App, Services } from "../context.js";
import { held } from "../leases/held.js";
import { ReleasedSchema } from "../leases/schemas.js";
import { problems } from "../problem.js";
import { body, json } from "../responses/content.js";
import { ofClient } from "../server/admission.js";
import * as examples from "./examples.js";
import { acquireSeveralBody, LeaseSchema, ReleaseSeveralBody, renewSeveralBody } from "./schemas.js";

/** Several names under one lease, all or none. */
export function severalLockRoutes(app: App, { locks, config }: Services): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/locks/acquire",
      operationId: "acquireLocks",
      tags: ["locks"],
      summary: "Acquire several locks at once",
      description:
        "All names or none, in any order: sets that overlap cannot deadlock. One lease and one fencing token, above all earlier tokens of each name. Renew and release them together, with the same names.",
      request: { body: body(acquireSeveralBody(config.ttlMaxMs), examples.acquireSeveralRequests) },
      responses: {
        200: json("The lease.", LeaseSchema, examples.severalLeases),
        ...problems(
          "invalid_request",
          "too_large",
          "unsupported_media_type",
          "held",
          "lease_mismatch",
          "lease_lost",
          "no_quorum",
        ),
      },
    }),
    async (c) => {
      const outcome = await locks.acquire({ ...c.req.valid("json"), ...ofClient(c) });
      if (outcome.kind === "held") throw held("At least one of them is held by another lease", outcome);
      return c.json(outcome.lease, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/locks/renew",
      operationId: "renewLocks",
      tags: ["locks"],
      summary: "Renew several locks at once",
      description: "All names of the lease or none.",
      request: { body: body(renewSeveralBody(config.ttlMaxMs), examples.renewSeveralRequests) },
      responses: {
        200: json("The lease.", LeaseSchema, examples.severalLeases),
        ...problems(
          "invalid_request",
          "too_large",
          "unsupported_media_type",
          "lease_mismatch",
          "lease_lost",
          "no_quorum",
        ),
      },
    }),
    async (c) => c.json(await locks.renew(c.req.valid("json")), 200),
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/locks/release",
      operationId: "releaseLocks",
      tags: ["locks"],
      summary: "Release several locks at once",
      description: "A leaseId that does not hold the names changes nothing.",
      request: { body: body(ReleaseSeveralBody, examples.releaseSeveralRequests) },
      responses: {
        200: json("Whether they were held until now.", ReleasedSchema, examples.releases),
        ...problems("invalid_request", "too_large", "unsupported_media_type", "no_quorum"),
      },
    }),
    async (c) => {
      const { names, leaseId } = c.req.valid("json");
      return c.json({ released: await locks.release(names, leaseId) }, 200);
    },
  );
}
