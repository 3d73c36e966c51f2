import { setTimeout as sleep } from "node:timers/promises";
import { GUARD_MS } from "../../src/algorithms/guard.js";
import { check, type Violation, violation } from "../history/check.js";
import { checkHolds } from "../history/holds.js";
import type { History } from "../history/operation.js";
import { Recorder } from "../history/recorder.js";
import { Chance } from "../simulation/random.js";
import { primariesAreFilled, watchersAgree } from "./agreement.js";
import { startTestCluster, type TestCluster } from "./cluster/cluster.js";
import { type Fault, schedule, skipped } from "./faults.js";
import { GrantCounter } from "./grants.js";
import { Load, type LoadOptions } from "./load/load.js";

export interface RunOptions extends LoadOptions {
  readonly minutes: number;
  readonly primaries: number;
  readonly kind: "process" | "container";
  /** With the guard against mass expiry: then members may be kept for longer. */
  readonly guard?: boolean;
  /** Settings of the instances. */
  readonly env?: Record<string, string>;
  /** The times at which faults begin, ms from the start of the load: those of another run with the same seed. */
  readonly timetable?: readonly number[];
  /** Told about each fault when it is over. */
  readonly onFault?: (happened: Happened) => void;
}

/** A fault as it went. */
export interface Happened {
  readonly kind: string;
  readonly majority: boolean;
  readonly beganMs: number;
  /** When it was undone; what was hurt may still be out. */
  readonly undoneMs: number;
  /** When both instances saw all primaries take part again; null: not in time. */
  readonly recoveredMs: number | null;
}

export interface Run {
  readonly options: RunOptions;
  /** When the load began. */
  readonly startMs: number;
  readonly happened: readonly Happened[];
  /** Kinds of faults that cannot happen here, with the reason. */
  readonly skipped: ReadonlyMap<string, string>;
  readonly history: History;
  readonly violations: readonly Violation[];
  readonly grants: { readonly inOneRound: number; readonly all: number };
  /** Promises that nobody handled, in this process. */
  readonly unhandled: number;
  /** What the instances wrote. */
  readonly logs: readonly string[];
}

/** Load and faults for some minutes, then the check of all that was seen. */
export async function runFaults(options: RunOptions): Promise<Run> {
  const { seed, subject } = options;
  const isService = subject === "service";
  await using cluster = await startTestCluster({
    primaries: options.primaries,
    kind: options.kind,
    withServices: isService,
    // Generations of counters change under load as well. Where a majority is away for long, a guard keeps members for longer.
    env: {
      QUORATE_ROTATE_AFTER_MS: "20000",
      ...(!options.guard && { QUORATE_GUARD_PERCENT: "100" }),
      ...options.env,
    },
  });
  const recorder = new Recorder(() => performance.now());
  if (options.guard)
    recorder.happened({ kind: "guarded", atMs: performance.now(), keptMs: GUARD_MS + 1_000 });
  const startMs = performance.now();
  const stopping = new AbortController();
  const grants = new GrantCounter(cluster.services);
  const load = new Load(cluster, recorder, stopping.signal, options);
  let unhandled = 0;
  const onUnhandled = () => {
    unhandled += 1;
  };
  process.on("unhandledRejection", onUnhandled);
  const happened: Happened[] = [];
  const failures: Violation[] = [];
  try {
    const { timetable } = options;
    const endMs = startMs + options.minutes * 60_000;
    await undisturbed(recorder);
    for (const fault of schedule(cluster, new Chance(seed, "faults"))) {
      if (performance.now() > endMs - LAST_FAULT_MS || happened.length === timetable?.length) break;
      await sleep(Math.max(0, startMs + (timetable?.[happened.length] ?? 0) - performance.now()));
      const one = await cause(fault, cluster, recorder, grants);
      happened.push(one);
      options.onFault?.(one);
      if (one.recoveredMs === null)
        failures.push(violation("recovery", `no recovery within ${RECOVERY_MS_MAX} ms from ${one.kind}`));
      if (isService) await load.mustServe();
      if (isService && FORGETS.test(one.kind) && one.recoveredMs !== null)
        failures.push(...(await primariesAreFilled(cluster)));
      await sleep(200);
    }
    if (isService) {
      await cluster.recovered(RECOVERY_MS_MAX, ["up"]);
      // Whatever was held has expired by then, and all is as after a start.
      await load.mustServe();
      stopping.abort();
      await load.ended;
      failures.push(...(await watchersAgree(cluster, load.watchers)));
    }
  } finally {
    stopping.abort();
    await load.ended;
    await load.endWatching();
    await grants.look();
    grants.close();
    process.off("unhandledRejection", onUnhandled);
  }
  const history = recorder.history();
  return {
    options,
    startMs,
    happened,
    skipped: skipped(cluster),
    history,
    // redlock has no tokens, and promises nothing but one holder.
    violations: isService ? [...check(history), ...failures] : checkHolds(history),
    grants: grants.total,
    unhandled,
    logs: cluster.services.map((service) => service.log()),
  };
}

/** Before anything goes wrong: who waits in line then must not be overtaken. */
async function undisturbed(recorder: Recorder): Promise<void> {
  const atMs = performance.now();
  await sleep(UNDISTURBED_MS);
  const untilMs = performance.now();
  recorder.happened({ kind: "undisturbed", atMs, untilMs, joinsWithinMs: JOINS_WITHIN_MS });
}

async function cause(
  fault: Fault,
  cluster: TestCluster,
  recorder: Recorder,
  grants: GrantCounter,
): Promise<Happened> {
  // Counters of an instance end with it.
  if (fault.kind === "instance_killed") await grants.look();
  const beganMs = performance.now();
  recorder.note(`${fault.kind} begins`);
  await fault.begin(recorder);
  await sleep(fault.forMs);
  await fault.end(recorder);
  const undoneMs = performance.now();
  recorder.note(`${fault.kind} is undone`);
  // What had been sent to it is read now.
  if (HOLDS_BACK.test(fault.kind))
    recorder.happened({
      kind: "late_message",
      atMs: beganMs,
      untilMs: undoneMs,
      text: `what ${fault.kind} held back`,
    });
  const recovered = await cluster.recovered(RECOVERY_MS_MAX);
  const recoveredMs = recovered ? performance.now() : null;
  recorder.note(recovered ? `recovered from ${fault.kind}` : `not recovered from ${fault.kind}`);
  return { kind: fault.kind, majority: fault.majority, beganMs, undoneMs, recoveredMs };
}

const UNDISTURBED_MS = 5_000;
/** From when a request leaves until it stands in line, on a machine that has other things to do. */
const JOINS_WITHIN_MS = 1_000;
const FORGETS = /emptied|flushed|cut_file|replica/;
const HOLDS_BACK = /^(primary|majority)_paused|stalled|_late|cut_off|lose/;
/** From the end of a fault until all take part again, ms; on a busy machine, so far more than it should take. */
const RECOVERY_MS_MAX = 30_000;
/** No fault begins so short before the end, ms. */
const LAST_FAULT_MS = 4_000;
