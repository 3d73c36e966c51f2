/** What an attack tells, by name: units are in the names. */
export type Figures = Record<string, number>;

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);

/** How often each status came; 0 is no answer at all. */
export function statuses(answers: readonly { readonly status: number }[]): Figures {
  const counts: Figures = {};
  for (const { status } of answers) {
    const name = status === 0 ? "no answer" : `status ${status}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
