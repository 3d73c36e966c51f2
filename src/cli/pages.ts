import type { Transport } from "../client/transport.js";

/** A page of a list, as the API answers it. */
export interface Page {
  /** Null: it is the last one. */
  readonly cursor: string | number | null;
}

export interface Listing<P extends Page> {
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** The field of its items. */
  readonly field: string;
  /** How many items a page has at most. */
  readonly pageMax: number;
  /** How many items of a page count. */
  readonly count: (page: P) => number;
  /** How many items are wanted. */
  readonly limit?: number | undefined;
}

/** The pages of a list from its beginning: to its end, or until they have as many items as are wanted. */
export async function* pagesOf<P extends Page>(
  transport: Transport,
  { path, query = {}, field, pageMax, count, limit = Number.POSITIVE_INFINITY }: Listing<P>,
): AsyncGenerator<P, void, void> {
  let cursor: P["cursor"] = null;
  let left = limit;
  do {
    const page: P = await read(transport, path, field, {
      ...query,
      limit: String(Math.min(pageMax, left)),
      cursor: cursor === null ? undefined : String(cursor),
    });
    yield page;
    cursor = page.cursor;
    left -= count(page);
  } while (cursor !== null && left > 0);
}

/** All items of a list, or as many as are wanted, and the cursor of the last page. */
export async function wholeList<P extends Page, T>(
  transport: Transport,
  listing: Omit<Listing<P>, "count">,
  itemsOf: (page: P) => readonly T[],
): Promise<{ items: T[]; cursor: P["cursor"] }> {
  const items: T[] = [];
  let cursor: P["cursor"] = null;
  for await (const page of pagesOf<P>(transport, { ...listing, count: (one) => itemsOf(one).length })) {
    items.push(...itemsOf(page));
    cursor = page.cursor;
  }
  return { items, cursor };
}

/** The answer to a GET, which has a field `field`: else it is another server that answers. */
export async function read<T>(
  transport: Transport,
  path: string,
  field: string,
  query: Readonly<Record<string, string | undefined>> = {},
): Promise<T> {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  const whole = given.length === 0 ? path : `${path}?${given.join("&")}`;
  const limits = transport.limits({});
  return (await transport.send<T>({ method: "GET", path: whole, answerHas: field, ...limits })).body;
}

/** Does `work` for each item, some at a time; in the order of the items. */
export async function inTurns<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const results: PromiseSettledResult<R>[] = [];
  for (let first = 0; first < items.length; first += AT_A_TIME)
    results.push(...(await Promise.allSettled(items.slice(first, first + AT_A_TIME).map(work))));
  return results;
}

const AT_A_TIME = 16;
