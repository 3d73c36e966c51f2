import { uuidV7 } from "../../src/algorithms/two-phase.js";
import type { Outcome as Told } from "../../src/primitives/transactions/transactions.js";
import { registerName } from "../../src/scripts/register-kinds.js";
import { groupBy, type Outcome, type Request } from "../history/operation.js";
import { decisionIn } from "../history/transactions.js";
import { Asking, type Held } from "./asking.js";
import { type Dependencies, someInstance } from "./clients.js";
import type { Instance } from "./instance.js";
import { WALL_CLOCK_MS } from "./primary.js";
import type { Chance } from "./random.js";

type Transacting = Extract<Request, { kind: "begin" | "vote" | "acknowledge" | "abort" | "decision" }>;

/**
 * Transactions across services, one after the other: somebody begins, or dies before that, or aborts; the participants vote, some
 * too late, twice, or never, and ask what was decided.
 */
export async function agree(dependencies: Dependencies, name: string): Promise<void> {
  const { universe, plan, faultsEndMs } = dependencies;
  const { scheduler } = universe;
  const chance = dependencies.chance.stream(name);
  for (let turn = 1; scheduler.nowMs() < faultsEndMs; turn++) {
    await scheduler.sleep(chance.between(0, 2 * plan.thinkMs));
    const transaction = uuidV7(WALL_CLOCK_MS + scheduler.nowMs(), chance.digits(20, "0123456789abcdef"));
    const participants = PARTICIPANTS.slice(0, chance.whole(1, PARTICIPANTS.length));
    const deadlineMs = chance.pick([100, 400, 2_000]);
    const party = { dependencies, name, chance: chance.stream(`${name}, turn ${turn}`) };
    const holder = { ...party, chance: chance.stream(`${name}, lock ${turn}`) };
    // Where leases are to be lost, nobody waits for a lock that another transaction keeps.
    const lock = plan.lostLeases ? `${LOCK} of ${name}, ${turn}` : LOCK;
    const wantsLock = plan.lostLeases || holder.chance.happens(UNDER_A_LOCK);
    const held = wantsLock ? await locked(holder, lock) : null;
    const lease = held && { name: lock, leaseId: held.leaseId, token: held.token };
    const request = { kind: "begin", transaction, participants, deadlineMs } as const;
    const beginning = coordinate(party, lease ? { ...request, lease } : request);
    // Most are told of it by whoever began it.
    if (chance.happens(0.8)) await beginning;
    const voting = participants.map((participant) =>
      participate(
        {
          dependencies,
          name: `${name}, ${participant}`,
          chance: chance.stream(`${name}, ${participant}, turn ${turn}`),
        },
        transaction,
        { participant, deadlineMs },
      ),
    );
    await Promise.all([beginning, held && unlock(holder, held), ...voting]);
  }
}

/** Null: another has it, or nobody can tell. */
async function locked({ dependencies, name, chance }: Party, lock: string): Promise<Held | null> {
  const { universe, variant, plan } = dependencies;
  const instance = someInstance(universe, chance);
  if (!instance) return null;
  const asking = new Asking(universe, variant, name);
  const held = await asking.acquire(instance, { name: lock }, chance.pick(plan.leaseTtlsMs));
  return typeof held === "object" ? held : null;
}

/** Before the last vote, while it is under way, or afterwards; some never do. */
async function unlock({ dependencies, name, chance }: Party, held: Held): Promise<void> {
  const { universe, variant, plan } = dependencies;
  await universe.scheduler.sleep(chance.between(0, plan.lostLeases ? 20 : 120));
  const instance = someInstance(universe, chance);
  if (instance && chance.happens(plan.lostLeases ? 1 : 0.8))
    await new Asking(universe, variant, name).release(instance, held);
}

/** Whoever takes part in one transaction. */
interface Party {
  readonly dependencies: Dependencies;
  readonly name: string;
  readonly chance: Chance;
}

async function coordinate(party: Party, request: Extract<Request, { kind: "begin" }>): Promise<void> {
  const { chance, dependencies } = party;
  if (chance.happens(DIES)) return;
  await insist(party, request);
  if (!chance.happens(ABORTS)) return;
  await dependencies.universe.scheduler.sleep(chance.between(0, dependencies.plan.thinkMs));
  await ask(party, { kind: "abort", transaction: request.transaction });
}

async function participate(
  party: Party,
  transaction: string,
  { participant, deadlineMs }: { readonly participant: string; readonly deadlineMs: number },
): Promise<void> {
  const { chance, dependencies } = party;
  const { scheduler } = dependencies.universe;
  const its = chance.weighted({ yes: 14, no: 1, late: 1, never: 1 });
  if (its === "never") return;
  await scheduler.sleep(its === "late" ? deadlineMs * chance.between(0.8, 1.2) : chance.between(0, 30));
  if (dependencies.plan.lostLeases)
    await scheduler.sleep(chance.stream(`${participant} in ${transaction}`).between(0, RELEASED_WITHIN_MS));
  const vote = its === "no" ? "no" : "yes";
  const cast = { kind: "vote", transaction, participant, vote } as const;
  // One try may be on its way for long, and come when all is over.
  const again = chance.happens(0.3) ? ask(party, cast) : null;
  const outcome = await insist(party, cast);
  if (vote === "yes") {
    if (decisionIn(outcome) === null) await learn(party, transaction);
    if (chance.happens(0.8)) await ask(party, { kind: "acknowledge", transaction, participant });
    if (chance.happens(CHANGES_ITS_MIND))
      await ask(party, { kind: "vote", transaction, participant, vote: "no" });
    await ask(party, { kind: "decision", transaction });
  }
  await again;
}

