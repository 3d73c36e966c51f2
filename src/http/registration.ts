import { OpenAPIHono, type RouteConfig, type z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { ErrorCode } from "../errors.js";
import type { App, Env, Services } from "./context.js";
import { type Answer, observed } from "./observed.js";
import { BY_OPERATOR, operatorOnly } from "./operator.js";
import { problemResponses } from "./problem.js";
import { type Parsed, parserOf, type Schemas } from "./requests/parse.js";
import { type Handled, jsonReply, Reply } from "./responses/reply.js";
import { ExactFirstRouter } from "./router.js";
import { whenThere } from "./when-there.js";

/** A route as the API description has it, and what this service does with its requests. */
export interface Route<S extends Schemas, A extends z.ZodType>
  extends Omit<RouteConfig, "request" | "responses" | "security" | "middleware" | "hide"> {
  readonly request?: S;
  /** The answer with status 200. */
  readonly answer: Described & {
    readonly content?: { readonly "application/json"?: { readonly schema: A } };
  };
  /** Answers with other statuses that are not problems. */
  readonly otherAnswers?: RouteConfig["responses"];
  /** The problems that not all routes have. */
  readonly problems?: readonly ErrorCode[];
  /** Whether the caller must be an operator. */
  readonly isForOperators?: boolean;
  /** Whether the body may be as large as that of a batch. */
  readonly isBatch?: boolean;
  readonly handle: (request: Parsed<S>, c: Context<Env>) => Promise<Handled<A>> | Handled<A>;
}

type Described = Exclude<RouteConfig["responses"][string], { $ref: string }>;

/**
 * The only way to a route. Whatever is registered here passes the limit of the body, the check for stopping, metrics, the
 * log and the answers to failures: the framework's own registration is out of reach of the routes.
 *
 * Each route is one handler for the framework. As layers of middleware, each of these steps would keep about 1 KB for as
 * long as a request waits for a lease.
 */
export class Routes {
  readonly app: App = new OpenAPIHono<Env>({ router: new ExactFirstRouter() });

  constructor(private readonly services: Services) {}

  /** A route of the API: described, with its request checked against its schemas. */
  add<S extends Schemas, A extends z.ZodType = z.ZodNever>(route: Route<S, A>): void {
    const { handle, answer, otherAnswers, problems, isForOperators, isBatch = false, ...described } = route;
    const { method, path, request } = described;
    this.app.openAPIRegistry.registerPath({
      ...described,
      ...(isForOperators && { security: BY_OPERATOR }),
      responses: { 200: answer, ...otherAnswers, ...problemResponses(codesOf(route)) },
    });
    const { owners, config } = this.services;
    const authorize = isForOperators && operatorOnly(config.operatorKey);
    const parse = parserOf<S>(path, request);
    const answerParsed = (c: Context<Env>, text: string | null) =>
      whenThere(handle(parse(c, text), c), toReply);
    this.#on(method, path.replaceAll(/\{(.+?)\}/g, ":$1"), isBatch, (c, text) => {
      if (authorize) authorize(c);
      if (text === null || text.length <= PARSED_AT_ONCE_MAX) return answerParsed(c, text);
      return owners.timeSlices.take().then(() => answerParsed(c, text));
    });
  }

  /** A page for people, which the API description does not have. */
  page(path: string, answer: (c: Context<Env>) => Promise<Reply> | Reply): void {
    this.#on("get", path, false, (c) => answer(c));
  }

  /** What answers requests for which there is no route. */
  otherwise(answer: Answer): void {
    this.app.notFound(observed(this.services, { route: "none", isBatch: false }, answer));
  }

  #on(method: string, path: string, isBatch: boolean, answer: Answer): void {
    this.app.on(method, path, observed(this.services, { route: path, isBatch }, answer));
  }
}

function toReply(handled: unknown): Reply {
  return handled instanceof Reply ? handled : jsonReply(JSON.stringify(handled));
}

/** Its own problems, and those of all routes like it. Outside /v1 a route answers until the process ends. */
function codesOf({ path, request, problems = [], isForOperators }: Route<Schemas, z.ZodType>): ErrorCode[] {
  if (!path.startsWith("/v1/")) return [...problems, "internal"];
  const codes: ErrorCode[] = ["invalid_request", ...problems, "overloaded", "shutting_down", "internal"];
  if (request?.body) codes.push("too_large", "unsupported_media_type");
  if (isForOperators) codes.push("forbidden");
  return codes;
}

/** Length in UTF-16 code units of a body that is not worth a turn of its own; one of 2 MB takes up to 20 ms. */
const PARSED_AT_ONCE_MAX = 16_384;
