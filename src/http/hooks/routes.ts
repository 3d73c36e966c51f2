import type { Hook, Progress } from "../../primitives/hooks/hook.js";
import { HOOKS_MAX, SERVICES_WITH_HOOKS_MAX } from "../../primitives/hooks/hook.js";
import { noHook } from "../../primitives/hooks/hook-failures.js";
import type { Dependencies } from "../context.js";
import { ServiceParams } from "../members/schemas.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import { Reply } from "../responses/reply.js";
import * as examples from "./examples.js";
import {
  DeletedHookSchema,
  HookBody,
  HookParams,
  HookSchema,
  HooksSchema,
  PutHookSchema,
} from "./schemas.js";

export function hookRoutes(routes: Routes, dependencies: Dependencies): void {
  putRoute(routes, dependencies);
  deleteRoute(routes, dependencies);
  readRoutes(routes, dependencies);
}

function putRoute(routes: Routes, { hookDeliveries, log }: Dependencies): void {
  routes.add({
    method: "put",
    path: "/v1/services/{service}/hooks/{id}",
    operationId: "putHook",
    needs: { action: "operate", act: "put-hook", kind: "members", names: { inPath: "service" } },
    tags: ["hooks"],
    summary: "Make or change a hook of a service, as an operator",
    description: `From now on its URL is told by POST what happens to the members of the service: in order, each event at least once and until it is answered with a status from 200 to 299. The body is {type, namespace, hook, data}, with the data of the service's events; the headers webhook-id, webhook-timestamp and webhook-signature are those of Standard Webhooks, signed with the secret by HMAC-SHA256. webhook-id is the id of the event: what comes twice has the same. The type reset says that events are not known any more: read the members. The host must be listed in QUORATE_HOOK_ALLOW. At most ${HOOKS_MAX} hooks a service, and ${SERVICES_WITH_HOOKS_MAX} services with hooks.`,
    request: { params: HookParams, body: body(HookBody, examples.puts) },
    answer: json("It is changed.", PutHookSchema, examples.changed),
    otherAnswers: { 201: json("It is made.", PutHookSchema, examples.created) },
    problems: ["too_many", ...PROBLEMS],
    handle: async ({ params: { service, id }, body }, { hooks, namespace }, c) => {
      const { url, events = null, secret = null } = body;
      hookDeliveries.check("url", url);
      const put = await hooks.put(service, id, { url, events, secret });
      const where = { requestId: c.get("requestId"), namespace: namespace.name, service, hook: id };
      log.info(where, put.created ? "an operator made a hook" : "an operator changed a hook");
      const told = { id, url, events, secret: put.secret };
      return new Reply(put.created ? 201 : 200, JSON.stringify(told), JSON_TYPE, told);
    },
  });
}

function deleteRoute(routes: Routes, { log }: Dependencies): void {
  routes.add({
    method: "delete",
    path: "/v1/services/{service}/hooks/{id}",
    operationId: "deleteHook",
    needs: { action: "operate", act: "delete-hook", kind: "members", names: { inPath: "service" } },
    tags: ["hooks"],
    summary: "Delete a hook, as an operator",
    description: "It is told nothing more, but for what is under way: within some seconds.",
    request: { params: HookParams },
    answer: json("It is not there.", DeletedHookSchema, examples.deletions),
    problems: PROBLEMS,
    handle: async ({ params: { service, id } }, { hooks, namespace }, c) => {
      const deleted = await hooks.delete(service, id);
      const where = { requestId: c.get("requestId"), namespace: namespace.name, service, hook: id };
      if (deleted) log.info(where, "an operator deleted a hook");
      return { deleted };
    },
  });
}

function readRoutes(routes: Routes, { clock }: Dependencies): void {
  const nowMs = () => clock.wallMicros() / 1_000;
  routes.add({
    method: "get",
    path: "/v1/services/{service}/hooks/{id}",
    operationId: "getHook",
    needs: { action: "operate", act: "look-at-hooks", kind: "members", names: { inPath: "service" } },
    tags: ["hooks"],
    summary: "Read a hook, and how it goes",
    description: "Only an operator may: its URL may be a secret. Its own secret is not told.",
    request: { params: HookParams },
    answer: json("The hook.", HookSchema, examples.hooks),
    problems: ["not_found", ...PROBLEMS],
    handle: async ({ params: { service, id } }, { hooks }) => {
      const hook = (await hooks.list(service)).find((one) => one.id === id);
      if (!hook) throw noHook();
      return toJson(hook, await hooks.progress(service, id), nowMs());
    },
  });
  routes.add({
    method: "get",
    path: "/v1/services/{service}/hooks",
    operationId: "listHooks",
    needs: { action: "operate", act: "look-at-hooks", kind: "members", names: { inPath: "service" } },
    tags: ["hooks"],
    summary: "List the hooks of a service, and how they go",
    description: "Only an operator may: their URLs may be secrets. Their own secrets are not told.",
    request: { params: ServiceParams },
    answer: json("The hooks.", HooksSchema, examples.lists),
    problems: PROBLEMS,
    handle: async ({ params: { service } }, { hooks }) => {
      const all = await hooks.list(service);
      const progress = await Promise.all(all.map(({ id }) => hooks.progress(service, id)));
      return { hooks: all.map((hook, place) => toJson(hook, progress[place] ?? null, nowMs())) };
    },
  });
}

function toJson({ id, url, events, made }: Hook, progress: Progress | null, nowMs: number) {
  // That of an earlier one with this id may still be there.
  const own = progress?.made === made ? progress : null;
  const nextTryAtMs = own?.nextTryAtMs ?? null;
  return {
    id,
    url,
    events,
    deliveredAtMs: own?.deliveredAtMs ?? null,
    failures: own?.failures ?? 0,
    failure: own?.failure ?? null,
    nextTryInMs: nextTryAtMs === null ? null : Math.max(0, Math.ceil(nextTryAtMs - nowMs)),
  };
}

const JSON_TYPE = { "content-type": "application/json" };
const PROBLEMS = ["no_quorum", "contended", "outcome_unknown"] as const;
