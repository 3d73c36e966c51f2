import { Asking, CHANGING, type Held } from "./asking.js";
import { type Dependencies, ELECTION } from "./clients.js";
import { probeOnRegisters } from "./clients-on-registers.js";
import { untilHookKnows } from "./hooked.js";
import { probeRegisters } from "./register-clients.js";
import { probeTransfers } from "./transfer-clients.js";

/** After the faults: everything must work again, on every instance, within `RECOVERY_MS`. Returns what was left over. */
export async function recover(dependencies: Dependencies, held: readonly Held[]): Promise<Leftover[]> {
  const { universe, plan, variant, chance } = dependencies;
  const { scheduler } = universe;
  universe.heal();
  const healedMs = scheduler.nowMs();
  const watching = watchTheDead(dependencies);
  // Well-behaved clients end; whatever goes wrong with it is for the service to finish.
  await scheduler.sleep(chance.between(0, 500));
  await Promise.all(
    held.map(async (one) => {
      const [instance] = universe.alive;
      if (instance) await new Asking(universe, variant, "c0").release(instance, one);
    }),
  );
  await scheduler.sleep(healedMs + RECOVERY_MS - scheduler.nowMs());
  const names = Array.from({ length: plan.names }, (_, place) => `n${place + 1}`);
  const [ofLocks, ofElection] = await Promise.all([
    Promise.all(names.map((name) => probeLock(dependencies, name, healedMs))),
    probeElection(dependencies, healedMs),
    probeMembers(dependencies),
    ...(plan.registers > 0 ? [probeRegisters(dependencies)] : []),
    ...(plan.transfers > 0 ? [probeTransfers(dependencies)] : []),
    probeOnRegisters(dependencies),
    untilHookKnows(dependencies),
    watching,
  ]);
  return [...ofLocks.flat(), ...ofElection];
}

/** A hold that nobody has, on a primary that works. */
export interface Leftover {
  readonly name: string;
  readonly primary: string;
}

/** Nobody sends heartbeats any more: all members must be gone in time, and are watched until they are. */
async function watchTheDead({ universe, variant, plan }: Dependencies): Promise<void> {
  const asking = new Asking(universe, variant, "watcher");
  const { scheduler } = universe;
  const endMs = scheduler.nowMs() + plan.memberTtlMs * DRIFT + GONE_WITHIN_MS + WATCH_EVERY_MS;
  for (let look = 0; scheduler.nowMs() < endMs; look++) {
    await scheduler.sleep(WATCH_EVERY_MS);
    const instance = universe.alive[look % universe.alive.length];
    if (!instance) continue;
    await asking.list(instance);
    if (plan.changing > 0) await new Asking(universe, variant, "watcher", false, CHANGING).list(instance);
  }
}

/** Each instance in turn: nobody else wants the name. */
async function probeLock(dependencies: Dependencies, name: string, healedMs: number): Promise<Leftover[]> {
  const { universe, variant } = dependencies;
  await universe.scheduler.sleep(freeAtMs(dependencies, name, healedMs) - universe.scheduler.nowMs());
  const leftovers = universe.holdersOf(`lock/${name}`).map((primary) => ({ name, primary }));
  const asking = new Asking(universe, variant, `probe of ${name}`, true);
  for (const instance of universe.alive) {
    const held = await asking.acquire(instance, { name }, 1_000);
    if (typeof held !== "object") continue;
    await asking.renew(instance, held, true);
    await asking.release(instance, held);
  }
  return leftovers;
}

/** One campaigns and proclaims, and another instance sees it. */
async function probeElection(dependencies: Dependencies, healedMs: number): Promise<Leftover[]> {
  const { universe, variant } = dependencies;
  const name = ELECTION;
  await universe.scheduler.sleep(freeAtMs(dependencies, name, healedMs) - universe.scheduler.nowMs());
  const leftovers = universe.holdersOf(`election/${name}`).map((primary) => ({ name, primary }));
  const asking = new Asking(universe, variant, "probe of the election", true);
  const [instance, another = instance] = universe.alive;
  if (!instance || !another) return leftovers;
  const wanted = { name, election: true } as const;
  const held = await asking.acquire(instance, wanted, 1_000, { value: universe.newValue() });
  if (typeof held !== "object") return leftovers;
  await asking.proclaim(another, held, universe.newValue());
  await asking.leader(instance, name);
  await asking.release(another, held);
  return leftovers;
}

/**
 * When a name must be free: at once, but for what nobody is left to give back, which ends by its time to live, and but
 * for the quarantine of primaries that forgot.
 */
function freeAtMs({ universe, plan }: Dependencies, name: string, healedMs: number): number {
  // What arrives twice may come behind a release; and a release may be forgotten.
  const mayReturn = plan.weather.twiceShare > 0 || universe.majorityLost;
  const returned = mayReturn ? Math.max(...plan.leaseTtlsMs) : 0;
  const orphanMs = Math.max(returned, universe.orphaned.get(name) ?? 0);
  const orphanEndsMs = orphanMs === 0 ? 0 : healedMs + LATE_MS_MAX + orphanMs * DRIFT;
  const quarantineMs = Math.min(universe.quarantineMs, (plan.settings.ttlMaxMs + MARK_MS) * DRIFT);
  const quarantineEndsMs = universe.scheduler.nowMs() + quarantineMs * DRIFT;
  // On a clock that was set back everything ends so much later.
  return Math.max(orphanEndsMs, quarantineEndsMs) + universe.setBackMs + MARGIN_MS;
}

async function probeMembers({ universe, variant, plan }: Dependencies): Promise<void> {
  const asking = new Asking(universe, variant, "probe of members", true);
  const instances = universe.alive;
  for (const [place, instance] of instances.entries()) {
    const name = `p${place + 1}`;
    const another = instances[(place + 1) % instances.length] ?? instance;
    const incarnation = await asking.register(instance, name, plan.memberTtlMs);
    await asking.list(another);
    if (incarnation !== null) await asking.heartbeat(another, name, plan.memberTtlMs, incarnation);
    await asking.owner(instance, "k1");
    await asking.leave(instance, name);
    await asking.list(another);
  }
}

const RECOVERY_MS = 2_000;
const GONE_WITHIN_MS = 1_000;
const WATCH_EVERY_MS = 500;
/** What was sent before the faults stopped arrives at the latest so much after. */
const LATE_MS_MAX = 1_500;
const DRIFT = 1.01;
const MARGIN_MS = 20;
/** The high-water mark of leases is written so much further than needed. */
const MARK_MS = 1_000;
