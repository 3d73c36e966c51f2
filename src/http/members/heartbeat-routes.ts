import type { z } from "@hono/zod-openapi";
import type { BoundHeld } from "../../primitives/leases/bound-leases.js";
import { nonceOf } from "../../primitives/members/member-key.js";
import type { Alive, HeartbeatOutcome } from "../../primitives/members/pulses.js";
import { leasesOf } from "../leases/binding.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import * as examples from "./heartbeat-examples.js";
import {
  HEARTBEAT_CODES,
  HeartbeatBody,
  HeartbeatsBody,
  HeartbeatsSchema,
  PulseSchema,
} from "./heartbeat-schemas.js";
import { heartbeatIntervalMsOf, MemberParams } from "./schemas.js";

export function heartbeatRoutes(routes: Routes): void {
  routes.add({
    method: "post",
    path: "/v1/services/{service}/members/{id}/heartbeat",
    operationId: "heartbeat",
    needs: { action: "use", act: "heartbeat", kind: "members", names: { inPath: "service" } },
    tags: ["members"],
    summary: "Keep a member alive",
    description:
      "The body may be left out. A load that it reports is shown with the member until another is reported, or the member registers again. With a memberKey it also renews the leases that are bound to the member, each by a vote of its own, and tells which are held and which are lost. Leases that the caller may not use are neither renewed nor told.",
    request: { params: MemberParams, body: body(HeartbeatBody, examples.heartbeatRequests, false) },
    answer: json("It stays alive.", PulseSchema, examples.pulses),
    problems: ["unknown_member", "superseded", "no_quorum"],
    handle: async ({ params, body }, { membership }, c) => {
      const alive = await membership.heartbeat(toHeartbeat({ ...params, ...body }), leasesOf(c));
      if (alive.leases) c.set("kept", alive.leases.held);
      return toPulse(alive);
    },
  });

  routes.add({
    method: "post",
    path: "/v1/heartbeats",
    operationId: "heartbeats",
    needs: { action: "use", act: "heartbeats", kind: "members", names: "in beats" },
    tags: ["members"],
    summary: "Keep many members alive",
    description:
      "The heartbeats of up to 1,000 members, of any services. Each is answered by itself, as if it had come alone: one that fails does not affect the others. All services must be granted, or none is touched. Of the leases that are bound to their members it renews up to 4,096: the heartbeats of further members that have some are `too_many`, though the members stay alive.",
    isBatch: true,
    request: { body: body(HeartbeatsBody, examples.severalRequests) },
    answer: json("What became of each.", HeartbeatsSchema, examples.severalOutcomes),
    handle: async ({ body: { beats } }, { membership }, c) => {
      const outcomes = await membership.heartbeats(beats.map(toHeartbeat), leasesOf(c));
      c.set(
        "kept",
        outcomes.flatMap((outcome) => ("leases" in outcome ? (outcome.leases?.held ?? []) : [])),
      );
      return { outcomes: outcomes.map(toOutcome) };
    },
  });
}

type Beat = z.output<typeof HeartbeatsBody>["beats"][number];

function toHeartbeat({ service, id, incarnation, memberKey, load }: Beat) {
  const nonce = memberKey === undefined ? undefined : nonceOf(memberKey);
  if (load === undefined) return { service, id, incarnation, nonce };
  const { cpu = null, memory = null, disk = null, inFlight = null, custom = {} } = load;
  const text = JSON.stringify({ cpu, memory, disk, inFlight, custom });
  return { service, id, incarnation, nonce, load: text };
}

function toPulse({ incarnation, revision, ttlMs, ringId, leases }: Alive) {
  const pulse = { incarnation, revision, ttlMs, heartbeatIntervalMs: heartbeatIntervalMsOf(ttlMs), ringId };
  return leases ? { ...pulse, leases: { held: leases.held.map(toHeld), lost: leases.lost } } : pulse;
}

/** Never with its leaseId. */
function toHeld({ kind, names, mode, fencingToken, validForMs }: BoundHeld) {
  return { kind, names, mode, fencingToken, validForMs };
}

function toOutcome(outcome: HeartbeatOutcome): z.output<typeof HeartbeatsSchema>["outcomes"][number] {
  if (!("error" in outcome)) return { outcome: "alive", ...toPulse(outcome) };
  const { code, message, help } = outcome.error;
  const own = HEARTBEAT_CODES.find((one) => one === code);
  // Any other is a failure of the request.
  if (!own) throw outcome.error;
  const { retryAfterMs } = help;
  return {
    outcome: "failed",
    code: own,
    detail: message,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}
