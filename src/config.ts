/** Everything that can be set, checked and frozen. Times are in ms. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** Empty: the embedded default is started. */
  readonly redisUrls: readonly string[];
  readonly embedded: "javascript" | undefined;
  readonly keyPrefix: string;
  readonly ttlMaxMs: number;
  readonly commandTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly viewAgeMsMax: number;
  readonly rotateAfterMs: number;
  /** How long after the signal to stop the port stays open, so that load balancers see `/readyz` say 503 first. */
  readonly drainDelayMs: number;
  readonly drainMs: number;
  /** How long a connection may idle between two requests. */
  readonly keepAliveMs: number;
  /** How long a client may take to send the headers of a request, and all of it. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Connections at a time; more are closed at once. */
  readonly connectionsMax: number;
  /** Names that a `Host` or `Origin` may have besides the default; undefined: the default alone. */
  readonly allowedHosts: readonly string[] | undefined;
  readonly logLevel: string;
  /** What an operator proves to be one with; without it nobody is. Never shown. */
  readonly operatorKey: string | undefined;
  /** What is no mistake, but should be read in the log. */
  readonly warnings: readonly string[];
}

/** All mistakes of a configuration, one clear line each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  constructor(readonly mistakes: readonly string[]) {
    super(mistakes.join("\n"));
  }
}

/** Reads the environment. Throws `ConfigError` with every mistake in it, never with a password in it. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const mistakes: string[] = [];
  const warnings: string[] = [];
  checkNames(env, mistakes, warnings);
  const whole = (name: string, fallback: number, min: number, max: number): number => {
    const text = env[name]?.trim();
    if (!text) return fallback;
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    mistakes.push(`${name} is "${text}", but must be a whole number from ${min} to ${max}`);
    return fallback;
  };
  const oneOf = (name: string, fallback: string, allowed: readonly string[]): string => {
    const text = env[name]?.trim();
    if (!text) return fallback;
    if (!allowed.includes(text))
      mistakes.push(`${name} is "${text}", but must be one of ${allowed.join(", ")}`);
    return text;
  };
  const secret = (name: string): string | undefined => {
    const text = env[name]?.trim();
    if (!text) return undefined;
    // What a header can carry as it is.
    if (/^[\x21-\x7e]{16,}$/.test(text)) return text;
    mistakes.push(`${name} must have 16 characters at least, and neither spaces nor any outside ASCII`);
    return undefined;
  };
  const embedded = oneOf("QUORATE_EMBEDDED", "", ["javascript"]);
  const config: Config = {
    host: env.HOST?.trim() || "127.0.0.1",
    port: whole("PORT", 8080, 0, 65_535),
    redisUrls: readUrls(env.REDIS_URLS, mistakes),
    embedded: embedded === "javascript" ? embedded : undefined,
    keyPrefix: env.QUORATE_KEY_PREFIX || "q:",
    ttlMaxMs: whole("QUORATE_TTL_MAX_MS", 600_000, 1_000, 86_400_000),
    commandTimeoutMs: whole("QUORATE_COMMAND_TIMEOUT_MS", 100, 10, 10_000),
    connectTimeoutMs: whole("QUORATE_CONNECT_TIMEOUT_MS", 500, 10, 10_000),
    viewAgeMsMax: whole("QUORATE_VIEW_AGE_MS_MAX", 250, 0, 900),
    rotateAfterMs: whole("QUORATE_ROTATE_AFTER_MS", 86_400_000, 1_000, 365 * 86_400_000),
    drainDelayMs: whole("QUORATE_DRAIN_DELAY_MS", 0, 0, 60_000),
    drainMs: whole("QUORATE_DRAIN_MS", 7_000, 0, 7_500),
    keepAliveMs: whole("QUORATE_KEEP_ALIVE_MS", 75_000, 1_000, 600_000),
    headersTimeoutMs: whole("QUORATE_HEADERS_TIMEOUT_MS", 10_000, 100, 300_000),
    requestTimeoutMs: whole("QUORATE_REQUEST_TIMEOUT_MS", 30_000, 100, 300_000),
    connectionsMax: whole("QUORATE_CONNECTIONS_MAX", 20_000, 10, 1_000_000),
    allowedHosts: readHosts(env.QUORATE_ALLOWED_HOSTS),
    logLevel: oneOf("QUORATE_LOG_LEVEL", "info", ["trace", "debug", "info", "warn", "error", "silent"]),
    operatorKey: secret("QUORATE_OPERATOR_KEY"),
    warnings: Object.freeze(warnings),
  };
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return Object.freeze(config);
}

const KNOWN = new Set([
  "QUORATE_EMBEDDED",
  "QUORATE_KEY_PREFIX",
  "QUORATE_TTL_MAX_MS",
  "QUORATE_COMMAND_TIMEOUT_MS",
  "QUORATE_CONNECT_TIMEOUT_MS",
  "QUORATE_VIEW_AGE_MS_MAX",
  "QUORATE_ROTATE_AFTER_MS",
  "QUORATE_DRAIN_DELAY_MS",
  "QUORATE_DRAIN_MS",
  "QUORATE_KEEP_ALIVE_MS",
  "QUORATE_HEADERS_TIMEOUT_MS",
  "QUORATE_REQUEST_TIMEOUT_MS",
  "QUORATE_CONNECTIONS_MAX",
  "QUORATE_ALLOWED_HOSTS",
  "QUORATE_LOG_LEVEL",
  "QUORATE_OPERATOR_KEY",
]);

/** What a client of this service is configured by; it may run in the same environment. */
const OF_CLIENTS = new Set([
  "QUORATE_URL",
  "QUORATE_KEY",
  "QUORATE_KEY_FILE",
  "QUORATE_NAMESPACE",
  "QUORATE_FENCING_TOKEN",
]);

