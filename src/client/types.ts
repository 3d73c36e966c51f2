// Made by "npm run client-types" from openapi.yaml.

export type AcquireRequest = {
  /** Time to live from now, ms. The lease ends then unless it is renewed. */
  readonly ttlMs: number;
  /** How long to wait in the queue: first come, first served, ms; 0: not at all. */
  readonly waitMs?: number | undefined;
  readonly leaseId?: LeaseId | undefined;
  readonly mode?: Mode | undefined;
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
  readonly leaseId?: LeaseId | undefined;
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
  readonly leaseId?: LeaseId | undefined;
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
  /** For whoever reads the members. */
  readonly tags?: readonly string[] | undefined;
  /** Whatever others should see; up to 2048 bytes of JSON. */
  readonly metadata?: unknown;
  /** Time without a heartbeat after which it is gone, ms. */
  readonly ttlMs?: number | undefined;
};

export type Lease = {
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
  readonly mode: Mode;
  /** The label that the holder has given itself. */
  readonly owner: string | null;
  /** What the holder lets others see. */
  readonly metadata?: unknown;
  /** Only grows from one holder of a name to the next. Send it to the resource that the lock guards. */
  readonly fencingToken: number;
};

export type Permits = {
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

export type Term = {
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

export type Election = {
  /** Its name. */
  readonly name: string;
  /** null: nobody leads, or it cannot be known who does; see known. */
  readonly leader: unknown;
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
  /** A page of them. */
  readonly members: readonly Member[];
  /** Identifies the content of the ring: the same ringId gives the same owners, everywhere. */
  readonly ringId: string;
  /** Send it to get the next page. null: this is the last page. */
  readonly cursor: string | null;
};

export type LeaseId = string;

export type Mode = "exclusive" | "shared";

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

export type Member = {
  /** Its id, unique in the service. */
  readonly id: string;
  /** Where the member can be reached; Quorate never connects to it. */
  readonly address: string;
  /** Its share relative to the others; 0: none. */
  readonly weight: number;
  /** Where it runs. */
  readonly zone: string | null;
  /** Its tags. */
  readonly tags: readonly string[];
  /** What it lets others see. */
  readonly metadata?: unknown;
  /** Members that are not up are not listed. */
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
export interface ProblemFields {}
