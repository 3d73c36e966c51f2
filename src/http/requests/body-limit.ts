import type { Context } from "hono";
import { CoordinationError } from "../../errors.js";
import { tooLarge } from "../failures.js";
import { BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX } from "../fields.js";
import { headerOf, incomingOf, takeBody } from "../server/arrivals.js";
import { refuseLostNumbers } from "./json-text.js";

/**
 * The text of the body; null: there is none. Refuses a body that is too large, by its announced length, which costs
 * nothing, and only those without one by counting (a web stream, some 180 us); one that ends too early; and one whose
 * bytes or numbers would not arrive as they were sent.
 */
export function readBody(
  c: Context,
  isBatch: boolean,
  bytesMax = isBatch ? BATCH_BODY_BYTES_MAX : BODY_BYTES_MAX,
): Promise<string | null> | string | null {
  const length = headerOf(c, "content-length");
  const chunked = length === undefined && headerOf(c, "transfer-encoding") !== undefined;
  if (!chunked && Number(length ?? 0) === 0) return null;
  if (Number(length ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const incoming = incomingOf(c);
  // The framework's Request would read it by four listeners and as many promises.
  const here = incoming && takeBody(incoming);
  if (here) return toText(here, isBatch);
  const bytes = chunked ? counted(c.req.raw, bytesMax) : c.req.raw.arrayBuffer();
  return bytes.then((all) => toText(all, isBatch), refuseCutOff);
}

function refuseCutOff(error: unknown): never {
  if (error instanceof CoordinationError) throw error;
  throw new CoordinationError("invalid_request", "The body was cut off, or is not well-formed HTTP.", {
    cause: error,
  });
}

function toText(bytes: ArrayBufferLike | Uint8Array, isBatch: boolean): string | null {
  // Many clients send a content type without a body when they have nothing to say.
  if (bytes.byteLength === 0) return null;
  const text = asText(bytes);
  // The schema of a batch refuses what fits no number; a load may be rounded, and to look at every digit of 2 MB costs too much.
  if (!isBatch) refuseLostNumbers(text);
  return text;
}

async function counted(request: Request, bytesMax: number): Promise<ArrayBufferLike | Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) throw tooLarge(bytesMax);
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
