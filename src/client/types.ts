// Made by "npm run client-types" from openapi.yaml.

/** To acquire a lock. */
export type AcquireRequest = {
  /** Time to live from now, ms. The lease ends then unless it is renewed. */
  readonly ttlMs: number;
  /** How long to wait in the queue: first come, first served, ms; 0: not at all. */
  readonly waitMs?: number | undefined;
  /** The secret of the lease: anyone who knows it may renew and release it. Choose it yourself (at least 128 random bits, used for one lease) if the request may be repeated. */
  readonly leaseId?: LeaseId | undefined;
  /** The member that the lease is bound to: its heartbeats with this incarnation and memberKey renew it for ttlMs each time, and tell whether it is still held. */
  readonly member?: LeaseMember | undefined;
  /** exclusive: held by one holder. shared: together with other shared holders. */
  readonly mode?: Mode | undefined;
  /** A label that others see. */
  readonly owner?: string | undefined;
  /** Whatever others should see; up to 2048 bytes of JSON. */
  readonly metadata?: unknown;
};

/** To acquire permits of a semaphore. */
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
  readonly leaseId?: LeaseId | undefined;
  /** The member that the lease is bound to: its heartbeats with this incarnation and memberKey renew it for ttlMs each time, and tell whether it is still held. */
  readonly member?: LeaseMember | undefined;
  /** A label that others see. */
  readonly owner?: string | undefined;
  /** Whatever others should see; up to 2048 bytes of JSON. */
  readonly metadata?: unknown;
};

/** To become the leader. */
export type CampaignRequest = {
  /** Time to live from now, ms. The lease ends then unless it is renewed. */
  readonly ttlMs: number;
  /** How long to wait in the queue: first come, first served, ms; 0: not at all. */
  readonly waitMs?: number | undefined;
  /** The secret of the lease: anyone who knows it may renew and release it. Choose it yourself (at least 128 random bits, used for one lease) if the request may be repeated. */
  readonly leaseId?: LeaseId | undefined;
  /** The member that the lease is bound to: its heartbeats with this incarnation and memberKey renew it for ttlMs each time, and tell whether it is still held. */
  readonly member?: LeaseMember | undefined;
  /** A label that others see. */
  readonly candidate?: string | undefined;
  /** What the leader publishes; up to 4096 bytes of JSON. */
  readonly value?: unknown;
  /** Whether it is an election by consensus: one leader per term whatever clocks do. Elections by consensus have names of their own: say it in each request. */
  readonly consensus?: boolean | undefined;
};

