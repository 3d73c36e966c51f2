import type { Context } from "hono";
import { CoordinationError } from "../../errors.js";
import { BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX } from "../fields.js";
import { refuseLostNumbers } from "./json-text.js";

/**
 * Reads the body, once and for all who ask for it later. Refuses one that is too large, by its announced length, which
 * costs nothing, and only those without one by counting (a web stream, some 180 us); one that ends too early; and one
 * whose bytes or numbers would not arrive as they were sent.
 */
export async function readBody(c: Context): Promise<void> {
  const bytesMax = BATCH.test(c.req.path) ? BATCH_BODY_BYTES_MAX : BODY_BYTES_MAX;
  const length = c.req.header("content-length");
  const chunked = length === undefined && c.req.header("transfer-encoding") !== undefined;
  if (!chunked && Number(length ?? 0) === 0) return takeFor(c, "{}");
  if (Number(length ?? 0) > bytesMax) tooLarge(bytesMax);
  const bytes = await (chunked ? counted(c.req.raw, bytesMax) : c.req.raw.arrayBuffer()).catch(
    (error: unknown) => {
      if (error instanceof CoordinationError) throw error;
      throw new CoordinationError("invalid_request", "The body was cut off, or is not well-formed HTTP.", {
        cause: error,
      });
    },
  );
  // A content type without a body is what many clients send when they have nothing to say.
  if (bytes.byteLength === 0) return takeFor(c, "{}");
  const text = asText(bytes);
  // Of a batch the schema knows every number, and refuses those that do not fit.
  if (bytesMax === BODY_BYTES_MAX) refuseLostNumbers(text);
  takeFor(c, text);
}

/** What everybody here takes for the body from now on. */
function takeFor(c: Context, text: string): void {
  c.req.bodyCache.text = Promise.resolve(text) as unknown as string;
}

async function counted(request: Request, bytesMax: number): Promise<ArrayBufferLike | Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) tooLarge(bytesMax);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function asText(bytes: ArrayBufferLike | Uint8Array): string {
  try {
    return UTF8.decode(bytes as Uint8Array);
  } catch {
    throw new CoordinationError("invalid_request", "The body is not UTF-8.");
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** Routes that take many things at once. */
const BATCH = /^\/v1\/services\/[^/]+\/owners$/;

function tooLarge(bytesMax: number): never {
  throw new CoordinationError("too_large", `The body may have ${bytesMax} bytes at most. Send less at once.`);
}
