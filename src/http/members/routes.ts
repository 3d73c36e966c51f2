import type { Services } from "../context.js";
import { bodyProblems, problems } from "../problem.js";
import type { Routes } from "../registration.js";
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

export function memberRoutes(routes: Routes, { membership, owners, config }: Services): void {
  routes.add(
    {
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
        ...bodyProblems("superseded", "no_quorum"),
      },
    },
    async ({ params: { service, id }, body }, c) => {
      const { address, weight, zone, tags, metadata, ttlMs } = body;
      const { member, isNew } = await membership.register(service, id, ttlMs ?? MEMBER_TTL_MS, {
        address,
        weight: weight ?? 1,
        zone: zone ?? null,
        tags: tags ?? [],
        metadata: metadata ?? null,
      });
      owners.forget(service);
      const answer = { ...member, heartbeatIntervalMs: heartbeatIntervalMs(member.ttlMs) };
      return isNew ? c.json(answer, 201) : answer;
    },
  );

  routes.add(
    {
      method: "post",
      path: "/v1/services/{service}/members/{id}/heartbeat",
      operationId: "heartbeat",
      tags: ["members"],
      summary: "Keep a member alive",
      description: "Works without a body too.",
      request: { params: MemberParams, body: body(HeartbeatBody, examples.heartbeatRequests, false) },
      responses: {
        200: json("It lives on.", PulseSchema, examples.pulses),
        ...bodyProblems("unknown_member", "superseded", "no_quorum"),
      },
    },
    async ({ params: { service, id }, body: { incarnation } }) => {
      const pulse = await membership.heartbeat(service, id, incarnation);
      return {
        incarnation: pulse.incarnation,
        revision: pulse.revision,
        ttlMs: pulse.ttlMs,
        heartbeatIntervalMs: heartbeatIntervalMs(pulse.ttlMs),
      };
    },
  );

  routes.add(
    {
      method: "delete",
      path: "/v1/services/{service}/members/{id}",
      operationId: "leave",
      tags: ["members"],
      summary: "Take a member out",
      request: { params: MemberParams },
      responses: {
        200: json("It is not a member any more.", LeftSchema, examples.departures),
        ...problems("superseded", "no_quorum"),
      },
    },
    async ({ params: { service, id } }) => ({ left: await membership.leave(service, id) }),
  );

  routes.add(
    {
      method: "get",
      path: "/v1/services/{service}/members/{id}",
      operationId: "getMember",
      tags: ["members"],
      summary: "See one member",
      request: { params: MemberParams },
      responses: {
        200: json("The member.", MemberSchema, examples.oneMember),
        ...problems("unknown_member", "no_quorum"),
      },
    },
    ({ params: { service, id } }) => membership.get(service, id),
  );

  routes.add(
    {
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
        ...problems("no_quorum"),
      },
    },
    ({ params: { service }, query: { cursor = null, limit = MEMBERS_PAGE_MAX } }) =>
      membership.page(service, cursor, limit),
  );

  routes.add(
    {
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
        ...problems("no_quorum"),
      },
    },
    ({ query: { cursor = null, limit = SERVICES_PAGE_MAX } }) => membership.services(cursor, limit),
  );
}

const MEMBER_TTL_MS = 15_000;

/** Two heartbeats may be lost before the member is gone. */
function heartbeatIntervalMs(ttlMs: number): number {
  return Math.floor(ttlMs / 3);
}
