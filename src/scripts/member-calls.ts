import { GUARD_MS, GUARDED_MEMBERS_MIN } from "../algorithms/guard.js";
import type { Keys } from "./keys.js";
import { eventText, type MemberEvent, parseEvent } from "./member-event.js";
import { type Call, isOne, scriptCall } from "./scripts.js";

/** A member, or a member's tombstone, as one primary stores it. */
export interface MemberRecord {
  readonly id: string;
  readonly incarnation: number;
  readonly revision: number;
  readonly left: boolean;
  /** It expired: this primary's deadline had passed, or another's. */
  readonly expired: "own" | "copied" | null;
  /** Distinguishes two registrations with the same incarnation. Made of the memberKey, which it does not tell: member-key.ts. */
  readonly nonce: string;
  readonly ttlMs: number;
  /** Time until this primary's deadline, ms; below zero where it has passed. Of a tombstone: until it ends. */
  readonly expiresInMs: number;
  readonly heartbeatAgeMs: number;
  /** What was registered, as JSON. */
  readonly registered: string;
  /** `restarting`: its process has ended, and its place is kept for the next. */
  readonly status: "up" | "draining" | "restarting";
  /** Distinguishes two changes that made the same revision; empty: no change has been made since the registration. */
  readonly change: string;
  /** Time after which it ends, whatever its heartbeats do, ms; null: it has no such end. */
  readonly endsInMs: number | null;
  /** Of a tombstone: for how long it has been one, ms; null: not known. Missing: it is live. */
  readonly goneForMs?: number | null;
  readonly event: MemberEvent;
  /** Whether others have reported it: then it may be suspect. Missing: not known. */
  readonly reported?: boolean;
  /**
   * Why it may be dead, though nobody can say that it has expired: of the primaries that answered, some say so (`doubtful`), or
   * a guard keeps it. Missing: it is alive.
   */
  readonly doubt?: "doubtful" | "guarded";
  /** The load that the last heartbeat with one reported, as JSON; empty: none did. */
  readonly load: string;
}

/** Tells a primary that is readmitted what was announced to others. */
export function announceIncarnation(keys: Keys, incarnation: number): Call<void> {
  return scriptCall("announce-incarnation", [keys.incarnation], [incarnation]);
}

/**
 * Sent to a majority before the first record of an incarnation is put, so that later registrations are above it. False: this
 * incarnation of the member, or a later one, is another registration's.
 */
export function claimIncarnation(
  keys: Keys,
  service: string,
  { id, incarnation, nonce }: Pick<MemberRecord, "id" | "incarnation" | "nonce">,
): Call<boolean> {
  const used = [keys.incarnation, keys.member(service, id)];
  return scriptCall("claim-incarnation", used, [incarnation, nonce, CLAIM_MS], isOne);
}

/** The outcome of a claim at one primary: `revision` is claimed, or the next one above it may be. */
export interface Claim {
  readonly claimed: boolean;
  readonly revision: number;
}

/** Sent to a majority before a change of a record is put. `changed`: the record with its new revision. */
export function claimChange(
  keys: Keys,
  service: string,
  from: MemberRecord,
  changed: MemberRecord,
): Call<Claim> {
  const args = [from.incarnation, from.revision, changed.revision, changed.change, CLAIM_MS];
  return scriptCall("claim-change", [keys.member(service, from.id)], args, (reply) => {
    const [claimed, revision] = reply as [number, string];
    return { claimed: claimed === 1, revision: Number(revision) };
  });
}

/** A change is stored only where it was claimed. A record that a majority have replaces tombstones of one that expired. */
export type PutWhat = "record" | "change" | "majority's";

/** `superseded`: the stored incarnation that is in the way; null: the record was stored. */
export function putMember(
  keys: Keys,
  service: string,
  record: MemberRecord,
  what: PutWhat = "record",
): Call<{ superseded: number | null }> {
  const { id, incarnation, revision, nonce, ttlMs, expiresInMs, registered, heartbeatAgeMs } = record;
  const { status, change, endsInMs, goneForMs } = record;
  const left = record.left ? "1" : record.expired ? "2" : "0";
  const life = [ttlMs, expiresInMs, registered, heartbeatAgeMs];
  const ends = (left === "0" ? endsInMs : goneForMs) ?? "";
  const changed = [status, change, ends, PUT_CODES[what]];
  return scriptCall(
    "put-member",
    [
      keys.member(service, id),
      keys.members(service),
      keys.services,
      keys.left(service),
      keys.expiring,
      keys.events(service),
    ],
    [service, id, incarnation, revision, left, nonce, ...life, ...changed, eventText(record.event)],
    (reply) => {
      const [stored, incarnation] = reply as [number, string?];
      return { superseded: stored === 1 ? null : Number(incarnation) };
    },
  );
}

/** The member that a heartbeat kept alive. */
export type Pulse = Pick<MemberRecord, "incarnation" | "revision" | "ttlMs">;

export type HeartbeatVote =
  /** `hasLeases`: some are bound to it; told only to a heartbeat with a nonce. */
  | ({ readonly kind: "renewed"; readonly hasLeases: boolean } & Pulse)
  | { readonly kind: "other" | "left" | "wrong-key"; readonly incarnation: number }
  | { readonly kind: "expired"; readonly incarnation: number; readonly revision: number }
  | { readonly kind: "missing" };

/** The heartbeat of one member. */
export interface Heartbeat {
  readonly service: string;
  readonly id: string;
  /** Without it: for the stored one, whichever it is. */
  readonly incarnation?: number | undefined;
  /** The load that the member reports, as JSON; without it the stored one stays. */
  readonly load?: string | undefined;
  /** The nonce that the registration must have: its caller knows the memberKey. Only with `incarnation`; without it, anybody may. */
  readonly nonce?: string | undefined;
}

