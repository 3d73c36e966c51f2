/**
 * Real faults: real Redis servers and two real instances of the service under load, while one thing after the other
 * goes wrong; then the check of everything that was seen.
 *   npm run test:faults -- [--minutes 1] [--seed 1] [--primaries 3] [--load 2] [--containers] [--history FILE]
 *   npm run test:faults -- --compare ...     the same faults against the service and against plain redlock
 *   npm run test:faults -- --figures [--seconds 10]     what one primary that is paused or dead costs, and no schedule
 * --history writes all that clients asked and were told to FILE, and the logs of the instances to FILE.log.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Happened } from "../test/faults/run.js";

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
    seconds: { type: "string", default: "10" },
    history: { type: "string" },
  },
});
if (!values.containers) process.env.TEST_REDIS = "process";
const { closeRun } = await import("../test/helpers/run.js");
const { runFaults } = await import("../test/faults/run.js");
const { report } = await import("../test/faults/report.js");
const { compare, comparison } = await import("../test/faults/compare.js");
const { figures } = await import("../test/faults/figures.js");
const { tellHistory } = await import("../test/history/tell.js");

const print = (line: string) => void process.stdout.write(`${line}\n`);
const kind = values.containers ? "container" : "process";
const primaries = Number(values.primaries);
const options = {
  seed: Number(values.seed),
  minutes: Number(values.minutes),
  primaries,
  kind,
  load: Number(values.load),
  onFault: ({ kind, beganMs, undoneMs, recoveredMs }: Happened) => {
    const after = recoveredMs === null ? "not in time" : `after ${Math.round(recoveredMs - undoneMs)} ms`;
    print(
      `${(beganMs / 1000).toFixed(1).padStart(7)} s  ${kind} for ${Math.round(undoneMs - beganMs)} ms; all take part again ${after}`,
    );
  },
} as const;
let violations = 0;
// A mistake of plain redlock must be counted, not end this process.
process.on("unhandledRejection", () => {});
try {
  if (values.figures) print(await figures({ primaries, kind, seconds: Number(values.seconds), clients: 16 }));
  else if (values.compare) {
    const runs = await compare(options);
    print(report(runs[0]));
    print(comparison(runs));
    violations += runs[0].violations.length;
  } else {
    const run = await runFaults({ ...options, subject: "service" });
    print(report(run));
    violations += run.violations.length;
    if (values.history) {
      writeFileSync(values.history, `${tellHistory(run.history)}\n`);
      writeFileSync(`${values.history}.log`, run.logs.join("\n"));
    }
  }
} finally {
  await closeRun();
}
process.exit(violations > 0 ? 1 : 0);
