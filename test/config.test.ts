import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Config, ConfigError, readConfig, SETTING_NAMES } from "../src/config.js";
import { addressOf } from "../src/setting-values.js";

function mistakesOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
}

describe("the configuration", () => {
  test("of an empty environment has every default", () => {
    expect(readConfig({})).toEqual({
      host: "127.0.0.1",
      port: 8080,
      redisUrls: [],
      embedded: undefined,
      keyPrefix: "q:",
      ttlMaxMs: 600_000,
      commandTimeoutMs: 100,
      connectTimeoutMs: 500,
      viewAgeMsMax: 250,
      rotateAfterMs: 86_400_000,
      antiEntropyIntervalMs: 60_000,
      drainDelayMs: 0,
      drainMs: 7_000,
      keepAliveMs: 75_000,
      headersTimeoutMs: 10_000,
      requestTimeoutMs: 30_000,
      connectionsMax: 16_384,
      queueLengthMax: 10_000,
      serviceMembersMax: 10_000,
      guardPercent: 50,
      tlsCert: undefined,
      tlsKey: undefined,
      tlsClientCa: undefined,
      tlsClientAuth: undefined,
      redisTlsCa: undefined,
      redisTlsCert: undefined,
      redisTlsKey: undefined,
      redisTlsServername: undefined,
      trustedProxies: [],
      workers: 1,
      allowedHosts: undefined,
      probeAllow: [],
      hookAllow: [],
      callbackAllow: [],
      metricsPrefixes: [],
      logLevel: "info",
      operatorKey: undefined,
      insecure: "0",
      open: [],
      keysFile: undefined,
      jwtIssuer: undefined,
      jwtAudience: undefined,
      jwtJwks: undefined,
      jwtClaim: "quorate",
      audit: undefined,
      warnings: [],
    });
  });

  test("is what the environment says", () => {
    expect(
      readConfig({
        HOST: "0.0.0.0",
        PORT: "9090",
        REDIS_URLS: "redis://a:6379, rediss://user:secret@b/2 ,redis://[::1]:7000",
        QUORATE_EMBEDDED: "javascript",
        QUORATE_KEY_PREFIX: "orders:",
        QUORATE_TTL_MAX_MS: "60000",
        QUORATE_COMMAND_TIMEOUT_MS: "50",
        QUORATE_CONNECT_TIMEOUT_MS: "250",
        QUORATE_VIEW_AGE_MS_MAX: "0",
        QUORATE_ROTATE_AFTER_MS: "3600000",
        QUORATE_ANTI_ENTROPY_INTERVAL_MS: "30000",
        QUORATE_DRAIN_DELAY_MS: "3000",
        QUORATE_DRAIN_MS: "1000",
        QUORATE_KEEP_ALIVE_MS: "5000",
        QUORATE_HEADERS_TIMEOUT_MS: "1000",
        QUORATE_REQUEST_TIMEOUT_MS: "2000",
        QUORATE_CONNECTIONS_MAX: "100",
        QUORATE_QUEUE_LENGTH_MAX: "50",
        QUORATE_SERVICE_MEMBERS_MAX: "60",
        QUORATE_GUARD_PERCENT: "30",
        QUORATE_TLS_CERT: "/tls/tls.crt",
        QUORATE_TLS_KEY: "/tls/tls.key",
        QUORATE_TLS_CLIENT_CA: "/tls/ca.crt",
        QUORATE_TLS_CLIENT_AUTH: "request",
        QUORATE_REDIS_TLS_CA: "/redis/ca.crt",
        QUORATE_REDIS_TLS_CERT: "/redis/tls.crt",
        QUORATE_REDIS_TLS_KEY: "/redis/tls.key",
        QUORATE_REDIS_TLS_SERVERNAME: "redis.example",
        QUORATE_TRUSTED_PROXIES: "10.0.0.0/8, ::1",
        QUORATE_WORKERS: "4",
        QUORATE_ALLOWED_HOSTS: "quorate.example, Quorate-1:8080",
        QUORATE_PROBE_ALLOW: "10.0.0.0/8, fd00::/8,Search.Internal",
        QUORATE_HOOK_ALLOW: "10.0.1.0/24,Pager.Internal",
        QUORATE_CALLBACK_ALLOW: "10.0.2.7",
        QUORATE_METRICS_PREFIXES: "orders-, team-a/jobs-,team-a/,orders-",
        QUORATE_LOG_LEVEL: "debug",
        QUORATE_OPERATOR_KEY: "0123456789abcdef",
        QUORATE_INSECURE: "1",
        QUORATE_OPEN: "docs, metrics",
        QUORATE_KEYS_FILE: "/etc/quorate/keys.yaml",
        QUORATE_JWT_ISSUER: "https://issuer.example",
        QUORATE_JWT_AUDIENCE: "quorate",
        QUORATE_JWT_JWKS: "https://issuer.example/jwks.json",
        QUORATE_JWT_CLAIM: "grants",
        QUORATE_AUDIT: "file:/var/log/quorate/audit.jsonl",
      }),
    ).toEqual({
      host: "0.0.0.0",
      port: 9090,
      redisUrls: ["redis://a:6379", "rediss://user:secret@b/2", "redis://[::1]:7000"],
      embedded: "javascript",
      keyPrefix: "orders:",
      ttlMaxMs: 60_000,
      commandTimeoutMs: 50,
      connectTimeoutMs: 250,
      viewAgeMsMax: 0,
      rotateAfterMs: 3_600_000,
      antiEntropyIntervalMs: 30_000,
      drainDelayMs: 3_000,
      drainMs: 1_000,
      keepAliveMs: 5_000,
      headersTimeoutMs: 1_000,
      requestTimeoutMs: 2_000,
      connectionsMax: 100,
      queueLengthMax: 50,
      serviceMembersMax: 60,
      guardPercent: 30,
      tlsCert: "/tls/tls.crt",
      tlsKey: "/tls/tls.key",
      tlsClientCa: "/tls/ca.crt",
      tlsClientAuth: "request",
      redisTlsCa: "/redis/ca.crt",
      redisTlsCert: "/redis/tls.crt",
      redisTlsKey: "/redis/tls.key",
      redisTlsServername: "redis.example",
      trustedProxies: ["10.0.0.0/8", "::1"],
      workers: 4,
      allowedHosts: ["quorate.example", "quorate-1:8080"],
      probeAllow: ["10.0.0.0/8", "fd00::/8", "search.internal"],
      hookAllow: ["10.0.1.0/24", "pager.internal"],
      callbackAllow: ["10.0.2.7"],
      metricsPrefixes: [
        { namespace: "default", prefix: "orders-" },
        { namespace: "team-a", prefix: "jobs-" },
        { namespace: "team-a", prefix: "" },
      ],
      logLevel: "debug",
      operatorKey: "0123456789abcdef",
      insecure: "1",
      open: ["metrics", "docs"],
      keysFile: "/etc/quorate/keys.yaml",
      jwtIssuer: "https://issuer.example",
      jwtAudience: "quorate",
      jwtJwks: "https://issuer.example/jwks.json",
      jwtClaim: "grants",
      audit: { file: "/var/log/quorate/audit.jsonl" },
      warnings: [],
    });
  });

  test("may say auto for the number of workers", () => {
    expect(readConfig({ QUORATE_WORKERS: "auto" }).workers).toBe("auto");
  });

  test("cannot be changed afterwards", () => {
    const config = readConfig({ REDIS_URLS: "redis://a" });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.redisUrls)).toBe(true);
  });

  test("takes what is set to nothing for not set", () => {
    const names = [
      "HOST",
      "PORT",
      "REDIS_URLS",
      "QUORATE_EMBEDDED",
      "QUORATE_TTL_MAX_MS",
      "QUORATE_LOG_LEVEL",
      "QUORATE_OPERATOR_KEY",
    ];
    for (const nothing of ["", "  "]) {
      expect(readConfig(Object.fromEntries(names.map((name) => [name, nothing])))).toEqual(readConfig({}));
    }
  });

  test.each(["1", "3", "5", "7"])("may name %s primaries", (count) => {
    const urls = Array.from({ length: Number(count) }, (_, i) => `redis://r${i}`);
    expect(readConfig({ REDIS_URLS: urls.join(",") }).redisUrls).toEqual(urls);
  });

  test.each([
    "https://issuer.example/jwks",
    "http://127.0.0.1:8080/jwks",
    "http://[::1]/",
    "/etc/jwks.json",
    "jwks.json",
  ])("takes the keys of an issuer from %s", (source) => {
    const env = { QUORATE_JWT_ISSUER: "i", QUORATE_JWT_AUDIENCE: "a", QUORATE_JWT_JWKS: source };
    expect(readConfig(env).jwtJwks).toBe(source);
  });

  test("writes the audit to standard output or a file", () => {
    expect(readConfig({ QUORATE_AUDIT: "stdout" }).audit).toBe("stdout");
    expect(readConfig({ QUORATE_AUDIT: "file:audit.jsonl" }).audit).toEqual({ file: "audit.jsonl" });
  });

  test("leaves other programs' variables alone", () => {
    expect(mistakesOf({ QUORATEX: "y", PATH: "/bin", NODE_ENV: "production" })).toEqual([]);
  });

  test("leaves alone what Kubernetes tells of a Service that is called quorate", () => {
    const injected = {
      QUORATE_SERVICE_HOST: "10.96.0.7",
      QUORATE_SERVICE_PORT: "8080",
      QUORATE_SERVICE_PORT_HTTP: "8080",
      QUORATE_PORT: "tcp://10.96.0.7:8080",
      QUORATE_PORT_8080_TCP: "tcp://10.96.0.7:8080",
      QUORATE_PORT_8080_TCP_PROTO: "tcp",
      QUORATE_PORT_8080_TCP_PORT: "8080",
      QUORATE_PORT_8080_TCP_ADDR: "10.96.0.7",
    };
    expect(readConfig(injected)).toEqual(readConfig({}));
  });

  test("leaves alone what a client of this service is configured by", () => {
    const names = ["URL", "KEY", "KEY_FILE", "NAMESPACE", "NAME", "FENCING_TOKEN", "MEMBER_ID"];
    const env = Object.fromEntries(names.map((name) => [`QUORATE_${name}`, "x"]));
    expect(readConfig(env)).toEqual(readConfig({}));
  });

  test("warns of a REDIS_URL beside REDIS_URLS, and does not repeat it", () => {
    const env = { REDIS_URL: "redis://:s3cret@b", REDIS_URLS: "redis://a" };
    expect(readConfig(env).warnings).toEqual(["REDIS_URL is set and ignored: REDIS_URLS is what counts"]);
    expect(readConfig({ ...env, REDIS_URL: " " }).warnings).toEqual([]);
  });
});

