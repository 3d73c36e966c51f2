/** How much a finding matters, the most first. */
export const WEIGHTS = [
  /** Something does not work, or a promise is broken. */
  "critical",
  /** The next failure will be one too many, or lose what was acknowledged. */
  "serious",
  /** It should be better, or will be by itself. */
  "minor",
] as const;

/** Something that is wrong. */
export interface Finding {
  /** What kind of finding it is: does not change from one version to the next. */
  readonly id: string;
  readonly weight: (typeof WEIGHTS)[number];
  /** The URL of the instance, or the address of the primary. */
  readonly subject: string;
  readonly what: string;
  /** Why it matters. */
  readonly why: string;
  /** Where to read more. */
  readonly see: string;
  /** The command that cures it; null: other findings say what to do. */
  readonly cure: string | null;
}

export interface Findings {
  readonly findings: readonly Finding[];
  /** What could not be seen, or may be as it is. */
  readonly notes: readonly string[];
}

export const see = (section: string): string => `docs/operating.md#${section}`;

/** By weight; among equals in the order in which they were found. */
export function ordered(findings: readonly Finding[]): Finding[] {
  const rank = ({ weight }: Finding) => WEIGHTS.indexOf(weight);
  return findings.toSorted((one, other) => rank(one) - rank(other));
}
