import { createRoute } from "@hono/zod-openapi";
import { CoordinationError } from "../../errors.js";
import type { Member } from "../../primitives/membership.js";
import { body, json } from "../content.js";
import type { App, Services } from "../context.js";
import * as examples from "../examples/owners.js";
import { problems } from "../problem.js";
import { ServiceParams } from "../schemas/members.js";
import { OwnerQuery, OwnerSchema, OwnersBody, OwnersSchema } from "../schemas/owners.js";

export function ownerRoutes(app: App, { owners }: Services): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/services/{service}/owner",
      operationId: "getOwner",
      tags: ["shard owners"],
      summary: "Which member owns this key",
      description:
        "By the ring ring-v1 of the live members: the same ringId gives the same owner, in every instance and language. Not exclusive.",
      request: { params: ServiceParams, query: OwnerQuery },
      responses: {
        200: json("The owner.", OwnerSchema, examples.keyOwner),
        ...problems("invalid_request", "no_members", "no_quorum"),
      },
    }),
    async (c) => {
      const { service } = c.req.valid("param");
      const { key, replicas = 1 } = c.req.valid("query");
      assertWellEncoded(c.req.url);
      const { ring, members, ageMs } = await owners.owning(service);
      const chosen = ring.replicas(key, replicas).map(({ id }) => members.get(id) as Member);
      return c.json({ key, owner: chosen[0] as Member, replicas: chosen, ringId: ring.ringId, ageMs }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/services/{service}/owners",
      operationId: "getOwners",
      tags: ["shard owners"],
      summary: "Which members own these keys",
      description: "Up to 10,000 keys, all by one ring.",
      request: { params: ServiceParams, body: body(OwnersBody, examples.ownersRequests) },
      responses: {
        200: json("The owners, in the order of the keys.", OwnersSchema, examples.keyOwners),
        ...problems("invalid_request", "too_large", "unsupported_media_type", "no_members", "no_quorum"),
      },
    }),
    async (c) => {
      const { service } = c.req.valid("param");
      const { keys, replicas = 1 } = c.req.valid("json");
      const { ring, members, ageMs } = await owners.owning(service);
      const named = new Map<string, Member>();
      const answer = keys.map((key) => {
        const ids = ring.replicas(key, replicas).map(({ id }) => id);
        for (const id of ids) named.set(id, members.get(id) as Member);
        return { key, owner: ids[0] as string, replicas: ids };
      });
      return c.json({ owners: answer, members: Object.fromEntries(named), ringId: ring.ringId, ageMs }, 200);
    },
  );
}

/** What cannot be decoded would otherwise be taken as it stands: another key than the caller meant. */
function assertWellEncoded(url: string): void {
  try {
    decodeURIComponent(url.slice(url.indexOf("?") + 1));
  } catch {
    throw new CoordinationError("invalid_request", "key: the query is not percent-encoded UTF-8", {
      help: { field: "key", errors: [{ field: "key", detail: "the query is not percent-encoded UTF-8" }] },
    });
  }
}
