import { fencingToken, granted, releaseRequests, releases, renew } from "../leases/examples.js";
import type { Answer, Request } from "../typed-examples.js";
import type * as schemas from "./schemas.js";

export { releaseRequests, releases };

const acquire: Request<typeof schemas.acquirePermitsBody> = { limit: 8, ttlMs: 10_000, owner: "worker-7" };
export const acquireRequests = {
  one: { summary: "One of eight", value: acquire },
  waiting: {
    summary: "Two of eight, waiting for up to 20 s",
    value: { ...acquire, permits: 2, waitMs: 20_000 },
  },
};

const lease: Answer<typeof schemas.PermitsSchema> = {
  ...granted,
  name: "reports",
  permits: 1,
  slots: [3],
  limit: 8,
  owner: "worker-7",
  metadata: null,
  fencingToken,
};
export const permits = { permits: { value: lease } };

export const renewRequests = { renew: { value: renew } };

const used: Answer<typeof schemas.SemaphoreSchema> = {
  name: "reports",
  limit: 8,
  held: 3,
  holders: [
    { owner: "worker-7", metadata: null, permits: 1, heldForMs: 1_588, expiresInMs: 8_412 },
    { owner: "worker-9", metadata: null, permits: 2, heldForMs: 722, expiresInMs: 9_278 },
  ],
  cursor: null,
  waiting: 0,
};
export const semaphores = {
  used: { summary: "Three of eight permits are held", value: used },
  unused: {
    summary: "Nobody uses it",
    value: { name: "reports", limit: null, held: 0, holders: [], cursor: null, waiting: 0 },
  },
};

export const limitRequests = { limit: { value: { limit: 12 } } };
export const limits = { limit: { value: { name: "reports", limit: 12 } } };