describe("an address of the network", () => {
  const KEYED = [
    { QUORATE_KEYS_FILE: "keys.yaml" },
    { QUORATE_JWT_ISSUER: "i", QUORATE_JWT_AUDIENCE: "a", QUORATE_JWT_JWKS: "jwks.json" },
    { QUORATE_TLS_CERT: "c", QUORATE_TLS_KEY: "k", QUORATE_TLS_CLIENT_CA: "ca" },
    {
      QUORATE_TLS_CERT: "c",
      QUORATE_TLS_KEY: "k",
      QUORATE_TLS_CLIENT_CA: "ca",
      QUORATE_TLS_CLIENT_AUTH: "require",
    },
    { QUORATE_INSECURE: "1" },
  ];
  const KEYLESS = [
    {},
    { QUORATE_INSECURE: "0" },
    // It keeps nobody from taking locks.
    { QUORATE_OPERATOR_KEY: "0123456789abcdef" },
    { QUORATE_TLS_CERT: "c", QUORATE_TLS_KEY: "k" },
    {
      QUORATE_TLS_CERT: "c",
      QUORATE_TLS_KEY: "k",
      QUORATE_TLS_CLIENT_CA: "ca",
      QUORATE_TLS_CLIENT_AUTH: "request",
    },
  ];

  test.each(KEYLESS)("is refused with %o, and the line says what to do", (env: Record<string, string>) => {
    for (const host of ["0.0.0.0", "::", "10.0.0.7", "quorate.example", "128.0.0.1", "127.0.0.1.example"]) {
      const [line, ...more] = mistakesOf({ HOST: host, ...env });
      expect(line).toContain(`HOST is "${host}"`);
      expect(line).toContain("QUORATE_KEYS_FILE");
      expect(line).toContain("QUORATE_INSECURE=1");
      expect(more).toEqual([]);
    }
  });

  test.each(KEYED)("is taken with %o", (env: Record<string, string>) => {
    expect(readConfig({ HOST: "0.0.0.0", ...env }).host).toBe("0.0.0.0");
  });

  test.each(["127.0.0.1", "127.255.0.3", "::1", "localhost", "LOCALHOST"])("is not %s", (host) => {
    for (const env of KEYLESS as Record<string, string>[])
      expect(readConfig({ HOST: host, ...env }).host).toBe(host);
  });
});

