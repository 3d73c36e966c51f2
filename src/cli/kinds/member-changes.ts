import type { MemberEvent, WatchedMember } from "../../client/member-state.js";

/** What happened to a member, in words. */
export function eventInWords({ event, member, why }: MemberEvent): string {
  if (event === "joined") return `joined: ${inWords(member)}`;
  // A leave says no more.
  const known = why === "" || why === event ? event : `${event}: ${why}`;
  return event === "updated" ? `${known}; ${STATUS[member.status]}, ${detailsOf(member)}` : known;
}

/** What has changed from one list of the members of a service to the next, in words, by id. */
export function memberChanges(
  before: readonly WatchedMember[],
  now: readonly WatchedMember[],
): { readonly id: string; readonly change: string }[] {
  const known = new Map(before.map((member) => [member.id, member]));
  const changes = now.flatMap((member) => {
    const change = changeOf(known.get(member.id), member);
    known.delete(member.id);
    return change === null ? [] : [{ id: member.id, change }];
  });
  const gone = [...known.keys()].map((id) => ({ id, change: "is gone" }));
  return [...changes, ...gone].sort((one, other) => (one.id < other.id ? -1 : 1));
}

/** What is known of a member that is seen for the first time. */
export function inWords({ address, status }: WatchedMember): string {
  return `${STATUS[status]} at ${address}`;
}

function changeOf(before: WatchedMember | undefined, now: WatchedMember): string | null {
  if (!before) return `joined: ${inWords(now)}`;
  if (before.incarnation !== now.incarnation) return `registered again: ${inWords(now)}`;
  if (before.status !== now.status) return STATUS[now.status];
  if (before.revision === now.revision) return null;
  return `changed: ${detailsOf(now)}`;
}

function detailsOf({ weight, zone, tags }: WatchedMember): string {
  return `weight ${weight}, zone ${zone ?? "-"}, tags ${tags.join(" ") || "-"}`;
}

const STATUS = { up: "is up", suspect: "is suspect", draining: "drains" } as const;
