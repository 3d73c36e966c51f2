import type { Namespace } from "../namespace.js";
import { registerName } from "../scripts/register-kinds.js";
import type { NamespacedPrimitives } from "./namespaced.js";
import type { Counters } from "./registers/counters.js";
import type { RegisterEvents } from "./registers/events/register-events.js";
import type { RegisterPages } from "./registers/register-pages.js";
import type { Registers } from "./registers/registers.js";
import type { Transactions } from "./transactions/transactions.js";

/** What is kept in registers, in a namespace. Their names have it in a place of its own: a key may be any text. */

export function registersIn(namespace: Namespace, registers: Registers): NamespacedPrimitives["registers"] {
  const inner = (key: string) => registerName("value", namespace.name, key);
  return {
    get: (key) => registers.get(inner(key)),
    put: (key, ...value) => registers.put(inner(key), ...value),
    delete: (key, request) => registers.delete(inner(key), request),
    inspect: (key) => registers.inspect(inner(key)),
    change: (key, ...until) => registers.change(inner(key), ...until),
  };
}

export function registerPagesIn(
  namespace: Namespace,
  pages: RegisterPages,
): NamespacedPrimitives["registerPages"] {
  const inner = (key: string) => registerName("value", namespace.name, key);
  const outer = (name: string) => name.slice(inner("").length);
  return {
    page: async (beginning, after, most) => {
      const { registers, cursor } = await pages.page(
        inner(beginning),
        after === null ? null : inner(after),
        most,
      );
      return {
        registers: registers.map((one) => ({ ...one, name: outer(one.name) })),
        cursor: cursor === null ? null : outer(cursor),
      };
    },
  };
}

export function registerEventsIn(
  namespace: Namespace,
  events: RegisterEvents,
): NamespacedPrimitives["registerEvents"] {
  const inner = (key: string) => registerName("value", namespace.name, key);
  const keyOf = (name: string) => name.slice(inner("").length);
  return {
    watch: (beginning, isFor) => events.watch(inner(beginning), (name) => isFor(keyOf(name))),
    keyOf,
  };
}

export function countersIn(namespace: Namespace, counters: Counters): NamespacedPrimitives["counters"] {
  const inner = (name: string) => registerName("counter", namespace.name, name);
  return {
    get: (name) => counters.get(inner(name)),
    add: (name, ...by) => counters.add(inner(name), ...by),
  };
}

export function transactionsIn(
  namespace: Namespace,
  transactions: Transactions,
): NamespacedPrimitives["transactions"] {
  const inner = (id: string) => registerName("transaction", namespace.name, id);
  return {
    newId: () => transactions.newId(),
    isOld: (id) => transactions.isOld(inner(id)),
    begin: (id, ...terms) => transactions.begin(inner(id), ...terms),
    vote: (id, ...its) => transactions.vote(inner(id), ...its),
    abort: (id, reason) => transactions.abort(inner(id), reason),
    acknowledge: (id, participant) => transactions.acknowledge(inner(id), participant),
    get: (id) => transactions.get(inner(id)),
    decided: (id, ...until) => transactions.decided(inner(id), ...until),
  };
}
