import { createHash, timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { CoordinationError } from "../errors.js";

/** Throws `forbidden` unless the request has the operator's key. Without a key nobody is an operator. */
export function operatorOnly(key: string | undefined): (c: Context) => void {
  const expected = key === undefined ? null : digest(key);
  return (c) => {
    if (!expected) throw NO_KEY;
    const given = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
    if (given === undefined || !timingSafeEqual(digest(given), expected)) throw NOT_AN_OPERATOR;
  };
}

/** The security of such a route in the API description. */
export const BY_OPERATOR = [{ operator: [] }];

/** Of a fixed length, whatever was sent. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

export const NOT_AN_OPERATOR = new CoordinationError(
  "forbidden",
  "This is for operators only: send Authorization: Bearer and the QUORATE_OPERATOR_KEY of this instance.",
);
const NO_KEY = new CoordinationError(
  "forbidden",
  "This is for operators only, and this instance has no operator key: set QUORATE_OPERATOR_KEY.",
);
