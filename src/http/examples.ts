import type { z } from "@hono/zod-openapi";
import type { ErrorCode, ErrorHelp } from "../errors.js";
import type * as schemas from "./schemas.js";

/**
 * What the API description shows: one story. worker-7 holds orders-42 for a deployment, worker-8 asks for it too, and
 * three members share the work of search.
 */

type Answer<T extends z.ZodType> = z.output<T>;
type Request<T extends (ttlMaxMs: number) => z.ZodType> = z.input<ReturnType<T>>;

// ---------------------------------------------------------------- locks

const leaseId = "q-mZ2c0m8nTzK1bq0gVwYk3A";
const fencingToken = 1795222235123457;

const acquire: Request<typeof schemas.acquireBody> = {
  ttlMs: 10_000,
  owner: "worker-7",
  metadata: { build: "7f3a" },
};
export const acquireRequests = {
  labelled: { summary: "For ten seconds, and others see who has it", value: acquire },
  repeatable: {
    summary: "With a leaseId of one's own: the request may be repeated",
    value: { ...acquire, leaseId: "kVYgQ3QzZ0u3m0n6mPpWqA" },
  },
};

const lease: Answer<typeof schemas.LeaseSchema> = {
  leaseId,
  names: ["orders-42"],
  mode: "exclusive",
  owner: "worker-7",
  metadata: { build: "7f3a" },
  fencingToken,
  ttlMs: 10_000,
  validForMs: 9_895,
  waitedMs: 0,
  acks: 2,
  primaries: 3,
};
export const leases = { lease: { value: lease } };

const renew: Request<typeof schemas.renewBody> = { leaseId, ttlMs: 10_000, fencingToken };
export const renewRequests = { renew: { value: renew } };

export const releaseRequests = { release: { value: { leaseId } } };

export const releases = {
  released: { summary: "It was held until now", value: { released: true } },
  unchanged: { summary: "This leaseId held nothing", value: { released: false } },
};

const holder: Answer<typeof schemas.HolderSchema> = {
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
  waiting: 0,
  queue: [],
};
const free: Answer<typeof schemas.LockSchema> = {
  name: "orders-42",
  mode: null,
  holders: [],
  fencingToken: null,
  newest: fencingToken,
  waiting: 0,
  queue: [],
};
export const locks = {
  held: { summary: "Somebody holds it", value: held },
  free: { summary: "Nobody holds it", value: free },
};

// ---------------------------------------------------------------- members

const register: Request<typeof schemas.registerBody> = {
  address: "10.0.0.7:9000",
  weight: 1,
  zone: "eu-1a",
  tags: ["canary"],
  metadata: { build: "7f3a" },
  ttlMs: 15_000,
};
export const registerRequests = {
  full: { summary: "Everything that can be said", value: register },
  least: { summary: "What must be said", value: { address: "10.0.0.7:9000" } },
};

const member1: Answer<typeof schemas.MemberSchema> = {
  id: "search-1",
  address: "10.0.0.7:9000",
  weight: 1,
  zone: "eu-1a",
  tags: ["canary"],
  metadata: { build: "7f3a" },
  status: "up",
  incarnation: 1795222235123,
  revision: 1,
  ttlMs: 15_000,
  lastHeartbeatAgeMs: 812,
};
const member2: typeof member1 = {
  ...member1,
  id: "search-2",
  address: "10.0.0.8:9000",
  zone: "eu-1b",
  tags: [],
  metadata: null,
  incarnation: 1795222236004,
  lastHeartbeatAgeMs: 2_104,
};
const member3: typeof member1 = {
  ...member2,
  id: "search-3",
  address: "10.0.0.9:9000",
  zone: "eu-1c",
  incarnation: 1795222236377,
  lastHeartbeatAgeMs: 1_731,
};

const registered: Answer<typeof schemas.RegisteredSchema> = {
  ...member1,
  lastHeartbeatAgeMs: 0,
  heartbeatIntervalMs: 5_000,
};
export const registrations = { registered: { value: registered } };

export const heartbeatRequests = {
  empty: { summary: "Whoever is registered under this id", value: {} },
  incarnation: {
    summary: "Only the process that this registration was for",
    value: { incarnation: member1.incarnation },
  },
};

const pulse: Answer<typeof schemas.PulseSchema> = {
  incarnation: member1.incarnation,
  revision: 1,
  ttlMs: 15_000,
  heartbeatIntervalMs: 5_000,
};
export const pulses = { alive: { value: pulse } };

export const departures = {
  left: { summary: "It was a member until now", value: { left: true } },
  unknown: { summary: "There was no such member", value: { left: false } },
};

export const oneMember = { member: { value: member1 } };

// Of exactly these members and zones: anybody can compute it.
const ringId = "db98c2ea3cd8c6a7";

const members: Answer<typeof schemas.MembersSchema> = { members: [member1, member2, member3], ringId };
export const memberLists = { members: { value: members } };

export const serviceLists = { services: { value: { services: [{ service: "search", members: 3 }] } } };

// ---------------------------------------------------------------- owners

