import { grantedTo } from "../access/authorization.js";
import { readablePage } from "../access/readable-page.js";
import type { Dependencies } from "../context.js";
import { memberOf } from "../leases/binding.js";
import { ACQUIRE_PROBLEMS, grantedOr, isHeld } from "../leases/held.js";
import { ReleaseBody, ReleasedSchema, renewBody } from "../leases/schemas.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import { ofClient } from "../server/client.js";
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

export function lockRoutes(routes: Routes, dependencies: Dependencies): void {
  leases(routes, dependencies);
  holderRoutes(routes, dependencies);
  listRoutes(routes, dependencies);
}

function leases(routes: Routes, { config }: Dependencies): void {
  routes.add({
    method: "post",
    path: "/v1/locks/{name}/acquire",
    operationId: "acquireLock",
    needs: { action: "use", act: "acquire", kind: "locks", names: { inPath: "name" } },
    tags: ["locks"],
    summary: "Acquire a lock",
    description:
      "Grants the name to one holder at a time, or to several that share it, with a fencing token above all earlier ones. With waitMs the request waits in the queue, first come, first served, and leaves it when the connection is closed; a caller that chose its leaseId keeps its place for 3 s to come back with it. A repeated request with the same leaseId gets the same lease while it is held.",
    request: { params: LockParams, body: body(acquireBody(config.ttlMaxMs), examples.acquireRequests) },
    answer: json("The lease.", LeaseSchema, examples.leases),
    problems: ACQUIRE_PROBLEMS,
    handle: async ({ params: { name }, body }, { locks }, c) =>
      grantedOr(
        isHeld(name),
        await locks.acquire({ ...body, member: memberOf(c, body.member), names: [name], ...ofClient(c) }),
      ),
  });
  routes.add({
    method: "post",
    path: "/v1/locks/{name}/renew",
    operationId: "renewLock",
    needs: { action: "use", act: "renew", kind: "locks", names: { inPath: "name" } },
    tags: ["locks"],
    summary: "Renew a lock",
    description: "Extends the lease to ttlMs from now; never shortens it.",
    request: { params: LockParams, body: body(renewBody(config.ttlMaxMs), examples.renewRequests) },
    answer: json("The lease.", LeaseSchema, examples.leases),
    problems: ["lease_mismatch", "lease_lost", "no_quorum"],
    handle: ({ params: { name }, body }, { locks }) => locks.renew({ names: [name], ...body }),
  });
  routes.add({
    method: "post",
    path: "/v1/locks/{name}/release",
    operationId: "releaseLock",
    needs: { action: "use", act: "release", kind: "locks", names: { inPath: "name" } },
    tags: ["locks"],
    summary: "Release a lock",
    description: "Ends the lease. A leaseId that does not hold the name changes nothing.",
    request: { params: LockParams, body: body(ReleaseBody, examples.releaseRequests) },
    answer: json("Whether it was held until now.", ReleasedSchema, examples.releases),
    problems: ["no_quorum"],
    handle: async ({ params: { name }, body: { leaseId } }, { locks }) => ({
      released: await locks.release([name], leaseId),
    }),
  });
}

