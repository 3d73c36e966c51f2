/** A primary's part in the model of registers. What it refuses changes nothing. */
import type { Primary, RegistersVariant } from "./registers-world.js";

export function prepare(primary: Primary, ballot: number, variant: RegistersVariant): boolean {
  const { promised, floor } = primary;
  const isAbove = variant === "a ballot reused for another value" ? ballot >= promised : ballot > promised;
  if (!isAbove || ballot <= floor) return false;
  primary.promised = ballot;
  return true;
}

export function accept(
  primary: Primary,
  ballot: number,
  content: number,
  variant: RegistersVariant,
): boolean {
  const { promised, floor } = primary;
  if (ballot <= floor || (ballot < promised && variant !== "accept without compare")) return false;
  primary.promised = Math.max(promised, ballot);
  primary.accepted = ballot;
  primary.content = content;
  noteTombstone(primary);
  return true;
}

/** From now on somebody may know that this primary has it, in this configuration. */
export function noteTombstone(primary: Primary): void {
  if (primary.accepted === 0 || primary.content !== 0) return;
  const field = tombsOf(primary.configuration);
  primary[field] |= 1 << primary.accepted;
}

const tombsOf = (configuration: number) =>
  (["tombs1", "tombs2", "tombs3"] as const)[configuration - 1] ?? "tombs3";

/** Of `all` primaries so many are known to have this tombstone, in the configuration of the primary that has it. */
export function knownTombstones({ configuration, accepted }: Primary, all: readonly Primary[]): number {
  const field = tombsOf(configuration);
  return all.filter((primary) => primary[field] & (1 << accepted)).length;
}

/** The key goes: a tombstone, or a promise without a value. */
export function remove(primary: Primary, variant: RegistersVariant): void {
  const { promised, accepted, floor } = primary;
  const bare = accepted === 0;
  if (variant === "a key deleted below a promise" && !bare) primary.floor = Math.max(floor, accepted);
  else if (
    variant !== "a key deleted without raising the floor" &&
    !(bare && variant === "a promise without a value dropped without raising the floor")
  )
    primary.floor = Math.max(floor, promised, accepted);
  primary.promised = primary.accepted = primary.content = 0;
}

/** What is on its disk takes the place of what it had. */
export function restart(primary: Primary, fromDisk: boolean): void {
  primary.promised = fromDisk ? primary.savedPromised : 0;
  primary.accepted = fromDisk ? primary.savedAccepted : 0;
  primary.content = fromDisk ? primary.savedContent : 0;
  primary.floor = fromDisk ? primary.savedFloor : 0;
}

export function save(primary: Primary): void {
  primary.saved = 1;
  primary.savedPromised = primary.promised;
  primary.savedAccepted = primary.accepted;
  primary.savedContent = primary.content;
  primary.savedFloor = primary.floor;
}

export function forgetDisk(primary: Primary): void {
  primary.saved =
    primary.savedPromised =
    primary.savedAccepted =
    primary.savedContent =
    primary.savedFloor =
      0;
}

/** What the copy takes from one primary of the majority. */
export function copy(from: Primary, to: Primary, variant: RegistersVariant): void {
  if (from.accepted > to.accepted) {
    to.accepted = from.accepted;
    to.content = from.content;
  }
  if (variant !== "copying by the highest ballot alone") {
    to.promised = Math.max(to.promised, from.promised);
    to.floor = Math.max(to.floor, from.floor);
  }
  to.promised = Math.max(to.promised, to.accepted);
}
