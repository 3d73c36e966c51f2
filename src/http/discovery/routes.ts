import type { NamePatterns } from "../../algorithms/name-patterns.js";
import { CoordinationError } from "../../errors.js";
import type { NamespacedPrimitives } from "../../primitives/namespaced.js";
import { grantedTo } from "../access/authorization.js";
import { ServiceParams } from "../members/schemas.js";
import type { Routes } from "../registration.js";
import { json } from "../responses/content.js";
import { jsonReply } from "../responses/reply.js";
import { slicedBody } from "../responses/sliced-body.js";
import * as examples from "./examples.js";
import { TargetGroupsSchema } from "./schemas.js";
import { type ServiceMembers, targetGroupsJson } from "./target-groups.js";

/** Service discovery for Prometheus (`http_sd_configs`). */
export function discoveryRoutes(routes: Routes): void {
  routes.add({
    method: "get",
    path: "/v1/services/{service}/http-sd",
    operationId: "getTargetsOfService",
    needs: { action: "read", kind: "members", names: { inPath: "service" } },
    tags: ["members"],
    summary: "The members of a service as targets for Prometheus",
    description: `For http_sd_configs. All live members, also those that are suspect or draining: the label __meta_quorate_status tells. A quorum read; where there is no quorum, Prometheus keeps the targets that it has. ${BOUND}`,
    request: { params: ServiceParams },
    answer: json("The live members.", TargetGroupsSchema, examples.targetGroups),
    problems: ["too_many", "no_quorum"],
    handle: async ({ params: { service } }, primitives) => {
      const members = await primitives.membership.list(service);
      return answerOf([{ service, members }], primitives);
    },
  });

  routes.add({
    method: "get",
    path: "/v1/http-sd",
    operationId: "getTargets",
    needs: { action: "read", kind: "members", names: "listed" },
    tags: ["members"],
    summary: "The members of all services as targets for Prometheus",
    description: `The same for all services of the namespace that the key may read; the label __meta_quorate_service tells them apart. Each service is read by itself. ${BOUND}`,
    answer: json("The live members.", TargetGroupsSchema, examples.targetGroups),
    problems: ["too_many", "no_quorum"],
    handle: async (_, primitives, c) => answerOf(await allServices(primitives, grantedTo(c)), primitives),
  });
}

async function allServices(
  { membership }: NamespacedPrimitives,
  granted: NamePatterns,
): Promise<ServiceMembers[]> {
  const names: string[] = [];
  let [counted, cursor]: [number, string | null] = [0, null];
  let reads = 0;
  do {
    const page = await membership.services(cursor, SERVICES_AT_ONCE);
    for (const { service, members } of page.services) {
      if (!granted.match(service)) continue;
      names.push(service);
      counted += members;
    }
    cursor = page.cursor;
    reads += 1;
    // Before anything is read of so many.
    if (counted > TARGETS_MAX || (cursor !== null && reads === READS_MAX)) throw TOO_MANY;
  } while (cursor !== null);
  const found: ServiceMembers[] = [];
  for (let at = 0; at < names.length; at += LISTS_AT_ONCE) {
    const some = names.slice(at, at + LISTS_AT_ONCE);
    found.push(
      ...(await Promise.all(
        some.map(async (service) => ({ service, members: await membership.list(service) })),
      )),
    );
  }
  return found;
}

function answerOf(services: readonly ServiceMembers[], { namespace, owners }: NamespacedPrimitives) {
  if (services.reduce((sum, { members }) => sum + members.length, 0) > TARGETS_MAX) throw TOO_MANY;
  return jsonReply(slicedBody(targetGroupsJson(services, namespace.name), owners.timeSlices));
}

/** Prometheus reads no pages, and takes what an answer lacks for gone. */
const TARGETS_MAX = 20_000;
const BOUND = `Up to ${TARGETS_MAX.toLocaleString("en")} targets: of more, none are told.`;
const TOO_MANY = new CoordinationError(
  "too_many",
  `There are more than ${TARGETS_MAX.toLocaleString("en")} targets or services, and Prometheus would take those that an answer lacks for gone. Ask for single services: /v1/services/{service}/http-sd.`,
);
const SERVICES_AT_ONCE = 1_000;
const READS_MAX = 20;
/** As many as are read at the same time anyway. */
const LISTS_AT_ONCE = 4;