/** What Kubernetes tells every container of a Service that is called quorate. */
const OF_KUBERNETES = /^QUORATE_(SERVICE_HOST|SERVICE_PORT|SERVICE_PORT_.+|PORT_.+)$/;

/** Names that look like settings of this service and are none: most are typing errors, which must not pass in silence. */
function checkNames(
  env: Readonly<Record<string, string | undefined>>,
  mistakes: string[],
  warnings: string[],
): void {
  if (env.REDIS_URL?.trim()) {
    // Ignored, it would let each instance start Redis servers of its own, and two of them grant one lock.
    if (env.REDIS_URLS?.trim()) warnings.push("REDIS_URL is set and ignored: REDIS_URLS is what counts");
    else mistakes.push("REDIS_URL is not a setting: name your Redis in REDIS_URLS, or unset it");
  }
  for (const [name, text = ""] of Object.entries(env)) {
    if (!name.startsWith("QUORATE_") || KNOWN.has(name) || OF_CLIENTS.has(name)) continue;
    if (OF_KUBERNETES.test(name)) continue;
    if (name === "QUORATE_PORT") {
      if (!text.startsWith("tcp://")) mistakes.push("QUORATE_PORT is not a setting: the port is PORT");
    } else mistakes.push(`${name} is not a setting; known are ${[...KNOWN].join(", ")}`);
  }
}

const ALLOWED_COUNTS = [1, 3, 5, 7];

function readUrls(text: string | undefined, mistakes: string[]): readonly string[] {
  if (!text?.trim()) return Object.freeze([]);
  const urls = text.split(",").map((url) => url.trim());
  const seen = new Map<string, number>();
  urls.forEach((url, place) => {
    const where = `REDIS_URLS, entry ${place + 1}`;
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    // The text of an entry may hold a password: only its host and port are repeated.
    if (!parsed?.hostname || !["redis:", "rediss:"].includes(parsed.protocol)) {
      mistakes.push(`${where} is not a URL like redis://host:6379 or rediss://user:password@host:6380/0`);
      return;
    }
    if (/[?#].*@/.test(url)) {
      mistakes.push(`${where} has a ? or # in its user or password: write it as %3F or %23`);
      return;
    }
    if (!/^\/?\d*$/.test(parsed.pathname)) {
      // A password with a slash in it would pass for a host and a path.
      mistakes.push(`${where} ends in a path that is not a database number`);
      return;
    }
    const first = seen.get(addressOf(url));
    if (first !== undefined) {
      mistakes.push(
        `${where} is the same server as entry ${first + 1} (${addressOf(url)}): primaries must be independent of each other`,
      );
    } else seen.set(addressOf(url), place);
  });
  if (!ALLOWED_COUNTS.includes(urls.length)) {
    mistakes.push(
      `REDIS_URLS names ${urls.length} primaries, but their number must be ${ALLOWED_COUNTS.join(", ")}: with an even one votes can tie`,
    );
  }
  return Object.freeze(urls);
}

function readHosts(text: string | undefined): readonly string[] | undefined {
  const hosts = (text ?? "").split(",").flatMap((host) => host.trim().toLowerCase() || []);
  return hosts.length === 0 ? undefined : Object.freeze(hosts);
}

/** Host and port of a Redis URL: what may be logged and shown. */
export function addressOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname.toLowerCase()}:${port || "6379"}`;
}
