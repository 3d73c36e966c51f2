import type { MemberRecord } from "../../scripts/member-calls.js";
import type { Member, Registration } from "./member.js";

/** A former member, as long as the primaries remember it. */
export interface GoneMember extends Pick<Registration, "zone" | "tags" | "metadata"> {
  readonly id: string;
  readonly status: "left" | "expired";
  readonly incarnation: number;
  readonly revision: number;
  /** Null: no primary knew it any more when it left. */
  readonly address: string | null;
  /** In words, for people; empty: not known. */
  readonly why: string;
  /** Null: not known. */
  readonly goneForMs: number | null;
  /** When it is listed no more. */
  readonly forgottenInMs: number;
}

export function isGone(member: Member | GoneMember): member is GoneMember {
  return member.status === "left" || member.status === "expired";
}

/** The former member that a tombstone describes. */
export function toGone(record: MemberRecord): GoneMember {
  const said = JSON.parse(record.registered) as Partial<Registration> | null;
  return {
    id: record.id,
    status: record.left || record.event.kind === "left" ? "left" : "expired",
    incarnation: record.incarnation,
    revision: record.revision,
    address: said?.address ?? null,
    zone: said?.zone ?? null,
    tags: said?.tags ?? [],
    metadata: said?.metadata ?? null,
    why: record.event.why,
    goneForMs: record.goneForMs ?? null,
    forgottenInMs: Math.max(0, record.expiresInMs),
  };
}
