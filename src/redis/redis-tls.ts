import { isIP } from "node:net";
import { type ConnectionOptions, createSecureContext, type SecureContext } from "node:tls";
import type { Clock } from "../clock.js";
import { type Config, ConfigError } from "../config.js";
import { LivePem, type PemLog } from "../tls/live-pem.js";
import { PARTS, type Part, type Pem, type PemFiles, TLS_MIN } from "../tls/pem.js";
import type { Connect } from "./connection.js";

type RedisTlsSettings = Pick<
  Config,
  "redisUrls" | "redisTlsCa" | "redisTlsCert" | "redisTlsKey" | "redisTlsServername"
>;

/**
 * CAs, client certificates and server names for the primaries at rediss://, one set per primary; primaries with the
 * same files share theirs. The files are read again while the process runs, and count for new connections.
 */
export class RedisTls {
  readonly #byFiles = new Map<string, { readonly live: LivePem; context: SecureContext }>();
  readonly #byUrl: ReadonlyMap<string, ConnectionOptions>;

  /** Throws `ConfigError` with a line for each mistake in the files. */
  constructor(
    settings: RedisTlsSettings,
    private readonly clock: Clock,
    private readonly log: PemLog,
  ) {
    const mistakes = new Set<string>();
    const byUrl = new Map<string, ConnectionOptions>();
    for (const [place, url] of settings.redisUrls.entries()) {
      if (!url.startsWith("rediss:")) continue;
      try {
        byUrl.set(url, this.#optionsOf(url, place, settings));
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        for (const mistake of error.mistakes) mistakes.add(mistake);
      }
    }
    this.#byUrl = byUrl;
    if (mistakes.size === 0) return;
    this.close();
    throw new ConfigError([...mistakes]);
  }

  get hasFiles(): boolean {
    return [...this.#byFiles.values()].some(({ live }) => live.hasFiles);
  }

  /** As `connect`, for all URLs of the settings. */
  connecting(connect: Connect): Connect {
    return (url, options) => {
      const tls = this.#byUrl.get(url);
      return tls ? connect(withoutParameters(url), { ...options, tls }) : connect(url, options);
    };
  }

  /** Reads all files at once. */
  async reload(): Promise<void> {
    await Promise.all([...this.#byFiles.values()].map(({ live }) => live.reload()));
  }

  close(): void {
    for (const { live } of this.#byFiles.values()) live.close();
  }

  #optionsOf(url: string, place: number, settings: RedisTlsSettings): ConnectionOptions {
    const { hostname, searchParams } = new URL(url);
    const entry = this.#sharedOf(filesOf(searchParams, place, settings));
    const servername = searchParams.get("servername") ?? settings.redisTlsServername;
    // SNI has no addresses; a certificate is checked against them all the same.
    const sni = isIP(hostname.replace(/^\[|\]$/g, "")) === 0 ? hostname : undefined;
    return {
      // ioredis copies these before each connection, so that the next one gets what is in force then.
      get secureContext() {
        return entry.context;
      },
      ...((servername ?? sni) !== undefined && { servername: servername ?? sni }),
    };
  }

  #sharedOf(files: PemFiles): { readonly context: SecureContext } {
    const name = JSON.stringify(PARTS.map((part) => files[part]?.path ?? null));
    const known = this.#byFiles.get(name);
    if (known) return known;
    const live = new LivePem(files, this.clock, this.log);
    const entry = { live, context: contextOf(live.pem) };
    live.onChange((pem) => {
      entry.context = contextOf(pem);
    });
    this.#byFiles.set(name, entry);
    return entry;
  }
}

/** The files of a URL; those that it does not name are of the settings. Certificate and key come from one place. */
function filesOf(parameters: URLSearchParams, place: number, settings: RedisTlsSettings): PemFiles {
  const files: Partial<Record<Part, { path: string; named: string }>> = {};
  const general = { ca: settings.redisTlsCa, cert: settings.redisTlsCert, key: settings.redisTlsKey };
  for (const part of PARTS) {
    const own = parameters.get(part);
    const path = own ?? general[part];
    if (path === undefined) continue;
    // A URL may hold a password, and a mistake in it anything: it is not repeated.
    const named =
      own === null
        ? `QUORATE_REDIS_TLS_${part.toUpperCase()} is "${path}"`
        : `REDIS_URLS, entry ${place + 1} has a parameter ${part}`;
    files[part] = { path, named };
  }
  return files;
}

function contextOf({ ca, cert, key }: Pem): SecureContext {
  return createSecureContext({ ca, cert, key, minVersion: TLS_MIN });
}

/** ioredis would take the parameters of a URL for options of its own. */
function withoutParameters(url: string): string {
  const [bare = url] = url.split("?");
  return bare;
}
