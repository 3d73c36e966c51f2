import { createRoute, z } from "@hono/zod-openapi";
import type { App, Services } from "../context.js";
import { held } from "../leases/held.js";
import { ReleaseBody } from "../leases/schemas.js";
import { problems } from "../problem.js";
import { body, json } from "../responses/content.js";
import { EVENT_STREAM_HEADERS, eventStream } from "../responses/event-stream.js";
import { inFlightOf, ofClient } from "../server/admission.js";
import { electionEvents, electionText } from "./events.js";
import * as examples from "./examples.js";
import {
  campaignBody,
  ElectionHeaders,
  ElectionParams,
  ElectionQuery,
  ElectionSchema,
  EventsHeaders,
  EventsQuery,
  ProclaimBody,
  ProclaimedSchema,
  ResignedSchema,
  renewTermBody,
  TermSchema,
} from "./schemas.js";

export function electionRoutes(app: App, services: Services): void {
  const { elections, config, clock, stopping, log } = services;

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/elections/{name}/campaign",
      operationId: "campaign",
      tags: ["elections"],
      summary: "Campaign to lead",
      description:
        "Leads from now on, or says who does. With waitMs it stands in line, first come, first served. Its term is a fencing token. A repeated request with the same leaseId gets the same term while it leads.",
      request: { params: ElectionParams, body: body(campaignBody(config.ttlMaxMs), examples.campaigns) },
      responses: {
        200: json("It leads.", TermSchema, examples.terms),
        ...problems(
          "invalid_request",
          "too_large",
          "unsupported_media_type",
          "held",
          "lease_mismatch",
          "lease_lost",
          "no_quorum",
        ),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      const outcome = await elections.campaign({ ...c.req.valid("json"), name, ...ofClient(c) });
      if (outcome.kind === "held") throw held(`${name} has a leader`, outcome);
      return c.json(outcome.term, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/elections/{name}/renew",
      operationId: "renewTerm",
      tags: ["elections"],
      summary: "Go on leading",
      description: "Lets the term last ttlMs from now; never shortens it.",
      request: { params: ElectionParams, body: body(renewTermBody(config.ttlMaxMs), examples.renewals) },
      responses: {
        200: json("It leads.", TermSchema, examples.terms),
        ...problems("invalid_request", "too_large", "unsupported_media_type", "lease_lost", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      return c.json(await elections.renew({ ...c.req.valid("json"), name }), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/elections/{name}/proclaim",
      operationId: "proclaim",
      tags: ["elections"],
      summary: "Tell everybody something new, as the leader",
      description: "Replaces the value that came with the campaign. Of two at once the later one stays.",
      request: { params: ElectionParams, body: body(ProclaimBody, examples.proclamations) },
      responses: {
        200: json("Whoever looks sees it.", ProclaimedSchema, examples.proclaimed),
        ...problems("invalid_request", "too_large", "unsupported_media_type", "lease_lost", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      const { leaseId, value } = c.req.valid("json");
      return c.json(await elections.proclaim({ name, leaseId, value }), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/elections/{name}/resign",
      operationId: "resign",
      tags: ["elections"],
      summary: "Stop leading",
      description:
        "The next in line leads within milliseconds. A leaseId that does not lead changes nothing.",
      request: { params: ElectionParams, body: body(ReleaseBody, examples.resignations) },
      responses: {
        200: json("Whether it led until now.", ResignedSchema, examples.resigned),
        ...problems("invalid_request", "too_large", "unsupported_media_type", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      return c.json({ resigned: await elections.resign(name, c.req.valid("json").leaseId) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/elections/{name}",
      operationId: "getElection",
      tags: ["elections"],
      summary: "See who leads, or wait until that changes",
      description:
        "Its ETag changes with the leader, the term and the value, not with times or with who waits. With If-None-Match and waitMs the answer comes as soon as it is another one, else after waitMs as a 304.",
      request: { params: ElectionParams, headers: ElectionHeaders, query: ElectionQuery },
      responses: {
        200: {
          ...json("The election.", ElectionSchema, examples.elections),
          headers: {
            ETag: { description: "Names leader, term and value.", schema: { type: "string" } },
          },
        },
        304: { description: "Nothing has changed." },
        ...problems("invalid_request", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      const { waitMs = 0 } = c.req.valid("query");
      const known = toTags(c.req.valid("header")["if-none-match"]);
      const deadlineMs = clock.monotonicMs() + waitMs;
      let state = await elections.inspect(name);
      if (waitMs > 0 && known(state.version)) {
        const { version } = state;
        state = await stopping.during(c.req.raw.signal, (signal) =>
          elections.change(name, version, deadlineMs, signal, inFlightOf(c)),
        );
        if (known(state.version)) stopping.assertNot();
      }
      c.header("etag", `"${state.version}"`);
      if (known(state.version)) return c.body(null, 304);
      return c.body(electionText(name, state), 200, { "content-type": "application/json" });
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/elections/{name}/events",
      operationId: "followElection",
      tags: ["elections"],
      summary: "Follow who leads",
      description:
        "Server-sent events, as a browser's EventSource reads them: `state` with what GET of the election answers, at the beginning and whenever leader, term or value have changed. What changes and changes again within 200 ms may be told as one. Its id goes into Last-Event-ID to go on from there, at any instance. A comment comes every 10 to 15 s. While no majority of the primaries answers no state is sent.",
      request: { params: ElectionParams, headers: EventsHeaders, query: EventsQuery },
      responses: {
        200: {
          description: "Events, until you go or this instance stops.",
          content: { "text/event-stream": { schema: z.string(), examples: examples.events } },
        },
        ...problems("invalid_request", "no_quorum"),
      },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      const seen = c.req.valid("header")["last-event-id"] ?? c.req.valid("query").lastEventId;
      const first = await elections.inspect(name);
      const events = eventStream((gone) => electionEvents(services, name, { first, seen }, gone), log);
      return c.body(events, 200, EVENT_STREAM_HEADERS);
    },
  );
}

/** Whether an If-None-Match has this version. It compares weakly, as RFC 9110 wants: a proxy may have made it weak. */
function toTags(header: string | undefined): (version: string) => boolean {
  if (header?.trim() === "*") return () => true;
  const tags = new Set([...(header ?? "").matchAll(/"([^"]*)"/g)].map(([, tag]) => tag));
  return (version) => tags.has(version);
}
