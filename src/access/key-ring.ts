import { hash } from "node:crypto";
import { certificateName, namesOfCertificate, type PeerCertificate } from "./certificates.js";
import { Grants } from "./grants.js";
import type { KeyEntry, Limits } from "./grants-schema.js";

/** Who makes a request, and what they may do. */
export interface Principal {
  /** Of the key; `jwt:` and the subject for a JWT. Not a secret: it stands in logs and in the audit. */
  readonly id: string;
  readonly grants: Grants;
  readonly limits: Limits;
  /** When its credential ends, in ms since 1970; undefined: it does not end by itself. */
  readonly untilMs?: number;
}

/**
 * The keys of one keys file. A key is looked up by its digest: the time that this takes depends on the digest, which
 * nobody can choose, and so tells nothing of any key.
 */
export class KeyRing {
  readonly #byId = new Map<string, Principal>();
  readonly #byDigest = new Map<string, Principal>();
  readonly #byCertificate = new Map<string, Principal>();
  /** What was found before: a connection has one certificate for all its requests. */
  readonly #found = new WeakMap<PeerCertificate, Principal | "several" | "none">();

  constructor(
    keys: readonly KeyEntry[],
    /** Of keys that state none of their own, and of JWTs. */
    readonly limits: Limits = NO_LIMITS,
  ) {
    for (const { id, sha256, certificates, grants, limits: own } of keys) {
      const principal: Principal = Object.freeze({ id, grants: new Grants(grants), limits: own ?? limits });
      this.#byId.set(id, principal);
      for (const digest of sha256) this.#byDigest.set(digest, principal);
      for (const name of certificates) this.#byCertificate.set(certificateName(name), principal);
    }
  }

  get size(): number {
    return this.#byId.size;
  }

  byId(id: string): Principal | undefined {
    return this.#byId.get(id);
  }

  byDigest(digest: string): Principal | undefined {
    return this.#byDigest.get(digest);
  }

  /** The key that the names of a client certificate lead to. `several`: to more than one, so to none. */
  byCertificate(certificate: PeerCertificate): Principal | "several" | undefined {
    let found = this.#found.get(certificate);
    if (found === undefined) {
      found = this.#find(certificate) ?? "none";
      this.#found.set(certificate, found);
    }
    return found === "none" ? undefined : found;
  }

  #find(certificate: PeerCertificate): Principal | "several" | undefined {
    const found = new Set<Principal>();
    for (const name of namesOfCertificate(certificate)) {
      const principal = this.#byCertificate.get(name);
      if (principal) found.add(principal);
    }
    if (found.size > 1) return "several";
    return [...found][0];
  }
}

export const NO_LIMITS: Limits = Object.freeze({});

/** SHA-256 of a bearer token, in hex. */
export const digestOf = (token: string): string => hash("sha256", token, "hex");