describe("one clear line tells of", () => {
  test.each([
    [
      { REDIS_URL: "redis://:s3cret@a" },
      "REDIS_URL is not a setting: name your Redis in REDIS_URLS, or unset it",
    ],
    [
      { REDIS_URL: "redis://a", REDIS_URLS: " ", QUORATE_EMBEDDED: "javascript" },
      "REDIS_URL is not a setting: name your Redis in REDIS_URLS, or unset it",
    ],
    [{ QUORATE_PORT: "8080" }, "QUORATE_PORT is not a setting: the port is PORT"],
    ...["0", "-1", "1.5", "x", "1000", "Auto"].map((workers): [Record<string, string>, string] => [
      { QUORATE_WORKERS: workers },
      `QUORATE_WORKERS is "${workers}", but must be auto or a whole number from 1 to 64`,
    ]),
    [{ PORT: "http" }, 'PORT is "http", but must be a whole number from 0 to 65535'],
    [{ PORT: "65536" }, 'PORT is "65536", but must be a whole number from 0 to 65535'],
    [{ PORT: "-1" }, 'PORT is "-1", but must be a whole number from 0 to 65535'],
    [{ PORT: "80.5" }, 'PORT is "80.5", but must be a whole number from 0 to 65535'],
    [
      { QUORATE_TTL_MAX_MS: "999" },
      'QUORATE_TTL_MAX_MS is "999", but must be a whole number from 1000 to 86400000',
    ],
    [
      { QUORATE_VIEW_AGE_MS_MAX: "1000" },
      'QUORATE_VIEW_AGE_MS_MAX is "1000", but must be a whole number from 0 to 900',
    ],
    [{ QUORATE_DRAIN_MS: "10000" }, 'QUORATE_DRAIN_MS is "10000", but must be a whole number from 0 to 7500'],
    [
      { QUORATE_LOG_LEVEL: "loud" },
      'QUORATE_LOG_LEVEL is "loud", but must be one of trace, debug, info, warn, error, silent',
    ],
    [
      { QUORATE_OPERATOR_KEY: "0123456789abcde" },
      "QUORATE_OPERATOR_KEY must have 16 characters at least, and neither spaces nor any outside ASCII",
    ],
    [
      { QUORATE_OPERATOR_KEY: "a pass phrase of words" },
      "QUORATE_OPERATOR_KEY must have 16 characters at least, and neither spaces nor any outside ASCII",
    ],
    [
      { QUORATE_AUDIT: "/var/log/audit" },
      'QUORATE_AUDIT is "/var/log/audit", but must be stdout or file:PATH',
    ],
    [{ QUORATE_INSECURE: "true" }, 'QUORATE_INSECURE is "true", but must be one of 0, 1'],
    [
      { QUORATE_OPEN: "docs,api" },
      'QUORATE_OPEN has "api", but must be of metrics, docs, separated by commas',
    ],
    [{ QUORATE_AUDIT: "file:" }, 'QUORATE_AUDIT is "file:", but must be stdout or file:PATH'],
    [
      { QUORATE_JWT_ISSUER: "https://i", QUORATE_JWT_JWKS: "/jwks.json" },
      "QUORATE_JWT_AUDIENCE is not set, but must be where QUORATE_JWT_ISSUER is",
    ],
    ...[
      "http://issuer.example/jwks",
      "ftp://127.0.0.1/jwks",
      "https://",
      "http://127.0.0.1.evil.example/",
      "http:issuer.example/jwks",
    ].map((url): [Record<string, string>, string] => [
      { QUORATE_JWT_ISSUER: "i", QUORATE_JWT_AUDIENCE: "a", QUORATE_JWT_JWKS: url },
      "QUORATE_JWT_JWKS must be an https:// URL (http:// on loopback only) or the path of a file",
    ]),
    ...[
      "http://user:S3CR3T@127.0.0.1/jwks",
      "https://user@issuer.example/",
      "https::S3CR3T@issuer.example",
    ].map((url): [Record<string, string>, string] => [
      { QUORATE_JWT_ISSUER: "i", QUORATE_JWT_AUDIENCE: "a", QUORATE_JWT_JWKS: url },
      "QUORATE_JWT_JWKS must have no user and no password in its URL",
    ]),
    [{ QUORATE_EMBEDDED: "rust" }, 'QUORATE_EMBEDDED is "rust", but must be one of javascript'],
    [
      { REDIS_URLS: "redis://a,redis://b" },
      "REDIS_URLS names 2 primaries, but their number must be 1, 3, 5, 7: with an even one votes can tie",
    ],
    [
      { REDIS_URLS: Array.from({ length: 9 }, (_, i) => `redis://r${i}`).join() },
      "REDIS_URLS names 9 primaries, but their number must be 1, 3, 5, 7: with an even one votes can tie",
    ],
    [
      { REDIS_URLS: "redis://a,redis://b:6379,redis://B" },
      "REDIS_URLS, entry 3 is the same server as entry 2 (b:6379): primaries must be independent of each other",
    ],
    [
      { REDIS_URLS: "redis://a:1,redis://a:1/2,redis://b" },
      "REDIS_URLS, entry 2 is the same server as entry 1 (a:1): primaries must be independent of each other",
    ],
    [
      { REDIS_URLS: "redis://user:12#34@a" },
      "REDIS_URLS, entry 1 has a ? or # in its user or password: write it as %3F or %23",
    ],
    [
      { REDIS_URLS: "localhost:6379" },
      "REDIS_URLS, entry 1 is not a URL like redis://host:6379 or rediss://user:password@host:6380/0",
    ],
    [
      { REDIS_URLS: "redis://a,http://b,redis://c" },
      "REDIS_URLS, entry 2 is not a URL like redis://host:6379 or rediss://user:password@host:6380/0",
    ],
    [
      { REDIS_URLS: "redis://a:port" },
      "REDIS_URLS, entry 1 is not a URL like redis://host:6379 or rediss://user:password@host:6380/0",
    ],
    [{ QUORATE_TLS_CERT: "/c" }, "QUORATE_TLS_CERT is set, but QUORATE_TLS_KEY is not"],
    [{ QUORATE_TLS_KEY: "/k" }, "QUORATE_TLS_KEY is set, but QUORATE_TLS_CERT is not"],
    [{ QUORATE_TLS_CLIENT_CA: "/ca" }, "QUORATE_TLS_CLIENT_CA is set, but QUORATE_TLS_CERT is not"],
    [
      { QUORATE_TLS_CERT: "/c", QUORATE_TLS_KEY: "/k", QUORATE_TLS_CLIENT_AUTH: "require" },
      "QUORATE_TLS_CLIENT_AUTH is set, but QUORATE_TLS_CLIENT_CA is not",
    ],
    [
      {
        QUORATE_TLS_CERT: "/c",
        QUORATE_TLS_KEY: "/k",
        QUORATE_TLS_CLIENT_CA: "/ca",
        QUORATE_TLS_CLIENT_AUTH: "no",
      },
      'QUORATE_TLS_CLIENT_AUTH is "no", but must be one of require, request',
    ],
    [
      { REDIS_URLS: "rediss://a", QUORATE_REDIS_TLS_CERT: "/c" },
      "QUORATE_REDIS_TLS_CERT is set, but QUORATE_REDIS_TLS_KEY is not",
    ],
    [
      { REDIS_URLS: "redis://a", QUORATE_REDIS_TLS_CA: "/ca" },
      "QUORATE_REDIS_TLS_CA is set, but rediss:// in REDIS_URLS is not",
    ],
    [
      { REDIS_URLS: "redis://a?ca=/ca" },
      "REDIS_URLS, entry 1 has parameters after a ?, which only rediss:// has",
    ],
    [
      { REDIS_URLS: "rediss://a?enableOfflineQueue=true" },
      "REDIS_URLS, entry 1 has parameters after a ? other than ca, cert, key, servername, or an empty one",
    ],
    [
      { REDIS_URLS: "rediss://a?ca=" },
      "REDIS_URLS, entry 1 has parameters after a ? other than ca, cert, key, servername, or an empty one",
    ],
    [
      { REDIS_URLS: "rediss://a?cert=/c" },
      "REDIS_URLS, entry 1 has only one of the parameters cert and key: they belong together",
    ],
    [
      { QUORATE_TRUSTED_PROXIES: "10.0.0.0/8,10.0.0.0/33" },
      'QUORATE_TRUSTED_PROXIES has "10.0.0.0/33", which is not an address like 10.0.0.1 or 10.0.0.0/8',
    ],
    [
      { QUORATE_TRUSTED_PROXIES: "proxy" },
      'QUORATE_TRUSTED_PROXIES has "proxy", which is not an address like 10.0.0.1 or 10.0.0.0/8',
    ],
    [
      { QUORATE_PROBE_ALLOW: "10.0.0.0/8,10.0.0.0/33" },
      'QUORATE_PROBE_ALLOW has "10.0.0.0/33", which is neither like 10.0.0.1 or 10.0.0.0/8 nor like search.internal',
    ],
    [
      { QUORATE_PROBE_ALLOW: "10.0.0.0/8,http://search" },
      'QUORATE_PROBE_ALLOW has "http://search", which is neither like 10.0.0.1 or 10.0.0.0/8 nor like search.internal',
    ],
    [
      { QUORATE_PROBE_ALLOW: "search.internal" },
      "QUORATE_PROBE_ALLOW has no block like 10.0.0.0/8: the addresses of its hosts must be in one",
    ],
    [
      { QUORATE_HOOK_ALLOW: "https://pager.internal" },
      'QUORATE_HOOK_ALLOW has "https://pager.internal", which is neither like 10.0.0.1 or 10.0.0.0/8 nor like search.internal',
      "QUORATE_HOOK_ALLOW has no block like 10.0.0.0/8: the addresses of its hosts must be in one",
    ],
    [
      { QUORATE_METRICS_PREFIXES: "orders-,a b,/x" },
      'QUORATE_METRICS_PREFIXES has "a b", which is not like orders- or team-a/orders-',
      'QUORATE_METRICS_PREFIXES has "/x", which is not like orders- or team-a/orders-',
    ],
    [
      { QUORATE_METRICS_PREFIXES: Array.from({ length: 21 }, (_, i) => `p${i}`).join(",") },
      "QUORATE_METRICS_PREFIXES has 21 entries, but may have 20",
    ],
    [{ REDIS_URLS: "redis://a/db0" }, "REDIS_URLS, entry 1 ends in a path that is not a database number"],
  ])("%o", (env, ...lines) => {
    expect(mistakesOf(env)).toEqual(lines);
  });

  test("a setting that there is not, with those that there are", () => {
    const [line, ...more] = mistakesOf({ QUORATE_TTL_MAX: "1000" });
    expect(more).toEqual([]);
    expect(line).toMatch(/^QUORATE_TTL_MAX is not a setting; known are .*QUORATE_TTL_MAX_MS/);
  });

  test.each(["QUORATE_SERVICES", "QUORATE_SERVICE", "QUORATE_PORTS", "QUORATE_URLS", "QUORATE_KEYS"])(
    "%s, which only looks like one that is ignored",
    (name) => {
      expect(mistakesOf({ [name]: "tcp://10.96.0.7:8080" })).toEqual([
        expect.stringContaining(`${name} is not a setting`),
      ]);
    },
  );

  test("each mistake, when there are several", () => {
    const mistakes = mistakesOf({
      PORT: "x",
      QUORATE_DRAIN_MS: "y",
      QUORATE_Z: "z",
      REDIS_URLS: "a,redis://b",
    });
    for (const about of [
      "PORT is",
      "QUORATE_DRAIN_MS is",
      "QUORATE_Z is",
      "entry 1 is",
      "names 2 primaries",
    ]) {
      expect(mistakes.filter((line) => line.includes(about))).toHaveLength(1);
    }
    expect(mistakes).toHaveLength(5);
    for (const line of mistakes) expect(line).not.toContain("\n");
  });
});