/** To register a member of a service. */
export type RegisterRequest = {
  /** Where the member can be reached; Quorate never connects to it, unless probe says so. */
  readonly address: string;
  /** Its share relative to the others; 0: none. */
  readonly weight?: number | undefined;
  /** Where it runs: replicas are placed in distinct zones first. */
  readonly zone?: string | undefined;
  /** For whoever reads the members. */
  readonly tags?: readonly string[] | undefined;
  /** Whatever others should see; up to 2048 bytes of JSON. */
  readonly metadata?: unknown;
  /** How instances are to find out whether a member can be reached: with http or tcp. */
  readonly probe?: Probe | undefined;
  /** Time without a heartbeat after which it is gone, ms. */
  readonly ttlMs?: number | undefined;
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

/** A lease on one lock or several. */
export type Lease = {
  /** The secret of the lease: anyone who knows it may renew and release it. Choose it yourself (at least 128 random bits, used for one lease) if the request may be repeated. */
  readonly leaseId: LeaseId;
  /** The requested time to live, ms. */
  readonly ttlMs: number;
  /** Trust the lease until your own send time + waitedMs + validForMs, on your monotonic clock. */
  readonly validForMs: number;
  /** Time from the request to the start of the attempt that won, ms. */
  readonly waitedMs: number;
  /** Primaries that were known to agree when this was sent. */
  readonly acks: number;
  /** How many primaries there are. */
  readonly primaries: number;
  /** The locks that it holds. */
  readonly names: readonly string[];
  /** exclusive: held by one holder. shared: together with other shared holders. */
  readonly mode: Mode;
  /** The label that the holder has given itself. */
  readonly owner: string | null;
  /** What the holder lets others see. */
  readonly metadata?: unknown;
  /** Only grows from one holder of a name to the next. Send it to the resource that the lock guards. */
  readonly fencingToken: number;
};

/** A lease on permits of a semaphore. */
export type Permits = {
  /** The secret of the lease: anyone who knows it may renew and release it. Choose it yourself (at least 128 random bits, used for one lease) if the request may be repeated. */
  readonly leaseId: LeaseId;
  /** The requested time to live, ms. */
  readonly ttlMs: number;
  /** Trust the lease until your own send time + waitedMs + validForMs, on your monotonic clock. */
  readonly validForMs: number;
  /** Time from the request to the start of the attempt that won, ms. */
  readonly waitedMs: number;
  /** Primaries that were known to agree when this was sent. */
  readonly acks: number;
  /** How many primaries there are. */
  readonly primaries: number;
  /** Its name. */
  readonly name: string;
  /** How many permits. */
  readonly permits: number;
  /** Which of the `limit` slots these permits are. */
  readonly slots: readonly number[];
  /** How many permits there are in total. */
  readonly limit: number;
  /** The label that the holder has given itself. */
  readonly owner: string | null;
  /** What the holder lets others see. */
  readonly metadata?: unknown;
  /** Above all earlier tokens of each of these slots. Tokens of different slots do not compare, as their holders hold at the same time: a guarded resource keeps the newest token of each slot. */
  readonly fencingToken: number;
};

/** The term of a leader. */
export type Term = {
  /** The secret of the lease: anyone who knows it may renew and release it. Choose it yourself (at least 128 random bits, used for one lease) if the request may be repeated. */
  readonly leaseId: LeaseId;
  /** The requested time to live, ms. */
  readonly ttlMs: number;
  /** Trust the lease until your own send time + waitedMs + validForMs, on your monotonic clock. */
  readonly validForMs: number;
  /** Time from the request to the start of the attempt that won, ms. */
  readonly waitedMs: number;
  /** Primaries that were known to agree when this was sent. */
  readonly acks: number;
  /** How many primaries there are. */
  readonly primaries: number;
  /** Its name. */
  readonly name: string;
  /** The label that the candidate has given itself. */
  readonly candidate: string | null;
  /** The fencing token of this term: only grows from one leader to the next. */
  readonly term: number;
  /** What the leader publishes. */
  readonly value?: unknown;
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

/** A member, as it was registered. */
export type Registered = {
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
  /** How often to send heartbeats: a third of ttlMs, ms. */
  readonly heartbeatIntervalMs: number;
  /** The secret of one registration, told only to whoever registers. With it and the incarnation a request comes from that very process, and not from somebody who knows the id of the member; any other is refused. */
  readonly memberKey: MemberKey;
};

/** What a member reports of its load; whatever is left out is unknown. */
export type LoadReport = {
  /** Used share of its processor time, 0 to 1. */
  readonly cpu?: number | undefined;
  /** Used share of its memory, 0 to 1. */
  readonly memory?: number | undefined;
  /** Used share of its disk, 0 to 1. */
  readonly disk?: number | undefined;
  /** How many requests it is working on. */
  readonly inFlight?: number | undefined;
  /** Up to 8 numbers of its own, by name. */
  readonly custom?: { readonly [name: string]: number } | undefined;
};

/** The member whose heartbeat it was. */
export type Pulse = {
  /** Raised by each registration: distinguishes a process from its successor under the same id. */
  readonly incarnation: number;
  /** Raised by each change within one incarnation. */
  readonly revision: number;
  /** Time without a heartbeat after which it is gone, ms. */
  readonly ttlMs: number;
  /** How often to send heartbeats: a third of ttlMs, ms. */
  readonly heartbeatIntervalMs: number;
  /** Identifies the ring of the service as this instance saw it a moment ago: a second for small deployments, 20 s with 100,000 members. If it is another than yours, read the members again. null: this instance does not know it yet. */
  readonly ringId: string | null;
  /** Present where the heartbeat had a memberKey. A lease that is in neither list was not renewed: it ends in its time. */
  readonly leases?: BoundLeases;
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

/** A register that was set. */
export type ChangedRegister = {
  /** Its key. */
  readonly key: string;
  /** Grows by one with each change. A register that is made anew after it was deleted may begin at 1 again; an ETag never comes again. */
  readonly version: number;
  /** With acks=all: host and port of the primaries that did not acknowledge it; empty: all have it. It is sent to them again as soon as they take part. */
  readonly missing?: readonly string[];
};

/** To arrive at a barrier. */
export type ArriveRequest = {
  /** Who arrives: counts once in each generation. */
  readonly id: string;
  /** The one that an earlier answer told, to wait on, or the next one after it was released. Then the request can be sent again: an older generation is answered as released. Without it: the one that others arrive at now. */
  readonly generation?: number | undefined;
  /** How many have to arrive. All name the same. */
  readonly count: number;
  /** For how long it counts if it does not arrive again, ms; at least for as long as it waits. */
  readonly ttlMs: number;
  /** How long to wait for the others, ms; 0: not at all. */
  readonly waitMs?: number | undefined;
};

/** How an arrival stands. */
export type Arrived = {
  /** The one at which it has arrived. */
  readonly generation: number;
  /** How many have arrived and still count. */
  readonly arrived: number;
  /** Whether all have arrived: go on. */
  readonly released: boolean;
};

/** A latch. */
export type Latch = {
  /** Its name. */
  readonly name: string;
  /** How often it has to be counted down until it opens. */
  readonly count: number;
  /** How often it still has to be. 0: it is open. */
  readonly remaining: number;
};

/** To check, read and change several registers at once. */
export type RegisterTransactionRequest = {
  /** If one of them does not hold, nothing is changed. */
  readonly checks?: readonly RegisterCheck[] | undefined;
  /** Registers to read, as they are just before the changes. */
  readonly reads?: readonly string[] | undefined;
  /** All are made, or none. */
  readonly changes?: readonly RegisterChange[] | undefined;
};

/** A transaction of several registers that was made. */
export type RegisterTransaction = {
  /** In the order of the request. */
  readonly changes: readonly RegisterOfTransaction[];
  /** In the order of the request. None where repeated. */
  readonly reads: readonly ReadRegister[];
  /** It was made by an earlier request with the same Idempotency-Key, and not again. What that one read is not remembered. */
  readonly repeated: boolean;
};

/** To begin a transaction. */
export type BeginTransactionRequest = {
  /** An id of your own, a UUID of version 7: then the request can be sent again. Without it, one is made. */
  readonly id?: string | undefined;
  /** All of them must vote yes for it to commit. */
  readonly participants: readonly string[];
  /** Time from now after which it is aborted, unless it was committed before, ms. */
  readonly deadlineMs: number;
  /** What the participants have to know; up to 16384 bytes of JSON. */
  readonly payload?: unknown;
  /** Leases without which it must not commit. The last yes commits only once a majority of the primaries have renewed each of them with a second left, and aborts it for the reason lease_lost where one has ended. The decision tells their fencing tokens, never their leaseIds. */
  readonly leases?: readonly TransactionLease[] | undefined;
  /** URLs of participants, by name, that do not ask by themselves: the service calls them for their votes, and then with the decision until they have acknowledged it. */
  readonly callbacks?: { readonly [name: string]: string } | undefined;
  /** By which the calls are signed, whsec_ and 24 to 64 bytes in base64: with callbacks only, and always with them. */
  readonly callbackSecret?: string | undefined;
};

/** The vote of a participant. */
export type VoteRequest = {
  /** A participant. */
  readonly participant: string;
  /** yes: whatever happens, it can commit, and will do what is decided. It cannot be taken back. no: the transaction is aborted. */
  readonly vote: "yes" | "no";
  /** Why not */
  readonly reason?: string | undefined;
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

/** A field or parameter of the request that is wrong. */
export type WrongField = {
  /** Its path, such as members.0.id; empty: the body itself. */
  readonly field: string;
  /** What is wrong with it. */
  readonly detail: string;
};

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

/** What is known about why a lease was lost. */
export type Loss = {
  /** taken: a later lease holds it or has held it. restarted: a majority of the primaries restarted since it was granted, and no later holder is known. */
  readonly why: "expired" | "released" | "broken" | "taken" | "restarted";
  /** Why an operator broke it. */
  readonly reason?: string;
  /** No token above this one has been granted since. */
  readonly newest?: number;
};

/** The secret of the lease: anyone who knows it may renew and release it. Choose it yourself (at least 128 random bits, used for one lease) if the request may be repeated. */
export type LeaseId = string;

/** The member that the lease is bound to: its heartbeats with this incarnation and memberKey renew it for ttlMs each time, and tell whether it is still held. */
export type LeaseMember = {
  /** Name of the service. */
  readonly service: string;
  /** Id of the member. */
  readonly id: string;
  /** Raised by each registration: distinguishes a process from its successor under the same id. */
  readonly incarnation: number;
  /** The secret of one registration, told only to whoever registers. With it and the incarnation a request comes from that very process, and not from somebody who knows the id of the member; any other is refused. */
  readonly memberKey: MemberKey;
};

/** exclusive: held by one holder. shared: together with other shared holders. */
export type Mode = "exclusive" | "shared";

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

/** round-robin: each in turn. weighted: at random, in proportion to the weights. random: each with the same chance. least-load: the less busy of two chosen at random. sticky: the owner of the key, or the next on the ring while that is too busy. */
export type PickStrategy = "round-robin" | "weighted" | "random" | "least-load" | "sticky";

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

/** The secret of one registration, told only to whoever registers. With it and the incarnation a request comes from that very process, and not from somebody who knows the id of the member; any other is refused. */
export type MemberKey = string;

/** Present where the heartbeat had a memberKey. A lease that is in neither list was not renewed: it ends in its time. */
export type BoundLeases = {
  /** Those that are held. */
  readonly held: readonly BoundHeld[];
  /** Those that ended without having been released. Each is told once, as a rule. */
  readonly lost: readonly BoundLost[];
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

/** zone: some of the members are of another zone, as there are too few in the one that was asked for. suspect, draining: all members that could be picked are so. */
export type PickFallback = "zone" | "suspect" | "draining";

/** What a register must be for the transaction to be made. */
export type RegisterCheck = {
  /** The key of a register. */
  readonly key?: string | undefined;
  /** Its ETag, in quotes as in the header. null: it must not be there. */
  readonly etag?: string | null | undefined;
  /** In place of a key: an election by consensus. */
  readonly election?: string | undefined;
  /** The election must be led in this term. */
  readonly term?: number | undefined;
};

/** What a transaction does with a register: it sets or deletes it. */
export type RegisterChange = {
  /** The key of a register. */
  readonly key: string;
  /** Its new value; up to 65536 bytes of JSON. */
  readonly value?: unknown;
  /** Time after which it is deleted, ms. Without it, it stays. */
  readonly ttlMs?: number | undefined;
  /** In place of a value: it is deleted. */
  readonly delete?: true | undefined;
};

/** A register as the transaction left it. */
export type RegisterOfTransaction = {
  /** Its key. */
  readonly key: string;
  /** null: it is not there. */
  readonly version: number | null;
  /** In quotes, as in the header. null: it is not there. */
  readonly etag: string | null;
};

/** A register as the transaction found it. */
export type ReadRegister = {
  /** Its key. */
  readonly key: string;
  /** null also where it is not there: then so is its version. */
  readonly value?: unknown;
  /** null: it is not there. */
  readonly version: number | null;
  /** In quotes, as in the header. null: it is not there. */
  readonly etag: string | null;
  /** null: it stays. */
  readonly expiresInMs: number | null;
};

/** A lease that must be held when the transaction commits. Of an election, its term is the fencingToken. */
export type TransactionLease = {
  /** What it holds. */
  readonly kind: LeaseKind;
  /** All names that it holds: of a semaphore or an election, its one name. */
  readonly names: readonly string[];
  /** The secret of the lease: anyone who knows it may renew and release it. Choose it yourself (at least 128 random bits, used for one lease) if the request may be repeated. */
  readonly leaseId: LeaseId;
  /** Only grows from one holder of a name to the next. Send it to the resource that the lock guards. */
  readonly fencingToken: number;
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

/** A lease that was renewed. */
export type BoundHeld = {
  /** What it holds. */
  readonly kind: LeaseKind;
  /** The names that it was acquired for. */
  readonly names: readonly string[];
  /** Its fencing token; of an election its term. */
  readonly fencingToken: number;
  /** exclusive: held by one holder. shared: together with other shared holders. */
  readonly mode: Mode;
  /** Trust it until your own send time of the heartbeat + validForMs, on your monotonic clock. */
  readonly validForMs: number;
};

/** A lease that has ended. */
export type BoundLost = {
  /** What it holds. */
  readonly kind: LeaseKind;
  /** The names that it was acquired for. */
  readonly names: readonly string[];
  /** Its fencing token; of an election its term. */
  readonly fencingToken: number;
  /** What is known about why a lease was lost. */
  readonly lost: Loss;
};

/** left: it said so, or had drained. expired: its heartbeats stopped. */
export type GoneStatus = "left" | "expired";

/** What it holds. */
export type LeaseKind = "locks" | "semaphores" | "elections";

/** The fields that a problem has beside its code, by code. */
export interface ProblemFields {
  invalid_request: {
    /** The first field that is wrong, as a path. */
    readonly field?: string;
    /** All fields that are wrong. Missing if the request could not be read at all. */
    readonly errors?: readonly WrongField[];
  };
  method_not_allowed: {
    /** The methods that the path has. */
    readonly allow: readonly string[];
  };
  request_timeout: object;
  too_large: object;
  unsupported_media_type: object;
  expectation_failed: object;
  headers_too_large: object;
  not_found: object;
  unknown_member: object;
  no_members: object;
  unknown_participant: object;
  unauthenticated: object;
  forbidden: object;
  held: {
    /** When to try again, ms; the header Retry-After rounds it up. */
    readonly retryAfterMs: number;
    /** The place in the queue when waitMs was over, or the place that a waiting request would have had; 1: the next. */
    readonly queuePosition: number;
    /** The holder of a lease, without its leaseId. */
    readonly holder?: Holder;
  };
  lease_mismatch: object;
  limit_mismatch: {
    /** The limit of the semaphore, or the count of the barrier or latch. */
    readonly limit: number;
  };
  superseded: object;
  already_decided: {
    /** It never changes. */
    readonly decision: "committed" | "aborted";
  };
  not_decided: object;
  contrary_vote: object;
  rate_limited: {
    /** When to try again, ms; the header Retry-After rounds it up. */
    readonly retryAfterMs: number;
  };
  quota_exceeded: {
    /** When to try again, ms; the header Retry-After rounds it up. */
    readonly retryAfterMs: number;
  };
  too_many: {
    /** When to try again, ms; the header Retry-After rounds it up. Missing if it is no use to try the same again. */
    readonly retryAfterMs?: number;
  };
  lease_lost: {
    /** What is known about why a lease was lost. */
    readonly lost: Loss;
    /** Which lease, where a request names several. */
    readonly field?: string;
  };
  decision_forgotten: object;
  version_mismatch: {
    /** The ETag of what is stored now; also as header ETag. Missing: nothing is. */
    readonly etag?: string;
    /** The version of a register. */
    readonly version?: number;
    /** The revision of a member. */
    readonly revision?: number;
    /** The check of a transaction that does not hold. */
    readonly field?: string;
  };
  idempotency_mismatch: object;
  too_many_keyed: {
    /** When to try again, ms; the header Retry-After rounds it up. */
    readonly retryAfterMs: number;
  };
  internal: object;
  no_quorum: {
    /** When to try again, ms; the header Retry-After rounds it up. Missing if it is no use to try the same again. */
    readonly retryAfterMs?: number;
  };
  contended: {
    /** When to try again, ms; the header Retry-After rounds it up. */
    readonly retryAfterMs: number;
  };
  too_many_transactions: {
    /** When to try again, ms; the header Retry-After rounds it up. */
    readonly retryAfterMs: number;
  };
  authentication_unavailable: {
    /** When to try again, ms; the header Retry-After rounds it up. */
    readonly retryAfterMs: number;
  };
  overloaded: {
    /** When to try again, ms; the header Retry-After rounds it up. */
    readonly retryAfterMs: number;
  };
  shutting_down: object;
  outcome_unknown: object;
}
