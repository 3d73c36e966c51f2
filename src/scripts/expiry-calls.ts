import { GUARDED_MEMBERS_MIN } from "../algorithms/guard.js";
import type { Keys } from "./keys.js";
import { TOMBSTONE_MARGIN_MS } from "./member-calls.js";
import { type Call, scriptCall } from "./scripts.js";

/** A member that a primary has turned into a tombstone. */
export interface ExpiredMember {
  readonly service: string;
  readonly id: string;
}

export interface ExpiryPart {
  /** When the next part is due; null: nothing is, as far as is known. */
  readonly nextInMs: number | null;
  readonly expired: readonly ExpiredMember[];
  /** Services of which so many members would have expired together that none has. */
  readonly toGuard: readonly string[];
}

/** Turns members whose deadline has passed into tombstones, a bounded part of them. */
export function expireMembers(keys: Keys, guardPercent: number): Call<ExpiryPart> {
  const prefixes = [keys.memberPrefix(), keys.members(""), keys.left("")];
  const bounds = [TOMBSTONE_MARGIN_MS, EXPIRING_SERVICES_MAX, EXPIRING_MEMBERS_MAX, keys.events("")];
  const args = [...prefixes, ...bounds, keys.guard(""), guardPercent, GUARDED_MEMBERS_MIN];
  return scriptCall("expire-members", [keys.expiring, keys.services], args, (reply) => {
    const [next, ...found] = reply as [string, ...[string, string][]];
    return {
      nextInMs: next === "" ? null : Number(next),
      expired: found.flatMap(([service, id]) => (id === "" ? [] : { service, id })),
      toGuard: found.flatMap(([service, id]) => (id === "" ? service : [])),
    };
  });
}

/** Looked at in one call: some tenths of a millisecond of a primary's time. */
const EXPIRING_SERVICES_MAX = 50;
const EXPIRING_MEMBERS_MAX = 50;
