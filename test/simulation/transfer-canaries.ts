import { settled, type TransactionRecord } from "../../src/algorithms/intent.js";
import type { State } from "../../src/primitives/registers/proposals.js";
import type { toRegister } from "../../src/primitives/registers/registers.js";
import type { Core } from "../../src/service.js";
import type { Canary } from "./canaries.js";
import { CALM, onlyTransfers, type Plan } from "./plan.js";

const breaks = ["transfers"];

/** Transactions of registers without one of their rules. */
export const TRANSFER_CANARIES: readonly Canary[] = [
  {
    name: "an intent whose transaction is unknown taken for aborted",
    breaks,
    from: 1,
    // Who has committed stops before the intents are cleared; meanwhile somebody is told of it, and readers stop between the
    // register and the record, until that has gone.
    replan: (plan) => ({
      ...looked(plan, { lookers: 8, thinkMs: 10, lastsMs: 2_500 }),
      instances: 3,
      weather: { ...CALM, delayMs: [0.5, 3] },
      faults: [...freezing(25, 30, 0), ...freezing(25, 70, 15)],
    }),
    change: (core) => seeBy(core, (record) => record ?? ABORTED),
  },
  {
    name: "a reader shows the new value of an active transaction",
    breaks,
    from: 1,
    replan: (plan) => ({
      ...looked(plan, { lookers: 6, thinkMs: 20, lastsMs: 1_500 }),
      weather: { ...CALM, delayMs: [0.1, 8] },
    }),
    change: (core) =>
      seeBy(core, (record) => (record?.state === "active" ? { ...record, state: "committed" } : record)),
  },
  {
    name: "what a transaction only reads gets no intent",
    breaks,
    from: 1,
    replan: onlyTransfers,
    change: (core) => {
      const { registerTransactions, registers } = core;
      const commit = registerTransactions.commit.bind(registerTransactions);
      registerTransactions.commit = async (request) => {
        const isNoted = ({ check, write }: (typeof request.parts)[number]) =>
          check !== undefined || write !== undefined;
        const found = new Map<string, ReturnType<typeof toRegister>>();
        for (const part of request.parts)
          if (!isNoted(part)) found.set(part.name, await registers.get(part.name));
        const parts = request.parts.filter(isNoted);
        if (parts.length === 0) return { kind: "committed", changed: new Map(), found };
        const outcome = await commit({ ...request, parts });
        if (outcome.kind !== "committed") return outcome;
        return { ...outcome, found: new Map([...outcome.found, ...found]) };
      };
    },
  },
];

const ABORTED: TransactionRecord = { state: "aborted", names: [], told: "-" };

/** Readers take a record for another one. */
function seeBy(
  { registers }: Core,
  instead: (record: TransactionRecord | null) => TransactionRecord | null,
): void {
  const { intents } = registers;
  const seen = intents.seen.bind(intents);
  intents.seen = async (name, state): Promise<State> => {
    const intent = state.version?.intent;
    if (!intent || !state.version) return state;
    const { version } = await registers.raw(intent.record, true);
    const record = instead(version?.json == null ? null : (JSON.parse(version.json) as TransactionRecord));
    if (!record || record.state === "active") return seen(name, state);
    return { ...state, version: settled(state.version, { ...record, state: record.state }).version };
  };
}

/** Transfers, and many who look at single accounts. */
function looked(
  plan: Plan,
  {
    lookers,
    thinkMs,
    lastsMs,
  }: { readonly lookers: number; readonly thinkMs: number; readonly lastsMs: number },
): Plan {
  return {
    ...onlyTransfers(plan),
    lookers,
    primaries: 3,
    changing: 0,
    bound: 0,
    start: "warm",
    thinkMs,
    faults: [],
    faultsMs: lastsMs,
  };
}

/** An instance freezes again and again, each time so long after the beginning of a turn. */
function freezing(times: number, forMs: number, afterMs: number) {
  return Array.from({ length: times }, (_, turn) => ({
    kind: "instance freezes" as const,
    atMs: turn * FREEZES_EVERY_MS + afterMs,
    forMs,
  }));
}

const FREEZES_EVERY_MS = 100;
