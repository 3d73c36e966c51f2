import type { Logger } from "pino";
import type { Clock } from "../clock.js";
import { type Config, ConfigError } from "../config.js";
import { type Audit, keysReloaded } from "./audit.js";
import type { PeerCertificate } from "./certificates.js";
import { Grants } from "./grants.js";
import { type Bearer, type JwtSettings, Jwts } from "./jwt.js";
import { digestOf, KeyRing, NO_LIMITS, type Principal } from "./key-ring.js";
import { type Fetch, KeySet } from "./key-set.js";
import { type KeysFile, readKeysFile } from "./keys-file.js";
import { type FileReader, systemFiles, WatchedFile } from "./watched-file.js";

/** What a request brings to say who makes it. */
export interface Credentials {
  /** The header `Authorization`. */
  readonly authorization?: string | undefined;
  /** The certificate of the client of this connection. The header, where there is one, counts in its place. */
  readonly certificate?: PeerCertificate | undefined;
}

/** `reason` is for the log: clients must not learn why a credential is refused. */
export type Authentication =
  | { readonly kind: "authenticated"; readonly principal: Principal }
  /** `given`: there was a credential, but it is not valid. */
  | { readonly kind: "unauthenticated"; readonly given: boolean; readonly reason: string }
  /** It cannot be told now whether the credential is valid. */
  | { readonly kind: "unavailable"; readonly reason: string };

export interface AccessSettings {
  readonly keysFile?: string | undefined;
  readonly jwt?: (JwtSettings & { readonly keySet: string }) | undefined;
  /** A short form of a key that may do everything. */
  readonly operatorKey?: string | undefined;
}

/** As the settings of the service state it. */
export function accessSettings(config: Config): AccessSettings {
  const { keysFile, operatorKey, jwtIssuer, jwtAudience, jwtJwks, jwtClaim } = config;
  const jwt =
    jwtIssuer !== undefined && jwtAudience !== undefined && jwtJwks !== undefined
      ? { issuer: jwtIssuer, audience: jwtAudience, keySet: jwtJwks, claim: jwtClaim }
      : undefined;
  return { keysFile, operatorKey, jwt };
}

export interface AccessWorld {
  readonly clock: Clock;
  readonly log: Pick<Logger, "info" | "error">;
  readonly files?: FileReader;
  readonly fetch?: Fetch;
  readonly audit?: Pick<Audit, "record"> | undefined;
}

/**
 * Who makes a request and what they may do: by a key of the keys file, by a JWT, or by a client certificate. Where there
 * is neither a keys file nor an issuer of JWTs, everybody may read and use everything, as `anonymous`.
 */
export class Access {
  #ring = new KeyRing([]);
  readonly #open: boolean;
  readonly #operatorDigest: string | undefined;
  readonly #file: WatchedFile | undefined;
  readonly #keySet: KeySet | undefined;
  readonly #jwts: Jwts | undefined;

