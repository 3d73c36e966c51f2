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
  const { address, weight, zone, tags, metadata, probe } = JSON.parse(record.registered) as Registration;
  return {
    id: record.id,
    address,
    weight,
    zone,
    tags,
    metadata,
    ...(probe && { probe }),
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
