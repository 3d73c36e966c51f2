import { Recorder } from "../history/recorder.js";
import type { Instance } from "./instance.js";
import { planOf, undisturbed } from "./plan.js";
import { LuaMachine } from "./redis/lua.js";
import { Scheduler } from "./scheduler.js";
import { Universe } from "./universe.js";
import { PRODUCTION } from "./variant.js";
import { existingDeployment, startWarm } from "./warm-start.js";

/** Two instances on three primaries in virtual time, and an undisturbed network: each message takes 0.1 to 0.8 ms. */
export interface VirtualDeployment {
  readonly universe: Universe;
  readonly one: Instance;
  readonly other: Instance;
  /** A third instance, once it has all primaries. */
  start(): Promise<Instance>;
  nowMs(): number;
  sleep(ms: number): Promise<void>;
  /** Looks every millisecond of virtual time. The run fails where the condition does not come true. */
  until(condition: () => boolean | Promise<boolean>): Promise<void>;
}

/**
 * Runs `body` where time passes only while all wait: what is measured there is the same on a busy machine and on an idle
 * one. For bounds of time that are behaviour. Throws what `body` throws, and where it is not over in a minute of virtual
 * time.
 */
export async function inVirtualTime(body: (deployment: VirtualDeployment) => Promise<void>): Promise<void> {
  const lua = await machine();
  const calm = undisturbed(planOf(0));
  const settings = { ttlMaxMs: 60_000, commandTimeoutMs: 100, rotateAfterMs: 86_400_000 };
  const plan = { ...calm, primaries: 3, instances: 2, settings };
  const scheduler = new Scheduler();
  const existing = await existingDeployment(plan.primaries, lua);
  const recorder = new Recorder(scheduler.nowMs);
  const universe = new Universe(plan, scheduler, recorder, lua, PRODUCTION, () => {}, undefined);
  startWarm(universe, existing);
  const outcome = universe.untilUp().then(() => body(deploymentOf(universe, scheduler)));
  let over = false;
  const end = () => {
    over = true;
    scheduler.stop();
  };
  outcome.then(end, end);
  scheduler.at(RUN_MS_MAX, () => scheduler.stop());
  await scheduler.run();
  if (!over) throw new Error(`not over within ${RUN_MS_MAX} ms of virtual time`);
  for (const instance of universe.alive) instance.kill();
  await outcome;
}

function deploymentOf(universe: Universe, scheduler: Scheduler): VirtualDeployment {
  const sleep = (ms: number) => scheduler.sleep(ms);
  return {
    universe,
    one: universe.instances[0] as Instance,
    other: universe.instances[1] as Instance,
    start: async () => {
      universe.startInstance();
      await universe.untilUp();
      return universe.instances.at(-1) as Instance;
    },
    nowMs: scheduler.nowMs,
    sleep,
    until: async (condition) => {
      while (!(await condition())) await sleep(1);
    },
  };
}

/** One for all tests of a file: it takes long to make, and keeps nothing but compiled scripts. */
function machine(): Promise<LuaMachine> {
  made ??= LuaMachine.create();
  return made;
}

let made: Promise<LuaMachine> | undefined;

const RUN_MS_MAX = 60_000;
