import { OFFICE } from "../history/offices.js";
import { namesOf, type Wanted } from "../history/operation.js";
import { Asking, type Held } from "./asking.js";
import { boundClient } from "./bound-clients.js";
import { changeMembers } from "./changing-members.js";
import { clientsOnRegisters } from "./clients-on-registers.js";
import { runHook } from "./hooked.js";
import type { Instance } from "./instance.js";
import type { Plan } from "./plan.js";
import type { Chance } from "./random.js";
import { registerClient, removeRegisters } from "./register-clients.js";
import { lookAround, transferClient } from "./transfer-clients.js";
import type { Universe } from "./universe.js";
import type { Variant } from "./variant.js";

/** What all clients of a run share. */
export interface Dependencies {
  readonly universe: Universe;
  readonly plan: Plan;
  readonly variant: Variant;
  readonly chance: Chance;
  /** When the faults stop. */
  readonly faultsEndMs: number;
}

/** All clients of a run, until the faults stop; then what they still hold. */
export async function runClients(dependencies: Dependencies): Promise<Held[]> {
  const { plan, variant } = dependencies;
  const each = <T>(count: number, run: (place: number) => Promise<T>) =>
    Promise.all(Array.from({ length: count }, (_, place) => run(place)));
  const [held, bound] = await Promise.all([
    each(plan.clients, (place) => lockClient(dependencies, `c${place + 1}`)),
    // What others do not have, they cannot be asked for.
    each(variant.locks ? 0 : plan.bound, (place) => boundClient(dependencies, `b${place + 1}`)),
    each(plan.members, (place) => member(dependencies, `m${place + 1}`)),
    each(plan.registers, (place) => registerClient(dependencies, `r${place + 1}`)),
    each(plan.transfers, (place) => transferClient(dependencies, `t${place + 1}`)),
    each(plan.lookers, (place) => lookAround(dependencies, `l${place + 1}`)),
    each(plan.offices, (place) => candidate(dependencies, `o${place + 1}`)),
    observer(dependencies),
    changeMembers(dependencies),
    removeRegisters(dependencies),
    clientsOnRegisters(dependencies),
    runHook(dependencies),
  ]);
  return [...held, ...bound].flat();
}

/** Takes locks, renews and gives them back, forgets some, and asks again what was not answered. */
async function lockClient(dependencies: Dependencies, name: string): Promise<Held[]> {
  const { universe, plan, variant, faultsEndMs } = dependencies;
  const chance = dependencies.chance.stream(name);
  const asking = new Asking(universe, variant, name);
  const { nowMs } = universe.scheduler;
  let held: Held | null = null;
  await universe.scheduler.sleep(chance.between(0, 2 * plan.thinkMs));
  while (nowMs() < faultsEndMs) {
    const instance = someInstance(universe, chance);
    if (!instance) {
      await universe.scheduler.sleep(20);
      continue;
    }
    if (held === null) held = await acquire(dependencies, asking, instance, chance);
    else held = await use(dependencies, asking, instance, held, chance);
    await universe.scheduler.sleep(chance.between(0, (held ? 1 : 2) * plan.thinkMs));
  }
  return held ? [held] : [];
}

/** Stands for the office by consensus, and does what leaders do; looks who leads. */
async function candidate(dependencies: Dependencies, name: string): Promise<void> {
  const { universe, plan, variant, faultsEndMs } = dependencies;
  const chance = dependencies.chance.stream(name);
  const asking = new Asking(universe, variant, name);
  let held: Held | null = null;
  while (universe.scheduler.nowMs() < faultsEndMs) {
    await universe.scheduler.sleep(chance.between(0, plan.thinkMs));
    const instance = someInstance(universe, chance);
    if (!instance) continue;
    if (chance.happens(0.2)) await asking.leader(instance, OFFICE);
    else if (held) held = await use(dependencies, asking, instance, held, chance);
    else held = await acquire(dependencies, asking, instance, chance, { name: OFFICE, election: true });
  }
}

