import { ServiceParams } from "../members/schemas.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import { jsonReply } from "../responses/reply.js";
import { slicedBody } from "../responses/sliced-body.js";
import { whenThere } from "../when-there.js";
import * as examples from "./examples.js";
import { ownerJson, ownersJson } from "./json.js";
import { OwnerQuery, OwnerSchema, OwnersBody, OwnersSchema } from "./schemas.js";

export function ownerRoutes(routes: Routes): void {
  routes.add({
    method: "get",
    path: "/v1/services/{service}/owner",
    operationId: "getOwner",
    needs: { action: "read", kind: "members", names: { inPath: "service" } },
    tags: ["shard owners"],
    summary: "Find the member that owns a key",
    description:
      "By the ring ring-v1 of the live members: the same ringId gives the same owner, in every instance and language. Ownership is not exclusive.",
    request: { params: ServiceParams, query: OwnerQuery },
    answer: json("The owner.", OwnerSchema, examples.keyOwner),
    problems: ["no_members", "too_many", "no_quorum"],
    handle: ({ params: { service }, query: { key, replicas = 1 } }, { owners }) =>
      whenThere(owners.owning(service, replicas), (view) => jsonReply(ownerJson(key, replicas, view))),
  });

  routes.add({
    method: "post",
    path: "/v1/services/{service}/owners",
    operationId: "getOwners",
    needs: { action: "read", kind: "members", names: { inPath: "service" } },
    tags: ["shard owners"],
    summary: "Find the members that own many keys",
    description:
      "All keys by one ring. Up to 10,000 keys, and up to 50,000 named members, which is keys times replicas. Each member is described once, under its id.",
    isBatch: true,
    request: { params: ServiceParams, body: body(OwnersBody, examples.ownersRequests) },
    answer: json("The owners, in the order of the keys.", OwnersSchema, examples.keyOwners),
    problems: ["no_members", "too_many", "no_quorum"],
    handle: async ({ params: { service }, body: { keys, replicas = 1 } }, { owners }) => {
      const view = await owners.owning(service, replicas);
      return jsonReply(slicedBody(ownersJson(keys, replicas, view), owners.timeSlices));
    },
  });
}
