import { z } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import type { App, Env } from "../context.js";
import { invalid, invalidFields, type Misfit, noSuchParameter } from "./invalid.js";

/**
 * From now on every route that `app.openapi` gets says in words what is wrong with a request. Those under /v1 refuse
 * parameters of the query that they do not have: ignored, a typing error would change what happens without a word. Probes
 * and documents ignore them, since some who ask add one to get past caches.
 */
export function refuseMisfits(app: App): void {
  const openapi = app.openapi as unknown as OpenApi;
  const strictly: OpenApi = (route, handler) => {
    const { request, middleware = [] } = route;
    const withoutQuery = route.path.startsWith("/v1/") && !request?.query;
    return openapi(
      withoutQuery ? { ...route, middleware: [middleware, refuseQuery].flat() } : route,
      handler,
      ({ success, error, target, data }) => {
        if (success || !error) return;
        const schema = target === "json" ? request?.body?.content["application/json"].schema : undefined;
        const inUrl = { query: request?.query, param: request?.params, header: request?.headers };
        const part = schema ?? inUrl[target as keyof typeof inUrl] ?? z.unknown();
        throw invalid({ part: target, schema: part, given: data, issues: error.issues });
      },
    );
  };
  app.openapi = strictly as unknown as App["openapi"];
}

/** As far as it matters here. */
type OpenApi = (route: Route, handler: unknown, hook?: (result: Result) => void) => unknown;
interface Route {
  readonly path: string;
  readonly middleware?: MiddlewareHandler<Env> | MiddlewareHandler<Env>[];
  readonly request?: {
    readonly query?: z.ZodType;
    readonly params?: z.ZodType;
    readonly headers?: z.ZodType;
    readonly body?: { readonly content: { readonly "application/json": { readonly schema: z.ZodType } } };
  };
}
interface Result {
  readonly success: boolean;
  readonly error?: z.ZodError;
  readonly target: Misfit["part"];
  readonly data: unknown;
}

/** Costs nothing where there is no query, as in nearly every request. */
async function refuseQuery(c: Context<Env>): Promise<void> {
  if (!c.req.url.includes("?")) return;
  const names = Object.keys(c.req.queries());
  if (names.length > 0)
    throw invalidFields(names.slice(0, NAMES_MAX).map((name) => noSuchParameter(name, [])));
}

const NAMES_MAX = 10;
