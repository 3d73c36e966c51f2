import { compareVersions, type EventVersion } from "./event-version.js";

/** An event as one primary has it; equal identities: the same one. `atMs`: when it stored it, ms since 1970 by its clock. */
export interface Kept<E> {
  readonly event: E;
  readonly atMs: number;
}

/**
 * What has happened to one member, in order: what a majority hold, or may hold where some have not answered. A primary that
 * stored an event late, by a repair, does not make it younger. `most`: only so many, the latest.
 */
export function historyOf<E extends EventVersion & { readonly identity: string }>(
  answers: readonly (readonly Kept<E>[])[],
  { primaries, majority }: { readonly primaries: number; readonly majority: number },
  most: number,
): Kept<E>[] {
  const found = new Map<string, Kept<E> & { readonly heldBy: Set<number> }>();
  for (const [index, kept] of answers.entries()) {
    for (const { event, atMs } of kept) {
      const known = found.get(event.identity);
      const heldBy = (known?.heldBy ?? new Set()).add(index);
      found.set(event.identity, { event, atMs: Math.min(atMs, known?.atMs ?? atMs), heldBy });
    }
  }
  const unanswered = primaries - answers.length;
  return [...found.values()]
    .filter(({ heldBy }) => heldBy.size + unanswered >= majority)
    .map(({ event, atMs }) => ({ event, atMs }))
    .sort((one, other) => compareVersions(one.event, other.event))
    .slice(-most);
}
