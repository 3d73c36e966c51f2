import { z } from "@hono/zod-openapi";
import { waitMsInQuery } from "../fields.js";

/** Headers and parameters of requests that wait for a change, or follow changes. */

const ETAGS = /^\s*(\*|(W\/)?"[^"]*"(\s*,\s*(W\/)?"[^"]*")*)\s*$/;

export const BlockingReadHeaders = z.object({
  "if-none-match": z.string().regex(ETAGS, 'entity tags in quotes, or "*"').optional().openapi({
    description: "The ETag of the answer that you have: the answer is a 304 as long as nothing has changed.",
  }),
});

export const BlockingReadQuery = z.strictObject({
  waitMs: waitMsInQuery("With If-None-Match: how long to wait for a change"),
});

const lastEventId = z.string().max(256).optional();

export const EventsHeaders = z.object({
  "last-event-id": lastEventId.openapi({
    description: "The id of the last event that you have: that state is not sent again.",
  }),
});

export const EventsQuery = z.strictObject({
  lastEventId: lastEventId.openapi({
    description: "The same, for clients that cannot send the header.",
  }),
});
