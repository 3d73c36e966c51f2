import { SCRIPTS } from "../../src/scripts/scripts.js";
import { Recorder } from "../history/recorder.js";
import { planOf, undisturbed } from "./plan.js";
import type { SimulatedPrimary } from "./primary.js";
import type { LuaMachine } from "./redis/lua.js";
import { Scheduler } from "./scheduler.js";
import { Universe } from "./universe.js";
import { PRODUCTION } from "./variant.js";

/** The primaries of a deployment that began before a run does, as its first start left them; the same for all runs. */
export function begunBefore(primaries: number, lua: LuaMachine): Promise<readonly SimulatedPrimary[]> {
  let deployment = deployments.get(primaries);
  if (!deployment) {
    deployment = begin(primaries, lua);
    deployments.set(primaries, deployment);
  }
  return deployment;
}

/** By their number of primaries. */
const deployments = new Map<number, Promise<readonly SimulatedPrimary[]>>();

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

/** The primaries of this run are those of that deployment. */
export function goOnWith({ primaries }: Universe, deployment: readonly SimulatedPrimary[]): void {
  for (const [place, { server }] of primaries.entries()) {
    const before = deployment[place];
    if (!before) throw new RangeError(`a deployment of ${deployment.length} primaries`);
    server.takeOver(before.server);
    for (const { text } of Object.values(SCRIPTS)) server.execute("SCRIPT", ["LOAD", text]);
  }
}

/** More than clocks differ by: its floor is below all that a cold start in a run begins with. */
const BEFORE_MS = 10_000;
