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
  metadataOfHolder,
  nameOf,
  owner,
  renewal,
  seenByOthers,
} from "../leases/schemas.js";
import { sealedCursor } from "./examples.js";

const lockName = name("Name of the lock.", "orders-42");

export const LockParams = z.object({ name: lockName });

export const mode = z.enum(["exclusive", "shared"]).openapi("Mode", {
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
  request("AcquireRequest", "To acquire a lock.", acquiring(ttlMaxMs));

export const acquireSeveralBody = (ttlMaxMs: number) =>
  request("AcquireSeveralRequest", "To acquire several locks at once.", { names, ...acquiring(ttlMaxMs) });

export const renewSeveralBody = (ttlMaxMs: number) =>
  request("RenewSeveralRequest", "To renew the lease on several locks.", { names, ...renewal(ttlMaxMs) });

export const ReleaseSeveralBody = request("ReleaseSeveralRequest", "To release the lease on several locks.", {
  names,
  leaseId,
});

export const LeaseSchema = answer("Lease", "A lease on one lock or several.", {
  ...grant,
  names: z
    .array(z.string())
    .readonly()
    .openapi({ description: "The locks that it holds.", example: ["orders-42"] }),
  mode,
  owner,
  metadata: metadataOfHolder,
  fencingToken,
});

const newest = fencingToken.min(0).openapi({
  description: "No token above this one has been granted. 0: none has been granted yet.",
});

export const LockSchema = answer("Lock", "A lock as it is now: who holds it, and who waits for it.", {
  name: nameOf("orders-42"),
  mode: z.union([mode, z.null()]).openapi({ description: "null: nobody holds it." }),
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
    .max(256)
    // Only sealed: whoever could choose digests would learn by trial where that of a leaseId is.
    .refine(isSealed, "the cursor of a page")
    .optional()
    .openapi({ description: "The cursor of the previous page.", example: sealedCursor }),
  limit: limitInQuery("How many holders a page has at most.", HOLDERS_PAGE_MAX),
});

export const HoldersSchema = answer("Holders", "One page of the holders of a lock.", {
  holders: z.array(HolderSchema).readonly().openapi({ description: "A page of them." }),
  cursor: nextCursor,
});

export const LocksSchema = answer("Locks", "One page of the locks that are held.", {
  locks: z
    .array(
      answer("ListedLock", "A lock that is held.", {
        name: nameOf("orders-42"),
        mode,
        holders: z.array(HolderSchema).readonly().openapi({ description: "Up to 100 of its holders." }),
      }),
    )
    .readonly()
    .openapi({ description: "A page of them." }),
  cursor: nextName,
});

export const CheckBody = request("CheckRequest", "To check whether a lease is still the newest.", {
  fencingToken,
});

export const CheckedSchema = answer("Checked", "Whether a fencing token is that of a current holder.", {
  current: z.boolean().openapi({ description: "Whether a lease with this token holds the lock now." }),
  newest: fencingToken.nullable().openapi({
    description:
      "The holders' token; if nobody holds the lock, a token that no granted token exceeds. null: none has been granted yet.",
  }),
});

export const BreakBody = request("BreakRequest", "To end the leases of others.", {
  reason: label(256, "Why; the holder is told this reason.", "worker-7 was taken down by hand"),
});

export const BrokenSchema = answer("Broken", "The outcome of breaking a lock.", {
  broken: z.int().min(0).openapi({ description: "How many leases were ended.", example: 1 }),
});
