import { readablePage } from "../access/readable-page.js";
import type { Dependencies } from "../context.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import { changeRoutes } from "./change-routes.js";
import * as examples from "./examples.js";
import { SERVICES_PAGE_MAX, ServicesQuery, ServicesSchema } from "./list-schemas.js";
import {
  heartbeatIntervalMsOf,
  MemberParams,
  MemberSchema,
  RegisteredSchema,
  registerBody,
  SuspectBody,
  SuspicionSchema,
} from "./schemas.js";
import { versioned, withVersion } from "./versions.js";

export function memberRoutes(routes: Routes, dependencies: Dependencies): void {
  const { config, cursors, probing } = dependencies;
  routes.add({
    method: "put",
    path: "/v1/services/{service}/members/{id}",
    operationId: "registerMember",
    needs: { action: "use", act: "register", kind: "members", names: { inPath: "service" } },
    tags: ["members"],
    summary: "Register a member",
    description:
      "Begins a new incarnation of the member. Keep it alive with a heartbeat every heartbeatIntervalMs; without one it is removed after ttlMs.",
    request: { params: MemberParams, body: body(registerBody(config.ttlMaxMs), examples.registerRequests) },
    answer: versioned(
      json("It was a member already; this is its new incarnation.", RegisteredSchema, examples.registrations),
    ),
    otherAnswers: { 201: versioned(json("It is a member now.", RegisteredSchema, examples.registrations)) },
    problems: ["superseded", "too_many", "no_quorum"],
    handle: async ({ params: { service, id }, body }, { membership }) => {
      const { address, weight = 1, zone = null, tags = [], metadata = null, ttlMs = MEMBER_TTL_MS } = body;
      const { probe } = body;
      if (probe) probing.check(probe);
      const registration = { address, weight, zone, tags, metadata, ...(probe && { probe }) };
      const { member, memberKey, isNew } = await membership.register(service, id, ttlMs, registration);
      const answer = { ...member, heartbeatIntervalMs: heartbeatIntervalMsOf(member.ttlMs), memberKey };
      return withVersion(answer, isNew ? 201 : 200);
    },
  });

  changeRoutes(routes, dependencies);

  routes.add({
    method: "post",
    path: "/v1/services/{service}/members/{id}/suspect",
    operationId: "suspectMember",
    needs: { action: "use", act: "suspect", kind: "members", names: { inPath: "service" } },
    tags: ["members"],
    summary: "Report that a member cannot be reached",
    description:
      "Enough reporters make it suspect: three, or in a small service a majority of its other members, but two at least. A report counts for ttlMs of the member, 10 s at least, and for twice as long each time that its reporter repeats it; a heartbeat does not take it back, a new registration does. At most half of a service is suspect at a time: those with the most reports.",
    request: { params: MemberParams, body: body(SuspectBody, examples.suspectRequests) },
    answer: json("The report counts.", SuspicionSchema, examples.suspicions),
    problems: ["unknown_member", "superseded", "too_many", "no_quorum"],
    handle: ({ params: { service, id }, body }, { suspicions }) => suspicions.reportByPeer(service, id, body),
  });

  routes.add({
    method: "get",
    path: "/v1/services/{service}/members/{id}",
    operationId: "getMember",
    needs: { action: "read", kind: "members", names: { inPath: "service" } },
    tags: ["members"],
    summary: "See one member",
    description: "A quorum read: it shows every registration and departure before the request.",
    request: { params: MemberParams },
    answer: versioned(json("The member.", MemberSchema, examples.oneMember)),
    problems: ["unknown_member", "no_quorum"],
    handle: async ({ params: { service, id } }, { membership }) =>
      withVersion(await membership.get(service, id)),
  });

  routes.add({
    method: "get",
    path: "/v1/services",
    operationId: "listServices",
    needs: { action: "read", kind: "members", names: "listed" },
    tags: ["members"],
    summary: "List the services that have members",
    description:
      "By name, in pages: ask for the next page with the cursor of the last until that is null. A page may be empty though another follows. Members are counted, not read: for a moment a count may be one behind.",
    request: { query: ServicesQuery },
    answer: json("One page.", ServicesSchema, examples.serviceLists),
    problems: ["no_quorum"],
    handle: async ({ query: { cursor, limit = SERVICES_PAGE_MAX } }, { membership }, c) => {
      const page = await readablePage(c, cursors, {
        read: async (_, after, most) => {
          const { services: items, cursor: next } = await membership.services(after, most);
          return { items, cursor: next };
        },
        nameOf: ({ service }) => service,
        prefix: "",
        cursor,
        limit,
      });
      return { services: page.items, cursor: page.cursor };
    },
  });
}

const MEMBER_TTL_MS = 15_000;
