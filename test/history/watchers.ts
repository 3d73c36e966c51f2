import { type Violation, violation } from "./check.js";
import { isExcused } from "./members.js";
import { done, groupBy, type History, ofKind, type WorldEvent } from "./operation.js";

type Told = Extract<WorldEvent, { kind: "told" }>;

/**
 * What watchers of members are told. In one stream no event comes twice, after a return what comes twice has the same id; of
 * each member the events are in order, and nothing of an incarnation follows its end; and that an incarnation has expired is one
 * event, whoever tells of it. A watcher that nothing may escape is told the end of each member.
 */
export function checkWatchers(history: History): Violation[] {
  const told = history.events.filter((event) => event.kind === "told" || event.kind === "told_anew");
  const byWatcher = groupBy(told, ({ watcher }) => watcher);
  return [
    ...[...byWatcher.values()].flatMap((ofOne) => disorder(ofOne, history)),
    ...twoEnds(told.filter(isTold), history),
    ...untold(history),
  ];
}

/** Members whose end a watcher was never told, though all have ended and it must have been told by now. */
function untold({ operations, events }: History): Violation[] {
  if (ofKind(events, "majority_lost").length > 0) return [];
  return ofKind(events, "all_told").flatMap(({ watcher, service, atMs }) => {
    const its = events.filter((event) => isOf(event, watcher) && event.atMs <= atMs);
    // What was before is told by what is there then.
    const anewMs = its.reduce((last, event) => (event.kind === "told_anew" ? event.atMs : last), -1);
    const alive = done(operations, "register", "alive").filter(
      ({ request, startMs }) => request.service === service && startMs > anewMs && startMs < atMs,
    );
    return [...groupBy(alive, ({ request }) => request.member)].flatMap(([member, registrations]) => {
      const latest = Math.max(...registrations.map(({ outcome }) => outcome.incarnation));
      const isTheEnd = (event: WorldEvent) =>
        isTold(event) && event.member === member && isEnd(event) && event.incarnation >= latest;
      if (its.some(isTheEnd)) return [];
      return [
        violation("watchers", `${watcher} was never told the end of ${member} (${latest})`, ...registrations),
      ];
    });
  });
}

const isOf = (event: WorldEvent, watcher: string) => "watcher" in event && event.watcher === watcher;

function disorder(told: readonly WorldEvent[], history: History): Violation[] {
  const seen = new Map<string, Told>();
  let latest = new Map<string, Told>();
  const found: Violation[] = [];
  for (const event of told) {
    if (event.kind === "told_anew") latest = new Map();
    if (event.kind !== "told") continue;
    if (event.event !== "member" && !isOfSuspicion(event)) {
      const first = seen.get(event.id);
      if (first && first.stream === event.stream)
        found.push(
          violation("watchers", `${event.watcher} was told ${event.id} twice in stream ${event.stream}`),
        );
      seen.set(event.id, event);
      // It is known from before: whoever reads on skips it.
      if (first) continue;
    }
    const before = latest.get(`${event.service}/${event.member}`);
    if (before && isBehind(event, before) && !isExcused(history, before.atMs, event.atMs)) {
      const what = `${event.watcher} was told ${textOf(event)} after ${textOf(before)}`;
      found.push(violation("watchers", what));
    }
    latest.set(`${event.service}/${event.member}`, event);
  }
  return found;
}

function isBehind(event: Told, before: Told): boolean {
  if (event.incarnation !== before.incarnation) return event.incarnation < before.incarnation;
  if (isEnd(before)) return true;
  return !isEnd(event) && event.revision < before.revision;
}

function twoEnds(told: readonly Told[], history: History): Violation[] {
  const ends = told.filter(({ event }) => event === "expired");
  const groups = groupBy(ends, ({ service, member, incarnation }) => `${service}/${member}/${incarnation}`);
  return [...groups].flatMap(([which, all]) => {
    const ids = new Set(all.map(({ id }) => id));
    if (ids.size === 1) return [];
    const times = all.map(({ atMs }) => atMs);
    if (isExcused(history, Math.min(...times), Math.max(...times))) return [];
    return [violation("watchers", `${which} was told to have expired as ${[...ids].join(" and ")}`)];
  });
}

const isTold = (event: WorldEvent): event is Told => event.kind === "told";
const isEnd = ({ event }: Told) => event === "left" || event === "expired";
/** It may come and go more than once within a revision. Its ids have a part more. */
const isOfSuspicion = ({ id }: Told) => id.split("/").length > 5;
const textOf = ({ event, incarnation, revision, member }: Told) =>
  `${event} of ${member} (${incarnation}, revision ${revision})`;
