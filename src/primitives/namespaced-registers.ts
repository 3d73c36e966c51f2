import type { Part } from "../algorithms/intent.js";
import type { Namespace } from "../namespace.js";
import { registerName } from "../scripts/register-kinds.js";
import type { ConsensusElections } from "./consensus-elections.js";
import type { Term } from "./election.js";
import type { Hooks } from "./hooks/hooks.js";
import { type HooksOfServices, hooksIn } from "./namespaced-hooks.js";
import type { Barriers } from "./registers/barriers.js";
import type { Counters } from "./registers/counters.js";
import type { RegisterEvents } from "./registers/events/register-events.js";
import type { RegisterWatch } from "./registers/events/register-watch.js";
import type { Latches } from "./registers/latches.js";
import type { RegisterPages } from "./registers/register-pages.js";
import type { RegisterTransactions } from "./registers/register-transactions.js";
import type { Registers } from "./registers/registers.js";
import type { TransactionPage, TransactionPages } from "./transactions/transaction-pages.js";
import type { Transactions } from "./transactions/transactions.js";

/** What is kept in registers, in a namespace. Their names have it in a place of its own: a key may be any text. */

export interface OnRegisters {
  readonly registers: Registers;
  readonly registerPages: RegisterPages;
  readonly registerTransactions: RegisterTransactions;
  readonly registerEvents: RegisterEvents;
  readonly counters: Counters;
  readonly barriers: Barriers;
  readonly latches: Latches;
  readonly transactions: Transactions;
  readonly transactionPages: TransactionPages;
  readonly transactionEvents: RegisterEvents;
  readonly hooks: Hooks;
  readonly consensusElections: ConsensusElections;
}

/** The same as one namespace sees it. */
export interface NamespacedOnRegisters {
  readonly registers: Pick<Registers, "get" | "put" | "delete" | "inspect" | "change" | "lacking">;
  readonly registerPages: Pick<RegisterPages, "page">;
  readonly registerTransactions: Pick<RegisterTransactions, "commit">;
  /** `keyOf`: the key of a register that a watcher is told of. */
  readonly registerEvents: Pick<RegisterEvents, "watch"> & { keyOf(name: string): string };
  readonly counters: Pick<Counters, "get" | "add" | "lacking">;
  readonly barriers: Pick<Barriers, "arrive">;
  readonly latches: Pick<Latches, keyof Latches>;
  readonly hooks: HooksOfServices;
  readonly transactionPages: {
    undecided(prefix: string, after: string | null, most: number): Promise<TransactionPage>;
  };
  /** `idOf`: the id of a transaction by the name of its register. */
  readonly transactionEvents: {
    watch(isFor: (id: string) => boolean): Promise<RegisterWatch>;
    idOf(name: string): string;
  };
  readonly transactions: Omit<Transactions, "end" | "sawStored">;
  readonly consensusElections: Pick<ConsensusElections, keyof ConsensusElections>;
}

export function allOnRegistersIn(namespace: Namespace, primitives: OnRegisters): NamespacedOnRegisters {
  return {
    registers: registersIn(namespace, primitives.registers),
    registerPages: registerPagesIn(namespace, primitives.registerPages),
    registerTransactions: registerTransactionsIn(namespace, primitives.registerTransactions),
    registerEvents: registerEventsIn(namespace, primitives.registerEvents),
    counters: countersIn(namespace, primitives.counters),
    barriers: barriersIn(namespace, primitives.barriers),
    latches: latchesIn(namespace, primitives.latches),
    hooks: hooksIn(namespace, primitives.hooks),
    transactionPages: transactionPagesIn(namespace, primitives.transactionPages),
    transactionEvents: transactionEventsIn(namespace, primitives.transactionEvents),
    transactions: transactionsIn(namespace, primitives.transactions),
    consensusElections: consensusElectionsIn(namespace, primitives.consensusElections),
  };
}

export function registersIn(namespace: Namespace, registers: Registers): NamespacedOnRegisters["registers"] {
  const inner = (key: string) => registerName("value", namespace.name, key);
  return {
    get: (key) => registers.get(inner(key)),
    put: (key, ...value) => registers.put(inner(key), ...value),
    delete: (key, request) => registers.delete(inner(key), request),
    inspect: (key) => registers.inspect(inner(key)),
    change: (key, ...until) => registers.change(inner(key), ...until),
    lacking: (key) => registers.lacking(inner(key)),
  };
}

