import type { Namespace } from "../namespace.js";
import type { Elections } from "./election.js";
import type { Held, LeaseRequest } from "./leases/lease-terms.js";
import type { Locks } from "./lock.js";
import type { MemberEvents } from "./members/events/member-events.js";
import type { ListWatches } from "./members/list-watches.js";
import type { MemberPages } from "./members/member-pages.js";
import type { Membership } from "./members/membership.js";
import type { Suspicions } from "./members/suspicions.js";
import { hooksIn } from "./namespaced-hooks.js";
import { memberListsIn, membershipIn, suspicionsIn } from "./namespaced-members.js";
import {
  allOnRegistersIn,
  barriersIn,
  consensusElectionsIn,
  countersIn,
  latchesIn,
  type NamespacedOnRegisters,
  type OnRegisters,
  registerEventsIn,
  registerPagesIn,
  registersIn,
  registerTransactionsIn,
  transactionEventsIn,
  transactionPagesIn,
  transactionsIn,
} from "./namespaced-registers.js";
import type { Picks } from "./picks/picks.js";
import type { Owners } from "./rings/owners.js";
import type { Semaphores } from "./semaphore.js";

/** The primitives of an instance, by the inner names of all namespaces. */
export interface Primitives extends OnRegisters {
  readonly locks: Locks;
  readonly semaphores: Semaphores;
  readonly elections: Elections;
  readonly membership: Membership;
  readonly memberEvents: MemberEvents;
  readonly owners: Owners;
  readonly picks: Picks;
}

/** The primitives as one namespace sees them: by the names and leaseIds of the API. */
export interface NamespacedPrimitives extends NamespacedOnRegisters {
  readonly namespace: Namespace;
  readonly locks: Pick<Locks, keyof Locks>;
  readonly semaphores: Pick<Semaphores, keyof Semaphores>;
  readonly elections: Pick<Elections, keyof Elections>;
  readonly membership: Omit<
    Membership,
    "views" | "reads" | "expiry" | "pages" | "listWatches" | "suspicions"
  >;
  readonly memberLists: MemberLists;
  readonly memberEvents: Pick<MemberEvents, "watch" | "history">;
  readonly suspicions: Pick<Suspicions, "reportByPeer">;
  readonly owners: Pick<Owners, "owning" | "timeSlices">;
  readonly picks: Pick<Picks, "pick">;
}

/** Lists of members in pages, and blocking reads of them. */
export type MemberLists = Pick<MemberPages, "page" | "first"> & Pick<ListWatches, "change">;

/**
 * A view of the primitives, made for one request, that keeps nothing. Caches, batches and limits are those of the primitives,
 * by inner names, so that all namespaces together stay within the bounds of one.
 */
export function inNamespace(namespace: Namespace, primitives: Primitives): NamespacedPrimitives {
  if (!namespace.isDefault) return new View(namespace, primitives);
  const { locks, semaphores, elections, membership, memberEvents, owners, picks } = primitives;
  const memberLists = memberListsIn(namespace, membership);
  const { suspicions } = membership;
  const members = { membership, memberLists, memberEvents, suspicions };
  const onRegisters = allOnRegistersIn(namespace, primitives);
  return { namespace, locks, semaphores, elections, ...members, owners, picks, ...onRegisters };
}

/** Each primitive only when it is asked for: a request uses one. */
class View implements NamespacedPrimitives {
  constructor(
    readonly namespace: Namespace,
    private readonly primitives: Primitives,
  ) {}

  get locks() {
    return locksIn(this.namespace, this.primitives.locks);
  }

  get semaphores() {
    return semaphoresIn(this.namespace, this.primitives.semaphores);
  }

  get elections() {
    return electionsIn(this.namespace, this.primitives.elections);
  }

  get membership() {
    return membershipIn(this.namespace, this.primitives.membership);
  }

  get memberLists() {
    return memberListsIn(this.namespace, this.primitives.membership);
  }

  get memberEvents(): NamespacedPrimitives["memberEvents"] {
    const { namespace, primitives } = this;
    const { memberEvents } = primitives;
    return {
      watch: (service, since) => memberEvents.watch(namespace.inner(service), since),
      history: (service, id) => memberEvents.history(namespace.inner(service), id),
    };
  }

  get suspicions() {
    return suspicionsIn(this.namespace, this.primitives.membership);
  }

  get hooks() {
    return hooksIn(this.namespace, this.primitives.hooks);
  }

  get owners() {
    return ownersIn(this.namespace, this.primitives.owners);
  }

  get counters() {
    return countersIn(this.namespace, this.primitives.counters);
  }

  get consensusElections() {
    return consensusElectionsIn(this.namespace, this.primitives.consensusElections);
  }

  get barriers() {
    return barriersIn(this.namespace, this.primitives.barriers);
  }

  get latches() {
    return latchesIn(this.namespace, this.primitives.latches);
  }

  get registers() {
    return registersIn(this.namespace, this.primitives.registers);
  }

  get registerEvents() {
    return registerEventsIn(this.namespace, this.primitives.registerEvents);
  }

  get registerTransactions() {
    return registerTransactionsIn(this.namespace, this.primitives.registerTransactions);
  }

  get registerPages() {
    return registerPagesIn(this.namespace, this.primitives.registerPages);
  }

