import { type Violation, violation } from "./check.js";
import { isAnswered, isExcused } from "./members.js";
import { asked, type Done, done, groupBy, type History, type Seen } from "./operation.js";

type Changed = Done<"change", "updated">;
type Asked = ReturnType<typeof asked<"change">>[number];
type Listed = Done<"list", "listed">;

/**
 * Acknowledged changes of one incarnation have revisions of their own, which grow in real-time order, and no later list shows
 * an earlier revision, or undoes what was changed.
 */
export function checkChanges(history: History): Violation[] {
  const { operations } = history;
  const ofMember = ({ request }: Asked) => `${request.service}/${request.member}`;
  const all = groupBy(asked(operations, "change"), ofMember);
  const changes = groupBy(
    done(operations, "change", "updated"),
    (change) => `${ofMember(change)}/${change.outcome.incarnation}`,
  );
  // What excuses is looked at last: a long run has millions of pairs, and hardly any that is to be excused.
  const unexcused = ([first, last, what]: Suspicion): Violation[] =>
    isExcused(history, first.startMs, last.endMs) ? [] : [violation("members", what, first, last)];
  return [
    ...[...changes.values()].flatMap(unordered).flatMap(unexcused),
    ...done(operations, "list", "listed").flatMap((list) =>
      list.outcome.members.flatMap((seen) => {
        const key = `${list.request.service}/${seen.id}`;
        return (changes.get(`${key}/${seen.incarnation}`) ?? [])
          .filter((change) => change.endMs < list.startMs)
          .flatMap((change) => undone(change, seen, list, all.get(key) ?? []))
          .flatMap(unexcused);
      }),
    ),
  ];
}

/** Two that contradict each other, in the order of their starts, and how. */
type Suspicion = readonly [Changed, Changed | Listed, string];

function unordered(changes: readonly Changed[]): Suspicion[] {
  return changes.flatMap((one, place) =>
    changes.slice(place + 1).flatMap((other): Suspicion[] => {
      const { revision } = one.outcome;
      if (revision === other.outcome.revision)
        return [[one, other, `two changes were acknowledged as revision ${revision}`]];
      if (one.endMs >= other.startMs || revision < other.outcome.revision) return [];
      return [
        [one, other, `a change got revision ${other.outcome.revision} after one that had got ${revision}`],
      ];
    }),
  );
}

function undone(change: Changed, { id, version }: Seen, list: Listed, all: readonly Asked[]): Suspicion[] {
  if (!version) return [];
  const { request, outcome } = change;
  if (version.revision < outcome.revision) {
    const what = `${id} was seen in revision ${version.revision} after ${outcome.revision} was acknowledged`;
    return [[change, list, what]];
  }
  const { weight, status } = request;
  /** Whether this can be what is seen: what was acknowledged, or what others asked for that were not over before it began. */
  const may = (field: "weight" | "status", seen: number | string): boolean =>
    seen === request[field] ||
    all.some(
      (other) =>
        other.request[field] === seen &&
        other.id !== change.id &&
        other.startMs < list.endMs &&
        !(isAnswered(other) && other.endMs < change.startMs),
    );
  const isLost = weight !== undefined && !may("weight", version.weight);
  if (!isLost && (status === undefined || may("status", version.draining ? "draining" : "up"))) return [];
  const what = isLost ? `weight ${weight}` : `status ${status}`;
  return [[change, list, `the ${what} of ${id} was acknowledged and is gone`]];
}
