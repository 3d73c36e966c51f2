import { OpenAPIHono, type RouteConfig, type z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { App, Env, Services } from "./context.js";
import { type Answer, observed } from "./observed.js";
import { type Parsed, parserOf, type Schemas } from "./requests/parse.js";

/** A route as the API description has it, and what this service does before its handler. */
export interface Route<
  P extends z.ZodObject,
  Q extends z.ZodObject,
  H extends z.ZodObject,
  B extends z.ZodType,
  A extends z.ZodType,
> extends Omit<RouteConfig, "request" | "responses" | "middleware" | "hide"> {
  readonly request?: Schemas<P, Q, H, B>;
  readonly responses: RouteConfig["responses"] & { readonly 200: Success<A> };
  /** Throws where the caller may not do this. */
  readonly authorize?: (c: Context<Env>) => void;
  /** Whether the body may be as large as that of a batch. */
  readonly isBatch?: boolean;
}

type Described = Exclude<RouteConfig["responses"][string], { $ref: string }>;
type Success<A extends z.ZodType> = Described & {
  readonly content?: { readonly "application/json"?: { readonly schema: A } };
};

/** What a handler returns is answered as JSON with status 200; a Response is sent as it is. */
export type Handler<Request, T> = (request: Request, c: Context<Env>) => Promise<T | Response> | T | Response;

/**
 * The only way to a route. Whatever is registered here passes the limit of the body, the check for stopping, metrics, the
 * log and the answers to failures: the framework's own registration is out of reach of the routes.
 *
 * Each route is one handler for the framework. As layers of middleware, each of these steps would keep about 1 KB for as
 * long as a request waits for a lease.
 */
export class Routes {
  readonly app: App = new OpenAPIHono<Env>();

  constructor(private readonly services: Services) {}

  /** A route of the API: described, with its request checked against its schemas. */
  add<
    P extends z.ZodObject,
    Q extends z.ZodObject,
    H extends z.ZodObject,
    B extends z.ZodType,
    A extends z.ZodType = z.ZodNever,
  >(route: Route<P, Q, H, B, A>, handle: Handler<Parsed<P, Q, H, B>, z.output<A>>): void {
    const { authorize, isBatch = false, ...described } = route;
    const { method, path, request } = described;
    this.app.openAPIRegistry.registerPath(described);
    const parse = parserOf(path, request ?? {});
    const { timeSlices } = this.services.owners;
    this.#on(method, path.replaceAll(/\{(.+?)\}/g, ":$1"), isBatch, async (c, text) => {
      authorize?.(c);
      if (text !== null && text.length > PARSED_AT_ONCE_MAX) await timeSlices.take();
      const answer = await handle(parse(c, text), c);
      return answer instanceof Response ? answer : c.body(JSON.stringify(answer), 200, JSON_CONTENT);
    });
  }

  /** A page for people, which the API description does not have. */
  page(path: string, answer: (c: Context<Env>) => Promise<Response> | Response): void {
    this.#on("get", path, false, async (c) => answer(c));
  }

  /** What answers requests for which there is no route. */
  otherwise(answer: Answer): void {
    this.app.notFound(observed(this.services, { route: "none", isBatch: false }, answer));
  }

  #on(method: string, path: string, isBatch: boolean, answer: Answer): void {
    this.app.on(method, path, observed(this.services, { route: path, isBatch }, answer));
  }
}

const JSON_CONTENT = { "content-type": "application/json" };
/** Length in UTF-16 code units of a body that is not worth a turn of its own; one of 2 MB takes up to 20 ms. */
const PARSED_AT_ONCE_MAX = 16_384;
