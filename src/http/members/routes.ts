import { createRoute } from "@hono/zod-openapi";
import type { App, Services } from "../context.js";
import { problems } from "../problem.js";
import { body, json } from "../responses/content.js";
import * as examples from "./examples.js";
import {
  HeartbeatBody,
  LeftSchema,
  MEMBERS_PAGE_MAX,
  MemberParams,
  MemberSchema,
  MembersQuery,
  MembersSchema,
  PulseSchema,
  RegisteredSchema,
  registerBody,
  SERVICES_PAGE_MAX,
  ServiceParams,
  ServicesQuery,
  ServicesSchema,
} from "./schemas.js";

export function memberRoutes(app: App, { membership, owners, config }: Services): void {
  app.openapi(
    createRoute({
      method: "put",
      path: "/v1/services/{service}/members/{id}",
      operationId: "registerMember",
      tags: ["members"],
      summary: "Register a member",
      description:
        "Begins a new incarnation of the member. Keep it alive by a heartbeat every heartbeatIntervalMs; without one it is gone after ttlMs.",
      request: { params: MemberParams, body: body(registerBody(config.ttlMaxMs), examples.registerRequests) },
      responses: {
        200: json(
          "It was a member already; this is its new incarnation.",
          RegisteredSchema,
          examples.registrations,
        ),
        201: json("It is a member now.", RegisteredSchema, examples.registrations),
        ...problems("invalid_request", "too_large", "unsupported_media_type", "superseded", "no_quorum"),
      },
    }),
    async (c) => {
      const { service, id } = c.req.valid("param");
      const { address, weight, zone, tags, metadata, ttlMs } = c.req.valid("json");
      const { member, isNew } = await membership.register(service, id, ttlMs ?? MEMBER_TTL_MS, {
        address,
        weight: weight ?? 1,
        zone: zone ?? null,
        tags: tags ?? [],
        metadata: metadata ?? null,
      });
      owners.forget(service);
      const answer = { ...member, heartbeatIntervalMs: heartbeatIntervalMs(member.ttlMs) };
      return isNew ? c.json(answer, 201) : c.json(answer, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/services/{service}/members/{id}/heartbeat",
      operationId: "heartbeat",
      tags: ["members"],
      summary: "Keep a member alive",
      description: "Works without a body too.",
      request: { params: MemberParams, body: body(HeartbeatBody, examples.heartbeatRequests, false) },
      responses: {
        200: json("It lives on.", PulseSchema, examples.pulses),
        ...problems(
          "invalid_request",
          "too_large",
          "unsupported_media_type",
          "unknown_member",
          "superseded",
          "no_quorum",
        ),
      },
    }),
    async (c) => {
      const { service, id } = c.req.valid("param");
      const { incarnation } = c.req.valid("json") ?? {};
      const pulse = await membership.heartbeat(service, id, incarnation);
      return c.json(
        {
          incarnation: pulse.incarnation,
          revision: pulse.revision,
          ttlMs: pulse.ttlMs,
          heartbeatIntervalMs: heartbeatIntervalMs(pulse.ttlMs),
        },
        200,
      );
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/v1/services/{service}/members/{id}",
      operationId: "leave",
      tags: ["members"],
      summary: "Take a member out",
      request: { params: MemberParams },
      responses: {
        200: json("It is not a member any more.", LeftSchema, examples.departures),
        ...problems("invalid_request", "superseded", "no_quorum"),
      },
    }),
    async (c) => {
      const { service, id } = c.req.valid("param");
      const left = await membership.leave(service, id);
      owners.forget(service);
      return c.json({ left }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/services/{service}/members/{id}",
      operationId: "getMember",
      tags: ["members"],
      summary: "See one member",
      request: { params: MemberParams },
      responses: {
        200: json("The member.", MemberSchema, examples.oneMember),
        ...problems("invalid_request", "unknown_member", "no_quorum"),
      },
    }),
    async (c) => {
      const { service, id } = c.req.valid("param");
      return c.json(await membership.get(service, id), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/services/{service}/members",
      operationId: "listMembers",
      tags: ["members"],
      summary: "List the members of a service",
      description:
        "By id, page by page: ask for the next one with the cursor of the last until that is null. A page has limit members, or fewer when they would make more than 1 MB. Each is a quorum read: what was registered or left before the first page was asked for is in the list; of what changes meanwhile, leaves are, new members need not be. The ringId names the ring of all members of the list. Whoever sees it change from one page to the next has a mixture, and begins again without a cursor.",
      request: { params: ServiceParams, query: MembersQuery },
      responses: {
        200: json(
          "The live members; none for a service that nobody registered at.",
          MembersSchema,
          examples.memberLists,
        ),
        ...problems("invalid_request", "no_quorum"),
      },
    }),
    async (c) => {
      const { service } = c.req.valid("param");
      const { cursor = null, limit = MEMBERS_PAGE_MAX } = c.req.valid("query");
      return c.json(await membership.page(service, cursor, limit), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/services",
      operationId: "listServices",
      tags: ["members"],
      summary: "List the services that have members",
      description:
        "By name, page by page: ask for the next one with the cursor of the last until that is null. A page may be empty though another follows. Members are counted, not read: for a moment a count may be one behind.",
      request: { query: ServicesQuery },
      responses: {
        200: json("One page.", ServicesSchema, examples.serviceLists),
        ...problems("invalid_request", "no_quorum"),
      },
    }),
    async (c) => {
      const { cursor = null, limit = SERVICES_PAGE_MAX } = c.req.valid("query");
      return c.json(await membership.services(cursor, limit), 200);
    },
  );
}

const MEMBER_TTL_MS = 15_000;

/** Two heartbeats may be lost before the member is gone. */
function heartbeatIntervalMs(ttlMs: number): number {
  return Math.floor(ttlMs / 3);
}
