import { type Violation, violation } from "./check.js";
import { isExcused } from "./members.js";
import { asked, type Done, done, groupBy, type History, ofKind } from "./operation.js";

type Acknowledged = Done<"register", "alive"> | Done<"heartbeat", "alive">;

/**
 * No member is said to have expired while an acknowledged heartbeat lets it live, nor is a heartbeat of it acknowledged after
 * that, unless under a later revision. One that drains or restarts ends when it was to end.
 */
export function checkExpiry(history: History): Violation[] {
  const { operations, events } = history;
  const signs = groupBy<Acknowledged>(
    [...done(operations, "register", "alive"), ...done(operations, "heartbeat", "alive")],
    ({ request, outcome }) => `${request.service}/${request.member}/${outcome.incarnation}`,
  );
  const ending = [
    ...asked(operations, "change").filter(({ request }) => request.drainMs !== undefined),
    ...asked(operations, "leave").filter(({ request }) => request.restartGraceMs !== undefined),
  ];
  return ofKind(events, "expired").flatMap((event) => {
    const { service, member, incarnation, revision, atMs } = event;
    const mayEnd = ending.some(
      ({ request, startMs }) => request.service === service && request.member === member && startMs < atMs,
    );
    if (mayEnd) return [];
    return (signs.get(`${service}/${member}/${incarnation}`) ?? [])
      .filter(
        ({ startMs, request, outcome }) =>
          (outcome.revision ?? 0) <= revision &&
          // Clocks may differ by 1 %, and expiry has a precision of some ms.
          startMs + request.ttlMs * 0.99 - 5 > atMs &&
          !isExcused(history, Math.min(startMs, atMs), Math.max(startMs, atMs)),
      )
      .slice(0, 1)
      .map((sign) => {
        const what = `${member} of ${service} was said to have expired at ${atMs.toFixed(1)}, and is alive`;
        return violation("members", what, sign);
      });
  });
}
