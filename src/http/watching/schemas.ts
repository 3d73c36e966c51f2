import { z } from "@hono/zod-openapi";
import { waitMsInQuery } from "../fields.js";

/** What requests to wait for a change, or to follow changes, have in common. */

const ETAGS = /^\s*(\*|(W\/)?"[^"]*"(\s*,\s*(W\/)?"[^"]*")*)\s*$/;

export const BlockingReadHeaders = z.object({
  "if-none-match": z.string().regex(ETAGS, 'entity tags in quotes, or "*"').optional().openapi({
    description: "The ETag of the answer that you have: 304 as long as nothing has changed.",
  }),
});

export const BlockingReadQuery = z.strictObject({
  waitMs: waitMsInQuery("With If-None-Match: how long to wait for a change"),
});

const lastEventId = z.string().max(256).optional();

export const EventsHeaders = z.object({
  "last-event-id": lastEventId.openapi({
    description: "The id of the last event that you have: what you know already is not sent again.",
  }),
});

export const EventsQuery = z.strictObject({
  lastEventId: lastEventId.openapi({
    description: "The same, for those who cannot send the header.",
    param: { name: "lastEventId", in: "query" },
  }),
});
