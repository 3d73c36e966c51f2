import type { Context } from "hono";
import { ANONYMOUS } from "../../access/access.js";
import type { PeerCertificate } from "../../access/certificates.js";
import { type Action, describeMissing, type Kind, type MissingGrant } from "../../access/grants.js";
import type { Principal } from "../../access/key-ring.js";
import type { NamePatterns } from "../../algorithms/name-patterns.js";
import { CoordinationError } from "../../errors.js";
import type { Env } from "../context.js";
import { NO_CREDENTIAL } from "../failures.js";
import type { Parsed, Schemas } from "../requests/parse.js";
import { incomingOf } from "../server/arrivals.js";
import { neededBy } from "../server/client-certificate.js";
import type { Act } from "./acts.js";

/**
 * What a route needs of its callers. Under /v1 that is a grant; outside it may be less: any valid key, or nothing at all.
 */
export type Needs<Path extends string, S extends Schemas> = Path extends `/v1/${string}`
  ? GrantNeeded<S>
  : GrantOfDeployment | "any key" | "nothing";

/** A grant for each of the names that a request touches, or for the whole deployment. */
export type GrantNeeded<S extends Schemas> =
  | ({ readonly kind: Kind; readonly names: NamesFrom<S> } & Doing)
  | GrantOfDeployment;

/** Whatever does more than read says what it changes. */
type Doing =
  | { readonly action: "read"; readonly act?: undefined }
  | { readonly action: Exclude<Action, "read">; readonly act: Act };

/** The needs of a route whose path and schemas do not matter. */
export type AnyNeeds = "any key" | "nothing" | ({ readonly kind: Kind | "*" } & Doing);

/** In all namespaces and for all kinds. */
type GrantOfDeployment = { readonly kind: "*" } & Doing;

/** Where the names of a request are. A list needs some name, and shows only those that its caller may read. */
type NamesFrom<S extends Schemas> =
  | { readonly inPath: keyof NonNullable<Parsed<S>["params"]> & string }
  | { readonly inBody: (body: Parsed<S>["body"]) => readonly string[] }
  | (Parsed<S>["body"] extends { readonly names: readonly string[] } ? "in body" : never)
  | (Parsed<S>["body"] extends Beats ? "in beats" : never)
  | "listed";

/** Heartbeats of members of several services. */
interface Beats {
  readonly beats: readonly { readonly service: string }[];
}

/** A request that may be done, once it has been judged: who makes it, and what it touches. */
export interface Permitted {
  readonly principal: Principal;
  /** `*`: the whole deployment, as for `kind`. */
  readonly namespace: string;
  readonly kind: Kind | "*";
  readonly action: Action;
  /** Undefined: it changes nothing. */
  readonly act?: Act | undefined;
  /** None for lists, and for the whole deployment. */
  readonly names: readonly string[];
  /** That every client of this server must have, whatever else it brings; undefined: none. */
  readonly certificate?: PeerCertificate | undefined;
}

/** Judges the requests of one route. Each function throws `forbidden`, which names the grant that is missing. */
export interface Authorization<S extends Schemas> {
  /** What can be judged before the body is looked at. */
  byPath(c: Context<Env>, namespace: string, params: Parsed<S>["params"]): void;
  /** The rest: the names in the body. */
  byBody(c: Context<Env>, namespace: string, body: Parsed<S>["body"]): void;
}

export function authorization<S extends Schemas>(
  needs: GrantNeeded<S>,
  operatorKey: string | undefined,
): Authorization<S> {
  const { action, kind, act } = needs;
  const names = "names" in needs ? needs.names : null;
  const notOperator = operatorKey === undefined ? NO_OPERATOR_KEY : NOT_AN_OPERATOR;
  const judge = (c: Context<Env>, namespace: string, touched: readonly string[]) => {
    const certificate = neededBy(incomingOf(c));
    const permitted = {
      principal: principalOf(c),
      namespace,
      kind,
      action,
      act,
      names: touched,
      certificate,
    };
    // Also if it is denied: the audit tells what was asked for.
    c.set("permitted", permitted);
    const missing = permitted.principal.grants.missing(permitted);
    if (missing) throw permitted.principal === ANONYMOUS ? notOperator : lacks(missing);
  };
  return {
    byPath: (c, namespace, params) => {
      if (names === null) judge(c, "*", NONE);
      else if (typeof names === "string" || "inBody" in names) judge(c, namespace, NONE);
      else judge(c, namespace, [(params as Readonly<Record<string, string>>)[names.inPath] as string]);
    },
    byBody: (c, namespace, body) => {
      if (names !== null && typeof names === "object" && "inBody" in names)
        judge(c, namespace, names.inBody(body));
      if (names === "in body") judge(c, namespace, (body as { readonly names: readonly string[] }).names);
      if (names === "in beats")
        judge(c, namespace, [...new Set((body as Beats).beats.map(({ service }) => service))]);
    },
  };
}

/** `observed` has found out who asks: if it ever has not, nothing may happen. */
function principalOf(c: Context<Env>): Principal {
  const principal = c.get("principal");
  if (!principal) throw NO_CREDENTIAL;
  return principal;
}

/** What a request under /v1 was permitted to do. */
export function permittedOf(c: Context<Env>): Permitted {
  const permitted = c.get("permitted");
  if (!permitted) throw NO_CREDENTIAL;
  return permitted;
}

/** The names that are granted to the caller as the one of its request is: for what else the request touches, or shows. */
export function grantedTo(c: Context<Env>): NamePatterns {
  const permitted = permittedOf(c);
  return permitted.principal.grants.granted(permitted);
}

export function lacks(missing: MissingGrant): CoordinationError {
  return new CoordinationError("forbidden", describeMissing(missing));
}

const NONE: readonly string[] = Object.freeze([]);

export const NOT_AN_OPERATOR = new CoordinationError(
  "forbidden",
  "This is for operators only: send Authorization: Bearer and the QUORATE_OPERATOR_KEY of this instance.",
);
const NO_OPERATOR_KEY = new CoordinationError(
  "forbidden",
  "This is for operators only, and this instance has no operator key: set QUORATE_OPERATOR_KEY.",
);
