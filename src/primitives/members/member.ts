import type { RingMember } from "../../algorithms/ring.js";
import type { MemberRecord } from "../../scripts/member-calls.js";
import type { ListedRecord } from "../../scripts/skim-calls.js";

/** What a member says about itself. */
export interface Registration {
  readonly address: string;
  /** Its share of the ring and of picks, relative to the others; 0: none. */
  readonly weight: number;
  readonly zone: string | null;
  readonly tags: string[];
  readonly metadata: unknown;
  /** Missing: it is not probed. */
  readonly probe?: ProbeTerms | undefined;
}

/** How instances find out whether a member can be reached. One of `http` and `tcp` is there. */
export interface ProbeTerms {
  /** URL that is to answer with a status from 200 to 299. */
  readonly http?: string | undefined;
  /** `host:port` that is to accept connections. */
  readonly tcp?: string | undefined;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** What a member reports of itself with a heartbeat; null: it does not say. */
export interface Load {
  /** Shares of 1. */
  readonly cpu: number | null;
  readonly memory: number | null;
  readonly disk: number | null;
  /** Requests that it is working on. */
  readonly inFlight: number | null;
  /** Numbers of its own. */
  readonly custom: Readonly<Record<string, number>>;
}
export type MemberStatus = "up" | "suspect" | "draining";

export interface Member extends Registration {
  readonly id: string;
  /** `draining`: it ends its work and gets no more. `suspect`: others cannot reach it, or its process restarts. */
  readonly status: MemberStatus;
  /** Raised by each registration. */
  readonly incarnation: number;
  /** Raised by each change within one incarnation. */
  readonly revision: number;
  readonly ttlMs: number;
  readonly lastHeartbeatAgeMs: number;
  /** When it is removed whatever its heartbeats do, ms: it drains, or restarts. Null: heartbeats decide. */
  readonly endsInMs: number | null;
  /** As the last heartbeat with one reported it; null: none did. */
  readonly load: Load | null;
}

/** Whether a member has a place in the ring, and may be picked. The one rule for rings, picks and targets. */
export function isEligible({ status, weight }: Pick<Member, "status" | "weight">): boolean {
  return status !== "draining" && weight > 0;
}

/** The member that a record describes. */
export function toMember(record: ListedRecord): Member {
  const { address, weight, zone, tags, metadata, probe } = JSON.parse(record.registered) as Registration;
  return {
    id: record.id,
    address,
    weight,
    zone,
    tags,
    metadata,
    ...(probe && { probe }),
    status: statusOf(record),
    incarnation: record.incarnation,
    revision: record.revision,
    ttlMs: record.ttlMs,
    lastHeartbeatAgeMs: Math.max(0, record.heartbeatAgeMs),
    endsInMs: record.endsInMs,
    load: record.load === "" ? null : (JSON.parse(record.load) as Load),
  };
}

/** Nobody answers for a member that restarts, until it is registered again; one in doubt may have expired. */
export function statusOf({
  status,
  doubt,
}: {
  readonly status: MemberRecord["status"] | "suspect";
  readonly doubt?: MemberRecord["doubt"];
}): MemberStatus {
  if (status === "draining") return status;
  return status === "restarting" || doubt ? "suspect" : status;
}

/** What a ring needs of a member; null: it has no place in it. */
export function toRingMember(member: Pick<Member, "id" | "weight" | "zone" | "status">): RingMember | null {
  if (!isEligible(member)) return null;
  return { id: member.id, weight: member.weight, zone: member.zone ?? undefined };
}
