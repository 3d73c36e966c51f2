import { type Violation, violation } from "./check.js";
import {
  asked,
  type Done,
  done,
  firstAskedMs,
  type History,
  namesOf,
  type Operation,
  ofKind,
  type Request,
} from "./operation.js";

type Granted = Done<"acquire", "granted">;
type Acquire = Operation & { readonly request: Extract<Request, { kind: "acquire" }> };

/**
 * First come, first served: who came later is not granted a name while a writer waits for it that stands in line. Only
 * where nothing was wrong: a primary that loses data, or an instance that is not heard of, loses places in line.
 */
export function checkOrder({ operations, events }: History): Violation[] {
  const locks = asked(operations, "acquire").filter(({ request }) => request.limit === undefined);
  const grants = done(operations, "acquire", "granted");
  const cameMs = firstAskedMs(operations);
  return ofKind(events, "undisturbed").flatMap((event) => {
    const within = locks.filter(({ startMs }) => startMs >= event.atMs && startMs <= event.untilMs);
    const waiters = within.filter(({ request }) => (request.waitMs ?? 0) > 0 && request.mode !== "shared");
    return within.flatMap((later) =>
      later.outcome?.kind !== "granted" || (later.endMs as number) > event.untilMs
        ? []
        : waiters
            .filter(
              (earlier) =>
                isOvertaken(earlier, later, cameMs(later), event.joinsWithinMs) &&
                !grants.some((grant) => hadItsTurn(earlier, grant, later, event.joinsWithinMs)),
            )
            .map((earlier) =>
              violation("order", `${later.client} overtook ${earlier.client}, which waited`, earlier, later),
            ),
    );
  });
}

/** Two requests for one lease have one place in line: what the other got before `later` was served was its turn. */
function hadItsTurn(earlier: Acquire, grant: Granted, later: Acquire, joinsWithinMs: number): boolean {
  return (
    earlier.request.leaseId === grant.outcome.leaseId &&
    earlier.id !== grant.id &&
    grant.endMs > earlier.startMs &&
    grant.endMs <= (later.endMs as number) + joinsWithinMs
  );
}

function isOvertaken(earlier: Acquire, later: Acquire, cameMs: number, joinsWithinMs: number): boolean {
  const grantedMs = later.endMs as number;
  const { request } = earlier;
  const waitsUntilMs = earlier.startMs + (request.waitMs ?? 0);
  return (
    earlier.startMs + joinsWithinMs < cameMs &&
    // It was in line all the time: neither granted, nor at the end of its patience when the other was.
    (earlier.endMs ?? Number.POSITIVE_INFINITY) > grantedMs + joinsWithinMs &&
    waitsUntilMs > grantedMs &&
    (request.leaseId === undefined || request.leaseId !== later.request.leaseId) &&
    namesOf(request).some((name) => namesOf(later.request).includes(name))
  );
}
