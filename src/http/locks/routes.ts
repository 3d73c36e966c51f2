import { createRoute } from "@hono/zod-openapi";
import type { App, Services } from "../context.js";
import { held } from "../leases/held.js";
import { ReleaseBody, ReleasedSchema, renewBody } from "../leases/schemas.js";
import { byOperator, operatorOnly } from "../operator.js";
import { problems } from "../problem.js";
import { body, json } from "../responses/content.js";
import { ofClient } from "../server/admission.js";
import * as examples from "./examples.js";
import {
  acquireBody,
  BreakBody,
  BrokenSchema,
  CheckBody,
  CheckedSchema,
  HOLDERS_PAGE_MAX,
  HoldersQuery,
  HoldersSchema,
  LeaseSchema,
  ListQuery,
  LockParams,
  LockSchema,
  LocksSchema,
  PAGE,
} from "./schemas.js";

export function lockRoutes(app: App, { locks, config, log }: Services): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/locks/{name}/acquire",
      operationId: "acquireLock",
      tags: ["locks"],
      summary: "Acquire a lock",
      description:
        "Grants the name to one holder at a time, or to several who share it, with a fencing token above all earlier ones. With waitMs it stands in line, first come, first served, and leaves it when the connection is closed; who chose its leaseId keeps its place for 3 s to come back with it. A repeated request with the same leaseId gets the same lease while it is held.",
      request: { params: LockParams, body: body(acquireBody(config.ttlMaxMs), examples.acquireRequests) },
      responses: {
        200: json("The lease.", LeaseSchema, examples.leases),
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
      const { name } = c.req.valid("param");
      const request = { ...c.req.valid("json"), names: [name], ...ofClient(c) };
      const outcome = await locks.acquire(request);
      if (outcome.kind === "held") throw held(`${name} is held by another lease`, outcome);
      return c.json(outcome.lease, 200);
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
      method: "post",
      path: "/v1/locks/{name}/check",
      operationId: "checkLock",
      tags: ["locks"],
      summary: "Check a fencing token",
      description:
        "For what a lock guards and cannot remember the highest token that it has seen. It tells how things are while it is asked: between the answer and the write that follows another may have come.",
      request: { params: LockParams, body: body(CheckBody, examples.checkRequests) },
      responses: {
        200: json("Whether the token is the holder's.", CheckedSchema, examples.checks),
        ...problems("invalid_request", "too_large", "unsupported_media_type", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      return c.json(await locks.check(name, c.req.valid("json").fencingToken), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/locks/{name}/break",
      operationId: "breakLock",
      tags: ["locks"],
      summary: "End the leases on a lock, as an operator",
      description:
        "Whoever holds it is told at the next renewal, by lease_lost with the reason. A holder that does not ask goes on with its work: only what checks the fencing token is safe from it.",
      security: byOperator,
      middleware: operatorOnly(config.operatorKey),
      request: { params: LockParams, body: body(BreakBody, examples.breakRequests) },
      responses: {
        200: json("How many leases were ended.", BrokenSchema, examples.breaks),
        ...problems("invalid_request", "too_large", "unsupported_media_type", "forbidden", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      const { reason } = c.req.valid("json");
      const broken = await locks.break(name, reason);
      log.info({ requestId: c.get("requestId"), lock: name, reason, broken }, "an operator broke a lock");
      return c.json({ broken }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/locks/{name}",
      operationId: "getLock",
      tags: ["locks"],
      summary: "See who holds a lock, and who waits for it",
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

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/locks/{name}/holders",
      operationId: "listHolders",
      tags: ["locks"],
      summary: "List all who hold a lock",
      description:
        "Page by page, in an order that has no meaning and stays the same: ask for the next one with the cursor of the last until that is null. A page has limit holders, or fewer when they would make more than 1 MB. Whoever holds the lock from the first page to the last is on one of them; who comes or goes meanwhile may be missing or not.",
      request: { params: LockParams, query: HoldersQuery },
      responses: {
        200: json("One page; empty where nobody holds it.", HoldersSchema, examples.holderLists),
        ...problems("invalid_request", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      const { cursor = null, limit = HOLDERS_PAGE_MAX } = c.req.valid("query");
      return c.json(await locks.holders(name, cursor, limit), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/locks",
      operationId: "listLocks",
      tags: ["locks"],
      summary: "List the locks that are held",
      description:
        "By name, page by page: ask for the next one with the cursor of the last until that is null. A page may be empty though another follows. What is acquired or released meanwhile may be missing or not.",
      request: { query: ListQuery },
      responses: {
        200: json("One page.", LocksSchema, examples.lockLists),
        ...problems("invalid_request", "no_quorum"),
      },
    }),
    async (c) => {
      const { prefix = "", cursor = "", limit = PAGE } = c.req.valid("query");
      return c.json(await locks.list(prefix, cursor, limit), 200);
    },
  );
}
