import { z } from "@hono/zod-openapi";
import { answer, ms, wholeInQuery } from "../fields.js";
import { MemberSchema, ringId } from "../members/schemas.js";

const KEY_BYTES_MAX = 1024;
const KEYS_MAX = 10_000;
/** Members named in one answer, counted once per key: some MB, and no more work than 50,000 keys. */
const NAMED_MAX = 50_000;

export const ringKey = z
  .string()
  .min(1)
  .refine((key) => Buffer.byteLength(key) <= KEY_BYTES_MAX, `at most ${KEY_BYTES_MAX} bytes of UTF-8`)
  // A half of a surrogate pair has no UTF-8: it would be answered as another key than was sent.
  .refine((key) => !LONE_SURROGATE.test(key), "well-formed Unicode: without lone surrogates")
  .openapi({ description: `Any UTF-8 text up to ${KEY_BYTES_MAX} bytes.`, example: "user:42" });

const LONE_SURROGATE = /\p{Cs}/u;

const REPLICAS_MAX = 64;
const replicasText = "How many members to name per key, the owner first, distinct zones first.";

export const OwnerQuery = z.strictObject({
  key: ringKey,
  replicas: wholeInQuery(replicasText, { min: 1, max: REPLICAS_MAX, fallback: 1 }),
});

export const ageMs = ms("Age of the view of the members from which this was answered", 120);

export const OwnerSchema = answer("Owner", "The owner of a key.", {
  key: ringKey,
  owner: MemberSchema,
  replicas: z
    .array(MemberSchema)
    .openapi({ description: "As many members as were asked for, the owner first." }),
  ringId,
  ageMs,
});

export const OwnersBody = z
  .strictObject({
    keys: z.array(ringKey).min(1).max(KEYS_MAX).openapi({ description: "The keys, in any order." }),
    replicas: z.int().min(1).max(REPLICAS_MAX).optional().openapi({ description: replicasText, example: 1 }),
  })
  .refine(({ keys, replicas = 1 }) => keys.length * replicas <= NAMED_MAX, {
    path: ["replicas"],
    error: ({ input }) => {
      const { keys, replicas } = input as { keys: string[]; replicas: number };
      return `${keys.length} keys times ${replicas} replicas are ${keys.length * replicas} members to name, and one request may ask for ${NAMED_MAX}: send fewer keys at a time, or ask for fewer replicas`;
    },
  })
  .openapi("OwnersRequest", { description: "To find the owners of many keys." });

export const OwnersSchema = answer("Owners", "The owners of many keys.", {
  owners: z
    .array(
      answer("OwnerOfKey", "The owner of one of many keys.", {
        key: ringKey,
        owner: z.string().openapi({ description: "Id of the owner.", example: "search-1" }),
        replicas: z
          .array(z.string())
          .openapi({ description: "Ids of the members, the owner first.", example: ["search-1"] }),
      }),
    )
    .openapi({ description: "One for each key, in the order of the request." }),
  members: z.record(z.string(), MemberSchema).openapi({ description: "The members named above, by id." }),
  ringId,
  ageMs,
});
