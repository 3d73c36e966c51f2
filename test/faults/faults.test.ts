import { expect, test } from "vitest";
import { processRun } from "../helpers/run.js";
import { tellViolation } from "../history/tell.js";
import { report } from "./report.js";
import { runFaults } from "./run.js";

// A minute of what `npm run test:faults` does for longer, and with more load. What it says of times is for readers: the
// machine of a test has other things to do. FAULTS_SEED is for another schedule.
const seed = Number(process.env.FAULTS_SEED ?? 20_260_704);

test("a minute of real faults breaks no promise", { timeout: 240_000 }, async () => {
  const run = await runFaults({
    seed,
    minutes: 1,
    primaries: 3,
    // Processes where there is a server to start: more can go wrong with them, and it takes less.
    kind: (await processRun()) ? "process" : "container",
    subject: "service",
    load: 1,
    env: { QUORATE_COMMAND_TIMEOUT_MS: "200" },
  });
  console.log(report(run));
  const violations = run.violations.map((one) => tellViolation(one, run.history.events));
  expect(violations.join("\n"), `FAULTS_SEED=${seed}`).toBe("");
  // It was a test at all.
  expect(run.happened.length).toBeGreaterThanOrEqual(8);
  expect(run.history.operations.length).toBeGreaterThan(1_000);
  expect(run.grants.all).toBeGreaterThan(100);
});
