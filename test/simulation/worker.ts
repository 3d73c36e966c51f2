import "./unnamed.js";
import { tellViolation } from "../history/tell.js";
import { variantOf } from "./canaries.js";
import type { Failure, Outcome, Share } from "./many.js";
import { type Run, simulate } from "./run.js";

// A process of many.ts: runs what it is told.

// Errors are outcomes here, thousands of them: their stacks are only looked at when one run is repeated.
Error.stackTraceLimit = 0;

let running: number | null = null;

process.on("message", (share: Share) => {
  void work(share).then(
    (outcome) => process.send?.(outcome),
    (error: unknown) => crash(error),
  );
});

// What nobody awaits would end the service: here it ends the run.
process.on("unhandledRejection", crash);
process.on("uncaughtException", crash);
process.on("disconnect", () => process.exit(0));

async function work({ seed, runs, ...chosen }: Share): Promise<Outcome> {
  const variant = variantOf(chosen);
  const failures: Failure[] = [];
  let operations = 0;
  for (running = seed; running < seed + runs; running++) {
    const run = await simulate(running, { variant });
    operations += run.history.operations.length;
    if (run.violations.length > 0) failures.push(failureOf(run));
  }
  return { runs, operations, failures };
}

function failureOf({ seed, history, violations }: Run): Failure {
  return {
    seed,
    length: history.operations.length + history.events.length,
    promises: [...new Set(violations.map(({ promise }) => promise))],
    text: violations
      .slice(0, 3)
      .map((one) => tellViolation(one))
      .join("\n"),
  };
}

function crash(error: unknown): void {
  const text = error instanceof Error ? `${error.message}\n${error.stack}` : String(error);
  process.send?.({ crash: `seed ${running}: ${text}` });
}
