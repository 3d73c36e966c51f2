import { createHash } from "node:crypto";

/** A hold of a name on one primary, without its secret. */
export interface Hold {
  /** SHA-1 of the leaseId: tells two leases apart without giving the secret away. */
  readonly digest: string;
  readonly expiresInMs: number;
  readonly mode: string;
  readonly owner: string;
  /** JSON. */
  readonly metadata: string;
  /** The counter at the grant. */
  readonly grantedAt: number;
  readonly heldForMs: number;
  /** The lease's counter now. */
  readonly counter: number;
  /** Revision of the metadata; empty if they were never changed. */
  readonly revision: string;
}

/** Parses what `describe` of leases.lua returns. */
export function parseHold(fields: readonly unknown[]): Hold {
  const [
    digest = "",
    expiresInMs,
    mode = "",
    owner = "",
    metadata = "",
    grantedAt,
    heldForMs,
    counter,
    revision = "",
  ] = fields as string[];
  return {
    digest,
    expiresInMs: Number(expiresInMs),
    mode,
    owner,
    metadata,
    grantedAt: Number(grantedAt),
    heldForMs: Number(heldForMs),
    counter: Number(counter),
    revision,
  };
}

/** The digest by which the holds of a lease are known. */
export function digestOf(leaseId: string): string {
  return createHash("sha1").update(leaseId).digest("hex");
}
