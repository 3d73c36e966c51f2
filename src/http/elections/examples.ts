import { fencingToken, granted, leaseId, releaseRequests } from "../leases/examples.js";
import type { Answer, Request } from "../typed-examples.js";
import type * as schemas from "./schemas.js";

const value = { url: "http://10.0.0.7:9000" };

const campaign: Request<typeof schemas.campaignBody> = { ttlMs: 10_000, candidate: "worker-7", value };
export const campaigns = {
  now: { summary: "Lead now or not at all", value: campaign },
  waiting: { summary: "Wait for up to 25 s for the leader to go", value: { ...campaign, waitMs: 25_000 } },
};

const term: Answer<typeof schemas.TermSchema> = {
  ...granted,
  name: "billing",
  candidate: "worker-7",
  term: fencingToken,
  value,
};
export const terms = { term: { value: term } };

const renew: Request<typeof schemas.renewTermBody> = { leaseId, ttlMs: 10_000, term: fencingToken };
export const renewals = { renew: { value: renew } };

export const proclamations = { proclaim: { value: { leaseId, value: { ...value, draining: true } } } };
export const proclaimed = { proclaimed: { value: { term: fencingToken } } };

export const resignations = releaseRequests;
export const resigned = {
  resigned: { summary: "It led until now", value: { resigned: true } },
  unchanged: { summary: "This leaseId did not lead", value: { resigned: false } },
};

const led: Answer<typeof schemas.ElectionSchema> = {
  name: "billing",
  leader: { candidate: "worker-7", term: fencingToken, value, heldForMs: 1_588, expiresInMs: 8_412 },
  known: true,
  waiting: 1,
  queue: [{ position: 1, candidate: "worker-8", mode: "exclusive", owner: "worker-8" }],
};
const vacant: typeof led = { ...led, leader: null, waiting: 0, queue: [] };
export const elections = {
  led: { summary: "Somebody leads", value: led },
  vacant: { summary: "Nobody leads", value: vacant },
  split: { summary: "It cannot be known who leads", value: { ...vacant, known: false } },
};

export const events = {
  state: {
    summary: "The first state, and a change",
    value: [
      "retry: 1000\n",
      `event: state\nid: ${fencingToken}-0-\ndata: ${JSON.stringify(led)}\n`,
      ": keep-alive\n",
      `event: state\nid: none\ndata: ${JSON.stringify(vacant)}\n`,
      "",
    ].join("\n"),
  },
};
