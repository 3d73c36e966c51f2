import type { Dependencies } from "../context.js";
import { memberOf } from "../leases/binding.js";
import { ACQUIRE_PROBLEMS, grantedOr } from "../leases/held.js";
import { ReleasedSchema } from "../leases/schemas.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import { ofClient } from "../server/client.js";
import * as examples from "./examples.js";
import { acquireSeveralBody, LeaseSchema, ReleaseSeveralBody, renewSeveralBody } from "./schemas.js";

/** Several names under one lease, all or none. */
export function severalLockRoutes(routes: Routes, { config }: Dependencies): void {
  routes.add({
    method: "post",
    path: "/v1/locks/acquire",
    operationId: "acquireLocks",
    needs: { action: "use", act: "acquire", kind: "locks", names: "in body" },
    tags: ["locks"],
    summary: "Acquire several locks at once",
    description:
      "All names or none, in any order: overlapping sets cannot deadlock. One lease and one fencing token, above all earlier tokens of each name. Renew and release them together, with the same names.",
    request: { body: body(acquireSeveralBody(config.ttlMaxMs), examples.acquireSeveralRequests) },
    answer: json("The lease.", LeaseSchema, examples.severalLeases),
    problems: ACQUIRE_PROBLEMS,
    handle: async ({ body }, { locks }, c) =>
      grantedOr(
        "At least one of them is held by another lease",
        await locks.acquire({ ...body, member: memberOf(c, body.member), ...ofClient(c) }),
      ),
  });
  routes.add({
    method: "post",
    path: "/v1/locks/renew",
    operationId: "renewLocks",
    needs: { action: "use", act: "renew", kind: "locks", names: "in body" },
    tags: ["locks"],
    summary: "Renew several locks at once",
    description: "All names of the lease or none.",
    request: { body: body(renewSeveralBody(config.ttlMaxMs), examples.renewSeveralRequests) },
    answer: json("The lease.", LeaseSchema, examples.severalLeases),
    problems: ["lease_mismatch", "lease_lost", "no_quorum"],
    handle: ({ body }, { locks }) => locks.renew(body),
  });
  routes.add({
    method: "post",
    path: "/v1/locks/release",
    operationId: "releaseLocks",
    needs: { action: "use", act: "release", kind: "locks", names: "in body" },
    tags: ["locks"],
    summary: "Release several locks at once",
    description: "A leaseId that does not hold the names changes nothing.",
    request: { body: body(ReleaseSeveralBody, examples.releaseSeveralRequests) },
    answer: json("Whether they were held until now.", ReleasedSchema, examples.releases),
    problems: ["no_quorum"],
    handle: async ({ body: { names, leaseId } }, { locks }) => ({
      released: await locks.release(names, leaseId),
    }),
  });
}
