import { type Violation, violation } from "./check.js";
import { type History, ofKind } from "./operation.js";

/** Every request is answered by its deadline. The time in which its instance was paused does not count. */
export function checkDeadlines({ operations, events, endMs }: History): Violation[] {
  const pauses = ofKind(events, "paused");
  return operations.flatMap((operation) => {
    const endedMs = operation.endMs ?? endMs;
    const pausedMs = pauses.reduce((sum, event) => {
      if (event.instance !== operation.instance) return sum;
      const overlap = Math.min(event.untilMs, endedMs) - Math.max(event.atMs, operation.startMs);
      return sum + Math.max(0, overlap);
    }, 0);
    const lateMs = endedMs - operation.deadlineMs - pausedMs;
    if (lateMs <= 0) return [];
    const how = operation.endMs === null ? "was not answered" : "was answered";
    return [violation("deadlines", `a request ${how} ${lateMs.toFixed(1)} ms after its deadline`, operation)];
  });
}
