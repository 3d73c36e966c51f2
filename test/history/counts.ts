import type { Violation } from "./check.js";
import type { Sequential } from "./linearizability/linearizable.js";
import { judge } from "./objects.js";
import { asked, groupBy, type History, type Outcome, type Request } from "./operation.js";

/** Counters are linearizable, each by itself, and 0 before anything was added. */
export function checkCounters({ operations, events }: History): Violation[] {
  const all = asked(operations, "add", "count");
  return [...groupBy(all, ({ request }) => request.counter)].flatMap(([name, its]) =>
    judge({
      promise: "counters",
      name,
      operations: its,
      events,
      object: counter,
      tells: ({ kind }) => kind === "counted",
    }),
  );
}

/** Latches are linearizable, each by itself; one that is open stays so. */
export function checkLatches({ operations, events }: History): Violation[] {
  const all = asked(operations, "set_latch", "count_down", "latch");
  return [...groupBy(all, ({ request }) => request.latch)].flatMap(([name, its]) =>
    judge({
      promise: "latches",
      name,
      operations: its,
      events,
      object: latch,
      tells: ({ kind }) => kind === "latched",
    }),
  );
}

const counter: Sequential<number, Extract<Request, { kind: "add" | "count" }>, Outcome> = {
  initial: 0,
  step(value, input, output) {
    const next = input.kind === "add" ? value + input.by : value;
    if (!output) return input.kind === "add" ? next : undefined;
    return output.kind === "counted" && output.value === next ? next : undefined;
  },
  key: String,
};

type Latch = Extract<Outcome, { kind: "latched" }>["latch"];

const latch: Sequential<Latch, Extract<Request, { kind: "set_latch" | "count_down" | "latch" }>, Outcome> = {
  initial: null,
  step(before, input, output) {
    const after = latchAfter(before, input);
    if (!output) return after === before ? undefined : after;
    if (output.kind !== "latched") return undefined;
    return keyOf(output.latch) === keyOf(after) ? after : undefined;
  },
  key: keyOf,
};

function latchAfter(
  before: Latch,
  input: Extract<Request, { kind: "set_latch" | "count_down" | "latch" }>,
): Latch {
  switch (input.kind) {
    case "set_latch":
      return before ?? { count: input.count, remaining: input.count };
    case "count_down":
      return before && before.remaining > 0 ? { ...before, remaining: before.remaining - 1 } : before;
    case "latch":
      return before;
  }
}

function keyOf(state: Latch): string {
  return state ? `${state.remaining}/${state.count}` : "none";
}
