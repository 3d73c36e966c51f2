import type { Context } from "hono";
import type { NamespacedPrimitives } from "../../primitives/namespaced.js";
import { keyedOf } from "../../primitives/registers/keyed.js";
import {
  idempotencyMismatch,
  noRegister,
  registerMismatch,
} from "../../primitives/registers/register-failures.js";
import type { ChangeRequest, Inspected, Put } from "../../primitives/registers/registers.js";
import type { Dependencies, Env } from "../context.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import { Reply } from "../responses/reply.js";
import { blockingRead, type Watched } from "../watching/blocking-read.js";
import { BlockingReadHeaders, BlockingReadQuery } from "../watching/schemas.js";
import { type Acknowledged, acknowledged } from "./acknowledged.js";
import { registerEventsRoute } from "./events-route.js";
import * as examples from "./examples.js";
import { listRegistersRoute } from "./list-route.js";
import {
  AcksQuery,
  ChangedRegisterSchema,
  ChangeHeaders,
  DeletedRegisterSchema,
  PutBody,
  RegisterParams,
  RegisterSchema,
  VALUE_BODY_BYTES_MAX,
} from "./schemas.js";

export function registerRoutes(routes: Routes, dependencies: Dependencies): void {
  readRoute(routes, dependencies);
  putRoute(routes);
  deleteRoute(routes);
  listRegistersRoute(routes, dependencies);
  registerEventsRoute(routes, dependencies);
}

function readRoute(routes: Routes, dependencies: Dependencies): void {
  routes.add({
    method: "get",
    path: "/v1/registers/{key}",
    operationId: "getRegister",
    needs: { action: "read", kind: "registers", names: { inPath: "key" } },
    tags: ["registers"],
    summary: "Read a register, or wait until it changes",
    description:
      'The value that the last change left, whichever instance made it: a read sees every change that was acknowledged before it. With If-None-Match and waitMs the answer comes as soon as the ETag has changed, or after waitMs as a 304. If-None-Match: "none" waits until the register is there.',
    request: { params: RegisterParams, headers: BlockingReadHeaders, query: BlockingReadQuery },
    answer: { ...json("The register.", RegisterSchema, examples.registers), headers: ETAG },
    otherAnswers: { 304: { description: "Nothing has changed." } },
    problems: ["not_found", ...CHANGE_PROBLEMS],
    handle: ({ params: { key }, query: { waitMs }, headers }, { registers }, c) =>
      blockingRead(
        c,
        dependencies,
        { ifNoneMatch: headers["if-none-match"], waitMs },
        watched(registers, key),
      ),
  });
}

function putRoute(routes: Routes): void {
  routes.add({
    method: "put",
    path: "/v1/registers/{key}",
    operationId: "putRegister",
    needs: { action: "use", act: "put", kind: "registers", names: { inPath: "key" } },
    tags: ["registers"],
    summary: "Set a register",
    description:
      "Its new ETag names this change, and never comes again. With If-Match it is compare-and-set. With an Idempotency-Key it can be sent again after outcome_unknown.",
    request: {
      params: RegisterParams,
      headers: ChangeHeaders,
      query: AcksQuery,
      body: body(PutBody, examples.puts),
    },
    bodyBytesMax: VALUE_BODY_BYTES_MAX,
    answer: { ...json("It was there before.", ChangedRegisterSchema, examples.replaced), headers: ETAG },
    otherAnswers: {
      201: { ...json("It was not there before.", ChangedRegisterSchema, examples.created), headers: ETAG },
    },
    problems: [...CHANGE_PROBLEMS, ...CONDITION_PROBLEMS],
    handle: async ({ params: { key }, headers, query, body: { value, ttlMs } }, { registers }, c) => {
      const text = JSON.stringify(value);
      const request = toRequest(c, headers, ["put", text, ttlMs ?? null]);
      const outcome = await registers.put(key, { json: text, ttlMs: ttlMs ?? null }, request);
      if (outcome.kind === "mismatch") throw registerMismatch(outcome.current);
      if (outcome.kind === "key_mismatch") throw idempotencyMismatch();
      return toReply(key, outcome, await acknowledged(query, () => registers.lacking(key)));
    },
  });
}

function deleteRoute(routes: Routes): void {
  routes.add({
    method: "delete",
    path: "/v1/registers/{key}",
    operationId: "deleteRegister",
    needs: { action: "use", act: "delete", kind: "registers", names: { inPath: "key" } },
    tags: ["registers"],
    summary: "Delete a register",
    description: "With If-Match only the version that has this ETag.",
    request: { params: RegisterParams, headers: ChangeHeaders, query: AcksQuery },
    answer: json("It is not there.", DeletedRegisterSchema, examples.deletions),
    problems: [...CHANGE_PROBLEMS, ...CONDITION_PROBLEMS],
    handle: async ({ params: { key }, headers, query }, { registers }, c) => {
      const outcome = await registers.delete(key, toRequest(c, headers, ["delete"]));
      if (outcome.kind === "mismatch") throw registerMismatch(outcome.current);
      if (outcome.kind === "key_mismatch") throw idempotencyMismatch();
      const deleted = outcome.kind === "deleted";
      return { deleted, ...(await acknowledged(query, () => registers.lacking(key))) };
    },
  });
}

/** The conditions of a change, and its idempotency key with what is asked for under it. */
function toRequest(
  c: Context<Env>,
  headers: {
    readonly "if-match"?: string | undefined;
    readonly "if-none-match"?: string | undefined;
    readonly "idempotency-key"?: string | undefined;
  },
  asked: readonly unknown[],
): ChangeRequest {
  const { "if-match": ifMatch, "if-none-match": ifNoneMatch, "idempotency-key": key } = headers;
  return {
    ifMatch: ifMatch === undefined ? undefined : tagsIn(ifMatch),
    ifNoneMatch: ifNoneMatch === undefined ? undefined : "*",
    keyed: key === undefined ? null : keyedOf(key, ...asked),
    // Made when it is asked for, which costs the framework as much as the rest of a request.
    get signal() {
      return c.req.raw.signal;
    },
  };
}

/** A proxy may have made a tag weak. */
function tagsIn(header: string): "*" | readonly string[] {
  if (header.trim() === "*") return "*";
  return [...header.matchAll(/"([^"]*)"/g)].map(([, tag = ""]) => tag);
}

function toReply(key: string, outcome: Extract<Put, { kind: "put" }>, acks: Acknowledged): Reply {
  const { created, number, etag } = outcome;
  const told = { key, version: number, ...acks };
  const headers = { "content-type": "application/json", etag: `"${etag}"` };
  return new Reply(created ? 201 : 200, JSON.stringify(told), headers, told);
}

function watched(registers: NamespacedPrimitives["registers"], key: string): Watched<Inspected> {
  return {
    read: () => registers.inspect(key),
    change: (...until) => registers.change(key, ...until),
    toJson: ({ register }) => {
      if (!register) throw noRegister();
      const { json: value, number, expiresInMs } = register;
      // The value is JSON already.
      const ends = expiresInMs === null ? null : Math.ceil(expiresInMs);
      return `{"key":${JSON.stringify(key)},"value":${value},"version":${number},"expiresInMs":${ends}}`;
    },
  };
}

const ETAG = {
  ETag: { description: "Names this version; it never comes again.", schema: { type: "string" } },
} as const;
const CHANGE_PROBLEMS = ["no_quorum", "contended", "outcome_unknown"] as const;
const CONDITION_PROBLEMS = ["version_mismatch", "idempotency_mismatch", "too_many_keyed"] as const;
