import type { z } from "@hono/zod-openapi";
import { fencingToken } from "../leases/examples.js";
import type { Answer } from "../typed-examples.js";
import { member1, memberKey, ringId } from "./examples.js";
import type * as schemas from "./heartbeat-schemas.js";

const load = { cpu: 0.42, memory: 0.61, inFlight: 12, custom: { queued: 3 } };

export const heartbeatRequests = {
  empty: { summary: "Whoever is registered under this id", value: {} },
  incarnation: {
    summary: "Only the process that this registration was for, and its load",
    value: { incarnation: member1.incarnation, load },
  },
  memberKey: {
    summary: "From the member itself",
    value: { incarnation: member1.incarnation, memberKey },
  },
};

const pulse: Answer<typeof schemas.PulseSchema> = {
  incarnation: member1.incarnation,
  revision: 1,
  ttlMs: 15_000,
  heartbeatIntervalMs: 5_000,
  ringId,
};
export const pulses = {
  alive: { value: pulse },
  leases: {
    summary: "With a memberKey, of a member that has leases",
    value: {
      ...pulse,
      leases: {
        held: [
          {
            kind: "locks" as const,
            names: ["orders-42"],
            fencingToken,
            mode: "exclusive" as const,
            validForMs: 29_690,
          },
        ],
        lost: [
          {
            kind: "elections" as const,
            names: ["billing"],
            fencingToken: fencingToken - 2,
            lost: { why: "taken" as const, newest: fencingToken },
          },
        ],
      },
    },
  },
};

const several: z.input<typeof schemas.HeartbeatsBody> = {
  beats: [
    { service: "search", id: "search-1", incarnation: member1.incarnation, load },
    { service: "search", id: "search-9" },
  ],
};
export const severalRequests = { two: { summary: "Two members, one of them with its load", value: several } };

const outcomes: Answer<typeof schemas.HeartbeatsSchema> = {
  outcomes: [
    { outcome: "alive", ...pulse },
    {
      outcome: "failed",
      code: "unknown_member",
      detail:
        "Service search has no member search-9: it expired, left, or was never registered. Register it again (PUT).",
    },
  ],
};
export const severalOutcomes = { two: { summary: "The second one is unknown", value: outcomes } };
