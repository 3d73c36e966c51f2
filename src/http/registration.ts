import { OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { ErrorCode } from "../errors.js";
import { Namespace } from "../namespace.js";
import { inNamespace, type NamespacedPrimitives } from "../primitives/namespaced.js";
import { type Done, termsOf } from "./access/acts.js";
import { type AnyNeeds, authorization, type GrantNeeded, type Needs } from "./access/authorization.js";
import type { Concurrent } from "./access/key-limits.js";
import { accessOf } from "./access/security.js";
import type { App, Env, Services } from "./context.js";
import { namespaceOf, underNamespace } from "./namespaces.js";
import { type Answer, type Observed, observed } from "./observed.js";
import { OTHER_PROBLEMS, ProblemSchema, problemResponses } from "./problem.js";
import { type Parsed, parserOf, type Schemas } from "./requests/parse.js";
import { type Handled, jsonReply, Reply } from "./responses/reply.js";
import { ExactFirstRouter } from "./router.js";
import { whenThere } from "./when-there.js";

/** A route as the API description has it, and what this service does with its requests. */
export interface Route<Path extends string, S extends Schemas, A extends z.ZodType>
  extends Omit<RouteConfig, "path" | "request" | "responses" | "security" | "middleware" | "hide"> {
  readonly path: Path;
  readonly request?: S;
  /** What it does, and what to know about it. */
  readonly description: string;
  /** What its callers must be granted. */
  readonly needs: Needs<Path, S>;
  /** The answer with status 200. */
  readonly answer: Described & {
    readonly content?: { readonly "application/json"?: { readonly schema: A } };
  };
  /** Answers with other statuses that are not problems. */
  readonly otherAnswers?: RouteConfig["responses"];
  /** The problems that not all routes have. */
  readonly problems?: readonly ErrorCode[];
  /** Whether the body may be as large as that of a batch. */
  readonly isBatch?: boolean;
  /** The largest body, if not that of all routes. */
  readonly bodyBytesMax?: number;
  /** Whether the answer goes on until its client disconnects. */
  readonly isStream?: boolean;
  /** `primitives`: as the namespace of the request sees them. */
  readonly handle: (
    request: Parsed<S>,
    primitives: NamespacedPrimitives,
    c: Context<Env>,
  ) => Promise<Handled<A>> | Handled<A>;
}

interface AnyRoute {
  readonly path: string;
  readonly request?: Schemas;
  readonly problems?: readonly ErrorCode[];
  readonly needs: AnyNeeds;
  readonly isStream?: boolean;
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

  readonly #ofDefault: NamespacedPrimitives;

  constructor(private readonly services: Services) {
    this.app.openAPIRegistry.register("Problem", ProblemSchema);
    this.#ofDefault = inNamespace(Namespace.default, services);
  }

  /**
   * A route of the API: described, with its request checked against its schemas, and its caller against their grants. Under
   * /v1 it is served twice, for the namespace `default`, and under /v1/namespaces/:namespace for any, unless it is about the
   * whole deployment.
   */
  add<const Path extends string, S extends Schemas, A extends z.ZodType = z.ZodNever>(
    route: Route<Path, S, A>,
  ): void {
    const {
      handle,
      answer,
      otherAnswers,
      problems,
      needs,
      isBatch = false,
      bodyBytesMax,
      isStream,
      ...described
    } = route;
    const { method, path } = described;
    this.app.openAPIRegistry.registerPath({
      ...described,
      ...accessOf(needs, route.description),
      responses: { 200: answer, ...otherAnswers, ...this.#problems(route) },
    });
    const plain = path.replaceAll(/\{(.+?)\}/g, ":$1");
    const observing = { ...this.#observing(plain, isBatch), bodyBytesMax };
    const answering = this.#answering(route, observing.isOpen);
    this.#on(
      method,
      plain,
      observing,
      answering(() => this.#ofDefault),
    );
    if (!path.startsWith("/v1/") || isOfDeployment(needs)) return;
    const ofAny = answering((c) => inNamespace(namespaceOf(c), this.services));
    this.#on(method, underNamespace(plain), observing, ofAny);
  }

  /** References to the responses with the problems of a route, by status. */
  #problems(route: AnyRoute): Record<string, { readonly $ref: string }> {
    const listed = problemResponses(codesOf(route));
    if (route.needs === "nothing") listed.push(OTHER_PROBLEMS);
    return Object.fromEntries(
      listed.map(({ status, name, response }) => [
        status,
        this.app.openAPIRegistry.registerComponent("responses", name, response).ref,
      ]),
    );
  }

  /** What answers the requests of a route, by the namespace that they are for. */
  #answering<Path extends string, S extends Schemas, A extends z.ZodType>(
    { path, request, needs, handle, isStream = false }: Route<Path, S, A>,
    isOpen: boolean,
  ) {
    const { owners, config, keyLimits, auditing } = this.services;
    const parser = parserOf<S>(path, request);
    const authorized =
      isOpen || typeof needs === "string"
        ? undefined
        : authorization<S>(needs as GrantNeeded<S>, config.operatorKey);
    const act = typeof needs === "string" ? undefined : needs.act;
    return (primitivesOf: (c: Context<Env>) => NamespacedPrimitives): Answer =>
      (c, text) => {
        const primitives = primitivesOf(c);
        const namespace = primitives.namespace.name;
        const params = parser.params(c);
        if (authorized) keyLimits.counted(c, namespace, () => authorized.byPath(c, namespace, params));
        const answerParsed = () => {
          const parsed = parser.rest(c, text, params);
          authorized?.byBody(c, namespace, parsed.body);
          const work = { concurrent: concurrentOf(parsed, isStream), done: parsed as Done };
          const handling = keyLimits.within(c, work, () => handle(parsed, primitives, c), toldBy);
          return whenThere(handling, (handled) => {
            if (act) auditing.done(c, act, work.done, toldBy(handled));
            return toReply(handled);
          });
        };
        if (text === null || text.length <= PARSED_AT_ONCE_MAX) return answerParsed();
        return owners.timeSlices.take().then(answerParsed);
      };
  }

  /** A page for people, which the API description does not have. */
  page(path: string, answer: (c: Context<Env>) => Promise<Reply> | Reply): void {
    this.#on("get", path, this.#observing(path), (c) => answer(c));
  }

  /** What answers requests for which there is no route. */
  otherwise(answer: Answer): void {
    const observing = { counted: this.services.metrics.route("none"), isBatch: false, isOpen: false };
    this.app.notFound(observed(this.services, observing, answer));
  }

  #observing(path: string, isBatch = false): Observed {
    const { metrics, isOpen } = this.services;
    return { counted: metrics.route(path), isBatch, isOpen: isOpen(path.replaceAll(/:\w+/g, "x")) };
  }

  #on(method: string, path: string, observing: Observed, answer: Answer): void {
    this.app.on(method, path, observed(this.services, observing, answer));
  }
}

