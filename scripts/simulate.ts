/**
 * Runs the simulation (test/simulation) from the command line. A seed that fails is printed; with it, `--history` and
 * one run, exactly the same happens again and is told line by line.
 */
import { availableParallelism } from "node:os";
import { z } from "zod";
import { tellHistory, tellViolation } from "../test/history/tell.js";
import { CANARIES, variantOf } from "../test/simulation/canaries.js";
import { type Outcome, runMany } from "../test/simulation/many.js";
import { REGRESSIONS } from "../test/simulation/regressions.js";
import { simulate } from "../test/simulation/run.js";
import { Trace } from "../test/simulation/trace.js";
import { commandLine, flag, whole } from "./command-line.js";

const NAMES = [...CANARIES, ...REGRESSIONS].map(({ name }) => name);
const USAGE = `npm run simulate -- [--seed S] [--runs N] [--workers W] [--canary NAME] [--first-start] [--history] [--trace]
  --seed         the first seed; each run has the next (1)
  --runs         how many (1000; 1 with --history)
  --workers      processes (as many as there are cores)
  --canary       a variant that is wrong, in place of the production code: ${NAMES.map((name) => `"${name}"`).join(", ")}
  --first-start  every run begins with a first start, never with a warm one
  --history      tell each run line by line
  --trace        the same with all that the primaries were asked`;

const {
  seed,
  workers,
  canary,
  "first-start": firstStart,
  history: tellsHistory,
  trace: tellsAll,
  ...values
} = commandLine(USAGE, {
  seed: whole(0).default(1),
  runs: whole(1).optional(),
  workers: whole(1).default(availableParallelism()),
  canary: z.enum(NAMES).optional(),
  "first-start": flag,
  history: flag,
  trace: flag,
});
const tells = tellsHistory || tellsAll;
const runs = values.runs ?? (tells ? 1 : 1000);
process.exitCode = (await (tells ? tellRuns() : countRuns())) > 0 ? 1 : 0;

/** How many failed. */
async function tellRuns(): Promise<number> {
  let failed = 0;
  for (let one = seed; one < seed + runs; one++) {
    const trace = new Trace();
    const { plan, history, violations } = await simulate(one, {
      variant: variantOf({ canary, firstStart }),
      log: trace.log,
      ...(tellsAll && { watch: trace.watch }),
    });
    console.log(`seed ${one}\n${JSON.stringify(plan, null, 2)}`);
    console.log(tellHistory({ ...history, events: [...history.events, ...trace.notes] }));
    for (const violation of violations) console.log(`\n${tellViolation(violation)}`);
    if (violations.length > 0) failed += 1;
  }
  return failed;
}

async function countRuns(): Promise<number> {
  const startedMs = performance.now();
  const tell = ({ runs, operations, failures }: Outcome) => {
    const perSecond = (1000 * runs) / (performance.now() - startedMs);
    return `${runs} runs, ${operations} operations, ${failures.length} failed, ${perSecond.toFixed(0)} runs/s`;
  };
  let toldMs = startedMs;
  const told = new Set<number>();
  const outcome = await runMany({
    seed,
    runs,
    workers,
    canary,
    firstStart,
    onProgress: (soFar) => {
      // At once: a long run may be stopped before its end.
      for (const { seed, promises } of soFar.failures) {
        if (!told.has(seed)) console.log(`seed ${seed} broke: ${promises.join(", ")}`);
        told.add(seed);
      }
      if (performance.now() - toldMs < 5_000) return;
      toldMs = performance.now();
      console.log(tell(soFar));
    },
  });
  for (const { seed, text } of outcome.failures.slice(0, 10)) {
    console.log(
      `\nseed ${seed}: npm run simulate -- --seed ${seed} --history${firstStart ? " --first-start" : ""}\n${text}`,
    );
  }
  console.log(`\nseeds ${seed} to ${seed + runs - 1}: ${tell(outcome)}`);
  if (outcome.failures.length > 0)
    console.log(`failed: ${outcome.failures.map((failure) => failure.seed).join(", ")}`);
  return outcome.failures.length;
}
