import type { Context } from "hono";
import { Hono } from "hono";
import { expect, test } from "vitest";
import { queryOf } from "../../../src/http/requests/query.js";

const app = new Hono();
let read: (c: Context) => unknown;
app.get("/x", (c) => {
  read(c);
  return c.text("");
});

/** What `by` reads of a query. */
async function reading<T>(query: string, by: (c: Context) => T): Promise<T | undefined> {
  let found: T | undefined;
  read = (c) => {
    found = by(c);
  };
  await app.request(`http://localhost/x${query}`);
  return found;
}

/** By the framework alone. */
const expected = (c: Context) =>
  Object.entries(c.req.queries()).map(([name, values]) => [name, values.length === 1 ? values[0] : values]);

test.each([
  "",
  "?",
  "?a=b",
  "?a=b&c=d&a=e&a=f",
  "?a",
  "?a=",
  "?=b",
  "?&&a=b&",
  "?a=b=c&d==",
  "?a=b?c=d",
  "?constructor=a&toString=b&__proto__=c",
  "?__proto__=a&__proto__=b&c=d",
  "?hasOwnProperty=1&hasOwnProperty=2",
  "?a%3D=b%26&c+d=e+f&a%3D=%",
  "?a=%zz&%zz=b",
  "?a=b#c=d",
  "?key=user:42&replicas=3",
])("the query %j is read as the framework reads it", async (query) => {
  const found = (await reading(query, queryOf)) ?? {};
  expect(Object.entries(found)).toEqual(await reading(query, expected));
});