  constructor(
    { keysFile, jwt, operatorKey }: AccessSettings,
    private readonly world: AccessWorld,
  ) {
    const { clock, log, files = systemFiles, fetch } = world;
    this.#open = keysFile === undefined && jwt === undefined;
    this.#operatorDigest = operatorKey === undefined ? undefined : digestOf(operatorKey);
    if (keysFile !== undefined) {
      this.#file = new WatchedFile(
        keysFile,
        clock,
        {
          changed: (text) => this.#replace(keysFile, text),
          unreadable: (reason) => log.error({ reason }, `${keysFile} cannot be read: ${OLD_IN_FORCE}`),
        },
        files,
      );
    }
    if (jwt) {
      this.#keySet = new KeySet(jwt.keySet, clock, log, fetch, files);
      this.#jwts = new Jwts(jwt, this.#keySet, clock);
    }
  }

  /** Reads the keys file. Throws `ConfigError` where it is missing or has mistakes: the service must not start. */
  async start(): Promise<void> {
    const { files = systemFiles } = this.world;
    if (this.#file) {
      const { path } = this.#file;
      const text = await files.read(path).catch((error: NodeJS.ErrnoException) => {
        throw new ConfigError([`QUORATE_KEYS_FILE: ${path} cannot be read (${error.code ?? error})`]);
      });
      const file = await readKeysFile(path, text, this.#pause);
      if (file.kind === "refused") throw new ConfigError(file.mistakes);
      this.#use(file);
      this.#file.start(text);
    }
    await this.#keySet?.start();
  }

  /** Whether everybody may use everything: there is nothing that clients could be told apart by. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** At once for keys and certificates, and for a JWT that was verified before. */
  authenticate({ authorization, certificate }: Credentials): Authentication | Promise<Authentication> {
    if (authorization !== undefined) return this.#byHeader(authorization);
    const found = certificate && this.#ring.byCertificate(certificate);
    if (found === "several") return refused("the names of the certificate belong to several keys");
    if (found) return { kind: "authenticated", principal: found };
    if (this.#open) return AS_ANONYMOUS;
    return certificate?.authorized ? refused("no key has a name of the certificate") : NOTHING_GIVEN;
  }

  /**
   * What a principal may do now; undefined: nothing any more. For what lasts longer than a request, such as an event
   * stream.
   */
  current(principal: Principal): Principal | undefined {
    if (principal === OPERATOR || principal === ANONYMOUS) return principal;
    const { untilMs } = principal;
    if (untilMs !== undefined) return this.world.clock.wallMicros() < untilMs * 1_000 ? principal : undefined;
    return this.#ring.byId(principal.id);
  }

  /** For SIGHUP: reads all files again, now. */
  async reload(): Promise<void> {
    await Promise.all([this.#file?.reload(), this.#keySet?.reload()]);
  }

  close(): void {
    this.#file?.close();
    this.#keySet?.close();
  }

  #byHeader(authorization: string): Authentication | Promise<Authentication> {
    const token = bearerOf(authorization);
    if (token === undefined)
      return this.#open ? AS_ANONYMOUS : refused("Authorization is not Bearer and a token");
    const digest = digestOf(token);
    const principal = this.#ring.byDigest(digest) ?? this.#operatorBy(digest);
    if (principal) return { kind: "authenticated", principal };
    if (this.#open) return AS_ANONYMOUS;
    const bearer = this.#jwts?.find(digest);
    if (bearer) return this.#authenticated(bearer);
    if (this.#jwts && Jwts.looksLike(token)) return this.#verify(this.#jwts, token, digest);
    return refused("no key has this digest");
  }

  #operatorBy(digest: string): Principal | undefined {
    return this.#operatorDigest === digest ? OPERATOR : undefined;
  }

  async #verify(jwts: Jwts, token: string, digest: string): Promise<Authentication> {
    const verification = await jwts.verify(token, digest);
    if (verification.kind === "verified") return this.#authenticated(verification.bearer);
    if (verification.kind === "unavailable") return verification;
    return refused(`JWT: ${verification.reason}`);
  }

  #authenticated({ id, grants, untilMs }: Bearer): Authentication {
    return { kind: "authenticated", principal: { id, grants, limits: this.#ring.limits, untilMs } };
  }

  async #replace(path: string, text: string): Promise<void> {
    const { log } = this.world;
    const file = await readKeysFile(path, text, this.#pause);
    if (file.kind === "refused") {
      for (const mistake of file.mistakes) log.error(mistake);
      log.error(`${path} is refused: ${OLD_IN_FORCE}`);
    } else this.#use(file);
    this.world.audit?.record(keysReloaded(file.kind === "refused" ? "refused" : "changed"));
  }

  /** Lets requests in while a large file is checked. */
  readonly #pause = (): Promise<void> => new Promise((resolve) => this.world.clock.soon(resolve));

  #use({ keys, limits }: KeysFile & { kind: "read" }): void {
    this.#ring = new KeyRing(keys, limits);
    this.world.log.info({ keys: keys.length }, "the keys file was read");
  }
}

function refused(reason: string): Authentication {
  return { kind: "unauthenticated", given: true, reason };
}

/** What follows `Bearer`, whatever characters it has: it is only hashed. By hand, since a JWT may have some KB. */
function bearerOf(authorization: string): string | undefined {
  if (!/^bearer /i.test(authorization)) return undefined;
  let start = "bearer ".length;
  let end = authorization.length;
  while (authorization[start] === " ") start++;
  while (end > start && authorization[end - 1] === " ") end--;
  return end > start ? authorization.slice(start, end) : undefined;
}

const OLD_IN_FORCE = "the keys that were read before stay in force";

const EVERYTHING = { namespace: "*", kinds: ["*"], names: ["*"] } as const;

/** No key of a file has a colon in its id. */
const OPERATOR: Principal = Object.freeze({
  id: "operator:key",
  grants: new Grants([{ ...EVERYTHING, actions: ["read", "use", "operate"] }]),
  limits: NO_LIMITS,
});

/** Everybody, where there is nothing that clients could be told apart by. */
export const ANONYMOUS: Principal = Object.freeze({
  id: "anonymous",
  grants: new Grants([{ ...EVERYTHING, actions: ["read", "use"] }]),
  limits: NO_LIMITS,
});
const AS_ANONYMOUS: Authentication = Object.freeze({ kind: "authenticated", principal: ANONYMOUS });

const NOTHING_GIVEN: Authentication = Object.freeze({
  kind: "unauthenticated",
  given: false,
  reason: "no credential was given",
});