/** What a request takes for as long as it lasts; null: it does not wait. */
function concurrentOf({ body, query }: Parsed<Schemas>, isStream: boolean): Concurrent | null {
  if (isStream || waits(query)) return "streams";
  return waits(body) ? "waiting" : null;
}

function waits(part: unknown): boolean {
  return ((part as { readonly waitMs?: number } | undefined)?.waitMs ?? 0) > 0;
}

/** What an answer says; undefined: that is known to its client alone. */
function toldBy(handled: unknown): Done["answer"] {
  return (handled instanceof Reply ? handled.told : handled) as Done["answer"];
}

function toReply(handled: unknown): Reply {
  return handled instanceof Reply ? handled : jsonReply(JSON.stringify(handled));
}

function isOfDeployment(needs: AnyNeeds): boolean {
  return typeof needs !== "string" && needs.kind === "*";
}

/** Its own problems, and those of all routes like it. Outside /v1 a route answers until the process ends. */
function codesOf({ path, request, needs, isStream, problems = [] }: AnyRoute): ErrorCode[] {
  const ofAccess: ErrorCode[] = ["unauthenticated", "authentication_unavailable"];
  if (typeof needs !== "string") ofAccess.push("forbidden", "rate_limited");
  if (hasQuota(needs) || mayLast(request, isStream)) ofAccess.push("quota_exceeded");
  // Pages of other sites may not ask, not even a probe.
  if (needs === "nothing") return [...problems, "internal", "forbidden"];
  if (!path.startsWith("/v1/")) return [...problems, "internal", ...ofAccess];
  const codes: ErrorCode[] = ["invalid_request", ...problems, "overloaded", "shutting_down", "internal"];
  if (request?.body) codes.push("too_large", "unsupported_media_type");
  return [...codes, ...ofAccess];
}

/** Whether it begins something of which a key may have only so many. */
function hasQuota(needs: AnyNeeds): boolean {
  return (
    typeof needs !== "string" && needs.act !== undefined && termsOf(needs.act).quota?.effect === "begins"
  );
}

/** Whether its requests may wait, or are answered by a stream. */
function mayLast({ body, query }: Schemas = {}, isStream = false): boolean {
  const fields = body?.content["application/json"].schema;
  return isStream || [fields, query].some((part) => part instanceof z.ZodObject && "waitMs" in part.shape);
}

/** Length in UTF-16 code units of a body that is not worth a turn of its own; one of 2 MB takes up to 20 ms. */
const PARSED_AT_ONCE_MAX = 16_384;
