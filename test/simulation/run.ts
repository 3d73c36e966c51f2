import { check, type Violation, violation } from "../history/check.js";
import type { History } from "../history/operation.js";
import { Recorder } from "../history/recorder.js";
import { runClients } from "./clients.js";
import { inflict } from "./faults.js";
import { isUndisturbed, type Plan, planOf } from "./plan.js";
import type { Watch } from "./primary.js";
import { Chance } from "./random.js";
import { type Leftover, recover } from "./recovery.js";
import { LuaMachine } from "./redis/lua.js";
import { Scheduler } from "./scheduler.js";
import { Universe } from "./universe.js";
import { PRODUCTION, type Schedule, type Variant } from "./variant.js";
import { existingDeployment, startWarm } from "./warm-start.js";

export interface Run {
  readonly seed: number;
  readonly plan: Plan;
  readonly history: History;
  readonly violations: readonly Violation[];
}

export interface RunOptions {
  readonly variant?: Variant;
  /** Told what the instances log, at which time. */
  readonly log?: (atMs: number, line: string) => void;
  /** Told of everything that a primary runs. */
  readonly watch?: Watch;
  /** Changes what the seed decided. */
  readonly replan?: (plan: Plan) => Plan;
  /** A scripted schedule in place of the random load; a variant may have one as well. */
  readonly schedule?: Schedule;
}

/** One run: everything in it follows from the seed. Takes no real time but the processor's. */
export async function simulate(seed: number, options: RunOptions = {}): Promise<Run> {
  const { variant = PRODUCTION, log, watch, replan = variant.replan ?? ((plan) => plan) } = options;
  const schedule = options.schedule ?? variant.schedule ?? runClients;
  const plan = replan(planOf(seed));
  const scheduler = new Scheduler();
  const recorder = new Recorder(scheduler.nowMs);
  const write = log ? (line: string) => log(scheduler.nowMs(), line) : () => {};
  const lua = await machine();
  const existing = plan.start === "warm" ? await existingDeployment(plan.primaries, lua) : null;
  const universe = new Universe(plan, scheduler, recorder, lua, variant, write, watch);
  if (existing) startWarm(universe, existing);
  let crash: unknown = null;
  let leftovers: readonly Leftover[] = [];
  live(universe, plan, variant, schedule)
    .then((left) => {
      leftovers = left;
    })
    .catch((error: unknown) => {
      crash = error;
    })
    .finally(() => scheduler.stop());
  scheduler.at(RUN_MS_MAX, () => scheduler.stop());
  await scheduler.run();
  if (crash !== null) throw crash;
  const history = recorder.history();
  const violations = [...check(history), ...leftovers.map(forgotten)];
  return { seed, plan, history, violations };
}

/** What happens in a run, from its first start to the last probe. */
async function live(
  universe: Universe,
  plan: Plan,
  variant: Variant,
  schedule: Schedule,
): Promise<Leftover[]> {
  const { scheduler, network } = universe;
  const chance = new Chance(plan.seed, "run");
  if (plan.start !== "amid faults") {
    network.calm = true;
    await universe.untilUp();
    network.calm = false;
  }
  const faults = chance.stream("faults");
  for (const fault of plan.faults) scheduler.after(fault.atMs, () => inflict(universe, fault, faults));
  const faultsEndMs = scheduler.nowMs() + plan.faultsMs;
  if (isUndisturbed(plan))
    universe.recorder.happened({
      kind: "undisturbed",
      atMs: scheduler.nowMs(),
      untilMs: faultsEndMs,
      joinsWithinMs: JOINS_WITHIN_MS,
    });
  const dependencies = { universe, plan, variant, chance, faultsEndMs };
  const held = await schedule(dependencies);
  return recover(dependencies, held);
}

function forgotten({ name, primary }: Leftover): Violation {
  return violation("recovery", `${primary} still holds ${name}, which nobody has`);
}

/** One for all runs of this process: it takes long to make, and keeps nothing but compiled scripts. */
function machine(): Promise<LuaMachine> {
  made ??= LuaMachine.create();
  return made;
}

let made: Promise<LuaMachine> | undefined;

/** A refusal, a ticket and another refusal, each there and back; and what a name that is handed on takes. */
const JOINS_WITHIN_MS = 20;
/** A run that is not over by then hangs: what it waits for is found open. */
const RUN_MS_MAX = 60_000;
