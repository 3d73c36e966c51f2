import { SCRIPTS } from "../../src/scripts/scripts.js";
import { Recorder } from "../history/recorder.js";
import { planOf, undisturbed } from "./plan.js";
import type { SimulatedPrimary } from "./primary.js";
import type { LuaMachine } from "./redis/lua.js";
import { Scheduler } from "./scheduler.js";
import { Universe } from "./universe.js";
import { PRODUCTION } from "./variant.js";

/** The primaries of an existing deployment, as its first start left them: a warm start begins with them. The same in all runs. */
export function existingDeployment(primaries: number, lua: LuaMachine): Promise<readonly SimulatedPrimary[]> {
  let deployment = existing.get(primaries);
  if (!deployment) {
    deployment = begin(primaries, lua);
    existing.set(primaries, deployment);
  }
  return deployment;
}

/** By their number of primaries. */
const existing = new Map<number, Promise<readonly SimulatedPrimary[]>>();

async function begin(primaries: number, lua: LuaMachine): Promise<readonly SimulatedPrimary[]> {
  const scheduler = new Scheduler(-BEFORE_MS);
  const plan = { ...undisturbed(planOf(0)), primaries, instances: 1 };
  const recorder = new Recorder(scheduler.nowMs);
  const universe = new Universe(plan, scheduler, recorder, lua, PRODUCTION, () => {}, undefined);
  void universe.untilUp().then(() => scheduler.stop());
  await scheduler.run();
  for (const instance of universe.instances) instance.kill();
  return universe.primaries;
}

/** The primaries of this run take over the data of that deployment. */
export function startWarm({ primaries }: Universe, deployment: readonly SimulatedPrimary[]): void {
  for (const [place, { server }] of primaries.entries()) {
    const before = deployment[place];
    if (!before) throw new RangeError(`a deployment of ${deployment.length} primaries`);
    server.takeOver(before.server);
    for (const { text } of Object.values(SCRIPTS)) server.execute("SCRIPT", ["LOAD", text]);
  }
}

/** More than clocks differ by: the floor of this deployment is below that of any cold start during a run. */
const BEFORE_MS = 10_000;