async function acquire(
  { universe, plan, variant }: Dependencies,
  asking: Asking,
  instance: Instance,
  chance: Chance,
  // What others do not have, they cannot be asked for.
  wanted: Wanted = variant.locks ? { name: someName(plan, chance) } : someWish(plan, chance),
): Promise<Held | null> {
  const waits = plan.crowd === "line" ? 0.9 : 0.3;
  const waitMs = !variant.locks && chance.happens(waits) ? chance.between(20, 600) : 0;
  const ttlMs = chance.pick(plan.leaseTtlsMs);
  const chosen = chance.happens(0.25);
  const leaseId = chosen ? chance.digits(24, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") : undefined;
  const value = wanted.election && universe.newValue();
  if (leaseId === undefined) {
    const outcome = await asking.acquire(instance, wanted, ttlMs, { waitMs, value });
    return typeof outcome === "object" ? outcome : null;
  }
  // A lease with an id of the client's own may be asked for again, also while the first request is under way.
  const attempts = [asking.acquire(instance, wanted, ttlMs, { leaseId, waitMs, value })];
  const again = someInstance(universe, chance);
  if (again && chance.happens(0.3)) {
    await universe.scheduler.sleep(chance.between(0, 20));
    attempts.push(asking.acquire(again, wanted, ttlMs, { leaseId, waitMs, value }));
  }
  const outcomes = await Promise.all(attempts);
  const granted = newest(outcomes);
  if (granted) return granted;
  if (outcomes.every((outcome) => outcome === "held")) return null;
  const third = someInstance(universe, chance);
  const last = third && (await asking.acquire(third, wanted, ttlMs, { leaseId, value }));
  if (last && typeof last === "object") return last;
  // The client gives up and knows nothing: the lease may be held.
  orphan(universe, wanted, ttlMs);
  return null;
}

export const someName = (plan: Plan, chance: Chance) => `n${chance.whole(1, plan.names)}`;

function someWish(plan: Plan, chance: Chance): Wanted {
  const name = someName(plan, chance);
  const what =
    plan.crowd ?? chance.weighted({ writer: 5, reader: 3, several: 1.5, permits: 1.5, election: 2 });
  switch (what) {
    case "line":
    case "writer":
      return { name };
    case "reader":
      return { name, mode: "shared" };
    case "several": {
      const others = [...new Set([someName(plan, chance), "both"])].filter((other) => other !== name);
      return { name, others, ...(chance.happens(0.3) && { mode: "shared" as const }) };
    }
    case "permits":
      return { name: "pool", permits: chance.whole(1, 2), limit: 3 };
    case "election":
      return { name: ELECTION, election: true };
  }
}

export function orphan(universe: Universe, wanted: Wanted, ttlMs: number): void {
  for (const name of namesOf(wanted)) universe.orphan(name, ttlMs);
}

function newest(outcomes: readonly (Held | string)[]): Held | null {
  return outcomes.reduce<Held | null>(
    (best, one) => (typeof one === "object" && (!best || one.token > best.token) ? one : best),
    null,
  );
}

/** What a client does with a lease. Null: it has it no more. */
async function use(
  { universe }: Dependencies,
  asking: Asking,
  instance: Instance,
  held: Held,
  chance: Chance,
): Promise<Held | null> {
  const isOver = universe.scheduler.nowMs() >= held.untilMs;
  const what = isOver
    ? chance.weighted({ renew: 1, release: 1, forget: 3 })
    : held.wanted.election
      ? chance.weighted({ proclaim: 4, renew: 3, release: 2, forget: 0.3, nothing: 3 })
      : chance.weighted({ renew: 4, release: 3, forget: 0.3, nothing: 3 });
  switch (what) {
    case "proclaim":
      await asking.proclaim(instance, held, universe.newValue());
      return held;
    case "renew": {
      const renewed = await asking.renew(instance, held, chance.happens(0.8));
      if (!renewed && universe.scheduler.nowMs() >= held.untilMs) orphan(universe, held.wanted, held.ttlMs);
      return renewed || universe.scheduler.nowMs() < held.untilMs ? held : null;
    }
    case "release":
      if ((await asking.release(instance, held)) === "no_answer") orphan(universe, held.wanted, held.ttlMs);
      return null;
    case "forget":
      orphan(universe, held.wanted, held.ttlMs);
      return null;
    case "nothing":
      return held;
  }
}

/** Registers, keeps itself alive, leaves or dies, and comes back. */
async function member(dependencies: Dependencies, name: string): Promise<void> {
  const { universe, plan, variant, faultsEndMs } = dependencies;
  const chance = dependencies.chance.stream(name);
  const asking = new Asking(universe, variant, name);
  const { scheduler } = universe;
  const { memberTtlMs: ttlMs } = plan;
  await scheduler.sleep(chance.between(0, 200));
  while (scheduler.nowMs() < faultsEndMs) {
    const instance = someInstance(universe, chance);
    const incarnation = instance ? await asking.register(instance, name, ttlMs) : null;
    if (incarnation === null) {
      await scheduler.sleep(chance.between(10, 200));
      continue;
    }
    await stayAlive(dependencies, asking, name, incarnation, chance);
    await scheduler.sleep(chance.between(0, 1.5 * ttlMs));
  }
}

async function stayAlive(
  { universe, plan, faultsEndMs }: Dependencies,
  asking: Asking,
  name: string,
  incarnation: number,
  chance: Chance,
): Promise<void> {
  const { scheduler } = universe;
  const { memberTtlMs: ttlMs } = plan;
  while (scheduler.nowMs() < faultsEndMs) {
    await scheduler.sleep((ttlMs / 3) * chance.between(0.5, 1.2));
    const instance = someInstance(universe, chance);
    if (!instance || scheduler.nowMs() >= faultsEndMs) return;
    if (chance.happens(0.1)) return asking.leave(instance, name);
    if (chance.happens(0.05)) return;
    const known = await asking.heartbeat(
      instance,
      name,
      ttlMs,
      chance.happens(0.7) ? incarnation : undefined,
    );
    if (known === false) return;
  }
}

/** Looks at who is a member, who owns what, and who leads. */
async function observer({ universe, plan, variant, faultsEndMs, chance: all }: Dependencies): Promise<void> {
  const chance = all.stream("observer");
  const asking = new Asking(universe, variant, "observer");
  while (universe.scheduler.nowMs() < faultsEndMs) {
    await universe.scheduler.sleep(chance.between(0, 3 * plan.thinkMs));
    const instance = someInstance(universe, chance);
    if (!instance) continue;
    switch (chance.weighted(plan.crowd === "election" ? { leader: 9, list: 1, owner: 0 } : LOOKS)) {
      case "list":
        await asking.list(instance);
        break;
      case "owner":
        await asking.owner(instance, chance.pick(["k1", "k2", "k3"]));
        break;
      case "leader":
        await asking.leader(instance, ELECTION);
        break;
    }
  }
}

export function someInstance({ alive }: Universe, chance: Chance): Instance | null {
  return alive.length === 0 ? null : chance.pick(alive);
}

/** The one that all candidates stand for. */
export const ELECTION = "e";
const LOOKS = { list: 5, owner: 2, leader: 3 };
