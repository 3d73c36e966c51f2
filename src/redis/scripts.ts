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
  /** Whether it may wait for the end of this turn of the event loop, to go with others of the same script (together.ts). */
  readonly together?: boolean;
  /** Turns the reply, as the header of the Lua file describes it, into a value. */
  readonly parse: (reply: unknown) => T;
}

/** Names of the files in lua/ that build on leases.lua. */
const LEASE_NAMES = [
  "raise-lock",
  "renew-lock",
  "repair-lock",
  "list-locks",
  "list-holders",
  "proclaim",
  "find-slots",
  "inspect-semaphore",
] as const;

/** And on lines.lua as well. */
const LINE_NAMES = [
  "acquire-lock",
  "release-lock",
  "abandon-lock",
  "inspect-lock",
  "take-ticket",
  "leave-line",
] as const;

/** Names of the other files in lua/, without the prelude. */
const OTHER_NAMES = [
  "keep-waiting",
  "sweep-held",
  "set-limit",
  "announce-incarnation",
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
const LEASES = read("leases");

function load<N extends string>(names: readonly N[], ...before: string[]): Record<N, Script> {
  return Object.fromEntries(
    names.map((name) => {
      const text = [...before, read(name)].join("\n");
      return [name, scriptOf(name, text)];
    }),
  ) as unknown as Record<N, Script>;
}

function scriptOf(name: string, text: string): Script {
  return Object.freeze({ name, text, sha1: createHash("sha1").update(text).digest("hex") });
}

/** All scripts by name; loaded once, when the process starts. */
export const SCRIPTS = Object.freeze({
  ...load(LEASE_NAMES, PRELUDE, LEASES),
  ...load(LINE_NAMES, PRELUDE, LEASES, read("lines")),
  ...load(OTHER_NAMES, PRELUDE),
});

/** Of those that a crowd which is woken, or leaves, calls at once: what runs them several times in one script. By name. */
export const TOGETHER: ReadonlyMap<string, Script> = new Map(
  (["acquire-lock", "leave-line", "take-ticket"] as const).map((name) => {
    const text = read("together").replace("--SCRIPT\n", () => `${SCRIPTS[name].text}\n`);
    return [name, scriptOf(`${name} together`, text)];
  }),
);

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

/** To a majority, before the first record of an incarnation is put: later registrations are above it then. */
export function announceIncarnation(keys: Keys, incarnation: number): Call<void> {
  return {
    script: SCRIPTS["announce-incarnation"],
    keys: [keys.incarnation],
    args: [incarnation],
    parse: () => {},
  };
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

/**
 * Members and tombstones of a service (of one id, when given), and the lowest incarnation for a registration that begins
 * now: above all that were announced, and at least the server's clock in ms since 1970.
 */
export function listMembers(
  keys: Keys,
  service: string,
  id = "",
): Call<{ nextIncarnation: number; members: MemberRecord[] }> {
  return {
    script: SCRIPTS["list-members"],
    keys: [keys.members(service), keys.incarnation],
    args: [keys.memberPrefix(service), id],
    parse: (reply) => {
      const [next, ...members] = reply as [string, ...unknown[][]];
      return { nextIncarnation: Number(next), members: members.map(parseMember) };
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
