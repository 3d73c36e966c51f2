import { createRoute, type z } from "@hono/zod-openapi";
import type { MiddlewareHandler, TypedResponse } from "hono";
import type { JSONParsed } from "hono/utils/types";
import { CoordinationError } from "../../errors.js";
import type { Member } from "../../primitives/members/membership.js";
import type { App, Env, Services } from "../context.js";
import { ServiceParams } from "../members/schemas.js";
import { problems } from "../problem.js";
import { body, json } from "../responses/content.js";
import { slicedBody } from "../responses/sliced-body.js";
import * as examples from "./examples.js";
import { ownersJson } from "./json.js";
import { OwnerQuery, OwnerSchema, OwnersBody, OwnersSchema } from "./schemas.js";

export function ownerRoutes(app: App, { owners }: Services): void {
  /** A large body is parsed and checked in a turn of its own: that takes up to 20 ms. */
  const parseInTurn: MiddlewareHandler<Env> = async (c) => {
    // One that cannot be read is refused where it is parsed.
    const text = await c.req.text().catch(() => "");
    if (text.length > PARSED_AT_ONCE_MAX) await owners.timeSlices.take();
  };

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
        ...problems("invalid_request", "no_members", "too_many", "no_quorum"),
      },
    }),
    async (c) => {
      const { service } = c.req.valid("param");
      const { key, replicas = 1 } = c.req.valid("query");
      assertWellEncoded(c.req.url);
      const { ring, members, ageMs } = await owners.owning(service, replicas);
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
      description:
        "All keys by one ring. Up to 10,000 keys, and 50,000 members to be named: keys times replicas. Members come once, under their ids.",
      middleware: parseInTurn,
      request: { params: ServiceParams, body: body(OwnersBody, examples.ownersRequests) },
      responses: {
        200: json("The owners, in the order of the keys.", OwnersSchema, examples.keyOwners),
        ...problems(
          "invalid_request",
          "too_large",
          "unsupported_media_type",
          "no_members",
          "too_many",
          "no_quorum",
        ),
      },
    }),
    async (c) => {
      const { service } = c.req.valid("param");
      const { keys, replicas = 1 } = c.req.valid("json");
      const view = await owners.owning(service, replicas);
      const text = slicedBody(ownersJson(keys, replicas, view), owners.timeSlices);
      return c.body(text, 200, { "content-type": "application/json" }) as unknown as OwnersAnswer;
    },
  );
}

/** What `c.json` would say of it. */
type OwnersAnswer = TypedResponse<JSONParsed<z.output<typeof OwnersSchema>>, 200, "json">;

/** Length of a body in UTF-16 code units that is not worth a turn. */
const PARSED_AT_ONCE_MAX = 16_384;

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