/** The votes are in the order of the heartbeats. */
export function heartbeat(keys: Keys, heartbeats: readonly Heartbeat[]): Call<HeartbeatVote[]> {
  const byService = new Map<string, number[]>();
  for (const [index, { service }] of heartbeats.entries()) {
    const indices = byService.get(service);
    if (indices) indices.push(index);
    else byService.set(service, [index]);
  }
  const used = [keys.services, keys.expiring];
  const args = [keys.boundPrefix];
  for (const [service, indices] of byService) {
    used.push(keys.members(service), keys.left(service));
    let text = "";
    for (const index of indices) {
      const { id, incarnation = "", load = "", nonce = "" } = heartbeats[index] as Heartbeat;
      text += `${id}\n${incarnation}\n${load}\n${nonce}\n`;
    }
    args.push(service, keys.memberPrefix(service), text);
  }
  const order = [...byService.values()].flat();
  return scriptCall("heartbeat", used, args, (reply) => {
    const votes = new Array<HeartbeatVote>(order.length);
    for (const [place, line] of (reply as string).split("\n").entries())
      votes[order[place] as number] = toHeartbeatVote(line);
    return votes;
  });
}

function toHeartbeatVote(line: string): HeartbeatVote {
  const [kind, incarnation, revision, ttlMs, hasLeases] = line.split(" ");
  switch (kind) {
    case "1":
      return {
        kind: "renewed",
        incarnation: Number(incarnation),
        revision: Number(revision),
        ttlMs: Number(ttlMs),
        hasLeases: hasLeases === "1",
      };
    case "-1":
      return { kind: "missing" };
    case "-3":
      return { kind: "expired", incarnation: Number(incarnation), revision: Number(revision) };
    case "-4":
      return { kind: "wrong-key", incarnation: Number(incarnation) };
    default:
      return { kind: kind === "0" ? "other" : "left", incarnation: Number(incarnation) };
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
  /** For how long members are held back whose time is over, ms; 0: they are not. */
  readonly guardEndsInMs: number;
  readonly members: readonly MemberRecord[];
}

/** No share is above it. */
const NEVER_GUARDED = 100;

/** `ring`: what was registered is cut down to `weight` and `zone`. `ids`: at most `MEMBERS_AT_ONCE_MAX`. */
export function listMembers(
  keys: Keys,
  service: string,
  ids: readonly string[],
  what: "all" | "ring" = "all",
  guardPercent = NEVER_GUARDED,
): Call<MemberPart> {
  const guarding = [guardPercent, GUARDED_MEMBERS_MIN];
  const args = [
    keys.memberPrefix(service),
    what === "ring" ? "ring" : "",
    PART_BYTES_MAX,
    ...guarding,
    ...ids,
  ];
  const sets = [keys.reported(service), keys.guard(service), keys.members(service), keys.left(service)];
  return scriptCall("list-members", [keys.incarnation, ...sets], args, (reply) => {
    const [next, lookedAt, held, time, ...texts] = reply as [string, number, number, string, ...string[]];
    const nowMs = Number(time);
    const guardEndsInMs = held === -1 ? GUARD_MS : Number(held);
    const members = texts.map((text) => parseMember(text, nowMs));
    return { nextIncarnation: Number(next), lookedAt, guardEndsInMs, members };
  });
}

/** How many members each service has. `services`: at most `SERVICES_AT_ONCE_MAX`. */
export function countMembers(keys: Keys, services: readonly string[]): Call<number[]> {
  const sets = services.flatMap((service) => [keys.members(service), keys.left(service)]);
  return scriptCall("count-members", sets, [], (reply) => (reply as [number][]).map(([count]) => count));
}

/** `nowMs`: by the clock of the primary. */
function parseMember(text: string, nowMs: number): MemberRecord {
  const [incarnation, revision, left, nonce, ttlMs, heartbeat, registered, ...more] = text.split(
    "\n",
  ) as Lines;
  const [status, change, ends, event, deadline, copied, load, gone, reported, id] = more;
  return {
    id,
    incarnation: Number(incarnation),
    revision: Number(revision),
    left: left === "1",
    expired: left === "2" ? (copied === "1" ? "copied" : "own") : null,
    nonce,
    ttlMs: Number(ttlMs),
    expiresInMs: Number(deadline) - nowMs,
    heartbeatAgeMs: nowMs - Number(heartbeat),
    registered,
    status: status === "" ? "up" : status,
    change,
    endsInMs: ends === "" ? null : Number(ends) - nowMs,
    ...(left !== "0" && { goneForMs: gone === "" ? null : nowMs - Number(gone) }),
    event: parseEvent(event, { left: left === "1", revision: Number(revision) }),
    reported: reported === "1",
    load,
  };
}

/** As list-members.lua has them. */
type Lines = [string, string, string, string, string, string, string, MemberRecord["status"] | "", ...Rest];
type Rest = [string, string, string, string, string, string, string, string, string];

const PUT_CODES: Readonly<Record<PutWhat, string>> = { record: "", change: "1", "majority's": "2" };
/** Longer than any claim is of use: an operation ends within a few command timeouts. */
const CLAIM_MS = 10_000;
/** A tombstone outlives every live record of its incarnation that a primary may still have. */
export const TOMBSTONE_MARGIN_MS = 60_000;
/** Maximum members in one reply: a millisecond of a primary's time. */
export const MEMBERS_AT_ONCE_MAX = 250;
/** Bytes after which a reply takes no more members: it fits in a socket's buffers, and is parsed within a ms or two. */
export const PART_BYTES_MAX = 256 * 1024;
/** Maximum services in one reply: a millisecond of a primary's time. */
export const SERVICES_AT_ONCE_MAX = 250;
