/** Which of the known names was probably meant: another spelling, the name without its unit, or a typing error. */
export function closestTo(name: string, known: readonly string[]): string | undefined {
  const given = plain(name);
  if (given.length < 2 || given.length > LENGTH_MAX) return undefined;
  const ranked = known
    .map((each) => ({ each, distance: distance(given, plain(each)) }))
    .sort((one, other) => one.distance - other.distance);
  const [best] = ranked;
  // Two slips, but never half of the name.
  if (best && best.distance <= Math.min(2, (given.length - 1) / 2)) return best.each;
  return known.find((each) => given.length > 2 && plain(each).startsWith(given));
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, "");
}

/** Letters to insert, drop or replace. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 0; i < one.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < other.length; j++) {
      const swap = (row[j] as number) + (one[i] === other[j] ? 0 : 1);
      next.push(Math.min(swap, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[other.length] as number;
}

/** Longer than any name here. */
const LENGTH_MAX = 40;
