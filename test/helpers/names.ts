import { randomBytes } from "node:crypto";

/** A key prefix that no other test has. */
export function ownPrefix(): string {
  return `t${randomBytes(6).toString("hex")}:`;
}

/** A leaseId as a caller would choose it. */
export function chosenId(): string {
  return randomBytes(24).toString("base64url");
}

let lastName = 0;

/** A name that no other part of this file uses. */
export function freshName(what = "name"): string {
  return `${what}-${++lastName}`;
}
