import { z } from "@hono/zod-openapi";
import { isSealed } from "../access/sealed-cursors.js";
import {
  answer,
  cursorOfNames,
  label,
  limitInQuery,
  name,
  nextCursor,
  nextName,
  request,
} from "../fields.js";
import {
  fencingToken,
  grant,
  HolderSchema,
  leaseId,
  leaseRequest,
  line,
  owner,
  renewal,
  seenByOthers,
} from "../leases/schemas.js";

const lockName = name("Name of the lock.", "orders-42");

export const LockParams = z.object({ name: lockName });

const mode = z.enum(["exclusive", "shared"]).openapi({
  description: "exclusive: held by one holder. shared: together with other shared holders.",
  example: "exclusive",
});

const NAMES_MAX = 16;

const names = z
  .array(lockName)
  .min(1)
  .max(NAMES_MAX)
  .refine((all) => new Set(all).size === all.length, "each name once")
  .openapi({
    uniqueItems: true,
    description: "The locks to acquire, all or none, in any order.",
    example: ["orders-42", "stock-7"],
  });

const acquiring = (ttlMaxMs: number) => ({
  ...leaseRequest(ttlMaxMs),
  mode: mode.optional(),
  ...seenByOthers,
});

export const acquireBody = (ttlMaxMs: number) =>
  z.strictObject(acquiring(ttlMaxMs)).openapi("AcquireRequest");

export const acquireSeveralBody = (ttlMaxMs: number) =>
  request("AcquireSeveralRequest", { names, ...acquiring(ttlMaxMs) });

export const renewSeveralBody = (ttlMaxMs: number) =>
  request("RenewSeveralRequest", { names, ...renewal(ttlMaxMs) });

export const ReleaseSeveralBody = request("ReleaseSeveralRequest", { names, leaseId });

export const LeaseSchema = answer("Lease", {
  ...grant,
  names: z
    .array(z.string())
    .readonly()
    .openapi({ example: ["orders-42"] }),
  mode,
  owner,
  metadata: z.unknown(),
  fencingToken,
});

const newest = fencingToken.min(0).openapi({
  description: "No token above this one has been granted. 0: none has been granted yet.",
});

export const LockSchema = answer("Lock", {
  name: z.string().openapi({ example: "orders-42" }),
  mode: mode.nullable().openapi({ description: "null: nobody holds it." }),
  holders: z.array(HolderSchema).readonly().openapi({
    description: "The holder, or up to 100 of those that share it; GET of its holders lists them all.",
  }),
  fencingToken: fencingToken.nullable().openapi({
    description: "The holders' token, if a majority agrees on it.",
  }),
  newest,
  ...line,
});

const PAGE_MAX = 500;
export const PAGE = 100;

export const ListQuery = z
  .strictObject({
    prefix: z
      .string()
      .regex(/^([A-Za-z0-9][A-Za-z0-9._:-]{0,127})?$/, "the beginning of a name")
      .optional()
      .openapi({
        description: "Only names with this prefix.",
        example: "orders-",
      }),
    cursor: cursorOfNames("orders-42").optional(),
    limit: limitInQuery("How many names this page examines at most.", PAGE_MAX, PAGE),
  })
  .refine(
    ({ prefix = "", cursor }) => cursor === undefined || isSealed(cursor) || cursor.startsWith(prefix),
    {
      path: ["cursor"],
      message: "not the cursor of a page with this prefix",
    },
  );

export const HOLDERS_PAGE_MAX = 1_000;

export const HoldersQuery = z.strictObject({
  cursor: z
    .string()
    .regex(/^[0-9a-f]{40}$/, "the cursor of a page")
    .optional()
    .openapi({
      description: "The cursor of the previous page.",
      example: "3f786850e387550fdab836ed7e6dc881de23001b",
    }),
  limit: limitInQuery("How many holders a page has at most.", HOLDERS_PAGE_MAX),
});

export const HoldersSchema = answer("Holders", {
  holders: z.array(HolderSchema).readonly(),
  cursor: nextCursor,
});

export const LocksSchema = answer("Locks", {
  locks: z
    .array(
      answer("ListedLock", {
        name: z.string().openapi({ example: "orders-42" }),
        mode,
        holders: z.array(HolderSchema).readonly(),
      }),
    )
    .readonly(),
  cursor: nextName,
});

export const CheckBody = request("CheckRequest", { fencingToken });

export const CheckedSchema = answer("Checked", {
  current: z.boolean().openapi({ description: "Whether a lease with this token holds the lock now." }),
  newest: fencingToken.nullable().openapi({
    description:
      "The holders' token; if nobody holds the lock, a token that no granted token exceeds. null: none has been granted yet.",
  }),
});

export const BreakBody = request("BreakRequest", {
  reason: label(256, "Why; the holder is told this reason.", "worker-7 was taken down by hand"),
});

export const BrokenSchema = answer("Broken", {
  broken: z.int().min(0).openapi({ description: "How many leases were ended.", example: 1 }),
});
