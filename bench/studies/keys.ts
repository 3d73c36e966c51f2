/**
 * The cost of keys, or of JWTs that are verified already, per acquire and release: `two-instances.ts`, of which one has 1,000
 * keys with 20 grants each.
 *   npx tsx bench/studies/keys.ts [--with keys|jwts] [--what locks|probes] [--seconds 1.5] [--rounds 20] [--clients 32]
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { Grant } from "../../src/access/grants.js";
import { digestOf } from "../../src/access/key-ring.js";
import { COMPARISON_OPTIONS, compareInstances, optionsOf } from "./two-instances.js";

const KEYS = 1_000;
const GRANTS = 20;

/** The last one is what the requests need. */
function grantsOf(key: number): Grant[] {
  return Array.from({ length: GRANTS }, (_, i) => ({
    namespace: i === GRANTS - 1 ? "default" : `team-${key}-${i}*`,
    kinds: ["locks", "semaphores", "members"],
    names: [`orders-${i}-*`, `search-${i}`, "keyed-*"],
    actions: ["read", "use"],
  }));
}

const secretOf = (key: number): string => `quorate_${String(key).padStart(43, "k")}`;

const { values } = parseArgs({
  options: { ...COMPARISON_OPTIONS, with: { type: "string", default: "keys" } },
});
const dir = await mkdtemp(join(tmpdir(), "quorate-keys-"));
try {
  const keys = Array.from({ length: KEYS }, (_, key) => ({
    id: `team-${key}`,
    sha256: [digestOf(secretOf(key))],
    grants: grantsOf(key),
  }));
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "1", alg: "ES256" }] };
  await writeFile(join(dir, "keys.json"), JSON.stringify({ keys }));
  await writeFile(join(dir, "jwks.json"), JSON.stringify(jwks));
  const jwt = await new SignJWT({ iss: "issuer", aud: "quorate", sub: "alice", quorate: grantsOf(0) })
    .setProtectedHeader({ alg: "ES256", kid: "1" })
    .setExpirationTime("1h")
    .sign(privateKey);
  const env = {
    QUORATE_KEYS_FILE: join(dir, "keys.json"),
    QUORATE_JWT_ISSUER: "issuer",
    QUORATE_JWT_AUDIENCE: "quorate",
    QUORATE_JWT_JWKS: join(dir, "jwks.json"),
  };
  const headers = `Authorization: Bearer ${values.with === "jwts" ? jwt : secretOf(KEYS / 2)}\r\n`;
  await compareInstances({ name: "open", env: {} }, { name: "keyed", env, headers }, optionsOf(values));
} finally {
  await rm(dir, { recursive: true });
}
