import { startEmbeddedJavaScript } from "./javascript.js";
import { findProgram, startEmbeddedServers } from "./servers.js";

export interface Embedded {
  readonly kind: "redis-server" | "valkey-server" | "javascript";
  /** Includes the password, if there is one: not for logs. */
  readonly urls: string[];
  /** Ends the primaries and removes their files. */
  stop(): Promise<void>;
}

export interface EmbeddedLog {
  warn(details: object, message: string): void;
}

/**
 * Starts three primaries of the service's own, for trying it out without naming a Redis: real ones if this machine has
 * redis-server or valkey-server, else three in JavaScript, inside this process. They persist nothing, and they end with
 * the service however it ends.
 */
export async function startEmbedded(log: EmbeddedLog, prefer?: "javascript"): Promise<Embedded> {
  const program = prefer === "javascript" ? undefined : await findProgram();
  if (program !== undefined) {
    const servers = await startEmbeddedServers(program.name, PRIMARIES);
    log.warn(
      { program: program.name, version: program.version },
      `no Redis was named: started ${PRIMARIES} of this machine's ${program.name}. They are for trying out, and keep ` +
        "nothing: set REDIS_URLS",
    );
    return { kind: program.name, ...servers };
  }
  const servers = await startEmbeddedJavaScript(PRIMARIES);
  const why =
    prefer === "javascript"
      ? "as QUORATE_EMBEDDED asks for"
      : "as there is no redis-server 6.2 or newer here";
  log.warn(
    {},
    `no Redis was named: started ${PRIMARIES} stand-ins written in JavaScript, ${why}. They are for trying out, ` +
      "and keep nothing: install redis-server, or set REDIS_URLS",
  );
  return { kind: "javascript", ...servers };
}

const PRIMARIES = 3;
