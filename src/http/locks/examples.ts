import { fencingToken, granted, leaseId, renew } from "../leases/examples.js";
import type * as leaseSchemas from "../leases/schemas.js";
import type { Answer, Request } from "../typed-examples.js";
import type * as schemas from "./schemas.js";

export { releaseRequests, releases } from "../leases/examples.js";

const acquire: Request<typeof schemas.acquireBody> = {
  ttlMs: 10_000,
  owner: "worker-7",
  metadata: { build: "7f3a" },
};
export const acquireRequests = {
  labelled: { summary: "For ten seconds, and others see who has it", value: acquire },
  waiting: { summary: "Wait in line for up to 20 s", value: { ...acquire, waitMs: 20_000 } },
  shared: { summary: "Beside others who share it", value: { ...acquire, mode: "shared" as const } },
  repeatable: {
    summary: "With a leaseId of one's own: the request may be repeated",
    value: { ...acquire, leaseId: "kVYgQ3QzZ0u3m0n6mPpWqA" },
  },
};

const lease: Answer<typeof schemas.LeaseSchema> = {
  ...granted,
  names: ["orders-42"],
  mode: "exclusive",
  owner: "worker-7",
  metadata: { build: "7f3a" },
  fencingToken,
};
export const leases = { lease: { value: lease } };

export const renewRequests = { renew: { value: renew } };

const names = ["orders-42", "stock-7"];
export const acquireSeveralRequests = { two: { value: { names, ...acquire } } };
export const severalLeases = { lease: { value: { ...lease, names } } };
export const renewSeveralRequests = { renew: { value: { names, ...renew } } };
export const releaseSeveralRequests = { release: { value: { names, leaseId } } };

export const holder: Answer<typeof leaseSchemas.HolderSchema> = {
  owner: "worker-7",
  metadata: { build: "7f3a" },
  mode: "exclusive",
  heldForMs: 1_588,
  expiresInMs: 8_412,
};

const held: Answer<typeof schemas.LockSchema> = {
  name: "orders-42",
  mode: "exclusive",
  holders: [holder],
  fencingToken,
  newest: fencingToken,
  waiting: 1,
  queue: [{ position: 1, mode: "exclusive", owner: "worker-8" }],
};
const free: Answer<typeof schemas.LockSchema> = {
  name: "orders-42",
  mode: null,
  holders: [],
  fencingToken: null,
  newest: fencingToken + 1,
  waiting: 0,
  queue: [],
};
export const locks = {
  held: { summary: "Somebody holds it", value: held },
  free: { summary: "Nobody holds it", value: free },
};

const list: Answer<typeof schemas.LocksSchema> = {
  locks: [{ name: "orders-42", mode: "exclusive", holders: [holder] }],
  cursor: null,
};
export const lockLists = {
  last: { summary: "The last page", value: list },
  more: { summary: "Another page follows", value: { ...list, cursor: "orders-42" } },
};

const holders: Answer<typeof schemas.HoldersSchema> = { holders: [holder], cursor: null };
export const holderLists = {
  last: { summary: "The last page", value: holders },
  more: {
    summary: "Another page follows",
    value: { ...holders, cursor: "3f786850e387550fdab836ed7e6dc881de23001b" },
  },
};

export const checkRequests = { check: { value: { fencingToken } } };
export const checks = {
  current: { summary: "The holder's", value: { current: true, newest: fencingToken } },
  old: { summary: "Of an earlier holder", value: { current: false, newest: fencingToken + 2 } },
};

export const breakRequests = { break: { value: { reason: "worker-7 was taken down by hand" } } };
export const breaks = {
  broken: { summary: "One lease was ended", value: { broken: 1 } },
  free: { summary: "Nobody held it", value: { broken: 0 } },
};
