import { z } from "@hono/zod-openapi";
import { label } from "./fields.js";

/** Fields of whatever makes the service call somebody. */

export const callableUrl = (what: string, example: string) => label(URL_LENGTH_MAX, what, example);

/** As Standard Webhooks have it. */
export const signingSecret = (what: string) =>
  z
    .string()
    .refine(isSecret, "whsec_ and 24 to 64 bytes in base64")
    .openapi({ description: what, example: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" });

function isSecret(text: string): boolean {
  const bytes = Buffer.from(SECRET.exec(text)?.[1] ?? "", "base64").length;
  return bytes >= SECRET_BYTES.min && bytes <= SECRET_BYTES.max;
}

const URL_LENGTH_MAX = 2_048;
const SECRET_BYTES = { min: 24, max: 64 };
const SECRET =
  /^whsec_((?:[A-Za-z0-9+/]{4}){7,21}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4}))$/;
