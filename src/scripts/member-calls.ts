import type { Keys } from "./keys.js";
import { type Call, scriptCall } from "./scripts.js";

/** A member, or a member's tombstone, as one primary stores it. */
export interface MemberRecord {
  readonly id: string;
  readonly incarnation: number;
  readonly revision: number;
  readonly left: boolean;
  /** Distinguishes two registrations with the same incarnation. */
  readonly nonce: string;
  readonly ttlMs: number;
  /** Time until this record expires, ms. */
  readonly expiresInMs: number;
  readonly heartbeatAgeMs: number;
  /** What was registered, as JSON. */
  readonly registered: string;
  /** Whether others have reported it: then it may be suspect. Missing: not known. */
  readonly reported?: boolean;
}

/** Sent to a majority before the first record of an incarnation is put, so that later registrations are above it. */
export function announceIncarnation(keys: Keys, incarnation: number): Call<void> {
  return scriptCall("announce-incarnation", [keys.incarnation], [incarnation]);
}

/** `superseded`: the stored incarnation that is in the way; null: the record was stored. */
export function putMember(
  keys: Keys,
  service: string,
  record: MemberRecord,
): Call<{ superseded: number | null }> {
  const { id, incarnation, revision, nonce, ttlMs, expiresInMs, registered, heartbeatAgeMs } = record;
  const left = record.left ? "1" : "0";
  return scriptCall(
    "put-member",
    [keys.member(service, id), keys.members(service), keys.services, keys.left(service)],
    [service, id, incarnation, revision, left, nonce, ttlMs, expiresInMs, registered, heartbeatAgeMs],
    (reply) => {
      const [stored, incarnation] = reply as [number, string?];
      return { superseded: stored === 1 ? null : Number(incarnation) };
    },
  );
}

/** The member that a heartbeat kept alive. */
export type Pulse = Pick<MemberRecord, "incarnation" | "revision" | "ttlMs">;

export type HeartbeatVote =
  | ({ readonly kind: "renewed" } & Pulse)
  | { readonly kind: "other" | "left"; readonly incarnation: number }
  | { readonly kind: "missing" };

/** The heartbeat of one member. */
export interface Heartbeat {
  readonly service: string;
  readonly id: string;
  /** Without it: for the stored one, whichever it is. */
  readonly incarnation?: number | undefined;
}

/** The votes are in the order of the heartbeats. */
export function heartbeat(keys: Keys, heartbeats: readonly Heartbeat[]): Call<HeartbeatVote[]> {
  const used = [keys.services];
  const args: (string | number)[] = [];
  for (const { service, id, incarnation = "" } of heartbeats) {
    used.push(keys.members(service), keys.left(service), keys.member(service, id));
    args.push(service, id, incarnation);
  }
  return scriptCall("heartbeat", used, args, (reply) => (reply as unknown[]).map(toHeartbeatVote));
}

function toHeartbeatVote(reply: unknown): HeartbeatVote {
  const [kind, incarnation, revision, ttlMs] = reply as [number, string, string, string];
  switch (kind) {
    case 1:
      return {
        kind: "renewed",
        incarnation: Number(incarnation),
        revision: Number(revision),
        ttlMs: Number(ttlMs),
      };
    case -1:
      return { kind: "missing" };
    default:
      return { kind: kind === 0 ? "other" : "left", incarnation: Number(incarnation) };
  }
}

/** Members and tombstones of a service that one primary has, of the given ids, as far as they fit in one reply. */
export interface MemberPart {
  /**
   * The lowest incarnation for a registration that begins now: above all announced ones, and at least the server's
   * clock in ms since 1970.
   */
  readonly nextIncarnation: number;
  /** How many of the ids were looked at, from the first on: at least one. */
  readonly lookedAt: number;
  readonly members: readonly MemberRecord[];
}

/** `ring`: what was registered is cut down to `weight` and `zone`. `ids`: at most `MEMBERS_AT_ONCE_MAX`. */
export function listMembers(
  keys: Keys,
  service: string,
  ids: readonly string[],
  what: "all" | "ring" = "all",
): Call<MemberPart> {
  const args = [keys.memberPrefix(service), what === "ring" ? "ring" : "", PART_BYTES_MAX, ...ids];
  return scriptCall("list-members", [keys.incarnation, keys.reported(service)], args, (reply) => {
    const [next, lookedAt, ...members] = reply as [string, number, ...unknown[][]];
    return { nextIncarnation: Number(next), lookedAt, members: members.map(parseMember) };
  });
}

/** How many members each service has. `services`: at most `SERVICES_AT_ONCE_MAX`. */
export function countMembers(keys: Keys, services: readonly string[]): Call<number[]> {
  const sets = services.flatMap((service) => [keys.members(service), keys.left(service)]);
  return scriptCall("count-members", sets, [], (reply) => (reply as [number][]).map(([count]) => count));
}

function parseMember(fields: readonly unknown[]): MemberRecord {
  const [id, incarnation, revision, left, nonce, ttlMs, expiresInMs, heartbeatAgeMs, registered, reported] =
    fields as string[];
  return {
    id: id as string,
    incarnation: Number(incarnation),
    revision: Number(revision),
    left: left === "1",
    nonce: nonce as string,
    ttlMs: Number(ttlMs),
    expiresInMs: Number(expiresInMs),
    heartbeatAgeMs: Number(heartbeatAgeMs),
    registered: registered as string,
    reported: Number(reported) === 1,
  };
}

/** Maximum members in one reply: a millisecond of a primary's time. */
export const MEMBERS_AT_ONCE_MAX = 250;
/** Bytes after which a reply takes no more members: it fits in a socket's buffers, and is parsed within a ms or two. */
const PART_BYTES_MAX = 256 * 1024;
/** Maximum services in one reply: a millisecond of a primary's time. */
export const SERVICES_AT_ONCE_MAX = 250;
