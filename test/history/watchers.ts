import { type Violation, violation } from "./check.js";
import { isExcused } from "./members.js";
import { groupBy, type History, type WorldEvent } from "./operation.js";

type Told = Extract<WorldEvent, { kind: "told" }>;

/**
 * What watchers of members are told. In one stream no event comes twice, after a return what comes twice has the same id; of
 * each member the events are in order, and nothing of an incarnation follows its end; and that an incarnation has expired is one
 * event, whoever tells of it.
 */
export function checkWatchers(history: History): Violation[] {
  const told = history.events.filter((event) => event.kind === "told" || event.kind === "told_anew");
  const byWatcher = groupBy(told, ({ watcher }) => watcher);
  return [
    ...[...byWatcher.values()].flatMap((ofOne) => disorder(ofOne, history)),
    ...twoEnds(told.filter(isTold), history),
  ];
}

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
