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

export type Lock = {
  readonly name: string;
  /** null: nobody holds it. */
  readonly mode: "exclusive" | "shared" | null;
  /** The holder, or up to 100 of those that share it; GET of its holders lists them all. */
  readonly holders: readonly Holder[];
  /** The holders' token, if a majority agrees on it. */
  readonly fencingToken: number | null;
  /** No token above this one has been granted. 0: none has been granted yet. */
  readonly newest: number;
  /** How many requests wait in the queue. */
  readonly waiting: number;
  /** The first 100 of them. */
  readonly queue: readonly Waiting[];
};

export type Locks = {
  readonly locks: readonly ListedLock[];
  /** Where the next page begins: send it to get that. null: this is the last page. A page may be empty though another follows. */
  readonly cursor: string | null;
};

export type Holders = {
  readonly holders: readonly Holder[];
  /** Send it to get the next page. null: this is the last page. */
  readonly cursor: string | null;
};

export type Semaphore = {
  readonly name: string;
  /** null: no permit was acquired lately. */
  readonly limit: number | null;
  /** How many permits are held. */
  readonly held: number;
  /** One page of the holders. */
  readonly holders: readonly PermitHolder[];
  /** Send it to get the next page of holders. null: this is the last page. */
  readonly cursor: number | null;
  /** How many requests wait in the queue. */
  readonly waiting: number;
};

export type Services = {
  readonly services: readonly {
    readonly service: string;
    /** As a majority of the primaries counts them. */
    readonly members: number;
  }[];
  /** Where the next page begins: send it to get that. null: this is the last page. A page may be empty though another follows. */
  readonly cursor: string | null;
};

export type Owners = {
  readonly owners: readonly {
    /** Any UTF-8 text up to 1024 bytes. */
    readonly key: string;
    /** Id of the owner. */
    readonly owner: string;
    readonly replicas: readonly string[];
  }[];
  /** The members named above, by id. */
  readonly members: { readonly [name: string]: Member };
  /** Identifies the content of the ring: the same ringId gives the same owners, everywhere. */
  readonly ringId: string;
  /** Age of the view of the members from which this was answered, ms. */
  readonly ageMs: number;
};

export type Broken = {
  /** How many leases were ended. */
  readonly broken: number;
};

export type Primaries = {
  readonly primaries: readonly Primary[];
  /** Version of the configuration that this instance uses; null before the first. */
  readonly configurationVersion: number | null;
  readonly majority: number;
  /** Whether a majority participates and accepts writes. */
  readonly quorum: boolean;
  /** Time until a majority grants new leases, ms: after a restart primaries wait for leases that they may have forgotten. 0: a majority grants now. null: there is no quorum, so it is unknown. Renewals, releases and reads do not wait for it. */
  readonly grantsInMs: number | null;
  /** Version of Quorate of this instance. */
  readonly version: string;
  /** The same for all instances of one deployment, and for no other; null before it is known. */
  readonly deployment: string | null;
  /** Whether this instance started the primaries itself, as REDIS_URLS names none; they keep nothing. */
  readonly embedded: boolean;
  /** How long this instance waits for an answer of a primary, ms. */
  readonly commandTimeoutMs: number;
};

export type Ready = {
  readonly status: "ready";
  /** Whether a majority of the primaries participates and accepts writes. Not a reason to take this instance out of rotation. */
  readonly quorum: boolean;
  /** Why there is no quorum. */
  readonly reason: string | null;
  /** Time until a majority grants new leases, ms: after a restart primaries wait for leases that they may have forgotten. 0: a majority grants now. null: there is no quorum, so it is unknown. Renewals, releases and reads do not wait for it. */
  readonly grantsInMs: number | null;
  /** Which worker answers, 1 to QUORATE_WORKERS; only where several serve the port. */
  readonly worker?: number;
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

export type Waiting = {
  /** 1: the next. */
  readonly position: number;
  readonly mode: string;
  readonly owner: string | null;
};

export type ListedLock = {
  readonly name: string;
  /** exclusive: held by one holder. shared: together with other shared holders. */
  readonly mode: "exclusive" | "shared";
  readonly holders: readonly Holder[];
};

export type PermitHolder = {
  readonly owner: string | null;
  readonly metadata?: unknown;
  /** How many permits. */
  readonly permits: number;
  /** How long it has been held, ms. */
  readonly heldForMs: number;
  /** Time until it ends unless it is renewed, ms. */
  readonly expiresInMs: number;
};

export type Primary = {
  readonly address: string;
  /** up: participates. quarantined: participates, but grants no new lease for quarantineMs, since it may have forgotten some. refusing: participates, but refuses writes, so that it grants and registers nothing; see reason. readmitting: it restarted or missed writes, and is given what it lacks. down: does not answer. wrong_role: is a replica. misconfigured: cannot be a primary here; see reason. */
  readonly state: "up" | "quarantined" | "refusing" | "readmitting" | "down" | "wrong_role" | "misconfigured";
  /** How long it has been in this state, ms. */
  readonly forMs: number;
  /** Why it does not participate, or refuses writes. */
  readonly reason: string | null;
  /** How long it will not grant new leases, ms. */
  readonly quarantineMs: number;
  /** Of the latest calls of this instance. */
  readonly latencyMs: {
    readonly p50: number | null;
    readonly p99: number | null;
  };
  readonly server: Server;
};

export type Server = {
  readonly product: "redis" | "valkey";
  readonly version: string;
  readonly role: "primary" | "replica";
  readonly persistence: {
    /** Whether it has an append-only file. */
    readonly appendOnly: boolean;
    /** The setting appendfsync: always, everysec or no. null: the server refuses CONFIG GET. */
    readonly appendFsync: string | null;
    /** The setting save; "": no snapshots. null: the server refuses CONFIG GET. */
    readonly save: string | null;
    /** Whether its last writes to disk succeeded. null: unknown. */
    readonly writesSucceed: boolean | null;
  };
  readonly memory: {
    /** null: unknown. */
    readonly usedBytes: number | null;
    /** The setting maxmemory. null: there is no limit, or it is unknown. */
    readonly maxBytes: number | null;
    /** null: unknown. */
    readonly maxmemoryPolicy: string | null;
  };
  readonly clock: {
    /** By how much its clock is ahead of the clock of this instance, ms; below 0: behind. */
    readonly differenceMs: number;
    /** The true difference is at most this far from differenceMs, ms. */
    readonly uncertaintyMs: number;
  };
} | null;

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
