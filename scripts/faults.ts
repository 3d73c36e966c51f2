/**
 * Real faults: real Redis servers and two real instances of the service under load, while one thing after the other
 * goes wrong; then the check of everything that was seen.
 */
import { writeFileSync } from "node:fs";
import { z } from "zod";
import type { Happened } from "../test/faults/run.js";
import { commandLine, flag, positive, whole } from "./command-line.js";

const USAGE = `npm run test:faults -- [--minutes M] [--seed S] [--primaries N] [--load L] [--timeout MS] [--guard] [--containers] [--history FILE]
npm run test:faults -- --compare ...     the same faults against the service and against plain redlock
npm run test:faults -- --figures [--seconds 10]     what one primary that is paused or dead costs, and no schedule
  --minutes     for how long there are faults (1)
  --seed        decides what goes wrong, and when (1)
  --primaries   3, 5 or 7 (3)
  --load        multiplies the clients (2)
  --timeout     QUORATE_COMMAND_TIMEOUT_MS, for a machine that has other things to do
  --guard       with the guard against mass expiry, for which members may be kept for longer
  --containers  Redis in containers, in place of processes
  --history     writes all that clients asked and were told to FILE, and the logs of the instances to FILE.log`;

const values = commandLine(USAGE, {
  minutes: positive.default(1),
  seed: whole(0).default(1),
  primaries: z.coerce
    .number()
    .pipe(z.literal([3, 5, 7]))
    .default(3),
  load: whole(1).default(2),
  compare: flag,
  figures: flag,
  timeout: positive.optional(),
  guard: flag,
  containers: flag,
  seconds: positive.default(10),
  history: z.string().optional(),
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
const { seed, minutes, primaries, load, timeout } = values;
const options = {
  seed,
  minutes,
  primaries,
  kind,
  load,
  ...(timeout && { env: { QUORATE_COMMAND_TIMEOUT_MS: String(timeout) } }),
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
  if (values.figures) print(await figures({ primaries, kind, seconds: values.seconds, clients: 16 }));
  else if (values.compare) {
    const runs = await compare(options);
    print(report(runs[0]));
    print(comparison(runs));
    violations += runs[0].violations.length;
  } else {
    const run = await runFaults({ ...options, guard: values.guard, subject: "service" });
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
