import { randomBytes } from "node:crypto";

/** Secrets and nonces: injected, so that a simulation can replay them. */
export interface Ids {
  /** The secret of one lease, made by the service: 128 random bits. */
  leaseId(): string;
  /** Distinguishes one attempt, registration or request from all others. */
  nonce(): string;
  /** Like a nonce, but 24 lower-case hex digits, whose order is the same in every locale: for ballots. */
  hexNonce(): string;
}

export const systemIds: Ids = Object.freeze({
  leaseId: () => MADE_HERE + randomBytes(16).toString("base64url"),
  nonce: () => random(12).toString("base64url"),
  hexNonce: () => randomBytes(12).toString("hex"),
});

/** Random bytes, drawn many at a time: one draw costs more than all the other work of a refused request. */
function random(bytes: number): Buffer {
  if (used + bytes > drawn.length) {
    drawn = randomBytes(DRAWN_BYTES);
    used = 0;
  }
  used += bytes;
  return drawn.subarray(used - bytes, used);
}

let drawn = Buffer.alloc(0);
let used = 0;
const DRAWN_BYTES = 6_144;

/** Whether the service made this leaseId. A leaseId that it did not make may be acquired again by a retry. */
export function madeHere(leaseId: string): boolean {
  return leaseId.startsWith(MADE_HERE) && leaseId.length === MADE_HERE.length + 22;
}

const MADE_HERE = "q-";
