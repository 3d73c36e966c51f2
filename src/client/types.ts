// Made by "npm run client-types" from openapi.yaml.

export type AcquireRequest = {
  /** Time to live from now, ms. The lease ends then unless it is renewed. */
  readonly ttlMs: number;
  /** How long to wait in the queue: first come, first served, ms; 0: not at all. */
  readonly waitMs?: number | undefined;
  /** The secret of the lease: anyone who knows it may renew and release it. Choose it yourself (at least 128 random bits, used for one lease) if the request may be repeated. */
  readonly leaseId?: string | undefined;
  /** exclusive: held by one holder. shared: together with other shared holders. */
  readonly mode?: "exclusive" | "shared" | undefined;
  /** A label that others see. */
  readonly owner?: string | undefined;
  /** Whatever others should see; up to 2048 bytes of JSON. */
  readonly metadata?: unknown;
};

export type AcquirePermitsRequest = {
  /** How many permits there are in total: every acquire names the same limit. */
  readonly limit: number;
  /** How many permits to acquire, 1 by default. */
  readonly permits?: number | undefined;
  /** Time to live from now, ms. The lease ends then unless it is renewed. */
  readonly ttlMs: number;
  /** How long to wait in the queue: first come, first served, ms; 0: not at all. */
  readonly waitMs?: number | undefined;
  /** The secret of the lease: anyone who knows it may renew and release it. Choose it yourself (at least 128 random bits, used for one lease) if the request may be repeated. */
  readonly leaseId?: string | undefined;
  /** A label that others see. */
  readonly owner?: string | undefined;
  /** Whatever others should see; up to 2048 bytes of JSON. */
  readonly metadata?: unknown;
};

export type CampaignRequest = {
  /** Time to live from now, ms. The lease ends then unless it is renewed. */
  readonly ttlMs: number;
  /** How long to wait in the queue: first come, first served, ms; 0: not at all. */
  readonly waitMs?: number | undefined;
  /** The secret of the lease: anyone who knows it may renew and release it. Choose it yourself (at least 128 random bits, used for one lease) if the request may be repeated. */
  readonly leaseId?: string | undefined;
  /** A label that others see. */
  readonly candidate?: string | undefined;
  /** What the leader publishes; up to 4096 bytes of JSON. */
  readonly value?: unknown;
};

export type RegisterRequest = {
  /** Where the member can be reached; Quorate never connects to it. */
  readonly address: string;
  /** Its share relative to the others; 0: none. */
  readonly weight?: number | undefined;
  /** Where it runs: replicas are placed in distinct zones first. */
  readonly zone?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Whatever others should see; up to 2048 bytes of JSON. */
  readonly metadata?: unknown;
  /** Time without a heartbeat after which it is gone, ms. */
  readonly ttlMs?: number | undefined;
};

export type Lease = {
  /** The secret of the lease: anyone who knows it may renew and release it. Choose it yourself (at least 128 random bits, used for one lease) if the request may be repeated. */
  readonly leaseId: string;
  /** The requested time to live, ms. */
  readonly ttlMs: number;
  /** Trust the lease until your own send time + waitedMs + validForMs, on your monotonic clock. */
  readonly validForMs: number;
  /** Time from the request to the start of the attempt that won, ms. */
  readonly waitedMs: number;
  /** Primaries that were known to agree when this was sent. */
  readonly acks: number;
  readonly primaries: number;
  readonly names: readonly string[];
  /** exclusive: held by one holder. shared: together with other shared holders. */
  readonly mode: "exclusive" | "shared";
  readonly owner: string | null;
  readonly metadata?: unknown;
  /** Only grows from one holder of a name to the next. Send it to the resource that the lock guards. */
  readonly fencingToken: number;
};

export type Permits = {
  /** The secret of the lease: anyone who knows it may renew and release it. Choose it yourself (at least 128 random bits, used for one lease) if the request may be repeated. */
  readonly leaseId: string;
  /** The requested time to live, ms. */
  readonly ttlMs: number;
  /** Trust the lease until your own send time + waitedMs + validForMs, on your monotonic clock. */
  readonly validForMs: number;
  /** Time from the request to the start of the attempt that won, ms. */
  readonly waitedMs: number;
  /** Primaries that were known to agree when this was sent. */
  readonly acks: number;
  readonly primaries: number;
  readonly name: string;
  /** How many permits. */
  readonly permits: number;
  /** Which of the `limit` slots these permits are. */
  readonly slots: readonly number[];
  /** How many permits there are in total. */
  readonly limit: number;
  readonly owner: string | null;
  readonly metadata?: unknown;
  /** Above all earlier tokens of each of these slots. Tokens of different slots do not compare, as their holders hold at the same time: a guarded resource keeps the newest token of each slot. */
  readonly fencingToken: number;
};

export type Term = {
  /** The secret of the lease: anyone who knows it may renew and release it. Choose it yourself (at least 128 random bits, used for one lease) if the request may be repeated. */
  readonly leaseId: string;
  /** The requested time to live, ms. */
  readonly ttlMs: number;
  /** Trust the lease until your own send time + waitedMs + validForMs, on your monotonic clock. */
  readonly validForMs: number;
  /** Time from the request to the start of the attempt that won, ms. */
  readonly waitedMs: number;
  /** Primaries that were known to agree when this was sent. */
  readonly acks: number;
  readonly primaries: number;
  readonly name: string;
  readonly candidate: string | null;
  /** The fencing token of this term: only grows from one leader to the next. */
  readonly term: number;
  readonly value?: unknown;
};

