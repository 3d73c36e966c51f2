import { createHash } from "node:crypto";
import type { GoneMember } from "./gone-member.js";
import type { Member } from "./member.js";

/** Which members of a service a reader asks for: those that have all of this. */
export interface MemberFilter {
  readonly status?: Member["status"] | GoneMember["status"] | undefined;
  readonly zone?: string | undefined;
  readonly tag?: string | undefined;
  /** Those that have left or expired as well. */
  readonly includeGone?: boolean | undefined;
}

export const EVERYBODY: MemberFilter = Object.freeze({});

/** `EVERYBODY` where nothing is asked for. */
export function filterOf({ status, zone, tag, includeGone = false }: MemberFilter): MemberFilter {
  const isOpen = status === undefined && zone === undefined && tag === undefined && !includeGone;
  return isOpen ? EVERYBODY : { status, zone, tag, includeGone };
}

export function matches(
  member: Pick<Member | GoneMember, "status" | "zone" | "tags">,
  { status, zone, tag }: MemberFilter,
): boolean {
  return (
    (status === undefined || member.status === status) &&
    (zone === undefined || member.zone === zone) &&
    (tag === undefined || member.tags.includes(tag))
  );
}

/** The same text for the same filter, and another for another. */
export function filterKey({ status, zone, tag, includeGone }: MemberFilter): string {
  return JSON.stringify([status ?? null, zone ?? null, tag ?? null, includeGone === true]);
}

/**
 * Names the content of a list, in the order of its ids: it changes with who is in it, and with each revision and status, but
 * not with what changes by itself, such as ages and load.
 */
export function versionOf(
  members: Iterable<Pick<Member | GoneMember, "id" | "incarnation" | "revision" | "status">>,
): string {
  // Hashed at once: a call of the hash for each member costs three times as much.
  let text = "";
  for (const { id, incarnation, revision, status } of members)
    text += `${id}\n${incarnation}\n${revision}\n${status}\n`;
  return createHash("sha256").update(text).digest("base64url").slice(0, VERSION_LENGTH);
}

/** 132 bits. */
const VERSION_LENGTH = 22;