  get transactionPages() {
    return transactionPagesIn(this.namespace, this.primitives.transactionPages);
  }

  get transactionEvents() {
    return transactionEventsIn(this.namespace, this.primitives.transactionEvents);
  }

  get transactions() {
    return transactionsIn(this.namespace, this.primitives.transactions);
  }

  get picks() {
    return picksIn(this.namespace, this.primitives.picks);
  }
}

function locksIn(namespace: Namespace, locks: Locks): NamespacedPrimitives["locks"] {
  const inner = (name: string) => namespace.inner(name);
  const outer = (name: string) => namespace.outer(name);
  const toOuter = <L extends Leased & { readonly names: readonly string[] }>(lease: L): L => ({
    ...outerLease(namespace, lease),
    names: lease.names.map(outer),
  });
  return {
    acquire: async (request) =>
      granted(
        await locks.acquire({ ...innerRequest(namespace, request), names: request.names.map(inner) }),
        toOuter,
      ),
    renew: async (request) =>
      toOuter(await locks.renew({ ...innerLease(namespace, request), names: request.names.map(inner) })),
    release: (names, leaseId) => locks.release(names.map(inner), inner(leaseId)),
    inspect: (name) => locks.inspect(inner(name)),
    holders: (name, cursor, limit) => locks.holders(inner(name), cursor, limit),
    check: (name, fencingToken) => locks.check(inner(name), fencingToken),
    break: (name, reason, mayBreak) =>
      locks.break(inner(name), reason, mayBreak && ((other) => mayBreak(outer(other)))),
    list: async (prefix, after, most) => {
      const page = await locks.list(inner(prefix), after === "" ? "" : inner(after), most);
      return {
        locks: page.locks.map((lock) => ({ ...lock, name: outer(lock.name) })),
        cursor: page.cursor === null ? null : outer(page.cursor),
      };
    },
  };
}

function semaphoresIn(namespace: Namespace, semaphores: Semaphores): NamespacedPrimitives["semaphores"] {
  const inner = (name: string) => namespace.inner(name);
  return {
    acquire: async (request) =>
      granted(
        await semaphores.acquire({ ...innerRequest(namespace, request), name: inner(request.name) }),
        (lease) => outerNamed(namespace, lease),
      ),
    renew: async (request) =>
      outerNamed(
        namespace,
        await semaphores.renew({ ...innerLease(namespace, request), name: inner(request.name) }),
      ),
    release: (name, leaseId) => semaphores.release(inner(name), inner(leaseId)),
    inspect: (name, page) => semaphores.inspect(inner(name), page),
    setLimit: (name, limit) => semaphores.setLimit(inner(name), limit),
  };
}

function electionsIn(namespace: Namespace, elections: Elections): NamespacedPrimitives["elections"] {
  const inner = (name: string) => namespace.inner(name);
  return {
    campaign: async (request) =>
      granted(
        await elections.campaign({ ...innerRequest(namespace, request), name: inner(request.name) }),
        (lease) => outerNamed(namespace, lease),
      ),
    renew: async (request) =>
      outerNamed(
        namespace,
        await elections.renew({ ...innerLease(namespace, request), name: inner(request.name) }),
      ),
    proclaim: (request) =>
      elections.proclaim({ ...innerLease(namespace, request), name: inner(request.name) }),
    resign: (name, leaseId) => elections.resign(inner(name), inner(leaseId)),
    inspect: (name) => elections.inspect(inner(name)),
    change: (name, ...until) => elections.change(inner(name), ...until),
  };
}

function ownersIn(namespace: Namespace, owners: Owners): NamespacedPrimitives["owners"] {
  return {
    timeSlices: owners.timeSlices,
    owning: (service, replicas) => owners.owning(namespace.inner(service), replicas),
  };
}

function picksIn(namespace: Namespace, picks: Picks): NamespacedPrimitives["picks"] {
  return { pick: (service, request) => picks.pick(namespace.inner(service), request) };
}

/** What belongs to a lease, by its leaseId. */
interface Leased {
  readonly leaseId: string;
}

function innerLease<R extends Leased>(namespace: Namespace, request: R): R {
  return { ...request, leaseId: namespace.inner(request.leaseId) };
}

/** A request for a lease, whose leaseId is generated in the namespace if the caller chose none. */
function innerRequest<R extends Pick<LeaseRequest, "leaseId" | "member">>(namespace: Namespace, request: R) {
  const leaseId = request.leaseId === undefined ? undefined : namespace.inner(request.leaseId);
  const member = request.member && { ...request.member, service: namespace.inner(request.member.service) };
  return { ...request, leaseId, member, namespace };
}

function outerLease<L extends Leased>(namespace: Namespace, lease: L): L {
  return { ...lease, leaseId: namespace.outer(lease.leaseId) };
}

function outerNamed<L extends Leased & { readonly name: string }>(namespace: Namespace, lease: L): L {
  return { ...outerLease(namespace, lease), name: namespace.outer(lease.name) };
}

function granted<L>(
  outcome: { readonly kind: "acquired"; readonly lease: L } | Held,
  toOuter: (lease: L) => L,
): { readonly kind: "acquired"; readonly lease: L } | Held {
  return outcome.kind === "held" ? outcome : { ...outcome, lease: toOuter(outcome.lease) };
}
