import { createHash } from "node:crypto";
import type { Keyed } from "../../algorithms/register.js";

/** An idempotency key and what was asked for under it, as they are kept with a register: a digest of 128 bits of each. */
export function keyedOf(key: string, ...asked: readonly unknown[]): Keyed {
  return { key: digest(key), body: digest(JSON.stringify(asked)) };
}

const digest = (text: string): string =>
  createHash("sha256").update(text).digest().subarray(0, 16).toString("base64url");
