import { z } from "zod";
import {
  checkJwks,
  isLoopback,
  toAllowList,
  toAudit,
  toBlocks,
  toHosts,
  toMetricsPrefixes,
  toOpen,
  toUrls,
} from "./setting-values.js";

/** A whole number, in ms where the name of the setting says so. */
const whole = (fallback: number, min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.coerce.number(error).int(error).min(min, error).max(max, error).default(fallback);
};
const wholeOrAuto = (fallback: number, min: number, max: number) => {
  const error = `must be auto or a whole number from ${min} to ${max}`;
  const count = z.coerce.number(error).int(error).min(min, error).max(max, error);
  return z.union([z.literal("auto", error), count], error).default(fallback);
};
const oneOf = <const T extends string>(allowed: readonly T[]) =>
  z.enum(allowed, `must be one of ${allowed.join(", ")}`);

/** Every setting, with its bounds and its default. In the environment `ttlMaxMs` is QUORATE_TTL_MAX_MS. */
const SETTINGS = z.object({
  /** Empty: the embedded primaries are started. */
  redisUrls: z.string().transform(toUrls).default(Object.freeze([])),
  host: z.string().default("127.0.0.1"),
  port: whole(8080, 0, 65_535),
  keyPrefix: z.string().default("q:"),
  ttlMaxMs: whole(600_000, 1_000, 86_400_000),
  commandTimeoutMs: whole(100, 10, 10_000),
  connectTimeoutMs: whole(500, 10, 10_000),
  viewAgeMsMax: whole(250, 0, 900),
  rotateAfterMs: whole(86_400_000, 1_000, 365 * 86_400_000),
  /** How often the copies of all primaries are compared. */
  antiEntropyIntervalMs: whole(60_000, 1_000, 86_400_000),
  /** How long the port stays open after the stop signal, so that load balancers see `/readyz` answer 503 first. */
  drainDelayMs: whole(0, 0, 60_000),
  drainMs: whole(7_000, 0, 7_500),
  /** How long a connection may be idle between two requests. */
  keepAliveMs: whole(75_000, 1_000, 600_000),
  /** How long a client may take to send a request's headers, and the whole request. */
  headersTimeoutMs: whole(10_000, 100, 300_000),
  requestTimeoutMs: whole(30_000, 100, 300_000),
  /** Maximum number of simultaneous connections; more are closed at once. */
  connectionsMax: whole(16_384, 10, 1_000_000),
  /** Maximum number of requests in the queue of a name, whichever instances they wait at. */
  queueLengthMax: whole(10_000, 1, 1_000_000),
  /** Maximum number of members of a service. */
  serviceMembersMax: whole(10_000, 1, 1_000_000),
  /** Certificate and key of HTTPS, as files in PEM; undefined: plain HTTP. */
  tlsCert: z.string().optional(),
  tlsKey: z.string().optional(),
  /** The CAs of client certificates, and who must have one: without this setting, every request but those of probes. */
  tlsClientCa: z.string().optional(),
  tlsClientAuth: oneOf(["require", "request"]).optional(),
  /** For all primaries at rediss://; a URL may name others. */
  redisTlsCa: z.string().optional(),
  redisTlsCert: z.string().optional(),
  redisTlsKey: z.string().optional(),
  redisTlsServername: z.string().optional(),
  /** Addresses and blocks of the proxies whose `X-Forwarded-For` counts. */
  trustedProxies: z.string().transform(toBlocks).default(Object.freeze([])),
  /** How many processes serve the port; auto: as many as there are cores. */
  workers: wholeOrAuto(1, 1, 64),
  /** Names that `Host` or `Origin` may contain besides the default; undefined: the default alone. */
  allowedHosts: z.string().transform(toHosts).optional(),
  /** If more than this share of a service would expire together, its members are kept for a while, percent. */
  guardPercent: whole(50, 1, 100),
  /** Addresses, blocks and hosts that probes of members may connect to; empty: there are none. */
  probeAllow: z.string().transform(toAllowList("QUORATE_PROBE_ALLOW")).default(Object.freeze([])),
  /** The same for the URLs that are told of events. */
  hookAllow: z.string().transform(toAllowList("QUORATE_HOOK_ALLOW")).default(Object.freeze([])),
  /** The same for the URLs of participants of transactions. */
  callbackAllow: z.string().transform(toAllowList("QUORATE_CALLBACK_ALLOW")).default(Object.freeze([])),
  /** Names that have metrics of their own, by how they begin. */
  metricsPrefixes: z.string().transform(toMetricsPrefixes).default(Object.freeze([])),
  logLevel: oneOf(["trace", "debug", "info", "warn", "error", "silent"]).default("info"),
  /**
   * The secret by which an operator authenticates, as a header can carry it; without it nobody is an operator. Never
   * shown.
   */
  operatorKey: z
    .string()
    .regex(
      /^[\x21-\x7e]{16,}$/,
      "QUORATE_OPERATOR_KEY must have 16 characters at least, and neither spaces nor any outside ASCII",
    )
    .optional(),
  embedded: oneOf(["javascript"]).optional(),
  /** Whether it may listen on other addresses than loopback though whoever reaches it may take every lock. */
  insecure: oneOf(["0", "1"]).default("0"),
  /** The keys of clients, and what each may do. */
  keysFile: z.string().optional(),
  /** JWTs count as keys where these three are set. */
  jwtIssuer: z.string().optional(),
  jwtAudience: z.string().optional(),
  jwtJwks: z.string().superRefine(checkJwks).optional(),
  jwtClaim: z.string().default("quorate"),
  /** What needs no key, besides probes. */
  open: z.string().transform(toOpen).default(Object.freeze([])),
  audit: z.string().transform(toAudit).optional(),
});

