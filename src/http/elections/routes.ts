import type { ElectionState, Elections } from "../../primitives/election.js";
import type { NamespacedPrimitives } from "../../primitives/namespaced.js";
import { permittedOf } from "../access/authorization.js";
import type { Dependencies } from "../context.js";
import { memberOf } from "../leases/binding.js";
import { ACQUIRE_PROBLEMS, grantedOr } from "../leases/held.js";
import type { Routes } from "../registration.js";
import { body, json, streamed } from "../responses/content.js";
import { EVENT_STREAM_HEADERS, eventStream } from "../responses/event-stream.js";
import { Reply } from "../responses/reply.js";
import { ofClient } from "../server/client.js";
import { blockingRead, type Watched } from "../watching/blocking-read.js";
import { BlockingReadHeaders, EventsHeaders } from "../watching/schemas.js";
import { stateEvents } from "../watching/state-events.js";
import { waitingFor } from "../watching/waiting.js";
import * as examples from "./examples.js";
import {
  campaignBody,
  ElectionEventsQuery,
  ElectionParams,
  ElectionQuery,
  ElectionSchema,
  ProclaimBody,
  ProclaimedSchema,
  ResignBody,
  ResignedSchema,
  renewTermBody,
  TermSchema,
} from "./schemas.js";

export function electionRoutes(routes: Routes, dependencies: Dependencies): void {
  campaignRoute(routes, dependencies);
  termRoutes(routes, dependencies);
  readRoute(routes, dependencies);
  eventsRoute(routes, dependencies);
}

function campaignRoute(routes: Routes, dependencies: Dependencies): void {
  routes.add({
    method: "post",
    path: "/v1/elections/{name}/campaign",
    operationId: "campaign",
    needs: { action: "use", act: "campaign", kind: "elections", names: { inPath: "name" } },
    tags: ["elections"],
    summary: "Campaign to lead",
    description:
      "The candidate leads from now on, or the answer says who does. With waitMs it waits in the queue, first come, first served. Its term is a fencing token. A repeated request with the same leaseId gets the same term while it leads. An election by consensus has no queue: who waits leads once nobody does, or once the leader was not heard of for its ttlMs.",
    request: {
      params: ElectionParams,
      body: body(campaignBody(dependencies.config.ttlMaxMs), examples.campaigns),
    },
    answer: json("It leads.", TermSchema, examples.terms),
    problems: [...ACQUIRE_PROBLEMS, ...BY_CONSENSUS],
    handle: async ({ params: { name }, body: { consensus, ...body } }, primitives, c) => {
      const isLed = `${name} has a leader`;
      const { elections, consensusElections } = primitives;
      if (!consensus) {
        const member = memberOf(c, body.member);
        return grantedOr(isLed, await elections.campaign({ ...body, member, name, ...ofClient(c) }));
      }
      const { during } = waitingFor(c, dependencies, body.waitMs ?? 0);
      const outcome = await during(
        (signal, inFlight) => consensusElections.campaign({ ...body, name, signal, inFlight }),
        ({ kind }) => kind === "acquired",
      );
      return grantedOr(isLed, outcome);
    },
  });
}

function termRoutes(routes: Routes, { config }: Dependencies): void {
  routes.add({
    method: "post",
    path: "/v1/elections/{name}/renew",
    operationId: "renewTerm",
    needs: { action: "use", act: "renew", kind: "elections", names: { inPath: "name" } },
    tags: ["elections"],
    summary: "Go on leading",
    description: "Extends the term to ttlMs from now; never shortens it.",
    request: { params: ElectionParams, body: body(renewTermBody(config.ttlMaxMs), examples.renewals) },
    answer: json("It leads.", TermSchema, examples.terms),
    problems: ["lease_lost", "no_quorum", ...BY_CONSENSUS],
    handle: ({ params: { name }, body: { consensus, ...body } }, primitives) =>
      electionsOf(primitives, consensus).renew({ ...body, name }),
  });
  proclaimRoute(routes);
  routes.add({
    method: "post",
    path: "/v1/elections/{name}/resign",
    operationId: "resign",
    needs: { action: "use", act: "resign", kind: "elections", names: { inPath: "name" } },
    tags: ["elections"],
    summary: "Stop leading",
    description:
      "The next in the queue leads within milliseconds. A leaseId that does not lead changes nothing.",
    request: { params: ElectionParams, body: body(ResignBody, examples.resignations) },
    answer: json("Whether it led until now.", ResignedSchema, examples.resigned),
    problems: ["no_quorum", ...BY_CONSENSUS],
    handle: async ({ params: { name }, body: { leaseId, consensus } }, primitives) => ({
      resigned: await electionsOf(primitives, consensus).resign(name, leaseId),
    }),
  });
}

