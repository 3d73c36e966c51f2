import type { Context } from "hono";

/** The parameters of the query; one that is given several times is a list. */
export function queryOf(c: Context): Record<string, unknown> {
  const { url } = c.req;
  const at = url.indexOf("?");
  if (at < 0) return {};
  // The framework decodes names and values, at four times the cost.
  if (UNUSUAL.test(url)) return once(c.req.queries());
  const query: Record<string, unknown> = {};
  for (const pair of url.slice(at + 1).split("&")) {
    const sign = pair.indexOf("=");
    const name = sign < 0 ? pair : pair.slice(0, sign);
    const value = sign < 0 ? "" : pair.slice(sign + 1);
    if (name === "") continue;
    const before = Object.hasOwn(query, name) ? query[name] : undefined;
    if (before === undefined) query[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else query[name] = [before, value];
  }
  return query;
}

/** Something is encoded, or is a name that no plain object can have. */
const UNUSUAL = /[%+#]|__proto__/;

function once(all: Record<string, string[]>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(all).map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}