type Setting = keyof typeof SETTINGS.shape;
type Settings = Readonly<z.output<typeof SETTINGS>>;

/** All settings, validated and frozen. Times are in ms. */
export interface Config extends Settings {
  /** Not mistakes, but worth a line in the log. */
  readonly warnings: readonly string[];
}

/** The settings by their environment variable names. */
export const SETTING_NAMES: ReadonlyMap<string, Setting> = new Map(
  (Object.keys(SETTINGS.shape) as Setting[]).map((setting) => {
    const name = setting.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
    return [["redisUrls", "host", "port"].includes(setting) ? name : `QUORATE_${name}`, setting];
  }),
);

/** All mistakes of a configuration, one clear line each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  constructor(readonly mistakes: readonly string[]) {
    super(mistakes.join("\n"));
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the environment. Throws `ConfigError` with every mistake in it, and never with a password in it. */
export function readConfig(env: Environment): Config {
  const mistakes: string[] = [];
  const warnings: string[] = [];
  checkNames(env, mistakes, warnings);
  const given = new Map(
    [...SETTING_NAMES].map(([name, setting]) => [setting, { name, text: textOf(name, env) }]),
  );
  const read = SETTINGS.safeParse(
    Object.fromEntries([...given].map(([setting, { text }]) => [setting, text])),
  );
  for (const { path, message } of read.error?.issues ?? []) {
    const { name, text } = given.get(path[0] as Setting) ?? {};
    // Messages about settings that may hold a secret are complete: the value is not repeated.
    mistakes.push(message.startsWith("must be") ? `${name} is "${text}", but ${message}` : message);
  }
  if (read.success) checkTls(read.data, mistakes);
  mistakes.push(...jwtMistakes(env));
  if (read.success && isOpenToAll(read.data)) mistakes.push(openToAll(read.data.host));
  if (!read.success || mistakes.length > 0) throw new ConfigError([...new Set(mistakes)]);
  return Object.freeze({ ...read.data, warnings: Object.freeze(warnings) });
}

/** A setting with an empty value counts as not set. A prefix may have spaces. */
function textOf(name: string, env: Environment): string | undefined {
  return (name === "QUORATE_KEY_PREFIX" ? env[name] : env[name]?.trim()) || undefined;
}

/** Settings of a client of this service, which may run in the same environment, and what the command line tells its commands. */
const OF_CLIENTS = new Set([
  "QUORATE_URL",
  "QUORATE_KEY",
  "QUORATE_KEY_FILE",
  "QUORATE_NAMESPACE",
  "QUORATE_NAME",
  "QUORATE_FENCING_TOKEN",
  "QUORATE_MEMBER_ID",
]);

