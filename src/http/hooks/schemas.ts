import { z } from "@hono/zod-openapi";
import { HOOKS_MAX } from "../../primitives/hooks/hook.js";
import type { EventKind } from "../../scripts/member-event.js";
import { answer, name, request } from "../fields.js";
import { callableUrl, signingSecret } from "../signing-fields.js";

const KINDS = ["joined", "updated", "suspect", "draining", "left", "expired"] as const satisfies EventKind[];
export const HookParams = z.object({
  service: name("Name of the service.", "search"),
  id: name("Id of the hook, unique in its service.", "pager"),
});

const id = z.string().openapi({ description: "Its id.", example: "pager" });
const url = callableUrl(
  "Where events are sent to by POST; redirects are not followed.",
  "https://pager.internal/quorate",
);

const kind = z.enum(KINDS).openapi("HookEvent", { description: "What happens to a member." });

export const HookBody = request("PutHookRequest", "To make or change a hook.", {
  url,
  events: z
    .array(kind)
    .min(1)
    .max(KINDS.length)
    .refine((kinds) => new Set(kinds).size === kinds.length, "no kind twice")
    .optional()
    .openapi({ description: "What it is told of. Without it: everything.", example: ["expired", "left"] }),
  secret: signingSecret(
    "By which its requests are signed: whsec_ and 24 to 64 bytes in base64. Without it, a new hook gets one that is made, and another keeps its own.",
  ).optional(),
});

const terms = {
  id,
  url,
  events: z
    .array(kind)
    .readonly()
    .nullable()
    .openapi({ description: "What it is told of. null: everything.", example: ["expired", "left"] }),
};

export const PutHookSchema = answer("PutHook", "A hook that was made or changed.", {
  ...terms,
  secret: z.string().nullable().openapi({
    description:
      "That was made for it, and is told only now. null: it is the one that was given or told before.",
    example: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  }),
});

export const HookSchema = answer("Hook", "A hook, and how it goes.", {
  ...terms,
  deliveredAtMs: z.int().nullable().openapi({
    format: "int64",
    description: "When the latest event was delivered, in ms since 1970. null: none was.",
    example: 1795225982978,
  }),
  failures: z
    .int()
    .min(0)
    .openapi({ description: "How many attempts in a row have failed by now.", example: 0 }),
  failure: z
    .string()
    .nullable()
    .openapi({ description: "How the last one failed. null: it did not.", example: null }),
  nextTryInMs: z
    .int()
    .min(0)
    .nullable()
    .openapi({ description: "Time until the next one, ms. null: none is due.", example: null }),
});

export const HooksSchema = answer("Hooks", "The hooks of a service.", {
  hooks: z
    .array(HookSchema)
    .readonly()
    .openapi({ description: `By their ids; at most ${HOOKS_MAX}.` }),
});

export const DeletedHookSchema = answer("DeletedHook", "The outcome of deleting a hook.", {
  deleted: z.boolean().openapi({ description: "Whether it was there until now." }),
});
