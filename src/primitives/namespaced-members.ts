import type { Namespace } from "../namespace.js";
import type { Heartbeat } from "../scripts/member-calls.js";
import type { BoundOutcome, MayUse } from "./leases/bound-leases.js";
import type { Membership } from "./members/membership.js";
import type { MemberLists, NamespacedPrimitives } from "./namespaced.js";

/** Members belong to a service: only its name has the namespace. */
export function membershipIn(
  namespace: Namespace,
  membership: Membership,
): NamespacedPrimitives["membership"] {
  const inner = (service: string) => namespace.inner(service);
  const innerBeat = (one: Heartbeat) => ({ ...one, service: inner(one.service) });
  return {
    register: (service, ...member) => membership.register(inner(service), ...member),
    heartbeat: async (one, mayUse) =>
      boundIn(namespace, await membership.heartbeat(innerBeat(one), mayUseIn(namespace, mayUse))),
    heartbeats: async (all, mayUse) => {
      const outcomes = await membership.heartbeats(all.map(innerBeat), mayUseIn(namespace, mayUse));
      return outcomes.map((outcome) => boundIn(namespace, outcome));
    },
    update: (service, ...change) => membership.update(inner(service), ...change),
    leave: (service, id, how) => membership.leave(inner(service), id, how),
    list: (service) => membership.list(inner(service)),
    get: (service, id) => membership.get(inner(service), id),
    services: async (after, limit) => {
      const { services, cursor } = await membership.services(after && inner(after), limit, namespace);
      return {
        services: services.map(({ service, members }) => ({ service: namespace.outer(service), members })),
        cursor: cursor && namespace.outer(cursor),
      };
    },
  };
}

export function memberListsIn(namespace: Namespace, { pages, listWatches }: Membership): MemberLists {
  const inner = (service: string) => namespace.inner(service);
  return {
    page: (service, ...which) => pages.page(inner(service), ...which),
    first: (service, ...which) => pages.first(inner(service), ...which),
    change: (service, ...until) => listWatches.change(inner(service), ...until),
  };
}

export function suspicionsIn(
  namespace: Namespace,
  { suspicions }: Membership,
): NamespacedPrimitives["suspicions"] {
  return {
    reportByPeer: (service, id, report) => suspicions.reportByPeer(namespace.inner(service), id, report),
  };
}

/** What heartbeats tell of leases. */
function mayUseIn(namespace: Namespace, mayUse: MayUse | undefined): MayUse | undefined {
  const outer = (name: string) => namespace.outer(name);
  return mayUse && ((kind, names) => mayUse(kind, names.map(outer)));
}

function boundIn<A extends { readonly leases?: BoundOutcome } | { readonly error: unknown }>(
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
