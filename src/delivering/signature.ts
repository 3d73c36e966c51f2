import { createHmac } from "node:crypto";

/**
 * The headers of a signed request: an id, which is the same in each attempt, when it was sent, and the HMAC-SHA256 of both and of
 * the body. `secret`: `whsec_` and the key in base64. Source: standardwebhooks.com, "Standard Webhooks" 1.0.
 */
export function signedHeaders(
  id: string,
  body: string,
  secret: string,
  sentAtMs: number,
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(sentAtMs / 1_000));
  const key = Buffer.from(secret.slice(PREFIX.length), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return {
    "content-type": "application/json",
    "user-agent": "quorate",
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${signature}`,
  };
}

const PREFIX = "whsec_";
