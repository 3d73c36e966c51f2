import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { Namespace } from "../namespace.js";
import { name } from "./fields.js";
import { check } from "./requests/parse.js";

/** The path under which the router has the same route for any namespace. `path`: under /v1. */
export function underNamespace(path: string): string {
  return NAMESPACE_PATH + path.slice("/v1".length);
}

/** The namespace in the path of a request. Throws `invalid_request`. */
export function namespaceOf(c: Context): Namespace {
  const { namespace } = check("param", NamespaceParams, { namespace: c.req.param("namespace") });
  return new Namespace(namespace);
}

const NamespaceParams = z.object({ namespace: name("Name of the namespace.", "team-a") });

export const NAMESPACES = "/v1/namespaces/";
export const NAMESPACE_PATH = `${NAMESPACES}:namespace`;
