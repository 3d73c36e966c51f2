import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { CoordinationError } from "../errors.js";
import { BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX } from "./schemas/fields.js";

/**
 * Refuses bodies that are too large: by their announced length, which costs nothing, and only those without one by
 * counting (a web stream, some 180 us).
 */
export async function limitBody(c: Context): Promise<void> {
  const bytesMax = BATCH.test(c.req.path) ? BATCH_BODY_BYTES_MAX : BODY_BYTES_MAX;
  const length = c.req.header("content-length");
  if (length === undefined && c.req.header("transfer-encoding") !== undefined) {
    await bodyLimit({ maxSize: bytesMax, onError: () => tooLarge(bytesMax) })(c, async () => {
      if ((await c.req.text()) === "") takeForEmpty(c);
    });
    return;
  }
  if (Number(length ?? 0) > bytesMax) tooLarge(bytesMax);
  if (Number(length ?? 0) === 0) takeForEmpty(c);
}

/** A content type without a body is what many clients send when they have nothing to say. */
function takeForEmpty(c: Context): void {
  c.req.bodyCache.text = Promise.resolve("{}") as unknown as string;
}

/** Routes that take many things at once. */
const BATCH = /^\/v1\/services\/[^/]+\/owners$/;

function tooLarge(bytesMax: number): never {
  throw new CoordinationError("too_large", `The body may have ${bytesMax} bytes at most. Send less at once.`);
}