describe("the settings are the same in", () => {
  const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
  const names = [...SETTING_NAMES.keys()].sort();
  /** As the environment would have to say it. */
  const defaultOf = (name: string): string => {
    const value = readConfig({})[SETTING_NAMES.get(name) as keyof Config];
    return value === undefined ? "" : String(value);
  };
  const withDefaults = names.map((name) => [name, defaultOf(name)]);

  test("the table of docs/settings.md, with their defaults", () => {
    const rows = read("docs/settings.md").matchAll(/^\| `([A-Z_]+)` +\| (?:`(.*?)`)? +\|/gm);
    expect([...rows].map(([, name, fallback = ""]) => [name, fallback]).sort()).toEqual(withDefaults);
  });

  test(".env.example, with their defaults", () => {
    const lines = read(".env.example").matchAll(/^(?:# )?([A-Z_]+)=(.*)$/gm);
    expect([...lines].map(([, name, fallback]) => [name, fallback]).sort()).toEqual(withDefaults);
  });

  test.each(["docker-compose.yml", "Dockerfile", "deploy/quorate.service"])(
    "%s, as far as it names them",
    (file) => {
      const named = [...read(file).matchAll(/\b(?:QUORATE_[A-Z_]+|REDIS_URLS?|HOST|PORT)\b/g)].map(
        ([name]) => name,
      );
      expect(named.length).toBeGreaterThan(0);
      expect(names).toEqual(expect.arrayContaining(named));
    },
  );

  test("the documents, as far as they name them", () => {
    // Not settings of the service, and said to be none.
    const others = /^QUORATE_(URL|KEY|KEY_FILE|NAMESPACE|NAME|FENCING_TOKEN|MEMBER_ID|PORT|PORT_|SERVICE_)$/;
    const unknown = [
      "README.md",
      "docs/settings.md",
      "docs/api.md",
      "docs/cookbook.md",
      "docs/operating.md",
      "docs/guarantees.md",
      "docs/limits.md",
      "docs/architecture.md",
      "docs/access.md",
    ]
      .flatMap((file) => [...read(file).matchAll(/\bQUORATE_[A-Z_]+/g)].map(([name]) => name))
      .filter((name) => !SETTING_NAMES.has(name) && !others.test(name));
    expect(unknown).toEqual([]);
  });
});

describe("a password", () => {
  const password = fc
    .stringMatching(/^[A-Za-z0-9!$%^*()_+~.;=@/?#:-]{6,20}$/)
    .map((text) => `${text}-s3cret`);
  const shapes = [
    (secret: string) => `redis://user:${secret}@host:6379/db`,
    (secret: string) => `redis://:${secret}@host:port`,
    (secret: string) => `redis://${secret}@host:6379/x`,
    (secret: string) => `redis://user:12/${secret}@host:6379`,
    (secret: string) => `http://user:${secret}@host`,
    (secret: string) => `user:${secret}@host`,
    (secret: string) => secret,
    (secret: string) =>
      `redis://user:${encodeURIComponent(secret)}@host:6379,redis://user:${encodeURIComponent(secret)}@host`,
  ];

  test("is never repeated, whatever is wrong with its URL", () => {
    fc.assert(
      fc.property(password, fc.constantFrom(...shapes), (secret, shape) => {
        const told = mistakesOf({ REDIS_URLS: shape(secret) }).join("\n");
        expect(told).not.toContain("s3cret");
        expect(told).not.toContain(encodeURIComponent(secret));
      }),
      { numRuns: 500 },
    );
  });

  test("is not part of an address", () => {
    expect(addressOf("rediss://user:s3cret@Cache.example:6380/2")).toBe("cache.example:6380");
    expect(addressOf("redis://:s3cret@10.0.0.1")).toBe("10.0.0.1:6379");
    expect(addressOf("rediss://a:1?ca=/s3cret&servername=x")).toBe("a:1");
    expect(addressOf("redis://[::1]")).toBe("[::1]:6379");
  });
});
