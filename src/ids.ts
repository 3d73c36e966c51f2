import { randomFillSync } from "node:crypto";
import { withoutNamespace } from "./namespace.js";

/** Secrets and nonces: injected, so that a simulation can replay them. */
export interface Ids {
  /** The secret of one lease, made by the service: 128 random bits. */
  leaseId(): string;
  /** The secret of one registration of a member: 128 random bits. */
  memberKey(): string;
  /** Distinguishes one attempt, registration or request from all others. */
  nonce(): string;
  /** Like a nonce, but 24 lower-case hex digits, whose order is the same in every locale: for ballots. */
  hexNonce(): string;
}

export const systemIds: Ids = Object.freeze({
  leaseId: () => MADE_HERE + random(16, "base64url"),
  memberKey: () => random(16, "base64url"),
  nonce: () => random(12, "base64url"),
  hexNonce: () => random(12, "hex"),
});

/** Random bytes are drawn many at a time: a draw is a system call. Each is used once, and erased from here. */
function random(bytes: number, encoding: "base64url" | "hex"): string {
  if (used + bytes > drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  const text = drawn.toString(encoding, used, used + bytes);
  drawn.fill(0, used, used + bytes);
  used += bytes;
  return text;
}

const drawn = Buffer.alloc(6_144);
let used = drawn.length;

/** Whether the service made this leaseId. A leaseId that it did not make may be acquired again by a retry. */
export function madeHere(leaseId: string): boolean {
  const own = withoutNamespace(leaseId);
  return own.startsWith(MADE_HERE) && own.length === MADE_HERE.length + 22;
}

const MADE_HERE = "q-";
