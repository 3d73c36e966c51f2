import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { Action, Grant, Kind } from "../../src/access/grants.js";

// The operations of openapi.yaml as requests that can be sent, each with the grant that it says it needs.

export interface Operation {
  readonly id: string;
  readonly method: string;
  /** The path for one name, in a namespace or, with null, without one. */
  path(namespace: string | null, name: string): string;
  /** For these names, if it has any in it; undefined: it has no body. */
  body(...names: readonly string[]): object | undefined;
  /** Whether its names are in its body, and there may be several. */
  readonly hasNamesInBody: boolean;
  /** What it needs, as the document states it; undefined: a key, but no grant; null: nothing. */
  readonly needs: { readonly action: Action; readonly kind: Kind | "*" } | undefined | null;
  /** Whether a list or the deployment is asked for, and no name. */
  readonly isNameless: boolean;
}

interface Described {
  readonly operationId: string;
  readonly security: readonly Record<string, readonly string[]>[];
  readonly "x-grant"?: string;
  readonly parameters?: readonly {
    readonly in: string;
    readonly name: string;
    readonly required?: boolean;
    readonly schema: { readonly example?: unknown };
  }[];
  readonly requestBody?: {
    readonly content: {
      readonly "application/json": { readonly examples: Record<string, { value: object }> };
    };
  };
}

interface Document {
  readonly paths: Record<string, Record<string, Described>>;
}

const text = readFileSync(new URL("../../openapi.yaml", import.meta.url), "utf8");
const { paths } = parse(text) as Document;

export const operations: readonly Operation[] = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, described]) => operation(path, method, described)),
);

/** What the name of another resource in a path, such as the id of a member, is. */
const SECOND = "second";

function operation(
  path: string,
  method: string,
  { operationId, security, "x-grant": granted, parameters = [], requestBody }: Described,
): Operation {
  const query = parameters
    .filter((parameter) => parameter.in === "query" && parameter.required)
    .map(({ name, schema }) => `${name}=${encodeURIComponent(String(schema.example))}`);
  const example = Object.values(requestBody?.content["application/json"].examples ?? {})[0]?.value;
  const hasNamesInBody =
    example !== undefined && ("names" in example || "beats" in example || "changes" in example);
  const [action, kind] = (granted ?? "").split(" ") as [Action, Kind | "*"];
  return {
    id: operationId,
    method: method.toUpperCase(),
    path: (namespace, name) => {
      let place = 0;
      const named = path.replaceAll(/\{\w+\}/g, () => (place++ === 0 ? name : SECOND));
      const inNamespace = namespace === null ? named : named.replace("/v1/", `/v1/namespaces/${namespace}/`);
      return query.length === 0 ? inNamespace : `${inNamespace}?${query.join("&")}`;
    },
    body: (...names) => (example ? withNames(example, names) : undefined),
    hasNamesInBody,
    needs: security.length === 0 ? null : granted === undefined ? undefined : { action, kind },
    isNameless: !path.includes("{") && !hasNamesInBody,
  };
}

function withNames(example: object, names: readonly string[]): object {
  if ("names" in example) return { ...example, names };
  if ("changes" in example) return { changes: names.map((key) => ({ key, delete: true })) };
  if (!("beats" in example)) return example;
  return { beats: names.map((service) => ({ service, id: SECOND })) };
}

/** The grant that an operation needs, for one name in one namespace. */
export function grantFor({ needs }: Operation, namespace: string, name: string): Grant {
  if (!needs) throw new Error("it needs none");
  const { action, kind } = needs;
  return { namespace: kind === "*" ? "*" : namespace, kinds: [kind], names: [name], actions: [action] };
}
