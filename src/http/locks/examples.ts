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
  labelled: { summary: "For ten seconds, with an owner that others see", value: acquire },
  waiting: { summary: "Wait in the queue for up to 20 s", value: { ...acquire, waitMs: 20_000 } },
  shared: { summary: "Shared with other holders", value: { ...acquire, mode: "shared" as const } },
  repeatable: {
    summary: "With a leaseId of the caller: the request may be repeated",
    value: { ...acquire, leaseId: "kVYgQ3QzZ0u3m0n6mPpWqA" },
  },
  bound: {
    summary: "Kept by the heartbeats of a member",
    value: {
      ...acquire,
      ttlMs: 30_000,
      member: {
        service: "search",
        id: "search-1",
        incarnation: 1795222235123,
        memberKey: "pL0aVb7tQh2ZsX5yKc9wRg",
      },
    },
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
export const lockLists = pages(list, "orders-42");

export const sealedCursor =
  ".bjQLnP-zepicpUTmu3gKLHiQHT-zNzh2hRGjBhevoB1L9RIvNEVUxTveLruM0rfj0WAK1jHDhaXXzOI8d4VFmtvBtMkA_-SNV1tdpcY4BAEl9l2w_j4kSUt26phkV9mGCE_tCLl4r019GWp0RqhrWACeY2thHbFiEbZamq3_KcXlLZxQjFAjRzRNjAetkcvWBor8df9ikvBioJyj";

const holders: Answer<typeof schemas.HoldersSchema> = { holders: [holder], cursor: null };
export const holderLists = pages(holders, sealedCursor);

function pages<T>(last: T, cursor: string) {
  return {
    last: { summary: "The last page", value: last },
    more: { summary: "Another page follows", value: { ...last, cursor } },
  };
}

export const checkRequests = { check: { value: { fencingToken } } };
export const checks = {
  current: { summary: "The token of the holder", value: { current: true, newest: fencingToken } },
  old: { summary: "The token of an earlier holder", value: { current: false, newest: fencingToken + 2 } },
};

export const breakRequests = { break: { value: { reason: "worker-7 was taken down by hand" } } };
export const breaks = {
  broken: { summary: "One lease was ended", value: { broken: 1 } },
  free: { summary: "Nobody held it", value: { broken: 0 } },
};
