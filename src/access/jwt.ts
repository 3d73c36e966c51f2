import { errors, type JWTPayload, jwtVerify } from "jose";
import { type Clock, wallDate } from "../clock.js";
import { Grants } from "./grants.js";
import { GRANTS } from "./grants-schema.js";
import type { KeySet } from "./key-set.js";

/** What JWTs must be like. */
export interface JwtSettings {
  readonly issuer: string;
  readonly audience: string;
  /** The name of the claim that carries the grants, in the shape that a keys file has. */
  readonly claim: string;
}

/** The bearer of a token that was verified. */
export interface Bearer {
  /** `jwt:` and the subject. */
  readonly id: string;
  readonly grants: Grants;
  /** When it expires, in ms since 1970; clock skew is included. */
  readonly untilMs: number;
}

/** `refused`, with a reason for the log alone: a client learns only that the token is not accepted. */
export type Verification =
  | { readonly kind: "verified"; readonly bearer: Bearer }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "unavailable"; readonly reason: string };

interface Cached extends Bearer {
  /** Of the keys that it was verified with. */
  readonly version: number;
}

/** Verifies JWTs (RFC 7519, RFC 8725), and remembers those that it verified until they expire. */
export class Jwts {
  /** By digest, so that no token is kept; the oldest first. */
  readonly #cached = new Map<string, Cached>();
  /** A token that many requests bring at once is verified once. */
  readonly #pending = new Map<string, Promise<Verification>>();

  constructor(
    private readonly settings: JwtSettings,
    private readonly keySet: KeySet,
    private readonly clock: Clock,
  ) {}

  /** Whether a bearer token has the form of a JWT; a key has no dot. */
  static looksLike(token: string): boolean {
    return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(token);
  }

  /** A token that was verified before, has not expired, and whose issuer has not changed its keys since. */
  find(digest: string): Bearer | undefined {
    const cached = this.#cached.get(digest);
    if (!cached) return undefined;
    if (cached.version === this.keySet.version && this.#nowMs() < cached.untilMs) return cached;
    this.#cached.delete(digest);
    return undefined;
  }

  verify(token: string, digest: string): Promise<Verification> {
    const pending = this.#pending.get(digest);
    if (pending) return pending;
    if (this.#pending.size >= PENDING_MAX) return Promise.resolve(TOO_MANY);
    const verification = this.#verify(token, digest).finally(() => this.#pending.delete(digest));
    this.#pending.set(digest, verification);
    return verification;
  }

  async #verify(token: string, digest: string): Promise<Verification> {
    if (!this.keySet.keys) await this.keySet.refresh();
    const first = await this.#verifyOnce(token, digest);
    if (first !== NO_SUCH_KEY) return first;
    // Perhaps the issuer has begun to sign with a new key.
    const before = this.keySet.version;
    await this.keySet.refresh();
    return this.keySet.version === before ? first : this.#verifyOnce(token, digest);
  }

  async #verifyOnce(token: string, digest: string): Promise<Verification> {
    const { keys, version } = this.keySet;
    if (!keys) return NO_KEYS;
    const { issuer, audience } = this.settings;
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        clockTolerance: SKEW_S,
        currentDate: wallDate(this.clock),
        requiredClaims: ["exp", "sub"],
      });
      return this.#bearer(payload, digest, version);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return NO_SUCH_KEY;
      return { kind: "refused", reason: reasonOf(error) };
    }
  }

  #bearer(payload: JWTPayload, digest: string, version: number): Verification {
    const { claim } = this.settings;
    const { sub = "", exp = 0 } = payload;
    if (typeof sub !== "string" || !SUBJECT.test(sub))
      return { kind: "refused", reason: "sub is not a plain text" };
    const grants = GRANTS.safeParse(payload[claim]);
    if (!grants.success) {
      const { path, message } = grants.error.issues[0] ?? { path: [], message: "" };
      return { kind: "refused", reason: `${[claim, ...path].join(".")} must be ${message}` };
    }
    const untilMs = (exp + SKEW_S) * 1_000;
    const bearer = { id: `jwt:${sub}`, grants: new Grants(grants.data), untilMs };
    this.#remember(digest, { ...bearer, version });
    return { kind: "verified", bearer };
  }

  #remember(digest: string, cached: Cached): void {
    const oldest = this.#cached.keys().next().value;
    if (this.#cached.size >= CACHED_MAX && oldest !== undefined) this.#cached.delete(oldest);
    this.#cached.set(digest, cached);
  }

  #nowMs(): number {
    return this.clock.wallMicros() / 1_000;
  }
}

/** Never the token, nor a value out of it. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "it has expired";
  if (error instanceof errors.JWTClaimValidationFailed) return `its ${error.claim}: ${error.reason}`;
  if (error instanceof errors.JOSEError) return error.code;
  return "it cannot be verified";
}

/**
 * Signatures by a private key only. With `none` or an HMAC in this list, everybody could sign: the public key would be
 * the secret (key confusion).
 */
const ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];
/** How far the clocks of issuer and instance may differ. */
const SKEW_S = 30;
/** A subject stands in logs: no control characters. */
const SUBJECT = /^[\x20-\x7e\u00a0-\uffff]{1,256}$/;
const CACHED_MAX = 4_096;
const PENDING_MAX = 256;

const NO_SUCH_KEY: Verification = Object.freeze({
  kind: "refused",
  reason: "no key of the JWKS fits its kid and alg",
});
const NO_KEYS: Verification = Object.freeze({
  kind: "unavailable",
  reason: "the keys for JWTs could not be read yet",
});
const TOO_MANY: Verification = Object.freeze({
  kind: "unavailable",
  reason: "too many JWTs are being verified",
});