/** Variables that Kubernetes sets in every container for a Service called quorate. */
const OF_KUBERNETES = /^QUORATE_(SERVICE_HOST|SERVICE_PORT|SERVICE_PORT_.+|PORT_.+)$/;

/**
 * Rejects names that look like settings of this service but are none: most are typing errors, which must not go
 * unnoticed.
 */
function checkNames(env: Environment, mistakes: string[], warnings: string[]): void {
  if (env.REDIS_URL?.trim()) {
    // If it were ignored, each instance would start Redis servers of its own, and two of them would grant one lock.
    if (env.REDIS_URLS?.trim()) warnings.push("REDIS_URL is set and ignored: REDIS_URLS is what counts");
    else mistakes.push("REDIS_URL is not a setting: name your Redis in REDIS_URLS, or unset it");
  }
  for (const [name, text = ""] of Object.entries(env)) {
    if (!name.startsWith("QUORATE_") || SETTING_NAMES.has(name) || OF_CLIENTS.has(name)) continue;
    if (OF_KUBERNETES.test(name)) continue;
    if (name === "QUORATE_PORT") {
      if (!text.startsWith("tcp://")) mistakes.push("QUORATE_PORT is not a setting: the port is PORT");
    } else mistakes.push(`${name} is not a setting; known are ${[...SETTING_NAMES.keys()].join(", ")}`);
  }
}

/** Settings of TLS that are nothing without another. */
function checkTls(config: Settings, mistakes: string[]): void {
  const needs = (name: string, value: unknown, other: string, otherValue: unknown) => {
    if (value !== undefined && otherValue === undefined) mistakes.push(`${name} is set, but ${other} is not`);
  };
  needs("QUORATE_TLS_CERT", config.tlsCert, "QUORATE_TLS_KEY", config.tlsKey);
  needs("QUORATE_TLS_KEY", config.tlsKey, "QUORATE_TLS_CERT", config.tlsCert);
  needs("QUORATE_TLS_CLIENT_CA", config.tlsClientCa, "QUORATE_TLS_CERT", config.tlsCert);
  needs("QUORATE_TLS_CLIENT_AUTH", config.tlsClientAuth, "QUORATE_TLS_CLIENT_CA", config.tlsClientCa);
  needs("QUORATE_REDIS_TLS_CERT", config.redisTlsCert, "QUORATE_REDIS_TLS_KEY", config.redisTlsKey);
  needs("QUORATE_REDIS_TLS_KEY", config.redisTlsKey, "QUORATE_REDIS_TLS_CERT", config.redisTlsCert);
  const overTls = config.redisUrls.some((url) => url.startsWith("rediss:"));
  const ofRedis = { CA: config.redisTlsCa, CERT: config.redisTlsCert, SERVERNAME: config.redisTlsServername };
  for (const [name, value] of Object.entries(ofRedis))
    needs(`QUORATE_REDIS_TLS_${name}`, value, "rediss:// in REDIS_URLS", overTls || undefined);
}

/** All that verifies a JWT, or nothing. */
function jwtMistakes(env: Environment): string[] {
  const needed = ["QUORATE_JWT_ISSUER", "QUORATE_JWT_AUDIENCE", "QUORATE_JWT_JWKS"];
  const set = [...needed, "QUORATE_JWT_CLAIM"].filter((name) => textOf(name, env) !== undefined);
  if (set.length === 0) return [];
  return needed
    .filter((name) => !set.includes(name))
    .map((name) => `${name} is not set, but must be where ${set[0]} is`);
}

/** Whether everybody who reaches an address of the network may take every lock. */
function isOpenToAll({ host, keysFile, jwtIssuer, tlsClientCa, tlsClientAuth, insecure }: Settings): boolean {
  const asksForCertificates = tlsClientCa !== undefined && tlsClientAuth !== "request";
  if (keysFile !== undefined || jwtIssuer !== undefined || asksForCertificates) return false;
  return insecure === "0" && !isLoopback(host);
}

const openToAll = (host: string): string =>
  `HOST is "${host}", where whoever reaches it could take every lock: set QUORATE_KEYS_FILE (npm run key makes a key), QUORATE_JWT_ISSUER or QUORATE_TLS_CLIENT_CA, or QUORATE_INSECURE=1 if only those who may do so reach it`;
