import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Keys } from "./keys.js";

/** One script of lua/, with the common prelude in front. */
export interface Script {
  readonly name: string;
  readonly text: string;
  readonly sha1: string;
}

/** A script with what it is called with. The primary puts its own KEYS[1] and ARGV[1] (the fence) in front. */
export interface Call<T> {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  /** Turns the reply, as the header of the Lua file describes it, into a value. */
  readonly parse: (reply: unknown) => T;
}

/** Names of the files in lua/, without the prelude. */
const NAMES = [
  "acquire-lock",
  "raise-lock",
  "renew-lock",
  "release-lock",
  "abandon-lock",
  "inspect-lock",
  "put-member",
  "heartbeat",
  "list-members",
  "list-services",
  "prepare",
  "accept",
  "commit-configuration",
  "admit",
  "hand-over",
  "restore-counters",
  "restore-tombstones",
  "drop-holds",
  "drop-overlong",
  "rotate-counters",
] as const;

const read = (name: string) => readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), "utf8");
const PRELUDE = read("prelude");

/** All scripts by name; loaded once, when the process starts. */
export const SCRIPTS = Object.freeze(
  Object.fromEntries(
    NAMES.map((name) => {
      const text = `${PRELUDE}\n${read(name)}`;
      return [name, Object.freeze({ name, text, sha1: createHash("sha1").update(text).digest("hex") })];
    }),
  ) as Record<(typeof NAMES)[number], Script>,
);

/** Who holds a name on one primary, as others may see it. */
export interface Hold {
  /** SHA-1 of the leaseId: tells two leases apart without giving the secret away. */
  readonly digest: string;
  readonly expiresInMs: number;
  readonly mode: string;
  readonly owner: string;
  readonly metadata: string;
  /** The counter at the grant. */
  readonly grantedAt: number;
  readonly heldForMs: number;
}

export type AcquireVote =
  | { readonly kind: "granted"; readonly counter: number }
  | { readonly kind: "held"; readonly hold: Hold }
  | { readonly kind: "gone" }
  /** The primary came back without its data and grants no new lease for so long. */
  | { readonly kind: "quarantined"; readonly forMs: number };

/** A lease, by what it is for and its secret. */
export interface LeaseName {
  readonly resource: string;
  readonly leaseId: string;
}

export interface LeaseAttempt extends LeaseName {
  /** Tells this attempt from others for the same lease. */
  readonly nonce: string;
}

export interface AcquireTerms {
  readonly ttlMs: number;
  readonly mode: string;
  readonly owner: string;
  readonly metadata: string;
  /** The caller chose the leaseId and may repeat the request. */
  readonly chosen: boolean;
}

export function acquireLock(keys: Keys, attempt: LeaseAttempt, terms: AcquireTerms): Call<AcquireVote> {
  const { resource, leaseId, nonce } = attempt;
  return {
    script: SCRIPTS["acquire-lock"],
    keys: [
      keys.hold(resource),
      keys.counters,
      keys.countersOlder,
      keys.goneLease(leaseId),
      keys.goneAttempt(leaseId, nonce),
    ],
    args: [
      resource,
      leaseId,
      nonce,
      terms.ttlMs,
      terms.mode,
      terms.owner,
      terms.metadata,
      terms.chosen ? "1" : "",
    ],
    parse: (reply) => {
      const [granted, second, ...rest] = reply as [number, string, ...unknown[]];
      if (granted === 1) return { kind: "granted", counter: Number(second) };
      if (second === "quarantined") return { kind: "quarantined", forMs: Number(rest[0]) };
      return second === "held" ? { kind: "held", hold: parseHold(rest) } : { kind: "gone" };
    },
  };
}

/** The counter after the raise; null when the attempt holds nothing here. */
export function raiseLock(keys: Keys, attempt: LeaseAttempt, to: number): Call<number | null> {
  return {
    script: SCRIPTS["raise-lock"],
    keys: [keys.hold(attempt.resource), keys.counters, keys.countersOlder],
    args: [attempt.resource, attempt.nonce, String(to)],
    parse: (reply) => {
      const [raised, counter] = reply as [number, string?];
      return raised === 1 ? Number(counter) : null;
    },
  };
}

export interface LeaseRenewal extends LeaseName {
  readonly token: number;
  readonly ttlMs: number;
}

/** What a renewed lease was acquired with. */
export interface Renewal {
  readonly mode: string;
  readonly owner: string;
  readonly metadata: string;
}

/** Null when this primary refuses to extend the lease. */
export function renewLock(keys: Keys, lease: LeaseRenewal): Call<Renewal | null> {
  return {
    script: SCRIPTS["renew-lock"],
    keys: [keys.hold(lease.resource)],
    args: [lease.leaseId, String(lease.token), lease.ttlMs],
    parse: (reply) => {
      const [extended, mode, owner, metadata] = reply as [number, string, string, string];
      return extended === 1 ? { mode, owner, metadata } : null;
    },
  };
}

