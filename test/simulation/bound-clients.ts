import { nonceOf } from "../../src/primitives/members/member-key.js";
import type { Alive } from "../../src/primitives/members/pulses.js";
import type { Outcome, Wanted } from "../history/operation.js";
import { Asking, type Held, REGISTRATION } from "./asking.js";
import { type Dependencies, orphan, someInstance, someName } from "./clients.js";
import type { Instance } from "./instance.js";
import type { Plan } from "./plan.js";
import type { Chance } from "./random.js";

/** One registration of a member. */
interface Process {
  readonly service: string;
  readonly id: string;
  readonly incarnation: number;
  readonly memberKey: string;
}

/** A member that takes leases which its heartbeats alone keep, gives some back, and dies now and then. */
export async function boundClient(dependencies: Dependencies, name: string): Promise<Held[]> {
  const { universe, plan, variant, faultsEndMs } = dependencies;
  const { scheduler } = universe;
  const chance = dependencies.chance.stream(name);
  const asking = new Asking(universe, variant, name);
  const client = { dependencies, asking, chance, name };
  let held: Held[] = [];
  await scheduler.sleep(chance.between(0, 200));
  while (scheduler.nowMs() < faultsEndMs) {
    const instance = someInstance(universe, chance);
    const process = instance && (await register(client, instance));
    if (process) held = await live(client, process);
    await scheduler.sleep(chance.between(0, 0.5 * plan.memberTtlMs));
  }
  return held;
}

interface Client {
  readonly dependencies: Dependencies;
  readonly asking: Asking;
  readonly chance: Chance;
  readonly name: string;
}

async function register(
  { dependencies, asking, name: id }: Client,
  instance: Instance,
): Promise<Process | null> {
  const { memberTtlMs: ttlMs } = dependencies.plan;
  const { membership } = instance.core;
  let process: Process | null = null;
  await asking.ask(instance, { kind: "register", service: SERVICE, member: id, ttlMs }, async () => {
    const { member, memberKey } = await membership.register(SERVICE, id, ttlMs, REGISTRATION);
    const { incarnation, revision } = member;
    process = { service: SERVICE, id, incarnation, memberKey };
    return { kind: "alive", incarnation, revision };
  });
  return process;
}

/** Until it dies, or is no member any more. What it still holds when the faults stop. */
async function live(client: Client, process: Process): Promise<Held[]> {
  const { dependencies, asking, chance } = client;
  const { universe, plan, faultsEndMs } = dependencies;
  const { scheduler } = universe;
  let held: Held[] = [];
  const loses = (one: Held) => orphan(universe, one.wanted, one.ttlMs);
  while (scheduler.nowMs() < faultsEndMs) {
    await scheduler.sleep(plan.thinkMs * chance.between(0.1, 0.5));
    const instance = someInstance(universe, chance);
    if (!instance) continue;
    switch (chance.weighted({ beat: 6, acquire: 4, release: 0.7, die: 0.2 })) {
      case "beat": {
        const kept = await beat(client, instance, process, held);
        if (kept === null) {
          held.forEach(loses);
          return [];
        }
        for (const one of held) if (!kept.includes(one)) loses(one);
        held = kept;
        break;
      }
      case "acquire": {
        const ttlMs = chance.pick(plan.leaseTtlsMs);
        const wanted = someWish(plan, chance);
        const acquired = await asking.acquire(instance, wanted, ttlMs, { member: process });
        if (typeof acquired === "object") held.push(acquired);
        // What failed may be held all the same.
        else if (acquired !== "held") orphan(universe, wanted, ttlMs);
        break;
      }
      case "release": {
        const one = held.shift();
        if (one && (await asking.release(instance, one)) === "no_answer") loses(one);
        break;
      }
      case "die":
        held.forEach(loses);
        return [];
    }
  }
  return held;
}

function someWish(plan: Plan, chance: Chance): Wanted {
  const name = someName(plan, chance);
  switch (chance.weighted({ writer: 6, reader: 2, several: 1, permits: 1 })) {
    case "writer":
      return { name };
    case "reader":
      return { name, mode: "shared" };
    case "several":
      return { name, others: ["both"] };
    case "permits":
      return { name: "pool", permits: 1, limit: 3 };
  }
}

/**
 * A heartbeat, which is recorded as a renewal of each lease as well. Of these leases it gives those that may be trusted on; null:
 * it is no member any more.
 */
async function beat(
  { dependencies, asking, name: client }: Client,
  instance: Instance,
  { service, id, incarnation, memberKey }: Process,
  held: readonly Held[],
): Promise<Held[] | null> {
  const { universe, plan } = dependencies;
  const startMs = universe.scheduler.nowMs();
  const renewals = held.map(({ wanted, leaseId, token, ttlMs }) => {
    for (const name of [wanted.name, ...(wanted.others ?? [])]) universe.touch(instance, name, ttlMs);
    const request = { kind: "renew", ...wanted, leaseId, token, ttlMs } as const;
    return universe.recorder.asks({ client, instance: instance.name, withinMs: ANSWER_WITHIN_MS }, request);
  });
  let alive: Alive | undefined;
  const { memberTtlMs: ttlMs } = plan;
  const outcome = await asking.ask(instance, { kind: "heartbeat", service, member: id, ttlMs }, async () => {
    const nonce = nonceOf(memberKey);
    alive = await instance.core.membership.heartbeat({ service, id, incarnation, nonce });
    return { kind: "alive", incarnation: alive.incarnation, revision: alive.revision };
  });
  const told = outcome.kind === "alive" ? alive?.leases : undefined;
  renewals.forEach((answered, index) => {
    const one = held[index] as Held;
    const kept = told?.held.find(({ leaseId }) => leaseId === one.leaseId);
    if (kept) one.untilMs = startMs + kept.validForMs;
    answered(kept ? { kind: "renewed", validUntilMs: one.untilMs } : NOT_TOLD);
  });
  if (outcome.kind === "failed" && outcome.code !== "no_quorum") return null;
  return held.filter(({ untilMs }) => universe.scheduler.nowMs() < untilMs);
}

const NOT_TOLD: Outcome = { kind: "no_answer", why: "the heartbeat did not tell" };
/** Of their own: in a service with more members these would be guarded when all fall silent in the end. */
const SERVICE = "bound";
const ANSWER_WITHIN_MS = 6_000;
