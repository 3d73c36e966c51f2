import { createRoute } from "@hono/zod-openapi";
import { CoordinationError } from "../../errors.js";
import { body, json } from "../content.js";
import type { App, Services } from "../context.js";
import * as examples from "../examples.js";
import { problems } from "../problem.js";
import {
  acquireBody,
  LeaseSchema,
  LockParams,
  LockSchema,
  ReleaseBody,
  ReleasedSchema,
  renewBody,
} from "../schemas.js";

export function lockRoutes(app: App, { locks, config }: Services): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/locks/{name}/acquire",
      operationId: "acquireLock",
      tags: ["locks"],
      summary: "Acquire a lock",
      description:
        "Grants the name to one holder at a time, with a fencing token above all earlier ones. A repeated request with the same leaseId gets the same lease while it is held.",
      request: { params: LockParams, body: body(acquireBody(config.ttlMaxMs), examples.acquireRequests) },
      responses: {
        200: json("The lease.", LeaseSchema, examples.leases),
        ...problems(
          "invalid_request",
          "too_large",
          "unsupported_media_type",
          "held",
          "lease_lost",
          "no_quorum",
        ),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      const { ttlMs, owner, leaseId, metadata } = c.req.valid("json");
      const outcome = await locks.acquire({ names: [name], ttlMs, owner, leaseId, metadata });
      if (outcome.kind === "acquired") return c.json(outcome.lease, 200);
      const { holder, retryAfterMs } = outcome;
      throw new CoordinationError(
        "held",
        holder
          ? `${name} is held by another lease. Try again, at the latest after retryAfterMs.`
          : `Several asked for ${name} at once and none of them got a majority. Try again.`,
        { help: { retryAfterMs, ...(holder && { holder }) } },
      );
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/locks/{name}/renew",
      operationId: "renewLock",
      tags: ["locks"],
      summary: "Renew a lock",
      description: "Lets the lease live ttlMs from now; never shortens it.",
      request: { params: LockParams, body: body(renewBody(config.ttlMaxMs), examples.renewRequests) },
      responses: {
        200: json("The lease.", LeaseSchema, examples.leases),
        ...problems("invalid_request", "too_large", "unsupported_media_type", "lease_lost", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      return c.json(await locks.renew({ names: [name], ...c.req.valid("json") }), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/locks/{name}/release",
      operationId: "releaseLock",
      tags: ["locks"],
      summary: "Release a lock",
      description: "Ends the lease. A leaseId that does not hold the name changes nothing.",
      request: { params: LockParams, body: body(ReleaseBody, examples.releaseRequests) },
      responses: {
        200: json("Whether it was held until now.", ReleasedSchema, examples.releases),
        ...problems("invalid_request", "too_large", "unsupported_media_type", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      const { leaseId } = c.req.valid("json");
      return c.json({ released: await locks.release([name], leaseId) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/locks/{name}",
      operationId: "getLock",
      tags: ["locks"],
      summary: "See who holds a lock",
      request: { params: LockParams },
      responses: {
        200: json("The lock, held or not.", LockSchema, examples.locks),
        ...problems("invalid_request", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      return c.json({ name, ...(await locks.inspect(name)) }, 200);
    },
  );
}