export type Election = {
  readonly name: string;
  readonly leader: Leader;
  /** Whether a majority agrees on that. false: votes are split, so ask again. */
  readonly known: boolean;
  /** How many requests wait in the queue. */
  readonly waiting: number;
  /** The first 100 of them. */
  readonly queue: readonly WaitingCandidate[];
};

export type Registered = Member & {
  /** How often to send heartbeats: a third of ttlMs, ms. */
  readonly heartbeatIntervalMs: number;
};

export type Pulse = {
  /** Raised by each registration: distinguishes a process from its successor under the same id. */
  readonly incarnation: number;
  /** Raised by each change within one incarnation. */
  readonly revision: number;
  /** Time without a heartbeat after which it is gone, ms. */
  readonly ttlMs: number;
  /** How often to send heartbeats: a third of ttlMs, ms. */
  readonly heartbeatIntervalMs: number;
};

export type Members = {
  readonly members: readonly Member[];
  /** Identifies the content of the ring: the same ringId gives the same owners, everywhere. */
  readonly ringId: string;
  /** Send it to get the next page. null: this is the last page. */
  readonly cursor: string | null;
};

export type Holder = {
  readonly owner: string | null;
  readonly metadata?: unknown;
  readonly mode: string;
  /** How long it has been held, ms. */
  readonly heldForMs: number;
  /** Time until it ends unless it is renewed, ms. */
  readonly expiresInMs: number;
};

export type Leader = {
  readonly candidate: string | null;
  /** The fencing token of this term: only grows from one leader to the next. */
  readonly term: number;
  readonly value?: unknown;
  /** How long it has been held, ms. */
  readonly heldForMs: number;
  /** Time until it ends unless it is renewed, ms. */
  readonly expiresInMs: number;
} | null;

export type WaitingCandidate = {
  /** 1: the next. */
  readonly position: number;
  readonly candidate: string | null;
  /** The candidate. */
  readonly owner: string | null;
  readonly mode: string;
};

export type Member = {
  readonly id: string;
  /** Where the member can be reached; Quorate never connects to it. */
  readonly address: string;
  /** Its share relative to the others; 0: none. */
  readonly weight: number;
  readonly zone: string | null;
  readonly tags: readonly string[];
  readonly metadata?: unknown;
  readonly status: "up";
  /** Raised by each registration: distinguishes a process from its successor under the same id. */
  readonly incarnation: number;
  /** Raised by each change within one incarnation. */
  readonly revision: number;
  /** Time without a heartbeat after which it is gone, ms. */
  readonly ttlMs: number;
  /** Time since the last heartbeat, ms. */
  readonly lastHeartbeatAgeMs: number;
};

/** The fields that a problem may have beside its code, by code. */
export interface ProblemFields {
  invalid_request: {
    readonly errors?: readonly {
      readonly field: string;
      readonly detail: string;
    }[];
    /** The first field that is wrong, as a path. */
    readonly field?: string;
  };
  method_not_allowed: object;
  request_timeout: object;
  too_large: object;
  unsupported_media_type: object;
  expectation_failed: object;
  headers_too_large: object;
  not_found: object;
  unknown_member: object;
  no_members: object;
  unauthenticated: object;
  forbidden: object;
  held: {
    /** When to try again, ms; the header Retry-After rounds it up. */
    readonly retryAfterMs?: number;
    /** The place in the queue when waitMs was over, or the place that a waiting request would have had; 1: the next. */
    readonly queuePosition?: number;
    readonly holder?: Holder;
  };
  lease_mismatch: object;
  limit_mismatch: {
    /** The limit of the semaphore. */
    readonly limit?: number;
  };
  superseded: object;
  rate_limited: {
    /** When to try again, ms; the header Retry-After rounds it up. */
    readonly retryAfterMs?: number;
  };
  quota_exceeded: {
    /** When to try again, ms; the header Retry-After rounds it up. */
    readonly retryAfterMs?: number;
  };
  too_many: object;
  lease_lost: {
    /** What is known about why the lease was lost. */
    readonly lost?: {
      /** taken: a later lease holds it or has held it. restarted: a majority of the primaries restarted since it was granted, and no later holder is known. */
      readonly why: "expired" | "released" | "broken" | "taken" | "restarted";
      /** Why an operator broke it. */
      readonly reason?: string;
      /** No token above this one has been granted since. */
      readonly newest?: number;
    };
  };
  internal: object;
  no_quorum: {
    /** When to try again, ms; the header Retry-After rounds it up. */
    readonly retryAfterMs?: number;
  };
  authentication_unavailable: {
    /** When to try again, ms; the header Retry-After rounds it up. */
    readonly retryAfterMs?: number;
  };
  overloaded: {
    /** When to try again, ms; the header Retry-After rounds it up. */
    readonly retryAfterMs?: number;
  };
  shutting_down: object;
}
