import type { Keys } from "./keys.js";
import type { LeaseRenewal, Mode } from "./lease-calls.js";
import { type Call, scriptCall } from "./scripts.js";
import type { Parts } from "./set-calls.js";

/** The process that a lease is bound to: one registration of a member, by one that knows its memberKey. */
export interface BoundTo {
  readonly service: string;
  readonly id: string;
  readonly incarnation: number;
  /** Of the registration: member-key.ts. */
  readonly nonce: string;
}

/** A lease in the list of a member: all that renewing it takes. */
export interface BoundLease extends LeaseRenewal {
  readonly mode: Mode;
}

/** What one primary says of binding a lease to a member. */
export type BindVote = "bound" | "unknown" | "superseded" | "wrong-key" | "full";

/** `lease` null: asks only whether one might be bound. `keptMs`: for how long the list is kept. */
export function bindLease(
  keys: Keys,
  member: BoundTo,
  lease: BoundLease | null,
  keptMs: number,
): Call<BindVote> {
  const { service, id, incarnation, nonce } = member;
  const holds = (lease?.resources ?? []).map(keys.hold);
  const bound = lease ? [lease.leaseId, String(lease.token), textOf(lease)] : ["", "0", ""];
  return scriptCall(
    "bind-lease",
    [keys.member(service, id), keys.bound(service, id, incarnation), ...holds],
    [incarnation, nonce, ...bound, BOUND_MAX, keptMs],
    (reply) => {
      const [bound, why] = reply as [number, BindVote];
      return bound === 1 ? "bound" : why;
    },
  );
}

/** A lease in a list as it is stored: its leaseId and its text. */
export type StoredBound = readonly [leaseId: string, text: string];

/** A part of the list of a member; `from`: "0" for the first. */
export function listBound(
  keys: Keys,
  { service, id, incarnation }: BoundTo,
  from: string,
  keptMs: number,
): Call<Parts<StoredBound>> {
  const args = [from, BOUND_AT_ONCE, keptMs];
  return scriptCall("list-bound", [keys.bound(service, id, incarnation)], args, (reply) => {
    const [next, ...found] = reply as [string, ...StoredBound[]];
    return { next: next === "0" ? null : next, found };
  });
}

/** Takes leases that have ended from the list of their member. */
export function unbindLeases(
  keys: Keys,
  { service, id, incarnation }: BoundTo,
  leases: readonly Pick<BoundLease, "leaseId" | "token">[],
): Call<void> {
  const args = leases.flatMap(({ leaseId, token }) => [leaseId, String(token)]);
  return scriptCall("unbind-leases", [keys.bound(service, id, incarnation)], args);
}

/** `leases`: leaseIds and texts of a list, alternating. */
export function restoreBound(list: string, keptMs: number, leases: readonly string[]): Call<void> {
  return scriptCall("restore-bound", [list], [keptMs, ...leases]);
}

function textOf({ ttlMs, mode, resources, queues, fingerprint, limit }: BoundLease): string {
  // Most have queues of their own: then these are not said twice.
  const others = queues.join() === resources.join() ? undefined : queues;
  return JSON.stringify({ ttlMs, mode, resources, queues: others, fingerprint, limit });
}

/** The inverse, of what a primary stores: the token, a space, the text. */
export function parseBound([leaseId, stored]: StoredBound): BoundLease {
  const end = stored.indexOf(" ");
  const lease = JSON.parse(stored.slice(end + 1)) as Omit<BoundLease, "leaseId" | "token">;
  const { queues = lease.resources } = lease;
  return { ...lease, queues, leaseId, token: Number(stored.slice(0, end)) };
}

/** How many leases may be bound to a member. */
export const BOUND_MAX = 256;
/** Leases in one reply, of up to 4 KB each with 16 long names: some tenths of a millisecond of a primary's time. */
export const BOUND_AT_ONCE = 32;
