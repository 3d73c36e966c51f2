import { z } from "@hono/zod-openapi";
import { HISTORY_MAX } from "../../primitives/members/events/member-histories.js";
import { toldStatus } from "../../primitives/members/events/told-event.js";
import type { EventKind } from "../../scripts/member-event.js";
import { answer } from "../fields.js";
import type { Routes } from "../registration.js";
import { json } from "../responses/content.js";
import * as examples from "./examples.js";
import { anyStatus, incarnation, MemberParams } from "./schemas.js";

const ChangeSchema = answer("MemberChange", "What happened to a member.", {
  atMs: z.int().openapi({
    format: "int64",
    description: "When, in ms since 1970, by the clock of the primary that stored it first.",
    example: 1795225982978,
  }),
  event: z
    .enum(["joined", "updated", "draining", "left", "expired"])
    .openapi({ description: "What happened.", example: "expired" }),
  why: z.string().openapi({ description: "Why, for people.", example: "registered" }),
  incarnation,
  revision: z.int().openapi({ description: "Of that incarnation.", example: 1 }),
  status: anyStatus,
});

export const HistorySchema = answer("MemberHistory", "What happened to a member.", {
  history: z
    .array(ChangeSchema)
    .readonly()
    .openapi({ description: `The latest ${HISTORY_MAX} changes, the oldest first.` }),
});

export function memberHistoryRoute(routes: Routes): void {
  routes.add({
    method: "get",
    path: "/v1/services/{service}/members/{id}/history",
    operationId: "getMemberHistory",
    needs: { action: "read", kind: "members", names: { inPath: "service" } },
    tags: ["members"],
    summary: "See what happened to a member, and why",
    description: `Also of a member that has left or expired. The latest ${HISTORY_MAX} changes that a majority of the primaries hold, in their order, from the latest 1,000 of the service, which are kept for an hour after the last. Empty: nothing is known. Suspicion is no change of a member, and not told here. A quorum read.`,
    request: { params: MemberParams },
    answer: json("What happened, the oldest first.", HistorySchema, examples.histories),
    problems: ["no_quorum"],
    handle: async ({ params: { service, id } }, { memberEvents }) => {
      const history = await memberEvents.history(service, id);
      return {
        history: history.map(({ event, atMs }) => ({
          atMs,
          // A suspicion is stored in no stream.
          event: event.kind as Exclude<EventKind, "suspect">,
          why: event.why,
          incarnation: event.incarnation,
          revision: event.revision,
          status: toldStatus(event),
        })),
      };
    },
  });
}
