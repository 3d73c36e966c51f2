// Made by "npm run client-types" from openapi.yaml.

/** A lock as it is now: who holds it, and who waits for it. */
export type Lock = {
  /** Its name. */
  readonly name: string;
  /** null: nobody holds it. */
  readonly mode: Mode | null;
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

/** One page of the locks that are held. */
export type Locks = {
  /** A page of them. */
  readonly locks: readonly ListedLock[];
  /** Where the next page begins: send it to get that. null: this is the last page. A page may be empty though another follows. */
  readonly cursor: string | null;
};

/** One page of the holders of a lock. */
export type Holders = {
  /** A page of them. */
  readonly holders: readonly Holder[];
  /** Send it to get the next page. null: this is the last page. */
  readonly cursor: string | null;
};

/** A semaphore as it is now: who holds permits, and how many wait. */
export type Semaphore = {
  /** Its name. */
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

/** An election as it is now: who leads, and who waits to. */
export type Election = {
  /** Its name. */
  readonly name: string;
  /** null: nobody leads, or it cannot be known who does; see known. */
  readonly leader: Leader | null;
  /** Whether a majority agrees on that. false: votes are split, so ask again. */
  readonly known: boolean;
  /** How many requests wait in the queue. */
  readonly waiting: number;
  /** The first 100 of them. */
  readonly queue: readonly WaitingCandidate[];
};

/** One page of the live members of a service, in the order of their ids. */
export type Members = {
  /** A page of them. */
  readonly members: readonly Member[];
  /** With includeGone: those of the page that have left or expired, in the order of their ids. */
  readonly gone?: readonly GoneMember[];
  /** Identifies the content of the ring: the same ringId gives the same owners, everywhere. */
  readonly ringId: string;
  /** Send it to get the next page. null: this is the last page. */
  readonly cursor: string | null;
  /** More of the service would have expired together than is likely: those without heartbeats are kept, as suspect, for so many ms more. null: nobody is kept. */
  readonly guardEndsInMs: number | null;
};

/** One page of the services that have members. */
export type Services = {
  /** A page of them. */
  readonly services: readonly ListedService[];
  /** Where the next page begins: send it to get that. null: this is the last page. A page may be empty though another follows. */
  readonly cursor: string | null;
};

/** The owners of many keys. */
export type Owners = {
  /** One for each key, in the order of the request. */
  readonly owners: readonly OwnerOfKey[];
  /** The members named above, by id. */
  readonly members: { readonly [name: string]: Member };
  /** Identifies the content of the ring: the same ringId gives the same owners, everywhere. */
  readonly ringId: string;
  /** Age of the view of the members from which this was answered, ms. */
  readonly ageMs: number;
};

/** To pick members of a service. */
export type PickRequest = {
  /** round-robin: each in turn. weighted: at random, in proportion to the weights. random: each with the same chance. least-load: the less busy of two chosen at random. sticky: the owner of the key, or the next on the ring while that is too busy. */
  readonly strategy: PickStrategy;
  /** With sticky: what should stick to a member, such as a user. */
  readonly key?: string | undefined;
  /** With sticky: a member that reports more than so many times the mean load is passed over; 1.25 if left out. */
  readonly maxLoad?: number | undefined;
  /** Members of this zone come first; without any, those of other zones. */
  readonly zone?: string | undefined;
  /** Only members with all of these tags. */
  readonly tags?: readonly string[] | undefined;
  /** Not these members, such as those that have just failed. */
  readonly exclude?: readonly string[] | undefined;
  /** How many different members to pick. */
  readonly count?: number | undefined;
};

/** The members that were picked. */
export type Picked = {
  /** As many as were asked for, or as there are. At least one. */
  readonly members: readonly Member[];
  /** Up to two more, in the order in which to try them next. */
  readonly alternatives: readonly Member[];
  /** Where the pick is not what was asked for; empty: nowhere. */
  readonly fallbacks: readonly PickFallback[];
  /** Age of the view of the members from which this was answered, ms. */
  readonly ageMs: number;
};

/** The outcome of breaking a lock. */
export type Broken = {
  /** How many leases were ended. */
  readonly broken: number;
};

/** The primaries, as this instance sees them. */
export type Primaries = {
  /** In the order of the settings. */
  readonly primaries: readonly Primary[];
  /** Version of the configuration that this instance uses; null before the first. */
  readonly configurationVersion: number | null;
  /** How many of them must agree. */
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

/** Sent by an instance that takes requests. */
export type Ready = {
  /** Always ready: other instances answer with a problem. */
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

/** A register. */
export type Register = {
  /** Its key. */
  readonly key: string;
  /** Its value. */
  readonly value?: unknown;
  /** Grows by one with each change. A register that is made anew after it was deleted may begin at 1 again; an ETag never comes again. */
  readonly version: number;
  /** Time until it is deleted, ms. null: it stays. */
  readonly expiresInMs: number | null;
};

/** One page of registers, in the byte order of their keys. */
export type Registers = {
  /** Fewer than limit where they would exceed 1 MB, or where some were deleted. */
  readonly registers: readonly ListedRegister[];
  /** Where the next page begins: send it to get that. null: this is the last page. A page may be empty though another follows. */
  readonly cursor: string | null;
};

/** A transaction. */
export type Transaction = {
  /** Its id. */
  readonly id: string;
  /** ended: it is decided, and every participant has acknowledged that. */
  readonly state: "active" | "committed" | "aborted" | "ended";
  /** Once there is one, it never changes. null: not yet. */
  readonly decision: "committed" | "aborted" | null;
  /** Why it was aborted; lease_lost: a lease that it names had ended when the last vote came. */
  readonly reason: string | null;
  /** None where a vote or an abort came for an id that nobody had begun. */
  readonly participants: readonly Participant[];
  /** The leases that it names. They were held when the commit was proposed, and may have ended since: what they guard compares the tokens. */
  readonly leases: readonly LeaseOfTransaction[];
  /** As it was given; null: there is none. */
  readonly payload?: unknown;
  /** Time left to decide it, ms. null: it is decided. */
  readonly deadlineInMs: number | null;
};

/** Transactions that are not decided. */
export type Transactions = {
  /** In the order in which their ids were made. */
  readonly transactions: readonly Transaction[];
  /** Where the next page begins: send it to get that. null: this is the last page. A page may be empty though another follows. */
  readonly cursor: string | null;
};

/** exclusive: held by one holder. shared: together with other shared holders. */
export type Mode = "exclusive" | "shared";

/** The holder of a lease, without its leaseId. */
export type Holder = {
  /** The label that the holder has given itself. */
  readonly owner: string | null;
  /** What the holder lets others see. */
  readonly metadata?: unknown;
  /** exclusive or shared. */
  readonly mode: string;
  /** How long it has been held, ms. */
  readonly heldForMs: number;
  /** Time until it ends unless it is renewed, ms. */
  readonly expiresInMs: number;
};

/** A request in the queue. */
export type Waiting = {
  /** 1: the next. */
  readonly position: number;
  /** exclusive or shared. */
  readonly mode: string;
  /** The label that the holder has given itself. */
  readonly owner: string | null;
};

/** A lock that is held. */
export type ListedLock = {
  /** Its name. */
  readonly name: string;
  /** exclusive: held by one holder. shared: together with other shared holders. */
  readonly mode: Mode;
  /** Up to 100 of its holders. */
  readonly holders: readonly Holder[];
};

/** The holder of some permits, without its leaseId. */
export type PermitHolder = {
  /** The label that the holder has given itself. */
  readonly owner: string | null;
  /** What the holder lets others see. */
  readonly metadata?: unknown;
  /** How many permits. */
  readonly permits: number;
  /** How long it has been held, ms. */
  readonly heldForMs: number;
  /** Time until it ends unless it is renewed, ms. */
  readonly expiresInMs: number;
};

/** The leader, without its leaseId. */
export type Leader = {
  /** The label that the candidate has given itself. */
  readonly candidate: string | null;
  /** The fencing token of this term: only grows from one leader to the next. */
  readonly term: number;
  /** What the leader publishes. */
  readonly value?: unknown;
  /** How long it has been held, ms. */
  readonly heldForMs: number;
  /** Time until it ends unless it is renewed, ms. */
  readonly expiresInMs: number;
};

/** A candidate in the queue. */
export type WaitingCandidate = {
  /** 1: the next. */
  readonly position: number;
  /** The label that the candidate has given itself. */
  readonly candidate: string | null;
  /** The candidate. */
  readonly owner: string | null;
  /** Always exclusive. */
  readonly mode: string;
};

/** A live member of a service. */
export type Member = {
  /** Its id, unique in the service. */
  readonly id: string;
  /** Where the member can be reached; Quorate never connects to it, unless probe says so. */
  readonly address: string;
  /** Its share relative to the others; 0: none. */
  readonly weight: number;
  /** Where it runs. */
  readonly zone: string | null;
  /** Its tags. */
  readonly tags: readonly string[];
  /** What it lets others see. */
  readonly metadata?: unknown;
  /** How instances are to find out whether a member can be reached: with http or tcp. */
  readonly probe?: Probe;
  /** suspect: several others could not reach it, or it restarts. It stays in the ring; prefer others. draining: it ends its work, and has no place in the ring. Members that have left or expired are not listed. */
  readonly status: MemberStatus;
  /** Raised by each registration: distinguishes a process from its successor under the same id. */
  readonly incarnation: number;
  /** Raised by each change within one incarnation. */
  readonly revision: number;
  /** Time without a heartbeat after which it is gone, ms. */
  readonly ttlMs: number;
  /** Time since the last heartbeat, ms. */
  readonly lastHeartbeatAgeMs: number;
  /** When it is removed whatever its heartbeats do, ms: it drains with drainMs, or restarts. null: heartbeats decide. */
  readonly endsInMs: number | null;
  /** As the last heartbeat with a load reported it. null: none has since the registration. */
  readonly load: Load;
};

/** A former member of a service. */
export type GoneMember = {
  /** Its id, unique in the service. */
  readonly id: string;
  /** left: it said so, or had drained. expired: its heartbeats stopped. */
  readonly status: GoneStatus;
  /** Raised by each registration: distinguishes a process from its successor under the same id. */
  readonly incarnation: number;
  /** Raised by each change within one incarnation. */
  readonly revision: number;
  /** Where it could be reached. null: that was forgotten before it left. */
  readonly address: string | null;
  /** Where it runs. */
  readonly zone: string | null;
  /** Its tags. */
  readonly tags: readonly string[];
  /** What it lets others see. */
  readonly metadata?: unknown;
  /** Why it is gone, for people. Empty: not known. */
  readonly why: string;
  /** For how long it has been gone, ms. null: not known. */
  readonly goneForMs: number | null;
  /** When it is listed no more, ms. */
  readonly forgottenInMs: number;
};

/** A service that has members. */
export type ListedService = {
  /** Its name. */
  readonly service: string;
  /** As a majority of the primaries counts them. */
  readonly members: number;
};

/** The owner of one of many keys. */
export type OwnerOfKey = {
  /** Any UTF-8 text up to 1024 bytes. */
  readonly key: string;
  /** Id of the owner. */
  readonly owner: string;
  /** Ids of the members, the owner first. */
  readonly replicas: readonly string[];
};

/** round-robin: each in turn. weighted: at random, in proportion to the weights. random: each with the same chance. least-load: the less busy of two chosen at random. sticky: the owner of the key, or the next on the ring while that is too busy. */
export type PickStrategy = "round-robin" | "weighted" | "random" | "least-load" | "sticky";

/** zone: some of the members are of another zone, as there are too few in the one that was asked for. suspect, draining: all members that could be picked are so. */
export type PickFallback = "zone" | "suspect" | "draining";

/** A primary, as this instance sees it. */
export type Primary = {
  /** Its host and port. */
  readonly address: string;
  /** up: participates. quarantined: participates, but grants no new lease for quarantineMs, since it may have forgotten some. refusing: participates, but refuses writes, so that it grants and registers nothing; see reason. readmitting: it restarted or missed writes, and is given what it lacks. down: does not answer. wrong_role: is a replica. misconfigured: cannot be a primary here; see reason. */
  readonly state: "up" | "quarantined" | "refusing" | "readmitting" | "down" | "wrong_role" | "misconfigured";
  /** How long it has been in this state, ms. */
  readonly forMs: number;
  /** Why it does not participate, or refuses writes. */
  readonly reason: string | null;
  /** How long it will not grant new leases, ms. */
  readonly quarantineMs: number;
  /** Of the latest calls of this instance, ms; null: there were none. */
  readonly latencyMs: Latencies;
  /** How far it lags behind the changes of registers that a majority have acknowledged to this instance. */
  readonly lag: Lag;
  /** What the last comparison by this instance found here. null: it has made none yet; instances take turns. */
  readonly copies: Copies;
  /** What the server says of itself, up to 2 s ago. null: it does not answer. */
  readonly server: Server;
};

/** A register in a list. */
export type ListedRegister = {
  /** Its key. */
  readonly key: string;
  /** Its value. */
  readonly value?: unknown;
  /** Grows by one with each change. A register that is made anew after it was deleted may begin at 1 again; an ETag never comes again. */
  readonly version: number;
  /** Time until it is deleted, ms. null: it stays. */
  readonly expiresInMs: number | null;
  /** Names this version, as for If-Match, with its quotes. */
  readonly etag: string;
};

/** A participant of a transaction. */
export type Participant = {
  /** Its name. */
  readonly name: string;
  /** null: it has not voted. */
  readonly vote: "yes" | "no" | null;
  /** Whether it has done what was decided. */
  readonly acknowledged: boolean;
};

/** A lease that the transaction names. */
export type LeaseOfTransaction = {
  /** What it holds. */
  readonly kind: LeaseKind;
  /** What it holds. */
  readonly names: readonly string[];
  /** Only grows from one holder of a name to the next. Send it to the resource that the lock guards. */
  readonly fencingToken: number;
};

/** How instances are to find out whether a member can be reached: with http or tcp. */
export type Probe = {
  /** URL that is to answer with a status from 200 to 299; redirects are not followed. */
  readonly http?: string | undefined;
  /** Host and port that are to accept connections. */
  readonly tcp?: string | undefined;
  /** How often to look, whichever instance does, ms. */
  readonly intervalMs: number;
  /** How long the member may take to answer, ms; at most intervalMs. */
  readonly timeoutMs: number;
};

/** suspect: several others could not reach it, or it restarts. It stays in the ring; prefer others. draining: it ends its work, and has no place in the ring. Members that have left or expired are not listed. */
export type MemberStatus = "up" | "suspect" | "draining";

/** As the last heartbeat with a load reported it. null: none has since the registration. */
export type Load = {
  /** Used share of its processor time, 0 to 1. */
  readonly cpu: number | null;
  /** Used share of its memory, 0 to 1. */
  readonly memory: number | null;
  /** Used share of its disk, 0 to 1. */
  readonly disk: number | null;
  /** How many requests it is working on. */
  readonly inFlight: number | null;
  /** Numbers of its own, by name. */
  readonly custom: { readonly [name: string]: number };
} | null;

/** left: it said so, or had drained. expired: its heartbeats stopped. */
export type GoneStatus = "left" | "expired";

/** Of the latest calls of this instance, ms; null: there were none. */
export type Latencies = {
  /** Half of them took at most this long. */
  readonly p50: number | null;
  /** 99 % of them took at most this long. */
  readonly p99: number | null;
};

/** How far it lags behind the changes of registers that a majority have acknowledged to this instance. */
export type Lag = {
  /** Registers of which it has not acknowledged the latest change that this instance made, 10,000 at most. They are sent again as soon as it takes part. */
  readonly registers: number;
  /** How long there have been any, 0 if there are none, ms. */
  readonly forMs: number;
};

/** What the last comparison by this instance found here. null: it has made none yet; instances take turns. */
export type Copies = {
  /** Records that it lacked. */
  readonly missing: number;
  /** Records of which it had an older version. */
  readonly stale: number;
  /** Records of the right version with other content: these are not repaired. */
  readonly diverged: number;
  /** Records that it had, and no majority: the rest of an operation that failed, or of a member that is gone. These end by themselves. */
  readonly unconfirmed: number;
  /** How many of them were repaired. */
  readonly repaired: number;
  /** Time since that comparison ended, ms. */
  readonly comparedAgeMs: number;
} | null;

/** What the server says of itself, up to 2 s ago. null: it does not answer. */
export type Server = {
  /** What it is. */
  readonly product: "redis" | "valkey";
  /** Its version. */
  readonly version: string;
  /** replica: it follows another server, and cannot be a primary. */
  readonly role: "primary" | "replica";
  /** What a server keeps on its disk. */
  readonly persistence: Persistence;
  /** The memory of a server. */
  readonly memory: Memory;
  /** The clock of a server, compared with that of this instance. */
  readonly clock: ClockDifference;
} | null;

/** What it holds. */
export type LeaseKind = "locks" | "semaphores" | "elections";

/** What a server keeps on its disk. */
export type Persistence = {
  /** Whether it has an append-only file. */
  readonly appendOnly: boolean;
  /** The setting appendfsync: always, everysec or no. null: the server refuses CONFIG GET. */
  readonly appendFsync: string | null;
  /** The setting save; "": no snapshots. null: the server refuses CONFIG GET. */
  readonly save: string | null;
  /** Whether its last writes to disk succeeded. null: unknown. */
  readonly writesSucceed: boolean | null;
};

/** The memory of a server. */
export type Memory = {
  /** How much it uses. null: unknown. */
  readonly usedBytes: number | null;
  /** The setting maxmemory. null: there is no limit, or it is unknown. */
  readonly maxBytes: number | null;
  /** The setting maxmemory-policy. null: unknown. */
  readonly maxmemoryPolicy: string | null;
};

/** The clock of a server, compared with that of this instance. */
export type ClockDifference = {
  /** By how much it is ahead, ms; below 0: behind. */
  readonly differenceMs: number;
  /** The true difference is at most this far from differenceMs, ms. */
  readonly uncertaintyMs: number;
};
