import type { RingMember } from "../../algorithms/ring.js";
import type { MemberRecord } from "../../scripts/member-calls.js";

/** What a member says about itself. */
export interface Registration {
  readonly address: string;
  /** Its share of the ring and of picks, relative to the others; 0: none. */
  readonly weight: number;
  readonly zone: string | null;
  readonly tags: string[];
  readonly metadata: unknown;
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

export interface Member extends Registration {
  readonly id: string;
  readonly status: "up";
  /** Raised by each registration. */
  readonly incarnation: number;
  /** Raised by each change within one incarnation. */
  readonly revision: number;
  readonly ttlMs: number;
  readonly lastHeartbeatAgeMs: number;
  /** As the last heartbeat with one reported it; null: none did. */
  readonly load: Load | null;
}

/** The member that a record describes. */
export function toMember(record: MemberRecord): Member {
  const { address, weight, zone, tags, metadata } = JSON.parse(record.registered) as Registration;
  return {
    id: record.id,
    address,
    weight,
    zone,
    tags,
    metadata,
    status: "up",
    incarnation: record.incarnation,
    revision: record.revision,
    ttlMs: record.ttlMs,
    lastHeartbeatAgeMs: Math.max(0, record.heartbeatAgeMs),
    load: record.load === "" ? null : (JSON.parse(record.load) as Load),
  };
}

/** What a ring needs of a member. */
export function toRingMember({ id, weight, zone }: Pick<Member, "id" | "weight" | "zone">): RingMember {
  return { id, weight, zone: zone ?? undefined };
}
