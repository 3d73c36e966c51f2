import type { Request } from "../typed-examples.js";
import type * as schemas from "./schemas.js";

/** What the examples of locks, permits and terms of office share. */

export const leaseId = "q-mZ2c0m8nTzK1bq0gVwYk3A";
export const fencingToken = 1795222235123458;

export const granted = {
  leaseId,
  ttlMs: 10_000,
  validForMs: 9_895,
  waitedMs: 0,
  acks: 2,
  primaries: 3,
};

export const renew: Request<typeof schemas.renewBody> = { leaseId, ttlMs: 10_000, fencingToken };

export const releaseRequests = { release: { value: { leaseId } } };

export const releases = {
  released: { summary: "It was held until now", value: { released: true } },
  unchanged: { summary: "This leaseId held nothing", value: { released: false } },
};
