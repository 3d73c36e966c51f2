import type { Answer } from "../typed-examples.js";
import type * as schemas from "./schemas.js";

const up = {
  state: "up" as const,
  forMs: 734_112,
  reason: null,
  quarantineMs: 0,
  latencyMs: { p50: 0.312, p99: 1.904 },
};
const primariesOneDown: Answer<typeof schemas.PrimariesSchema> = {
  primaries: [
    { address: "10.0.1.1:6379", ...up },
    { address: "10.0.1.2:6379", ...up },
    {
      address: "10.0.1.3:6379",
      state: "down",
      forMs: 4_051,
      reason: "connect ECONNREFUSED 10.0.1.3:6379",
      quarantineMs: 0,
      latencyMs: { p50: 0.297, p99: 2.118 },
    },
  ],
  configurationVersion: 4,
  majority: 2,
  quorum: true,
  grantsInMs: 0,
};
export const primaries = { oneDown: { summary: "One of three is down", value: primariesOneDown } };

export const live = { live: { value: { status: "ok" as const } } };

export const ready = {
  ready: { value: { status: "ready" as const, quorum: true, reason: null, grantsInMs: 0 } },
  withoutQuorum: {
    summary: "Too few primaries are up: still the place to send requests to",
    value: {
      status: "ready" as const,
      quorum: false,
      reason: "1 of 3 primaries take part now; 2 are needed.",
      grantsInMs: null,
    },
  },
  memoryFull: {
    summary: "Too few primaries accept writes",
    value: {
      status: "ready" as const,
      quorum: false,
      reason:
        "2 of 3 primaries refuse writes; 2 must accept them. The reason: OOM command not allowed when used memory > 'maxmemory'.",
      grantsInMs: null,
    },
  },
  afterARestart: {
    summary: "A majority restarted: leases that they may have forgotten have to end first",
    value: { status: "ready" as const, quorum: true, reason: null, grantsInMs: 8_214 },
  },
};

export const metrics = {
  two: {
    summary: "Two lines of many",
    value: [
      'quorate_primary_up{primary="10.0.1.1:6379"} 1',
      'quorate_http_requests_total{method="POST",route="/v1/locks/:name/acquire",status="200",code=""} 1742',
      "",
    ].join("\n"),
  },
};

export const descriptions = {
  start: { summary: "How it begins", value: { openapi: "3.1.0", info: { title: "Quorate" } } },
};
export const yamlDescriptions = {
  start: { summary: "How it begins", value: "openapi: 3.1.0\ninfo:\n  title: Quorate\n" },
};
