import { createHash } from "node:crypto";

/**
 * The nonce under which a registration with this memberKey is stored. Whoever reads a primary, or an event, learns nothing of the
 * key: it has 128 random bits, and this is a digest of it. Nonces of earlier versions are digests of nothing, so no key fits them.
 */
export function nonceOf(memberKey: string): string {
  return createHash("sha256").update(memberKey).digest("base64url").slice(0, NONCE_LENGTH);
}

/** 132 bits. */
const NONCE_LENGTH = 22;
