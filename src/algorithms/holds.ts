/** The holds that a majority of the primaries report, each with the latest revision of its metadata. */
export function heldByMajority<H extends { readonly digest: string; readonly revision: string }>(
  primaries: readonly (readonly H[])[],
  majority: number,
): H[] {
  const byDigest = new Map<string, H[]>();
  for (const hold of primaries.flat())
    byDigest.set(hold.digest, [...(byDigest.get(hold.digest) ?? []), hold]);
  return [...byDigest.values()].filter((holds) => holds.length >= majority).map(latestOf);
}

/** The hold with the latest revision. `all` must not be empty. */
export function latestOf<R extends { readonly revision: string }>(all: readonly R[]): R {
  return all.reduce((latest, one) => (one.revision > latest.revision ? one : latest));
}

/** The hold that the most primaries report, and how many report it; undefined: there is none. */
export function mostReported<H extends { readonly digest: string }>(
  holds: readonly H[],
): { readonly hold: H; readonly votes: number } | undefined {
  let most: { readonly hold: H; readonly votes: number } | undefined;
  for (const hold of holds) {
    const votes = holds.filter(({ digest }) => digest === hold.digest).length;
    if (votes > (most?.votes ?? 0)) most = { hold, votes };
  }
  return most;
}
