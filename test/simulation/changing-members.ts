import { Asking, CHANGING } from "./asking.js";
import { type Dependencies, someInstance } from "./clients.js";
import type { Chance } from "./random.js";

/** Members that change, drain and restart, others that change them as well, and somebody who looks. */
export async function changeMembers(dependencies: Dependencies): Promise<void> {
  const { changing } = dependencies.plan;
  if (changing === 0) return;
  const names = Array.from({ length: changing }, (_, place) => `d${place + 1}`);
  await Promise.all([
    ...names.map((name) => changingMember(dependencies, name)),
    operator(dependencies, names),
    observer(dependencies),
  ]);
}

async function changingMember(dependencies: Dependencies, name: string): Promise<void> {
  const { universe, plan, faultsEndMs } = dependencies;
  const { scheduler } = universe;
  const chance = dependencies.chance.stream(name);
  const asking = askingAs(dependencies, name);
  await scheduler.sleep(chance.between(0, 200));
  while (scheduler.nowMs() < faultsEndMs) {
    const instance = someInstance(universe, chance);
    const incarnation = instance ? await asking.register(instance, name, plan.memberTtlMs) : null;
    if (incarnation === null) await scheduler.sleep(chance.between(10, 200));
    else await live(dependencies, asking, { name, incarnation }, chance);
  }
}

/** Until it leaves, dies, or is no member any more. */
async function live(
  { universe, plan, faultsEndMs }: Dependencies,
  asking: Asking,
  { name, incarnation }: { readonly name: string; readonly incarnation: number },
  chance: Chance,
): Promise<void> {
  const { scheduler } = universe;
  const { memberTtlMs: ttlMs } = plan;
  while (scheduler.nowMs() < faultsEndMs) {
    await scheduler.sleep((ttlMs / 4) * chance.between(0.3, 1.2));
    const instance = someInstance(universe, chance);
    if (!instance || scheduler.nowMs() >= faultsEndMs) return;
    switch (chance.weighted({ beat: 9, change: 5, leave: 1, restart: 1, die: 1 })) {
      case "beat": {
        const named = chance.happens(0.7) ? incarnation : undefined;
        if ((await asking.heartbeat(instance, name, ttlMs, named)) === false) return;
        break;
      }
      case "change":
        await asking.change(instance, name, someChange(universe, ttlMs, chance));
        break;
      case "leave":
        await asking.leave(instance, name);
        return scheduler.sleep(chance.between(0, 0.5 * ttlMs));
      case "restart":
        await asking.leave(instance, name, { restartGraceMs: Math.round(ttlMs * chance.between(0.3, 1.5)) });
        return scheduler.sleep(chance.between(0, 1.5 * ttlMs));
      case "die":
        return scheduler.sleep(chance.between(0.8, 1.8) * ttlMs);
    }
  }
}

/** Changes members by their names, whoever they are by then. */
async function operator(dependencies: Dependencies, names: readonly string[]): Promise<void> {
  const { universe, plan, faultsEndMs } = dependencies;
  const chance = dependencies.chance.stream("operator");
  const asking = askingAs(dependencies, "operator");
  while (universe.scheduler.nowMs() < faultsEndMs) {
    await universe.scheduler.sleep(chance.between(0, 2 * plan.thinkMs));
    const instance = someInstance(universe, chance);
    if (instance) await asking.change(instance, chance.pick(names), { weight: universe.newWeight() });
  }
}

async function observer(dependencies: Dependencies): Promise<void> {
  const { universe, plan, faultsEndMs } = dependencies;
  const chance = dependencies.chance.stream("observer of changes");
  const asking = askingAs(dependencies, "observer of changes");
  while (universe.scheduler.nowMs() < faultsEndMs) {
    await universe.scheduler.sleep(chance.between(0, plan.thinkMs));
    const instance = someInstance(universe, chance);
    if (instance) await asking.list(instance);
  }
}

function someChange(universe: Dependencies["universe"], ttlMs: number, chance: Chance) {
  switch (chance.weighted({ weight: 4, drain: 2, end: 1, up: 1 })) {
    case "weight":
      return { weight: universe.newWeight() };
    case "drain":
      return { status: "draining" } as const;
    case "end":
      return { status: "draining", drainMs: Math.round(ttlMs * chance.between(0.5, 2)) } as const;
    case "up":
      return { status: "up" } as const;
  }
}

function askingAs({ universe, variant }: Dependencies, name: string): Asking {
  return new Asking(universe, variant, name, false, CHANGING);
}
