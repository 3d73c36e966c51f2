import type { Namespace } from "../namespace.js";
import { registerName } from "../scripts/register-kinds.js";
import type { NamespacedPrimitives } from "./namespaced.js";
import type { Counters } from "./registers/counters.js";
import type { RegisterTransactions } from "./registers/register-transactions.js";
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

export function registerTransactionsIn(
  namespace: Namespace,
  transactions: RegisterTransactions,
): NamespacedPrimitives["registerTransactions"] {
  const inner = (key: string) => registerName("value", namespace.name, key);
  const before = inner("").length;
  const outer = <T>(all: ReadonlyMap<string, T>) =>
    new Map([...all].map(([name, value]) => [name.slice(before), value]));
  return {
    commit: async (request) => {
      const parts = request.parts.map((part) => ({ ...part, name: inner(part.name) }));
      const outcome = await transactions.commit({ ...request, parts });
      switch (outcome.kind) {
        case "committed":
          return { ...outcome, changed: outer(outcome.changed), found: outer(outcome.found) };
        case "repeated":
          return { ...outcome, changed: outer(outcome.changed) };
        case "mismatch":
          return { ...outcome, name: outcome.name.slice(before) };
        case "key_mismatch":
          return outcome;
      }
    },
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
