import type { Namespace } from "../namespace.js";
import type { Membership } from "./members/membership.js";
import type { MemberLists, NamespacedPrimitives } from "./namespaced.js";

/** Members belong to a service: only its name has the namespace. */
export function membershipIn(
  namespace: Namespace,
  membership: Membership,
): NamespacedPrimitives["membership"] {
  const inner = (service: string) => namespace.inner(service);
  return {
    register: (service, ...member) => membership.register(inner(service), ...member),
    heartbeat: (one) => membership.heartbeat({ ...one, service: inner(one.service) }),
    heartbeats: (all) => membership.heartbeats(all.map((one) => ({ ...one, service: inner(one.service) }))),
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