/** Whether the lease held the name here. */
export function releaseLock(
  keys: Keys,
  lease: LeaseName,
  tombstone: { forMs: number; always: boolean },
): Call<boolean> {
  return {
    script: SCRIPTS["release-lock"],
    keys: [keys.hold(lease.resource), keys.goneLease(lease.leaseId)],
    args: [lease.leaseId, tombstone.forMs, tombstone.always ? "1" : ""],
    parse: (reply) => (reply as [number])[0] === 1,
  };
}

/** Whether the hold was freed. `refuseForMs` 0: no message of the attempt can still be under way. */
export function abandonLock(keys: Keys, attempt: LeaseAttempt, refuseForMs: number): Call<boolean> {
  return {
    script: SCRIPTS["abandon-lock"],
    keys: [keys.hold(attempt.resource), keys.goneAttempt(attempt.leaseId, attempt.nonce)],
    args: [attempt.nonce, refuseForMs],
    parse: (reply) => (reply as [number])[0] === 1,
  };
}

export function inspectLock(keys: Keys, resource: string): Call<{ counter: number; hold: Hold | null }> {
  return {
    script: SCRIPTS["inspect-lock"],
    keys: [keys.hold(resource), keys.counters, keys.countersOlder],
    args: [resource],
    parse: (reply) => {
      const [counter, ...rest] = reply as [string, ...unknown[]];
      return { counter: Number(counter), hold: rest.length > 0 ? parseHold(rest) : null };
    },
  };
}

function parseHold(fields: readonly unknown[]): Hold {
  const [digest, expiresInMs, mode, owner, metadata, grantedAt, heldForMs] = fields as [
    string,
    number,
    string,
    string,
    string,
    string,
    number,
  ];
  return { digest, expiresInMs, mode, owner, metadata, grantedAt: Number(grantedAt), heldForMs };
}

/** A member, or the tombstone of one, as one primary stores it. */
export interface MemberRecord {
  readonly id: string;
  readonly incarnation: number;
  readonly revision: number;
  readonly left: boolean;
  /** Tells two registrations of one incarnation apart. */
  readonly nonce: string;
  readonly ttlMs: number;
  /** Time until this record ends by itself, ms. */
  readonly expiresInMs: number;
  readonly heartbeatAgeMs: number;
  /** What was registered, as JSON. */
  readonly registered: string;
}

/** Stored (`superseded: null`), or the incarnation that is in the way. */
export function putMember(
  keys: Keys,
  service: string,
  record: MemberRecord,
): Call<{ superseded: number | null }> {
  return {
    script: SCRIPTS["put-member"],
    keys: [keys.member(service, record.id), keys.members(service), keys.services],
    args: [
      service,
      record.id,
      record.incarnation,
      record.revision,
      record.left ? "1" : "0",
      record.nonce,
      record.ttlMs,
      record.expiresInMs,
      record.registered,
      record.heartbeatAgeMs,
    ],
    parse: (reply) => {
      const [stored, incarnation] = reply as [number, string?];
      return { superseded: stored === 1 ? null : Number(incarnation) };
    },
  };
}

export interface Heartbeat {
  readonly service: string;
  readonly id: string;
  /** Absent: whichever is stored. */
  readonly incarnation?: number | undefined;
}

export type HeartbeatVote =
  | {
      readonly kind: "renewed";
      readonly incarnation: number;
      readonly revision: number;
      readonly ttlMs: number;
    }
  | { readonly kind: "other"; readonly incarnation: number }
  | { readonly kind: "left"; readonly incarnation: number }
  | { readonly kind: "missing" };

export function heartbeat(keys: Keys, beats: readonly Heartbeat[]): Call<HeartbeatVote[]> {
  return {
    script: SCRIPTS.heartbeat,
    keys: [
      keys.services,
      ...beats.flatMap(({ service, id }) => [keys.member(service, id), keys.members(service)]),
    ],
    args: beats.flatMap(({ service, id, incarnation }) => [service, id, incarnation ?? ""]),
    parse: (reply) =>
      (reply as [number, string, string, string][]).map(([kind, incarnation, revision, ttlMs]) => {
        if (kind === 1) {
          return {
            kind: "renewed",
            incarnation: Number(incarnation),
            revision: Number(revision),
            ttlMs: Number(ttlMs),
          };
        }
        if (kind === -1) return { kind: "missing" };
        return { kind: kind === 0 ? "other" : "left", incarnation: Number(incarnation) };
      }),
  };
}

/** Members and tombstones of a service (of one id, when given), and the server's clock in ms since 1970. */
export function listMembers(
  keys: Keys,
  service: string,
  id = "",
): Call<{ serverTimeMs: number; members: MemberRecord[] }> {
  return {
    script: SCRIPTS["list-members"],
    keys: [keys.members(service)],
    args: [keys.memberPrefix(service), id],
    parse: (reply) => {
      const [time, ...members] = reply as [string, ...unknown[][]];
      return { serverTimeMs: Number(time), members: members.map(parseMember) };
    },
  };
}

function parseMember(fields: readonly unknown[]): MemberRecord {
  const [id, incarnation, revision, left, nonce, ttlMs, expiresInMs, heartbeatAgeMs, registered] =
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
  };
}

export function listServices(keys: Keys): Call<string[]> {
  return {
    script: SCRIPTS["list-services"],
    keys: [keys.services],
    args: [],
    parse: (reply) => reply as string[],
  };
}