/** Waits for the decision, but not beyond the faults: then it is asked for once more when all works again. */
async function learn(party: Party, transaction: string): Promise<void> {
  const { chance, dependencies } = party;
  const { universe, faultsEndMs, plan } = dependencies;
  while (universe.scheduler.nowMs() < faultsEndMs) {
    const outcome = await ask(party, { kind: "decision", transaction, waitMs: chance.whole(20, 300) });
    if (decisionIn(outcome) !== null) return;
    if (outcome.kind === "failed" && outcome.code === "not_found") return;
    await universe.scheduler.sleep(chance.between(0, plan.thinkMs));
  }
}

/** At other instances as well, until there is an answer that tells. */
async function insist(party: Party, request: Transacting): Promise<Outcome> {
  let outcome = await ask(party, request);
  for (let tries = 1; tries < TRIES_MAX && isOpen(outcome); tries++) outcome = await ask(party, request);
  return outcome;
}

const isOpen = ({ kind }: Outcome) => kind === "no_answer" || kind === "failed";

async function ask({ dependencies, name, chance }: Party, request: Transacting): Promise<Outcome> {
  const { universe, variant } = dependencies;
  const instance = someInstance(universe, chance);
  if (!instance) return { kind: "no_answer", why: "there is no instance" };
  return askOf(new Asking(universe, variant, name), instance, request);
}

function askOf(asking: Asking, instance: Instance, request: Transacting): Promise<Outcome> {
  const { transactions } = instance.core;
  const name = registerName("transaction", "default", request.transaction);
  return asking.ask(instance, request, async (): Promise<Outcome> => {
    switch (request.kind) {
      case "begin": {
        const { participants, deadlineMs, transaction, lease } = request;
        const leases = lease && [
          { kind: "locks" as const, names: [lease.name], leaseId: lease.leaseId, fencingToken: lease.token },
        ];
        const terms = { participants, payload: null, begunBy: transaction, leases };
        return tellOf(await transactions.begin(name, terms, deadlineMs));
      }
      case "vote":
        return tellOf(await transactions.vote(name, request.participant, request.vote, null));
      case "acknowledge":
        return tellOf(await transactions.acknowledge(name, request.participant));
      case "abort":
        return tellOf(await transactions.abort(name, "for a test"));
      case "decision": {
        const { waitMs } = request;
        const { told } =
          waitMs === undefined
            ? await transactions.get(name)
            : await transactions.decided(name, instance.clock.monotonicMs() + waitMs);
        return told ? tellOf({ kind: "told", isNew: false, ...told }) : { kind: "failed", code: "not_found" };
      }
    }
  });
}

function tellOf(told: Told): Outcome {
  if (told.kind === "told") {
    const { decision, participants } = told.transaction;
    const votes = Object.fromEntries(participants.map(({ name, vote }) => [name, vote]));
    return { kind: "stands", decision, votes };
  }
  if (told.kind !== "refused") return { kind: "failed", code: told.kind };
  if (told.why === "already_decided")
    return { kind: "decided", decision: told.transaction?.decision ?? "aborted" };
  return { kind: "failed", code: told.why === "unknown_transaction" ? "not_found" : told.why };
}

/** When all works again, whoever voted yes learns what was decided; and others commit. */
export async function probeTransactions({ universe, variant, chance }: Dependencies): Promise<void> {
  const asked = universe.recorder.history().operations;
  const voters = asked.flatMap(({ client, request, outcome }) =>
    request.kind === "vote" && request.vote === "yes" && outcome?.kind === "stands"
      ? [{ client, transaction: request.transaction }]
      : [],
  );
  const knows = new Set(
    asked.flatMap(({ client, request, outcome }) =>
      "transaction" in request && decisionIn(outcome) !== null ? [`${client} ${request.transaction}`] : [],
    ),
  );
  const [instance] = universe.alive;
  const unaware = [...groupBy(voters, ({ client, transaction }) => `${client} ${transaction}`)].filter(
    ([one]) => !knows.has(one),
  );
  await Promise.all(
    unaware.map(async ([, [voter]]) => {
      if (!instance || !voter) return;
      const request = { kind: "decision", transaction: voter.transaction, waitMs: LEARNS_WITHIN_MS } as const;
      await askOf(new Asking(universe, variant, voter.client), instance, request);
    }),
  );
  const asking = new Asking(universe, variant, "probe of transactions", true);
  for (const one of universe.alive) {
    const now = WALL_CLOCK_MS + universe.scheduler.nowMs();
    const transaction = uuidV7(now, chance.stream(`probe at ${one.name}`).digits(20, "0123456789abcdef"));
    await askOf(asking, one, { kind: "begin", transaction, participants: ["probe"], deadlineMs: 5_000 });
    await askOf(asking, one, { kind: "vote", transaction, participant: "probe", vote: "yes" });
  }
}

const LOCK = "deed";
const PARTICIPANTS = ["stock", "payment", "mail"];
/** Shares of those who begin. */
const DIES = 0.05;
const UNDER_A_LOCK = 0.5;
const ABORTS = 0.1;
/** Most locks that are released early are by then, ms. */
const RELEASED_WITHIN_MS = 80;
/** Of those who voted yes. */
const CHANGES_ITS_MIND = 0.2;
const TRIES_MAX = 4;
/** The longest deadline, and what the upkeep takes, ms. */
const LEARNS_WITHIN_MS = 5_000;
