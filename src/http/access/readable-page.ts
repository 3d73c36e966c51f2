import type { Context } from "hono";
import type { NamePatterns } from "../../algorithms/name-patterns.js";
import type { Env } from "../context.js";
import { grantedTo, permittedOf } from "./authorization.js";
import type { SealedCursors } from "./sealed-cursors.js";

/** One page of a list of names. */
export interface Page<T> {
  readonly items: readonly T[];
  /** The last name that was examined; null: there are no more. */
  readonly cursor: string | null;
}

/** A list, and which page of it is asked for. */
export interface Listed<T> {
  /** Examines `most` names at most, from the first after `cursor` on that begins with the prefix. */
  readonly read: (prefix: string, cursor: string | null, most: number) => Promise<Page<T>>;
  readonly nameOf: (item: T) => string;
  /** Size of an item in an answer, bytes; undefined: all are small. */
  readonly bytesOf?: (item: T) => number;
  readonly prefix: string;
  readonly cursor: string | undefined;
  readonly limit: number;
}

/**
 * A page of what the caller may read. It depends on nothing else: were names left out of a page that is read as for
 * everybody, its length and its cursor would tell of them. So it reads on until it has a full page. Only if there are a
 * great many names that may not be read it ends early, with a sealed cursor.
 */
export async function readablePage<T>(
  c: Context<Env>,
  cursors: Pick<SealedCursors, "plain" | "seal" | "open">,
  { read, nameOf, bytesOf = () => 0, prefix, cursor, limit }: Listed<T>,
): Promise<Page<T>> {
  const { namespace, kind } = permittedOf(c);
  const granted = grantedTo(c);
  const list = [namespace, kind, prefix].join("\n");
  let after = cursor === undefined ? null : cursors.open(cursor, list);
  const toPlain = (name: string | null) => name && cursors.plain(name);
  if (granted.all) {
    const page = await read(prefix, after, limit);
    return { ...page, cursor: toPlain(page.cursor) };
  }
  const beginning = beginningOf(granted, prefix);
  if (beginning === null) return { items: [], cursor: null };
  const found: T[] = [];
  let bytes = 0;
  for (let reads = 0; reads < READS_MAX; reads++) {
    const page = await read(beginning, after, EXAMINED_AT_ONCE);
    for (const item of page.items.filter((one) => granted.match(nameOf(one)))) {
      const last = found.at(-1);
      bytes += bytesOf(item);
      const isFull = found.length === limit || bytes > PAGE_BYTES_MAX;
      if (last !== undefined && isFull) return { items: found, cursor: toPlain(nameOf(last)) };
      found.push(item);
    }
    after = page.cursor;
    if (after === null) return { items: found, cursor: null };
  }
  return { items: found, cursor: after && cursors.seal(after, list) };
}

/** What all names begin with that are granted and have the prefix; null: there are none. */
export const beginningOf = (granted: NamePatterns, prefix: string): string | null =>
  longer(prefix, granted.commonBeginning);

/** What a name begins with that begins with both; null: there is none. */
function longer(one: string, other: string): string | null {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return long.startsWith(short) ? long : null;
}

/** As many as one read examines at most: some 2 ms of the time of a primary. */
const EXAMINED_AT_ONCE = 500;
const READS_MAX = 20;
const PAGE_BYTES_MAX = 1_000_000;