/** What may be asked about the lease on a lock, or done to it, by others than its holder. */
function holderRoutes(routes: Routes, { log }: Dependencies): void {
  routes.add({
    method: "post",
    path: "/v1/locks/{name}/check",
    operationId: "checkLock",
    needs: { action: "read", kind: "locks", names: { inPath: "name" } },
    tags: ["locks"],
    summary: "Check a fencing token",
    description:
      "For a resource that is guarded by a lock and cannot remember the highest token that it has seen. The answer holds for the moment of the check: between it and the write that follows, another lease may have been granted.",
    request: { params: LockParams, body: body(CheckBody, examples.checkRequests) },
    answer: json("Whether the token is the holder's.", CheckedSchema, examples.checks),
    problems: ["no_quorum"],
    handle: ({ params, body }, { locks }) => locks.check(params.name, body.fencingToken),
  });
  routes.add({
    method: "post",
    path: "/v1/locks/{name}/break",
    operationId: "breakLock",
    needs: { action: "operate", act: "break", kind: "locks", names: { inPath: "name" } },
    tags: ["locks"],
    summary: "End the leases on a lock, as an operator",
    description:
      "The holder learns of it at its next renewal, by lease_lost with the reason. A holder that does not renew goes on with its work: only what checks the fencing token is safe from it.",
    request: { params: LockParams, body: body(BreakBody, examples.breakRequests) },
    answer: json("How many leases were ended.", BrokenSchema, examples.breaks),
    problems: ["no_quorum"],
    handle: async ({ params: { name }, body: { reason } }, { locks, namespace }, c) => {
      // A lease ends with all its names.
      const granted = grantedTo(c);
      const broken = await locks.break(name, reason, (other) => granted.match(other));
      const where = { requestId: c.get("requestId"), namespace: namespace.name, lock: name };
      log.info({ ...where, reason, broken }, "an operator broke a lock");
      return { broken };
    },
  });
}

function listRoutes(routes: Routes, { cursors }: Dependencies): void {
  routes.add({
    method: "get",
    path: "/v1/locks/{name}",
    operationId: "getLock",
    needs: { action: "read", kind: "locks", names: { inPath: "name" } },
    tags: ["locks"],
    summary: "See who holds a lock, and who waits for it",
    description: "Tells no leaseId. Another lease may hold it as soon as this was read.",
    request: { params: LockParams },
    answer: json("The lock, held or not.", LockSchema, examples.locks),
    problems: ["no_quorum"],
    handle: async ({ params: { name } }, { locks }) => ({ name, ...(await locks.inspect(name)) }),
  });
  routes.add({
    method: "get",
    path: "/v1/locks/{name}/holders",
    operationId: "listHolders",
    needs: { action: "read", kind: "locks", names: { inPath: "name" } },
    tags: ["locks"],
    summary: "List all holders of a lock",
    description:
      "In pages, in an order that has no meaning and stays the same: ask for the next page with the cursor of the last until that is null. A page has limit holders, or fewer if they would exceed 1 MB. A holder that holds the lock from the first page to the last is on one of them; one that comes or goes meanwhile may be missing or not.",
    request: { params: LockParams, query: HoldersQuery },
    answer: json("One page; empty if nobody holds it.", HoldersSchema, examples.holderLists),
    problems: ["no_quorum"],
    handle: async (
      { params: { name }, query: { cursor, limit = HOLDERS_PAGE_MAX } },
      { locks, namespace },
    ) => {
      const list = [namespace.name, "holders", name].join("\n");
      const after = cursor === undefined ? null : cursors.open(cursor, list);
      const page = await locks.holders(name, after, limit);
      // Sealed, since it is a digest of a leaseId: a client may have chosen one that can be guessed.
      return { ...page, cursor: page.cursor && cursors.seal(page.cursor, list) };
    },
  });
  routes.add({
    method: "get",
    path: "/v1/locks",
    operationId: "listLocks",
    needs: { action: "read", kind: "locks", names: "listed" },
    tags: ["locks"],
    summary: "List the locks that are held",
    description:
      "By name, in pages: ask for the next page with the cursor of the last until that is null. A page may be empty though another follows. A lock that is acquired or released meanwhile may be missing or not.",
    request: { query: ListQuery },
    answer: json("One page.", LocksSchema, examples.lockLists),
    problems: ["no_quorum"],
    handle: async ({ query: { prefix = "", cursor, limit = PAGE } }, { locks }, c) => {
      const page = await readablePage(c, cursors, {
        read: async (beginning, after, most) => {
          const { locks: items, cursor: next } = await locks.list(beginning, after ?? "", most);
          return { items, cursor: next };
        },
        nameOf: ({ name }) => name,
        prefix,
        cursor,
        limit,
      });
      return { locks: page.items, cursor: page.cursor };
    },
  });
}
