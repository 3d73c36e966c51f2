import type { History, Operation, Outcome, Request, WorldEvent } from "./operation.js";

/** An operation in one line of a table; without an end it was not answered. */
export type Line = readonly [
  startMs: number,
  endMs: number | null,
  request: Request,
  outcome?: Outcome | undefined,
  client?: string,
];

/** A history of these. */
export function historyOf(lines: readonly Line[], events: readonly WorldEvent[] = []): History {
  const operations = lines.map(
    ([startMs, endMs, request, outcome, client = "c1"], i): Operation => ({
      id: i + 1,
      client,
      instance: "i1",
      startMs,
      endMs,
      deadlineMs: 1e9,
      mustSucceed: false,
      request,
      outcome: outcome ?? null,
    }),
  );
  return { operations, events, endMs: 1e6 };
}

export const majorityLost = (atMs: number): WorldEvent => ({
  kind: "majority_lost",
  atMs,
  leases: false,
  text: "",
});
