import { type Violation, violation } from "./check.js";
import { isAnswered, isExcused } from "./members.js";
import { asked, type Done, done, groupBy, type History, type Operation, type Seen } from "./operation.js";

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
  const changes = groupBy(done(operations, "change", "updated"), ofMember);
  return [
    ...[...changes.values()].flatMap((ofOne) => unordered(ofOne, history)),
    ...done(operations, "list", "listed").flatMap((list) =>
      list.outcome.members.flatMap((seen) => {
        const key = `${list.request.service}/${seen.id}`;
        return (changes.get(key) ?? [])
          .filter(
            (change) =>
              change.outcome.incarnation === seen.incarnation &&
              change.endMs < list.startMs &&
              !isExcused(history, change.startMs, list.endMs),
          )
          .flatMap((change) => undone(change, seen, list, all.get(key) ?? []));
      }),
    ),
  ];
}

function unordered(changes: readonly Changed[], history: History): Violation[] {
  return changes.flatMap((one, place) =>
    changes.slice(place + 1).flatMap((other) => {
      if (one.outcome.incarnation !== other.outcome.incarnation) return [];
      if (isExcused(history, one.startMs, other.endMs)) return [];
      const { revision } = one.outcome;
      if (revision === other.outcome.revision)
        return [violation("members", `two changes were acknowledged as revision ${revision}`, one, other)];
      if (one.endMs >= other.startMs || revision < other.outcome.revision) return [];
      const what = `a change got revision ${other.outcome.revision} after one that had got ${revision}`;
      return [violation("members", what, one, other)];
    }),
  );
}

function undone(change: Changed, { id, version }: Seen, list: Listed, all: readonly Asked[]): Violation[] {
  if (!version) return [];
  const { request, outcome } = change;
  if (version.revision < outcome.revision) {
    const what = `${id} was seen in revision ${version.revision} after ${outcome.revision} was acknowledged`;
    return [violation("members", what, change, list)];
  }
  // What was over before this one began was seen by it.
  const later = all.filter(
    (other) =>
      other.id !== change.id &&
      other.startMs < list.endMs &&
      !(isAnswered(other) && other.endMs < change.startMs),
  );
  const { weight, status } = request;
  const isLost = weight !== undefined && !may(version.weight, weight, later, "weight");
  const seenStatus = version.draining ? "draining" : "up";
  if (!isLost && (status === undefined || may(seenStatus, status, later, "status"))) return [];
  const what = isLost ? `weight ${weight}` : `status ${status}`;
  return [violation("members", `the ${what} of ${id} was acknowledged and is gone`, change, list)];
}

/** Whether this can be what is seen: what was acknowledged, or what others asked for. */
function may<F extends "weight" | "status">(
  seen: Asked["request"][F],
  acknowledged: Asked["request"][F],
  later: readonly (Operation & Asked)[],
  field: F,
): boolean {
  return seen === acknowledged || later.some(({ request }) => request[field] === seen);
}
