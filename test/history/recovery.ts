import { type Violation, violation } from "./check.js";
import type { History, OutcomeKind } from "./operation.js";

/** What was asked after the faults had stopped, and time to recover was given, succeeded. */
export function checkRecovery({ operations }: History): Violation[] {
  return operations
    .filter(({ mustSucceed, outcome }) => mustSucceed && (outcome === null || FAILURES.has(outcome.kind)))
    .map((operation) =>
      violation(
        "recovery",
        `a ${operation.request.kind} did not succeed after the faults had stopped`,
        operation,
      ),
    );
}

const FAILURES: ReadonlySet<OutcomeKind> = new Set(["held", "failed", "unknown", "no_answer"]);
