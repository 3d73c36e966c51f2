import type { Acceptor } from "../quorum/agreement.js";
import type { Call } from "../scripts/scripts.js";

/** One end of a copy: a primary as it was observed, as in an agreement. Every call is refused once its epochs have passed. */
export type CopyEnd = Acceptor;

export function runOn<T>(
  { primary, connectionEpoch, configurationEpoch }: CopyEnd,
  call: Call<T>,
): Promise<T> {
  return primary.runAs(connectionEpoch, configurationEpoch, call);
}

export function commandOn(
  { primary, connectionEpoch }: CopyEnd,
  ...[command, ...args]: [string, ...(string | number)[]]
): Promise<unknown> {
  return primary.command(connectionEpoch, command, ...args);
}

/** All keys that match the pattern, a page at a time. */
export async function scanKeys(
  end: CopyEnd,
  pattern: string,
  each: (keys: readonly string[]) => Promise<void>,
): Promise<void> {
  await inPages((cursor) => commandOn(end, "SCAN", cursor, "MATCH", pattern, "COUNT", PAGE), each);
}

/** All fields and values of a hash, alternating, a page at a time. */
export async function scanHash(
  end: CopyEnd,
  key: string,
  each: (fieldsAndValues: readonly string[]) => Promise<void>,
  count = PAGE,
): Promise<void> {
  await inPages((cursor) => commandOn(end, "HSCAN", key, cursor, "COUNT", count), each);
}

/** All members of a sorted set, once each. */
export async function scanMembers(end: CopyEnd, key: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  await inPages(
    (cursor) => commandOn(end, "ZSCAN", key, cursor, "COUNT", PAGE),
    async (membersAndScores) => {
      for (let at = 0; at < membersAndScores.length; at += 2) found.add(membersAndScores[at] as string);
    },
  );
  return found;
}

async function inPages(
  read: (cursor: string) => Promise<unknown>,
  each: (page: readonly string[]) => Promise<void>,
): Promise<void> {
  let cursor = "0";
  do {
    const [next, page] = (await read(cursor)) as [string, string[]];
    cursor = next;
    if (page.length > 0) await each(page);
  } while (cursor !== "0");
}

/** Elements per page: some tenths of a millisecond of the primary's time and of this process's. */
const PAGE = 200;
