import type { Services } from "../context.js";
import { leaseRoutes } from "../leases/routes.js";
import { ReleasedSchema } from "../leases/schemas.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import * as examples from "./examples.js";
import { acquireSeveralBody, LeaseSchema, ReleaseSeveralBody, renewSeveralBody } from "./schemas.js";

/** Several names under one lease, all or none. */
export function severalLockRoutes(routes: Routes, { locks, config }: Services): void {
  leaseRoutes(routes, {
    tag: "locks",
    path: "/v1/locks",
    lease: json("The lease.", LeaseSchema, examples.severalLeases),
    acquire: {
      verb: "acquire",
      operationId: "acquireLocks",
      summary: "Acquire several locks at once",
      description:
        "All names or none, in any order: overlapping sets cannot deadlock. One lease and one fencing token, above all earlier tokens of each name. Renew and release them together, with the same names.",
      body: body(acquireSeveralBody(config.ttlMaxMs), examples.acquireSeveralRequests),
      call: (_, body, client) => locks.acquire({ ...body, ...client }),
      heldText: () => "At least one of them is held by another lease",
    },
    renew: {
      verb: "renew",
      operationId: "renewLocks",
      summary: "Renew several locks at once",
      description: "All names of the lease or none.",
      body: body(renewSeveralBody(config.ttlMaxMs), examples.renewSeveralRequests),
      codes: ["lease_mismatch"],
      call: (_, body) => locks.renew(body),
    },
    release: {
      verb: "release",
      operationId: "releaseLocks",
      summary: "Release several locks at once",
      description: "A leaseId that does not hold the names changes nothing.",
      body: body(ReleaseSeveralBody, examples.releaseSeveralRequests),
      answer: json("Whether they were held until now.", ReleasedSchema, examples.releases),
      call: async (_, { names, leaseId }) => ({ released: await locks.release(names, leaseId) }),
    },
  });
}
