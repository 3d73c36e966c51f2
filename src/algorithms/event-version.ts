/** Which state of a member this is. */
export interface EventVersion {
  readonly id: string;
  readonly incarnation: number;
  readonly revision: number;
  readonly left: boolean;
  readonly expired: boolean;
}

/**
 * Above zero when `a` came after `b`: a leave after all of its incarnation, the end of a revision after that, and before the
 * next one, which made it void.
 */
export function compareVersions(a: EventVersion, b: EventVersion): number {
  return (
    a.incarnation - b.incarnation ||
    Number(a.left) - Number(b.left) ||
    a.revision - b.revision ||
    Number(a.expired) - Number(b.expired)
  );
}
