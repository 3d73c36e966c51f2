import type { Context } from "hono";
import type { Kind } from "../../access/grants.js";
import type { MayUse } from "../../primitives/leases/bound-leases.js";
import type { MemberProof } from "../../primitives/leases/lease-terms.js";
import { lacks, permittedOf } from "../access/authorization.js";
import type { Env } from "../context.js";

/**
 * The member that a lease is to be bound to, if any: only a caller who may use its service learns whether there is one. Throws
 * `forbidden`.
 */
export function memberOf(c: Context<Env>, member: MemberProof | undefined): MemberProof | undefined {
  if (member) assertMayUse(c, "members", [member.service]);
  return member;
}

/** Of what a request names besides what its route is about. Throws `forbidden`. */
export function assertMayUse(c: Context<Env>, kind: Kind, names: readonly string[]): void {
  assertMay(c, "use", kind, names);
}

/** Of what a request reads besides what its route does. Throws `forbidden`. */
export function assertMayRead(c: Context<Env>, kind: Kind, names: readonly string[]): void {
  assertMay(c, "read", kind, names);
}

function assertMay(c: Context<Env>, action: "use" | "read", kind: Kind, names: readonly string[]): void {
  if (names.length === 0) return;
  const { principal, namespace } = permittedOf(c);
  const missing = principal.grants.missing({ namespace, kind, names, action });
  if (missing) throw lacks(missing);
}

/** Which leases heartbeats of this caller may renew: a memberKey gives no right that the caller's own key lacks. */
export function leasesOf(c: Context<Env>): MayUse {
  const { principal, namespace } = permittedOf(c);
  return (kind, names) => !principal.grants.missing({ namespace, kind, names, action: "use" });
}