function proclaimRoute(routes: Routes): void {
  routes.add({
    method: "post",
    path: "/v1/elections/{name}/proclaim",
    operationId: "proclaim",
    needs: { action: "use", act: "proclaim", kind: "elections", names: { inPath: "name" } },
    tags: ["elections"],
    summary: "Publish a new value, as the leader",
    description:
      "Replaces the value that came with the campaign. Of two concurrent proclamations the later one stays.",
    request: { params: ElectionParams, body: body(ProclaimBody, examples.proclamations) },
    answer: json("Every read sees it.", ProclaimedSchema, examples.proclaimed),
    problems: ["lease_lost", "no_quorum", ...BY_CONSENSUS],
    handle: ({ params: { name }, body: { leaseId, value, consensus } }, primitives) =>
      electionsOf(primitives, consensus).proclaim({ name, leaseId, value }),
  });
}

function readRoute(routes: Routes, dependencies: Dependencies): void {
  routes.add({
    method: "get",
    path: "/v1/elections/{name}",
    operationId: "getElection",
    needs: { action: "read", kind: "elections", names: { inPath: "name" } },
    tags: ["elections"],
    summary: "See who leads, or wait until that changes",
    description:
      "Its ETag changes with the leader, the term and the value, not with times or with the queue. With If-None-Match and waitMs the answer comes as soon as the ETag has changed, or after waitMs as a 304.",
    request: { params: ElectionParams, headers: BlockingReadHeaders, query: ElectionQuery },
    answer: {
      ...json("The election.", ElectionSchema, examples.elections),
      headers: { ETag: { description: "Names leader, term and value.", schema: { type: "string" } } },
    },
    otherAnswers: { 304: { description: "Nothing has changed." } },
    problems: ["no_quorum", ...BY_CONSENSUS],
    handle: ({ params: { name }, query: { waitMs, consensus }, headers }, primitives, c) =>
      blockingRead(
        c,
        dependencies,
        { ifNoneMatch: headers["if-none-match"], waitMs },
        watched(electionsOf(primitives, consensus), name),
      ),
  });
}

function eventsRoute(routes: Routes, dependencies: Dependencies): void {
  const { log, revocations } = dependencies;
  routes.add({
    method: "get",
    path: "/v1/elections/{name}/events",
    operationId: "followElection",
    needs: { action: "read", kind: "elections", names: { inPath: "name" } },
    tags: ["elections"],
    summary: "Follow who leads",
    description:
      "Server-sent events, as a browser's EventSource reads them: `state`, with the answer of GET of the election, at the beginning and whenever leader, term or value have changed. Changes within 200 ms of each other may come as one. Send the id of the last event as Last-Event-ID to go on from there, at any instance. A comment comes every 10 to 15 s. While no majority of the primaries answers, no state is sent.",
    request: { params: ElectionParams, headers: EventsHeaders, query: ElectionEventsQuery },
    answer: streamed(examples.events),
    isStream: true,
    problems: ["no_quorum", ...BY_CONSENSUS],
    handle: async ({ params: { name }, query, headers }, primitives, c) => {
      const elections = electionsOf(primitives, query.consensus);
      const first = await elections.inspect(name);
      const seen = headers["last-event-id"] ?? query.lastEventId;
      const followed = { ...watched(elections, name), first, seen };
      const permitted = permittedOf(c);
      const events = eventStream(
        (gone) => revocations.stream(permitted, gone, (ended) => stateEvents(dependencies, followed, ended)),
        log,
      );
      return new Reply(200, events, EVENT_STREAM_HEADERS);
    },
  });
}

/** Elections by consensus have names of their own. */
function electionsOf(
  { elections, consensusElections }: NamespacedPrimitives,
  consensus: boolean | undefined,
): Common {
  return consensus ? consensusElections : elections;
}

type Common = Pick<Elections, "renew" | "proclaim" | "resign" | "inspect" | "change">;

/** The problems that only elections by consensus have. */
const BY_CONSENSUS = ["contended", "outcome_unknown"] as const;

function watched(elections: Pick<Common, "inspect" | "change">, name: string): Watched<ElectionState> {
  return {
    read: () => elections.inspect(name),
    change: (...until) => elections.change(name, ...until),
    toJson: (state) => electionJson(name, state),
  };
}

const texts = new WeakMap<ElectionState, string>();

/** An election as everybody sees it, as JSON: made once for all who are told this state. Its version is not part of it. */
function electionJson(name: string, state: ElectionState): string {
  const known = texts.get(state);
  if (known !== undefined) return known;
  const { version: _, ...told } = state;
  const text = JSON.stringify({ name, ...told });
  texts.set(state, text);
  return text;
}
