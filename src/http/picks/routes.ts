import type { Picked } from "../../primitives/picks/picks.js";
import { memberJson } from "../members/json.js";
import { ServiceParams } from "../members/schemas.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import { jsonReply } from "../responses/reply.js";
import { whenThere } from "../when-there.js";
import * as examples from "./examples.js";
import { MAX_LOAD, PickBody, PickedSchema } from "./schemas.js";

export function pickRoutes(routes: Routes): void {
  routes.add({
    method: "post",
    path: "/v1/services/{service}/pick",
    operationId: "pick",
    needs: { action: "read", kind: "members", names: { inPath: "service" } },
    tags: ["picks"],
    summary: "Pick members to send work to",
    description:
      "Among the live members with a weight above 0 and all the tags. A suspect member is picked only if nobody else can be, and a draining one only if there is no suspect one either; the answer says so in fallbacks. From a view of the members that is ageMs old. Turns, and the picks that least-load takes into account, are counted by each instance for itself.",
    request: { params: ServiceParams, body: body(PickBody, examples.pickRequests) },
    answer: json("The members that were picked.", PickedSchema, examples.picks),
    problems: ["no_members", "too_many", "no_quorum"],
    handle: ({ params: { service }, body }, { picks }) => {
      const { strategy, key, zone, tags, maxLoad = MAX_LOAD.fallback, exclude = NOBODY, count = 1 } = body;
      // Field by field: to copy the body would cost as much as the pick, as its objects have fields in any order.
      const request = { strategy, key, zone, tags, maxLoad, exclude, count };
      return whenThere(picks.pick(service, request), (picked) => jsonReply(pickedJson(picked)));
    },
  });
}

function pickedJson({ members, alternatives, fallbacks, ageMs }: Picked): string {
  return `{"members":[${members.map(memberJson)}],"alternatives":[${alternatives.map(memberJson)}],"fallbacks":${JSON.stringify(fallbacks)},"ageMs":${ageMs}}`;
}

const NOBODY: readonly string[] = Object.freeze([]);
