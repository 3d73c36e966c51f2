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

export interface Member extends Registration {
  readonly id: string;
  /** `suspect`: others cannot reach it. */
  readonly status: "up" | "suspect";
  /** Raised by each registration. */
  readonly incarnation: number;
  /** Raised by each change within one incarnation. */
  readonly revision: number;
  readonly ttlMs: number;
  readonly lastHeartbeatAgeMs: number;
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
  };
}

/** What a ring needs of a member. */
export function toRingMember({ id, weight, zone }: Pick<Member, "id" | "weight" | "zone">): RingMember {
  return { id, weight, zone: zone ?? undefined };
}
