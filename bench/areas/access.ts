import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { authority, hasOpenssl } from "../../test/helpers/certificates.js";
import { times } from "../comparison/rounds.js";
import type { Cleanup } from "../machine/cleanup.js";
import { startRedis, untilReady } from "../machine/deployment.js";
import { startInstanceProcess } from "../machine/process.js";
import { type Area, type Bench, NOW } from "./area.js";
import { byLoad, closed } from "./contenders.js";

/** What it costs to know the client, and to encrypt: the same service with each, against without. */
export const access: Area = {
  name: "access",
  about: "acquire and release by 64 clients, with keys, JWTs and TLS, against without",
  prepare: async (bench, cleanup) => {
    const urls = await startRedis(3, "off", cleanup);
    const contenders = [];
    for (const { id, label, env, authorization } of await ways(bench, cleanup)) {
      const instance = cleanup.add(
        await startInstanceProcess({
          REDIS_URLS: urls.join(","),
          QUORATE_KEY_PREFIX: `${id}:`,
          QUORATE_COMMAND_TIMEOUT_MS: "1000",
          ...env,
        }),
      );
      const { url } = instance;
      await untilReady(url);
      const job = closed({ kind: "locks", url, ...(authorization && { authorization }) }, 64);
      contenders.push(byLoad(bench, { id, label }, job, instance));
    }
    return {
      settings: [
        "64 clients, connections kept alive",
        "three primaries without persistence",
        `${KEYS.toLocaleString("en")} keys with ${GRANTS} grants each; a JWT that is verified already (ES256)`,
        "TLS 1.3, of which the load generator pays its side on the same cores",
      ],
      contenders,
      figures: WAYS.flatMap(([id, name, atLeast]) => [
        times(`throughput with ${name} against without`, "perSecond", [id, NOW], { atLeast }),
        times("processor time of the service per pair", "cpuMicros", [id, NOW]),
      ]),
    };
  },
};

const WAYS = [
  ["keys", "keys", 0.95],
  ["jwt", "JWTs", 0.95],
  ["tls", "TLS", 0.8],
] as const;

/** One way to run the service. */
interface Way {
  readonly id: string;
  readonly label: string;
  readonly env: Record<string, string>;
  readonly authorization?: string;
}

async function ways(bench: Bench, cleanup: Cleanup): Promise<Way[]> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-bench-access-"));
  cleanup.add({ [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) });
  const write = async (name: string, text: string) => {
    const path = join(dir, name);
    await writeFile(path, text);
    return path;
  };
  const token = await signed();
  const all: Way[] = [
    { id: NOW, label: "this service", env: {} },
    {
      id: "keys",
      label: "with keys",
      env: { QUORATE_KEYS_FILE: await write("keys.json", keysFile()) },
      authorization: `Bearer ${secretOf(KEYS - 1)}`,
    },
    {
      id: "jwt",
      label: "with JWTs",
      env: {
        QUORATE_JWT_ISSUER: "https://issuer.example",
        QUORATE_JWT_AUDIENCE: "quorate",
        QUORATE_JWT_JWKS: await write("jwks.json", token.jwks),
      },
      authorization: `Bearer ${token.jwt}`,
    },
  ];
  if (!hasOpenssl) {
    bench.missing("there is no openssl to make a certificate with: apt-get install openssl");
    return all;
  }
  const { cert, key } = await (await authority("bench")).issue("localhost");
  const env = {
    QUORATE_TLS_CERT: await write("tls.crt", cert),
    QUORATE_TLS_KEY: await write("tls.key", key),
  };
  return [...all, { id: "tls", label: "with TLS", env }];
}

const secretOf = (key: number): string => `quorate_${String(key).padStart(43, "k")}`;

/** The last of each key's grants allows what the load does. */
function grants(key: number): object[] {
  return Array.from({ length: GRANTS }, (_, i) => ({
    namespace: i === GRANTS - 1 ? "default" : `team-${key}-${i}`,
    kinds: ["locks", "members"],
    names: [`orders-${i}-*`, `search-${i}`, "bench-*"],
    actions: ["read", "use"],
  }));
}

function keysFile(): string {
  const keys = Array.from({ length: KEYS }, (_, key) => ({
    id: `team-${key}`,
    sha256: [createHash("sha256").update(secretOf(key)).digest("hex")],
    grants: grants(key),
  }));
  return JSON.stringify({ keys });
}

async function signed(): Promise<{ readonly jwks: string; readonly jwt: string }> {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "1", alg: "ES256" }] });
  const jwt = await new SignJWT({ quorate: grants(0) })
    .setProtectedHeader({ alg: "ES256", kid: "1" })
    .setIssuer("https://issuer.example")
    .setAudience("quorate")
    .setSubject("bench")
    .setExpirationTime("12h")
    .sign(privateKey);
  return { jwks, jwt };
}

const KEYS = 1_000;
const GRANTS = 20;
