import type { Dependencies } from "../context.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import * as examples from "./examples.js";
import {
  IfMatchHeaders,
  LeaveQuery,
  LeftSchema,
  MemberParams,
  MemberSchema,
  RESTART_GRACE_MS,
  updateBody,
} from "./schemas.js";
import { expected, versioned, withVersion } from "./versions.js";

/** Changes of members that are registered: drained, given another weight, removed. */
export function changeRoutes(routes: Routes, { config }: Dependencies): void {
  routes.add({
    method: "patch",
    path: "/v1/services/{service}/members/{id}",
    operationId: "updateMember",
    needs: { action: "use", act: "update", kind: "members", names: { inPath: "service" } },
    tags: ["members"],
    summary: "Change or drain a member",
    description:
      "Raises its revision. Changes that begin from one revision are made one after the other: none is lost, and with If-Match only one of them succeeds. It is no heartbeat. A new registration of the member says everything anew, and ends its draining.",
    request: {
      params: MemberParams,
      headers: IfMatchHeaders,
      body: body(updateBody(config.ttlMaxMs), examples.updateRequests),
    },
    answer: versioned(json("The member with its new revision.", MemberSchema, examples.changes)),
    problems: ["unknown_member", "superseded", "version_mismatch", "no_quorum"],
    handle: async ({ params: { service, id }, headers, body }, { membership }) => {
      const { incarnation, ...change } = body;
      const isExpected = expected(headers["if-match"]);
      return withVersion(await membership.update(service, id, change, { incarnation, isExpected }));
    },
  });

  routes.add({
    method: "delete",
    path: "/v1/services/{service}/members/{id}",
    operationId: "leave",
    needs: { action: "use", act: "leave", kind: "members", names: { inPath: "service" } },
    tags: ["members"],
    summary: "Remove a member",
    description:
      "Without waiting until its ttlMs is over. A member that there is not is no error. With restart its place is kept for its next registration, so that nothing moves twice.",
    request: { params: MemberParams, query: LeaveQuery(config.ttlMaxMs) },
    answer: json("It is not a member any more.", LeftSchema, examples.departures),
    problems: ["superseded", "no_quorum"],
    handle: async ({ params: { service, id }, query }, { membership }) => {
      const { incarnation, restart, restartGraceMs = RESTART_GRACE_MS } = query;
      const how = { incarnation, restartGraceMs: restart ? restartGraceMs : undefined };
      return { left: await membership.leave(service, id, how) };
    },
  });
}
