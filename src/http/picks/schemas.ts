import { z } from "@hono/zod-openapi";
import { answer, label, name } from "../fields.js";
import { MemberSchema } from "../members/schemas.js";
import { ageMs, ringKey } from "../owners/schemas.js";

const COUNT_MAX = 16;
const EXCLUDE_MAX = 64;
const TAGS_MAX = 8;
export const MAX_LOAD = { min: 1, max: 100, fallback: 1.25 };

const strategy = z
  .enum(["round-robin", "weighted", "random", "least-load", "sticky"])
  .openapi("PickStrategy", {
    description:
      "round-robin: each in turn. weighted: at random, in proportion to the weights. random: each with the same chance. least-load: the less busy of two chosen at random. sticky: the owner of the key, or the next on the ring while that is too busy.",
  });

export const PickBody = z
  .strictObject({
    strategy,
    key: ringKey.optional().openapi({
      description: "With sticky: what should stick to a member, such as a user.",
      example: "user:42",
    }),
    maxLoad: z
      .number()
      .min(MAX_LOAD.min)
      .max(MAX_LOAD.max)
      .optional()
      .openapi({
        description: `With sticky: a member that reports more than so many times the mean load is passed over; ${MAX_LOAD.fallback} if left out.`,
      }),
    zone: label(
      64,
      "Members of this zone come first; without any, those of other zones.",
      "eu-1a",
    ).optional(),
    tags: z
      .array(label(64, "A tag.", "canary"))
      .max(TAGS_MAX)
      .optional()
      .openapi({ description: "Only members with all of these tags." }),
    exclude: z
      .array(name("Id of a member.", "search-1"))
      .max(EXCLUDE_MAX)
      .optional()
      .openapi({ description: "Not these members, such as those that have just failed." }),
    count: z
      .int()
      .min(1)
      .max(COUNT_MAX)
      .optional()
      .openapi({ description: "How many different members to pick.", default: 1 }),
  })
  .refine(({ strategy, key }) => (strategy === "sticky") === (key !== undefined), {
    path: ["key"],
    error: ({ input }) =>
      (input as { strategy: string }).strategy === "sticky"
        ? "sticky needs a key: what should stick to a member"
        : "only sticky has a key",
  })
  .refine(({ strategy, maxLoad }) => strategy === "sticky" || maxLoad === undefined, {
    path: ["maxLoad"],
    error: "only sticky has a maxLoad",
  })
  .openapi("PickRequest", { description: "To pick members of a service." });

export const PickedSchema = answer("Picked", "The members that were picked.", {
  members: z
    .array(MemberSchema)
    .openapi({ description: "As many as were asked for, or as there are. At least one." }),
  alternatives: z
    .array(MemberSchema)
    .openapi({ description: "Up to two more, in the order in which to try them next." }),
  fallbacks: z
    .array(
      z.enum(["zone", "suspect", "draining"]).openapi("PickFallback", {
        description:
          "zone: some of the members are of another zone, as there are too few in the one that was asked for. suspect, draining: all members that could be picked are so.",
      }),
    )
    .openapi({ description: "Where the pick is not what was asked for; empty: nowhere.", example: [] }),
  ageMs,
});
