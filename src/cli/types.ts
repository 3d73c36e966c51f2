// Made by "npm run client-types" from openapi.yaml.

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

export type Members = {
  readonly members: readonly Member[];
  /** Identifies the content of the ring: the same ringId gives the same owners, everywhere. */
  readonly ringId: string;
  /** Send it to get the next page. null: this is the last page. */
  readonly cursor: string | null;
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
