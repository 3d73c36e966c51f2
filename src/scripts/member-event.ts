/** What happened to make a record as it is. */
export interface MemberEvent {
  readonly kind: EventKind;
  /** In words, for people. */
  readonly why: string;
}

export type EventKind = "joined" | "updated" | "suspect" | "draining" | "left" | "expired";

/** As it is stored: the kind, a space, and why. */
export function eventText({ kind, why }: MemberEvent): string {
  return `${kind} ${why}`;
}

/** A record of an earlier version does not say what happened. */
export function parseEvent(
  text: string,
  { left, revision }: { left: boolean; revision: number },
): MemberEvent {
  const [kind = "", ...why] = text.split(" ");
  if (kind !== "") return { kind: kind as EventKind, why: why.join(" ") };
  return { kind: left ? "left" : revision === 1 ? "joined" : "updated", why: "" };
}