export function registerTransactionsIn(
  namespace: Namespace,
  transactions: RegisterTransactions,
): NamespacedOnRegisters["registerTransactions"] {
  const inner = (key: string) => registerName("value", namespace.name, key);
  const innerOf = ({ name, term }: Part) =>
    term === undefined ? inner(name) : registerName("election", namespace.name, name);
  const before = inner("").length;
  const outer = <T>(all: ReadonlyMap<string, T>) =>
    new Map([...all].map(([name, value]) => [name.slice(before), value]));
  return {
    commit: async (request) => {
      const parts = request.parts.map((part) => ({ ...part, name: innerOf(part) }));
      const outcome = await transactions.commit({ ...request, parts });
      switch (outcome.kind) {
        case "committed":
          return { ...outcome, changed: outer(outcome.changed), found: outer(outcome.found) };
        case "repeated":
          return { ...outcome, changed: outer(outcome.changed) };
        case "mismatch":
          return { ...outcome, part: request.parts[parts.indexOf(outcome.part)] ?? outcome.part };
        case "key_mismatch":
          return outcome;
      }
    },
  };
}

export function registerPagesIn(
  namespace: Namespace,
  pages: RegisterPages,
): NamespacedOnRegisters["registerPages"] {
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
): NamespacedOnRegisters["registerEvents"] {
  const inner = (key: string) => registerName("value", namespace.name, key);
  const keyOf = (name: string) => name.slice(inner("").length);
  return {
    watch: (beginning, isFor) => events.watch(inner(beginning), (name) => isFor(keyOf(name))),
    keyOf,
  };
}

export function countersIn(namespace: Namespace, counters: Counters): NamespacedOnRegisters["counters"] {
  const inner = (name: string) => registerName("counter", namespace.name, name);
  return {
    get: (name) => counters.get(inner(name)),
    add: (name, ...by) => counters.add(inner(name), ...by),
    lacking: (name) => counters.lacking(inner(name)),
  };
}

export function barriersIn(namespace: Namespace, barriers: Barriers): NamespacedOnRegisters["barriers"] {
  return {
    arrive: (name, ...its) => barriers.arrive(registerName("barrier", namespace.name, name), ...its),
  };
}

export function latchesIn(namespace: Namespace, latches: Latches): NamespacedOnRegisters["latches"] {
  const inner = (name: string) => registerName("latch", namespace.name, name);
  return {
    put: (name, ...count) => latches.put(inner(name), ...count),
    countDown: (name, request) => latches.countDown(inner(name), request),
    get: (name) => latches.get(inner(name)),
    opened: (name, ...until) => latches.opened(inner(name), ...until),
    delete: (name, signal) => latches.delete(inner(name), signal),
  };
}

export function consensusElectionsIn(
  namespace: Namespace,
  elections: ConsensusElections,
): NamespacedOnRegisters["consensusElections"] {
  const inner = (name: string) => registerName("election", namespace.name, name);
  const outer = (term: Term, name: string): Term => ({ ...term, name });
  return {
    campaign: async (request) => {
      const outcome = await elections.campaign({ ...request, name: inner(request.name) });
      return outcome.kind === "held" ? outcome : { ...outcome, lease: outer(outcome.lease, request.name) };
    },
    renew: async (request) =>
      outer(await elections.renew({ ...request, name: inner(request.name) }), request.name),
    proclaim: (request) => elections.proclaim({ ...request, name: inner(request.name) }),
    resign: (name, leaseId) => elections.resign(inner(name), leaseId),
    inspect: (name) => elections.inspect(inner(name)),
    change: (name, ...until) => elections.change(inner(name), ...until),
  };
}

export function transactionPagesIn(
  namespace: Namespace,
  pages: TransactionPages,
): NamespacedOnRegisters["transactionPages"] {
  const group = registerName("transaction", namespace.name, "");
  const outer = (name: string) => name.slice(group.length);
  return {
    undecided: async (prefix, after, most) => {
      const { transactions, cursor } = await pages.undecided(group, prefix, after && group + after, most);
      return {
        transactions: transactions.map((one) => ({ ...one, name: outer(one.name) })),
        cursor: cursor && outer(cursor),
      };
    },
  };
}

export function transactionEventsIn(
  namespace: Namespace,
  events: RegisterEvents,
): NamespacedOnRegisters["transactionEvents"] {
  const group = registerName("transaction", namespace.name, "");
  const idOf = (name: string) => name.slice(group.length);
  return { watch: (isFor) => events.watch(group, (name) => isFor(idOf(name))), idOf };
}

export function transactionsIn(
  namespace: Namespace,
  transactions: Transactions,
): NamespacedOnRegisters["transactions"] {
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
