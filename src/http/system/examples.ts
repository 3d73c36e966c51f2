import { type Attendance, shortageOf } from "../../quorum/shortage.js";
import type { Answer } from "../typed-examples.js";
import type * as schemas from "./schemas.js";

export const oneUp: Attendance = { primaries: 3, majority: 2, up: 1, refusals: [] };
const oom = "OOM command not allowed when used memory > 'maxmemory'";
const twoFull: Attendance = { primaries: 3, majority: 2, up: 3, refusals: [oom, oom] };

const server = {
  product: "redis" as const,
  version: "7.4.2",
  role: "primary" as const,
  persistence: {
    appendOnly: true,
    appendFsync: "always",
    save: "3600 1 300 100 60 10000",
    writesSucceed: true,
  },
  memory: { usedBytes: 1_402_880, maxBytes: 268_435_456, maxmemoryPolicy: "noeviction" },
  clock: { differenceMs: -2, uncertaintyMs: 1 },
};
const up = {
  state: "up" as const,
  forMs: 734_112,
  reason: null,
  quarantineMs: 0,
  latencyMs: { p50: 0.312, p99: 1.904 },
  lag: { registers: 0, forMs: 0 },
  copies: { missing: 0, stale: 0, diverged: 0, unconfirmed: 0, repaired: 0, comparedAgeMs: 21_410 },
  server,
};
const primariesOneDown: Answer<typeof schemas.PrimariesSchema> = {
  primaries: [
    { address: "10.0.1.1:6379", ...up },
    { address: "10.0.1.2:6379", ...up },
    {
      address: "10.0.1.3:6379",
      ...up,
      state: "down",
      forMs: 4_051,
      reason: "connect ECONNREFUSED 10.0.1.3:6379",
      latencyMs: { p50: 0.297, p99: 2.118 },
      lag: { registers: 12, forMs: 4_002 },
      server: null,
    },
  ],
  configurationVersion: 4,
  majority: 2,
  quorum: true,
  grantsInMs: 0,
  version: "0.1.0",
  deployment: "5f0c1d2ab8e94c77",
  embedded: false,
  commandTimeoutMs: 100,
};
export const primaries = { oneDown: { summary: "One of three is down", value: primariesOneDown } };

export const live = { live: { value: { status: "ok" as const } } };

const withoutQuorum = (attendance: Attendance): Answer<typeof schemas.ReadySchema> => ({
  status: "ready",
  quorum: false,
  reason: shortageOf(attendance),
  grantsInMs: null,
});
export const ready = {
  ready: { value: { status: "ready" as const, quorum: true, reason: null, grantsInMs: 0 } },
  withoutQuorum: {
    summary: "Too few primaries are up: requests may still be sent here",
    value: withoutQuorum(oneUp),
  },
  memoryFull: {
    summary: "Too few primaries accept writes",
    value: withoutQuorum(twoFull),
  },
  afterARestart: {
    summary: "A majority restarted: leases that it may have forgotten have to end first",
    value: { status: "ready" as const, quorum: true, reason: null, grantsInMs: 8_214 },
  },
  aWorker: {
    summary: "One of several workers that serve the port",
    value: { status: "ready" as const, quorum: true, reason: null, grantsInMs: 0, worker: 2 },
  },
};

export const metrics = {
  two: {
    summary: "Two of many lines",
    value: [
      'quorate_primary_up{primary="10.0.1.1:6379"} 1',
      'quorate_http_requests_total{method="POST",route="/v1/locks/:name/acquire",status="200",code=""} 1742',
      "",
    ].join("\n"),
  },
};

export const descriptions = {
  start: { summary: "The beginning", value: { openapi: "3.1.0", info: { title: "Quorate" } } },
};
export const yamlDescriptions = {
  start: { summary: "The beginning", value: "openapi: 3.1.0\ninfo:\n  title: Quorate\n" },
};
