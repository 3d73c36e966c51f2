import { z } from "@hono/zod-openapi";
import { answer, label, request } from "../fields.js";

/** How many numbers of its own a load may have. */
const CUSTOM_MAX = 8;

export const LoadBody = request(
  "LoadReport",
  "What a member reports of its load; whatever is left out is unknown.",
  {
    cpu: share("processor time").optional(),
    memory: share("memory").optional(),
    disk: share("disk").optional(),
    inFlight: inFlight().optional(),
    custom: z
      .preprocess(
        withoutProto,
        z
          .record(label(64, "Its name.", "queued"), z.number())
          .refine(
            (numbers) => Object.keys(numbers).length <= CUSTOM_MAX,
            `must have at most ${CUSTOM_MAX} numbers`,
          ),
      )
      .optional()
      .openapi({ description: `Up to ${CUSTOM_MAX} numbers of its own, by name.`, example: { queued: 3 } }),
  },
);

/** Records drop it without a word. */
function withoutProto(value: unknown, context: z.core.$RefinementCtx): unknown {
  if (typeof value === "object" && value !== null && Object.hasOwn(value, "__proto__"))
    context.addIssue({ code: "custom", path: ["__proto__"], message: "cannot be a name" });
  return value;
}

const shareOrUnknown = z.number().nullable();

export const LoadSchema = answer("Load", "What a member reported of its load. null: it did not say.", {
  cpu: shareOrUnknown.openapi({ description: "Used share of its processor time, 0 to 1.", example: 0.42 }),
  memory: shareOrUnknown.openapi({ description: "Used share of its memory, 0 to 1.", example: 0.61 }),
  disk: shareOrUnknown.openapi({ description: "Used share of its disk, 0 to 1.", example: null }),
  inFlight: z.int().nullable().openapi({ description: "How many requests it is working on.", example: 12 }),
  custom: z
    .record(z.string(), z.number())
    .readonly()
    .openapi({ description: "Numbers of its own, by name.", example: { queued: 3 } }),
});

function share(what: string) {
  return z
    .number()
    .min(0)
    .max(1)
    .openapi({ description: `Used share of its ${what}, 0 to 1.`, example: 0.42 });
}

function inFlight() {
  return z.int().min(0).openapi({ description: "How many requests it is working on.", example: 12 });
}
