import type { Decided, Transaction } from "../../src/algorithms/two-phase.js";
import { Barriers } from "../../src/primitives/registers/barriers.js";
import type { Changes } from "../../src/primitives/registers/changes.js";
import type { Decision, Moment, State } from "../../src/primitives/registers/proposals.js";
import type { NamedLeases } from "../../src/primitives/transactions/named-leases.js";
import type { Core } from "../../src/service.js";
import type { Canary } from "./canaries.js";
import type { Instance } from "./instance.js";
import { LAST_KEY_ONLY } from "./patched.js";
import { onlyOnRegisters, type Plan, withHook, withLostLeases } from "./plan.js";

const only = (kind: Parameters<typeof onlyOnRegisters>[1]) => (plan: Plan) => onlyOnRegisters(plan, kind);

/** Counters, latches, barriers and transactions across services without one of their rules. */
export const CANARIES_ON_REGISTERS: readonly Canary[] = [
  {
    name: "an addition that is tried again is looked for by the last id alone",
    breaks: ["counters"],
    from: 3,
    replan: only("counters"),
    substitute: LAST_KEY_ONLY,
  },
  {
    name: "a count-down that is tried again counts again",
    breaks: ["latches"],
    from: 3,
    replan: only("latches"),
    change: ({ latches }) => {
      const countDown = latches.countDown.bind(latches);
      latches.countDown = (name) => countDown(name);
    },
  },
  {
    name: "a latch that is made again goes up",
    breaks: ["latches"],
    from: 1,
    replan: only("latches"),
    change: ({ latches, registers }) => {
      latches.put = async (name, count) => {
        const latch = { count, remaining: count };
        await registers.put(name, { json: JSON.stringify(latch), ttlMs: null });
        return { created: true, latch };
      };
    },
  },
  {
    name: "who arrives again counts again",
    breaks: ["barriers"],
    from: 5,
    replan: only("barriers"),
    change: ({ barriers }, { ids }) => {
      const arrive = barriers.arrive.bind(barriers);
      barriers.arrive = (name, arrival, waiting) =>
        arrive(name, { ...arrival, id: `${arrival.id} ${ids.nonce()}` }, waiting);
    },
  },
  {
    name: "who has stopped waiting at a barrier counts on",
    breaks: ["barriers"],
    from: 1,
    // Most come back only when they have long ceased to count.
    replan: (plan) => ({ ...onlyOnRegisters(plan, "barriers"), thinkMs: 200, faults: [], faultsMs: 3_000 }),
    change: ({ barriers }) => {
      const arrive = barriers.arrive.bind(barriers);
      barriers.arrive = (name, arrival, waiting) => arrive(name, { ...arrival, ttlMs: 86_400_000 }, waiting);
    },
  },
  {
    name: "who arrives is noted without compare",
    breaks: ["barriers"],
    from: 3,
    replan: only("barriers"),
    change: (core, instance) => {
      const barriers = new Barriers({
        changes: withoutCompare(core, instance),
        until: core.registers.until.bind(core.registers),
      });
      Object.assign(core, { barriers });
    },
  },
  {
    name: "a late vote aborts what was committed",
    breaks: ["transactions"],
    from: 1,
    replan: only("transactions"),
    change: (core) => {
      const { transactions } = core;
      const vote = transactions.vote.bind(transactions);
      transactions.vote = async (name, participant, its, reason) => {
        if (its === "no") await decide(core, name, "aborted");
        return vote(name, participant, its, reason);
      };
    },
  },
  {
    name: "a decision is forgotten while votes may still come",
    breaks: ["transactions"],
    from: 3,
    replan: only("transactions"),
    change: ({ transactions, registers }) => {
      const acknowledge = transactions.acknowledge.bind(transactions);
      transactions.acknowledge = async (name, participant) => {
        const told = await acknowledge(name, participant);
        if (told.kind === "told" && told.transaction.state === "ended") await registers.delete(name);
        return told;
      };
    },
  },
  {
    name: "a transaction commits without the last yes",
    breaks: ["transactions"],
    from: 1,
    replan: only("transactions"),
    change: (core) => {
      const { transactions } = core;
      const vote = transactions.vote.bind(transactions);
      transactions.vote = async (name, participant, its, reason) => {
        const told = await vote(name, participant, its, reason);
        const isOpen = told.kind === "told" && told.transaction.decision === null;
        const lacking = isOpen ? told.transaction.participants.filter(({ vote: one }) => one === null) : [];
        if (lacking.length !== 1) return told;
        await decide(core, name, "committed");
        return vote(name, participant, its, reason);
      };
    },
  },
  {
    name: "who goes on telling a hook begins with what happens next",
    breaks: ["watchers"],
    from: 1,
    replan: withHook,
    change: ({ hooks, memberEvents }) => {
      const { progress } = hooks;
      const claim = progress.claim.bind(progress);
      progress.claim = async (service, hook, token) => {
        const claimed = await claim(service, hook, token);
        const watch = await memberEvents.watch(service, null);
        const { position } = watch;
        watch.end();
        return claimed && { ...claimed, position };
      };
    },
  },
  {
    name: "a transaction commits without renewing the lease that it names",
    breaks: ["transactions"],
    from: 1,
    replan: withLostLeases,
    change: ({ transactions }) => {
      const { leases } = transactions as unknown as { leases: NamedLeases };
      leases.renew = async () => ({ kind: "held", untilMs: Number.POSITIVE_INFINITY });
    },
  },
];

/** Changes the decision of a transaction, or makes one, whatever there was. */
async function decide({ registers }: Core, name: string, decision: Decided): Promise<void> {
  const register = await registers.get(name);
  if (!register) return;
  const transaction = JSON.parse(register.json) as Transaction;
  const json = JSON.stringify({ ...transaction, state: decision, decision });
  await registers.put(name, { json, ttlMs: 60_000 });
}

/** What is made of a register follows from an earlier read, whatever it has become since. */
export function withoutCompare({ registers }: Core, { clock }: Pick<Instance, "clock">): Changes {
  const change = async <R>(name: string, fn: (state: State, moment: Moment) => Decision<R>) => {
    const nowMs = clock.wallMicros() / 1_000;
    const decision = fn(await registers.state(name), { isOver: false, nowMs, earliestMs: nowMs });
    return registers.changes.change(name, () => decision);
  };
  return { change } as unknown as Changes;
}
