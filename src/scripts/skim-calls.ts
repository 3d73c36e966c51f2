import type { Keys } from "./keys.js";
import { MEMBERS_AT_ONCE_MAX, type MemberRecord, PART_BYTES_MAX } from "./member-calls.js";
import { type Call, scriptCall } from "./scripts.js";

/** What a list shows of a member. */
export type ListedRecord = Pick<
  MemberRecord,
  | "id"
  | "incarnation"
  | "revision"
  | "ttlMs"
  | "heartbeatAgeMs"
  | "registered"
  | "status"
  | "endsInMs"
  | "load"
  | "reported"
  | "doubt"
>;

/** What one primary has of some members, as it sent it: to make objects of all of it would cost more than to compare it. */
export interface Skimmed {
  /** How many of the ids were looked at, from the first on: at least one. */
  readonly lookedAt: number;
  /** By the clock of the primary, ms. */
  readonly nowMs: number;
  /** `width` for each id, those of `FIELD` first. */
  readonly fields: readonly string[];
  readonly width: number;
}

/** Where the fields of a member are, from its first one on. Those from `ttl` on are there where all was asked for. */
export const FIELD = {
  incarnation: 0,
  revision: 1,
  left: 2,
  heartbeat: 3,
  deadline: 4,
  load: 5,
  reported: 6,
  ttl: 7,
  registered: 8,
  status: 9,
  ends: 10,
} as const;

/** `all`: what a list shows. `same`: only what tells whether another primary has the same. `ids`: the first 250 of them are asked for. */
export function skimMembers(
  keys: Keys,
  service: string,
  ids: readonly string[],
  what: "all" | "same",
): Call<Skimmed> {
  const isAll = what === "all";
  const args = [keys.memberPrefix(service), isAll ? "1" : "", PART_BYTES_MAX];
  const asked = ids.slice(0, MEMBERS_AT_ONCE_MAX);
  return scriptCall("skim-members", [keys.reported(service)], [...args, ...asked], (reply) => {
    const [lookedAt, time, text] = reply as [number, string, string];
    const width = isAll ? WIDTH : SAME_WIDTH;
    return { lookedAt, nowMs: Number(time), fields: text.split("\n"), width };
  });
}

const WIDTH = 11;
const SAME_WIDTH = 7;
