import type { Outcome as Stepped } from "../../src/primitives/transactions/transactions.js";
import { registerName } from "../../src/scripts/register-kinds.js";
import type { Outcome, Request } from "../history/operation.js";
import { decisionIn } from "../history/transactions.js";
import { Asking, type Held } from "./asking.js";
import { type Dependencies, someInstance } from "./clients.js";
import type { Instance } from "./instance.js";
import type { Chance } from "./random.js";

interface Client {
  readonly dependencies: Dependencies;
  readonly asking: Asking;
  readonly chance: Chance;
  readonly name: string;
}

/**
 * Begins transactions under a lock, which others want as well: it gives it back before the last vote, or too late, or lets it end.
 * The participants vote, ask for the decision, and acknowledge it.
 */
export async function commitClient(dependencies: Dependencies, name: string): Promise<void> {
  const { universe, plan, variant, faultsEndMs } = dependencies;
  const { scheduler } = universe;
  const chance = dependencies.chance.stream(name);
  const client = { dependencies, asking: new Asking(universe, variant, name), chance, name };
  await scheduler.sleep(chance.between(0, 2 * plan.thinkMs));
  while (scheduler.nowMs() < faultsEndMs) {
    const instance = someInstance(universe, chance);
    if (instance) await commit(client, instance);
    await scheduler.sleep(chance.between(0, plan.thinkMs));
  }
}

async function commit(client: Client, instance: Instance): Promise<void> {
  const { dependencies, asking, chance, name } = client;
  const { universe, plan } = dependencies;
  const { scheduler } = universe;
  const ttlMs = chance.pick(plan.leaseTtlsMs);
  const held = await asking.acquire(instance, { name: LOCK }, ttlMs);
  if (typeof held !== "object") return;
  const transaction = instance.core.transactions.newId();
  await begin(client, someInstance(universe, chance) ?? instance, transaction, held);
  const voting = Promise.all(
    PARTICIPANTS.map((participant) =>
      participate(client, { client: `${name}-${participant}`, participant, transaction }),
    ),
  );
  // Before the last vote, while it is under way, afterwards, or never: then its time ends it.
  const end = chance.weighted({ soon: 4, late: 3, never: 1 });
  if (end === "late") await voting;
  if (end !== "never") {
    await scheduler.sleep(chance.between(0, 2 * THINK_MS));
    await release(client, held);
  }
  dependencies.voters.push(...(await voting).flatMap((voter) => voter ?? []));
}

async function begin(
  { asking, chance }: Client,
  instance: Instance,
  transaction: string,
  { leaseId, token }: Held,
): Promise<Outcome> {
  const deadlineMs = chance.pick([200, 600, 1_000]);
  const lease = { name: LOCK, leaseId, token };
  const terms = {
    participants: PARTICIPANTS,
    payload: null,
    begunBy: transaction,
    leases: [{ kind: "locks" as const, names: [LOCK], leaseId, fencingToken: token }],
  };
  const request = { kind: "begin", transaction, participants: PARTICIPANTS, deadlineMs, lease } as const;
  return step(asking, instance, request, (name) => instance.core.transactions.begin(name, terms, deadlineMs));
}

async function release({ dependencies, asking, chance }: Client, held: Held): Promise<void> {
  const instance = someInstance(dependencies.universe, chance);
  if (instance) await asking.release(instance, held);
}

/** A participant of a transaction that may have voted yes. */
export interface Voter {
  readonly client: string;
  readonly participant: string;
  readonly transaction: string;
}

/** Returns it where it may have voted yes and does not know the decision. */
async function participate({ dependencies, chance }: Client, voter: Voter): Promise<Voter | null> {
  const { universe, variant, faultsEndMs } = dependencies;
  const { scheduler } = universe;
  const { client, participant, transaction } = voter;
  const asking = new Asking(universe, variant, client);
  await scheduler.sleep(chance.between(0, 2 * THINK_MS));
  const vote = chance.happens(0.95) ? "yes" : "no";
  let outcome: Outcome | null = null;
  for (let tries = 0; tries < 3 && isOpen(outcome); tries++) {
    if (tries > 0) await scheduler.sleep(chance.between(0, THINK_MS));
    const instance = someInstance(universe, chance);
    if (!instance) continue;
    const request = { kind: "vote", transaction, participant, vote } as const;
    outcome = await step(asking, instance, request, (name) =>
      instance.core.transactions.vote(name, participant, vote, null),
    );
  }
  while (decisionIn(outcome) === null && scheduler.nowMs() < faultsEndMs) {
    await scheduler.sleep(chance.between(0, 2 * THINK_MS));
    const instance = someInstance(universe, chance);
    if (instance) outcome = await look(asking, instance, transaction);
    // It was never begun.
    if (outcome?.kind === "failed" && outcome.code === "not_found") return null;
  }
  if (decisionIn(outcome) === null) return vote === "yes" ? voter : null;
  const instance = someInstance(universe, chance);
  if (instance)
    await step(asking, instance, { kind: "acknowledge", transaction, participant }, (name) =>
      instance.core.transactions.acknowledge(name, participant),
    );
  return null;
}

/** When all works again: whoever may have voted yes learns the decision. */
export async function probeCommits({ universe, variant, voters }: Dependencies): Promise<void> {
  const { scheduler } = universe;
  const endMs = scheduler.nowMs() + LEARNS_WITHIN_MS;
  await Promise.all(
    voters.map(async ({ client, transaction }) => {
      const asking = new Asking(universe, variant, client);
      for (let turn = 0; scheduler.nowMs() < endMs; turn++) {
        const instance = universe.alive[turn % universe.alive.length];
        const outcome = instance ? await look(asking, instance, transaction) : null;
        if (decisionIn(outcome) !== null) return;
        if (outcome?.kind === "failed" && outcome.code === "not_found") return;
        await scheduler.sleep(200);
      }
    }),
  );
}

const nameOf = (transaction: string) => registerName("transaction", "default", transaction);

function step(
  asking: Asking,
  instance: Instance,
  request: Extract<Request, { kind: "begin" | "vote" | "acknowledge" }>,
  run: (name: string) => Promise<Stepped>,
): Promise<Outcome> {
  return asking.ask(instance, request, async (): Promise<Outcome> => {
    const told = await run(nameOf(request.transaction));
    switch (told.kind) {
      case "told":
        return standing(told.transaction);
      case "refused":
        if (told.why === "already_decided")
          return { kind: "decided", decision: told.transaction?.decision ?? "aborted" };
        return { kind: "failed", code: told.why === "unknown_transaction" ? "not_found" : told.why };
      default:
        throw new Error(`a transaction of now is ${told.kind}`);
    }
  });
}

function look(asking: Asking, instance: Instance, transaction: string): Promise<Outcome> {
  return asking.ask(instance, { kind: "decision", transaction }, async (): Promise<Outcome> => {
    const { told } = await instance.core.transactions.get(nameOf(transaction));
    return told ? standing(told.transaction) : { kind: "failed", code: "not_found" };
  });
}

function standing({ decision, participants }: Extract<Stepped, { kind: "told" }>["transaction"]): Outcome {
  return {
    kind: "stands",
    decision,
    votes: Object.fromEntries(participants.map(({ name, vote }) => [name, vote])),
  };
}

const isOpen = (outcome: Outcome | null) =>
  outcome === null || outcome.kind === "no_answer" || outcome.kind === "failed";

const PARTICIPANTS = ["stock", "payment"];
const LOCK = "deed";
const THINK_MS = 30;
/** The longest deadline, and what the upkeep takes, ms. */
const LEARNS_WITHIN_MS = 6_000;