const owner: Answer<typeof schemas.OwnerSchema> = {
  key: "user:42",
  owner: member2,
  replicas: [member2, member1],
  ringId,
  ageMs: 120,
};
export const keyOwner = { owner: { summary: "With replicas=2", value: owner } };

export const ownersRequests = { keys: { value: { keys: ["user:42", "user:43"], replicas: 2 } } };

const ownersOfTwo: Answer<typeof schemas.OwnersSchema> = {
  owners: [
    { key: "user:42", owner: "search-2", replicas: ["search-2", "search-1"] },
    { key: "user:43", owner: "search-1", replicas: ["search-1", "search-2"] },
  ],
  members: { "search-1": member1, "search-2": member2 },
  ringId,
  ageMs: 120,
};
export const keyOwners = { owners: { value: ownersOfTwo } };

// ---------------------------------------------------------------- the service itself

const up = {
  state: "up" as const,
  forMs: 734_112,
  reason: null,
  quarantineMs: 0,
  latencyMs: { p50: 0.312, p99: 1.904 },
};
const primariesOneDown: Answer<typeof schemas.PrimariesSchema> = {
  primaries: [
    { address: "10.0.1.1:6379", ...up },
    { address: "10.0.1.2:6379", ...up },
    {
      address: "10.0.1.3:6379",
      state: "down",
      forMs: 4_051,
      reason: "connect ECONNREFUSED 10.0.1.3:6379",
      quarantineMs: 0,
      latencyMs: { p50: 0.297, p99: 2.118 },
    },
  ],
  configurationVersion: 4,
  majority: 2,
  quorum: true,
};
export const primaries = { oneDown: { summary: "One of three is down", value: primariesOneDown } };

export const live = { live: { value: { status: "ok" as const } } };

export const ready = {
  ready: { value: { status: "ready" as const, quorum: true } },
  withoutQuorum: {
    summary: "Too few primaries are up: still the place to send requests to",
    value: { status: "ready" as const, quorum: false },
  },
};

export const metrics = {
  two: {
    summary: "Two lines of many",
    value: [
      'quorate_primary_up{primary="10.0.1.1:6379"} 1',
      'quorate_http_requests_total{method="POST",route="/v1/locks/:name/acquire",status="200",code=""} 1742',
      "",
    ].join("\n"),
  },
};

export const descriptions = {
  start: { summary: "How it begins", value: { openapi: "3.1.0", info: { title: "Quorate" } } },
};
export const yamlDescriptions = {
  start: { summary: "How it begins", value: "openapi: 3.1.0\ninfo:\n  title: Quorate\n" },
};

// ---------------------------------------------------------------- problems

export const problemRequestId = "Xk0lq3bB7u2Rz9aT";

/** What a problem says beside what its code says. */
export const problemDetails: Record<ErrorCode, { readonly detail: string } & ErrorHelp> = {
  invalid_request: {
    detail: "ttlMs: Too small: expected number to be >=100",
    field: "ttlMs",
    errors: [{ field: "ttlMs", detail: "Too small: expected number to be >=100" }],
  },
  not_found: { detail: "There is nothing at this path. GET /docs shows what there is." },
  unknown_member: {
    detail:
      "Service search has no member search-1: it expired, left, or was never registered. Register it again (PUT).",
  },
  no_members: {
    detail:
      "Service search has no live member with a weight above 0. Register one first (PUT /v1/services/search/members/{id}).",
  },
  method_not_allowed: { detail: "This path has GET only.", allow: ["GET"] },
  held: {
    detail: "orders-42 is held by another lease. Try again, at the latest after retryAfterMs.",
    retryAfterMs: 8_412,
    holder,
  },
  forbidden: {
    detail: "This needs the operator's key: Authorization: Bearer, and the QUORATE_OPERATOR_KEY of this service.",
  },
  lease_mismatch: {
    detail:
      "This leaseId is for something else: other names, another mode, or another kind. An id is used for one lease: choose a new one.",
  },
  limit_mismatch: {
    detail:
      "This semaphore has the limit 8, and all who acquire must name the same. An operator can change it (PUT).",
    limit: 8,
  },
  superseded: {
    detail:
      "A later registration of member search-1 exists: another process has taken this id. Register again, or stop.",
  },
  lease_lost: {
    detail:
      "This lease is not held any more: it expired, was released, or never was. Stop what it protected and acquire again.",
  },
  too_large: { detail: "The body may have 65536 bytes at most. Send less at once." },
  unsupported_media_type: {
    detail: "Send the body as JSON, with the header content-type: application/json.",
  },
  internal: {
    detail: `This is a mistake in Quorate. Its log tells more under requestId ${problemRequestId}.`,
  },
  no_quorum: {
    detail:
      "1 of 3 primaries answered; 2 are needed. Try again when more are up: GET /v1/primaries tells which.",
    retryAfterMs: 1_000,
  },
  shutting_down: { detail: "This instance is stopping. Use another." },
  outcome_unknown: { detail: "It may have happened or not. Read it to know." },
};
