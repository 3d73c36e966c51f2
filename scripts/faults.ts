/**
 * Real faults: real Redis servers and two real instances of the service under load, while one thing after the other
 * goes wrong; then the check of everything that was seen.
 *   npm run test:faults -- [--minutes 1] [--seed 1] [--primaries 3] [--load 2] [--compare] [--containers] [--figures]
 * --compare: the same faults against the service and against plain redlock, side by side.
 * --figures: latencies and round trips when all is well, with one primary paused and with one dead, and no schedule.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    primaries: { type: "string", default: "3" },
    load: { type: "string", default: "2" },
    compare: { type: "boolean", default: false },
    figures: { type: "boolean", default: false },
    containers: { type: "boolean", default: false },
    process: { type: "boolean", default: false },
    history: { type: "string" },
  },
});
if (!values.containers) process.env.TEST_REDIS = "process";
const { closeRun } = await import("../test/helpers/run.js");
const { runFaults } = await import("../test/faults/run.js");
const { report } = await import("../test/faults/report.js");
const { tellHistory } = await import("../test/history/tell.js");

const print = (line: string) => void process.stdout.write(`${line}\n`);
const seed = Number(values.seed);
let violations = 0;
try {
  const run = await runFaults({
    seed,
    minutes: Number(values.minutes),
    primaries: Number(values.primaries),
    kind: values.containers ? "container" : "process",
    subject: "service",
    load: Number(values.load),
    onFault: ({ kind, beganMs, undoneMs, recoveredMs }) =>
      print(
        `${(beganMs / 1000).toFixed(1).padStart(7)} s  ${kind}, ${Math.round(undoneMs - beganMs)} ms; all took part again after ${recoveredMs === null ? "too long" : `${Math.round(recoveredMs - undoneMs)} ms`}`,
      ),
  });
  print(report(run));
  violations += run.violations.length;
  if (values.history) {
    writeFileSync(values.history, `${tellHistory(run.history)}\n`);
    writeFileSync(`${values.history}.log`, run.logs.join("\n"));
  }
} finally {
  await closeRun();
}
process.exit(violations > 0 ? 1 : 0);
