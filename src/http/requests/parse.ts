import type { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { CoordinationError } from "../../errors.js";
import { UNSUPPORTED_MEDIA_TYPE } from "../failures.js";
import type { Body } from "../responses/content.js";
import { headerOf, headersOf } from "../server/arrivals.js";
import { invalid, invalidFields, type Misfit, noSuchParameter } from "./invalid.js";
import { queryOf } from "./query.js";

/** The schemas of the parts of a request, as the API description has them. */
export interface Schemas {
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  readonly body?: Body<z.ZodType>;
}

/** What a handler gets of a request. A part for which its route has no schema is missing. */
export interface Parsed<S extends Schemas> {
  readonly params: OutputOf<S["params"]>;
  readonly query: OutputOf<S["query"]>;
  readonly headers: OutputOf<S["headers"]>;
  readonly body: S["body"] extends Body<infer B> ? z.output<B> : undefined;
}

type OutputOf<T> = T extends z.ZodType ? z.output<T> : undefined;

/** Reads a request by the schemas of its route: what is in its path before the rest. */
export interface Parser<S extends Schemas> {
  params(c: Context): Parsed<S>["params"];
  rest(c: Context, text: string | null, params: Parsed<S>["params"]): Parsed<S>;
}

/**
 * Reads the parts of a request by their schemas. Throws `invalid_request`, which says in words what is wrong, and
 * `unsupported_media_type`.
 *
 * Routes under /v1 refuse parameters of the query that they do not have: ignored, a typo would silently change what
 * happens. Probes and documents ignore them, since some callers add one to get past caches.
 */
export function parserOf<S extends Schemas>(
  path: string,
  { params, query, headers, body }: Schemas = {},
): Parser<S> {
  const refusesQuery = path.startsWith("/v1/") && !query;
  const schema = body?.content["application/json"].schema;
  return {
    params: (c) => {
      if (params) refuseMalformed("path", c);
      return (params && check("param", params, c.req.param())) as Parsed<S>["params"];
    },
    rest: (c, text, params) => {
      if (refusesQuery) refuseQuery(c);
      else if (query) refuseMalformed("query", c);
      if (!schema && text !== null) refuseBody(c, text);
      return {
        query: query && check("query", query, queryOf(c)),
        params,
        headers: headers && check("header", headers, headersOf(c)),
        body: schema && check("json", schema, jsonOf(c, text)),
      } as Parsed<S>;
    },
  };
}

/** The part as its schema reads it. Throws `invalid_request`. */
export function check<S extends z.ZodType>(part: Misfit["part"], schema: S, given: unknown): z.output<S> {
  const { success, data, error } = schema.safeParse(given);
  if (success) return data;
  throw invalid({ part, schema, given, issues: error.issues });
}

/** No body is an empty object: then the schema says which field is missing, if any. */
function jsonOf(c: Context, text: string | null): unknown {
  const type = headerOf(c, "content-type");
  if (type ? !JSON_TYPE.test(type) : text !== null) {
    throw UNSUPPORTED_MEDIA_TYPE;
  }
  if (text === null) return {};
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CoordinationError("invalid_request", "The body is not well-formed JSON.", { cause });
  }
}

const JSON_TYPE = /^application\/([a-z.-]+\+)?json(;\s*[a-z0-9-]+=[^;]+)*$/i;

/** The framework would take what it cannot decode as it is: another name than the one that was meant. */
function refuseMalformed(part: "path" | "query", c: Context): void {
  const { url } = c.req;
  if (!url.includes("%")) return;
  const [path = ""] = url.split("?", 1);
  try {
    decodeURIComponent(part === "path" ? path : url.slice(path.length));
  } catch (cause) {
    const message = `The ${part} is not well-formed: percent-encode the bytes of a name's UTF-8.`;
    throw new CoordinationError("invalid_request", message, { cause });
  }
}

/** What it says would be ignored, as no field is that a request has a body for. */
function refuseBody({ req: { method } }: Context, text: string): void {
  if (method === "GET" || method === "HEAD" || /^\s*\{\s*\}\s*$/.test(text)) return;
  throw new CoordinationError("invalid_request", "This request has no fields: send it without a body.");
}

/** Costs nothing where there is no query, as in nearly every request. */
function refuseQuery(c: Context): void {
  if (!c.req.url.includes("?")) return;
  const names = Object.keys(c.req.queries());
  if (names.length > 0)
    throw invalidFields(names.slice(0, NAMES_MAX).map((name) => noSuchParameter(name, [])));
}

const NAMES_MAX = 10;
