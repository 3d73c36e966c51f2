import type { Namespace } from "../namespace.js";
import type { BoundOutcome, MayUse } from "./leases/bound-leases.js";

/** What heartbeats tell of leases, in a namespace. */

export function mayUseIn(namespace: Namespace, mayUse: MayUse | undefined): MayUse | undefined {
  const outer = (name: string) => namespace.outer(name);
  return mayUse && ((kind, names) => mayUse(kind, names.map(outer)));
}

export function boundIn<A extends { readonly leases?: BoundOutcome } | { readonly error: unknown }>(
  namespace: Namespace,
  alive: A,
): A {
  if (!("leases" in alive) || !alive.leases) return alive;
  const { held, lost } = alive.leases;
  const outer = (name: string) => namespace.outer(name);
  const toOuter = <L extends { readonly names: readonly string[] }>(lease: L) => ({
    ...lease,
    names: lease.names.map(outer),
  });
  const leases = {
    held: held.map((lease) => ({ ...toOuter(lease), leaseId: namespace.outer(lease.leaseId) })),
    lost: lost.map(toOuter),
  };
  return { ...alive, leases };
}
