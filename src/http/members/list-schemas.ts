import { z } from "@hono/zod-openapi";
import {
  answer,
  booleanInQuery,
  cursorOfNames,
  label,
  limitInQuery,
  ms,
  nextCursor,
  nextName,
  waitMsInQuery,
} from "../fields.js";
import { anyStatus, incarnation, MemberSchema, registration, ringId } from "./schemas.js";

/** Lists of members, former members and services. */

export const MEMBERS_PAGE_MAX = 1_000;
export const SERVICES_PAGE_MAX = 1_000;

const goneStatus = z.enum(["left", "expired"]).openapi("GoneStatus", {
  description: "left: it said so, or had drained. expired: its heartbeats stopped.",
});

export const GoneMemberSchema = answer("GoneMember", "A former member of a service.", {
  id: MemberSchema.shape.id,
  status: goneStatus,
  incarnation,
  revision: MemberSchema.shape.revision,
  address: registration.address.nullable().openapi({
    description: "Where it could be reached. null: that was forgotten before it left.",
  }),
  zone: MemberSchema.shape.zone,
  tags: MemberSchema.shape.tags,
  metadata: MemberSchema.shape.metadata,
  why: z.string().openapi({
    description: "Why it is gone, for people. Empty: not known.",
    example: "no heartbeat for its time to live",
  }),
  goneForMs: z.int().min(0).nullable().openapi({
    description: "For how long it has been gone, ms. null: not known.",
    example: 12_000,
  }),
  forgottenInMs: ms("When it is listed no more", 63_000),
});

export const MembersQuery = z
  .strictObject({
    cursor: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, "the cursor of a page")
      .optional()
      .openapi({
        description: "The cursor of the previous page.",
        example: "Qm9yZWFsaXM0.search-2",
      }),
    limit: limitInQuery("How many members a page has at most.", MEMBERS_PAGE_MAX),
    status: anyStatus.optional().openapi({
      param: { description: "Only members with this status; left and expired only with includeGone." },
    }),
    zone: label(64, "Only members in this zone.", "eu-1a").optional(),
    tag: label(64, "Only members with this tag.", "canary").optional(),
    includeGone: booleanInQuery(
      "Whether to list those that have left or expired as well, for ttlMs and a minute after.",
    ),
    waitMs: waitMsInQuery("On the first page, with If-None-Match: how long to wait for a change"),
  })
  .refine(({ cursor, waitMs = 0 }) => cursor === undefined || waitMs === 0, {
    path: ["waitMs"],
    message: "only the first page can be waited for: leave out the cursor, or waitMs",
  })
  .refine(({ status, includeGone }) => includeGone || !goneStatus.safeParse(status).success, {
    path: ["status"],
    message: "left and expired only with includeGone=true",
  });

export const MembersSchema = answer(
  "Members",
  "One page of the live members of a service, in the order of their ids.",
  {
    members: z.array(MemberSchema).readonly().openapi({ description: "A page of them." }),
    gone: z.array(GoneMemberSchema).readonly().optional().openapi({
      description:
        "With includeGone: those of the page that have left or expired, in the order of their ids.",
    }),
    ringId,
    cursor: nextCursor,
    guardEndsInMs: z.int().min(0).nullable().openapi({
      description:
        "More of the service would have expired together than is likely: those without heartbeats are kept, as suspect, for so many ms more. null: nobody is kept.",
      example: null,
    }),
  },
);

export const ServicesQuery = z.strictObject({
  cursor: cursorOfNames("search").optional(),
  limit: limitInQuery("How many services this page examines at most.", SERVICES_PAGE_MAX),
});

export const ServicesSchema = answer("Services", "One page of the services that have members.", {
  services: z
    .array(
      answer("ListedService", "A service that has members.", {
        service: z.string().openapi({ description: "Its name.", example: "search" }),
        members: z.int().openapi({ description: "As a majority of the primaries counts them.", example: 3 }),
      }),
    )
    .readonly()
    .openapi({ description: "A page of them." }),
  cursor: nextName,
});
