/**
 * What it costs to know who makes a request and what they may do: 1,000 keys with 20 grants each. Each figure is the median
 * of the rounds, in us of
 * processor time per call; all run in turn within each round.
 *   npx tsx bench/studies/access.ts [--keys 1000] [--grants 20] [--rounds 15]
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { stringify } from "yaml";
import { Access } from "../../src/access/access.js";
import { Audit } from "../../src/access/audit.js";
import { AuditFile } from "../../src/access/audit-file.js";
import type { Grant, Need } from "../../src/access/grants.js";
import { digestOf, KeyRing } from "../../src/access/key-ring.js";
import { readKeysFile } from "../../src/access/keys-file.js";
import { Rates } from "../../src/access/rates.js";
import { systemClock } from "../../src/clock.js";
import { median } from "../comparison/statistics.js";

const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "1000" },
    grants: { type: "string", default: "20" },
    rounds: { type: "string", default: "15" },
  },
});
const KEYS = Number(values.keys);
const GRANTS = Number(values.grants);
const CALLS = 20_000;
const log = {
  info: () => {},
  error: (...line: unknown[]) => process.stderr.write(`${JSON.stringify(line)}\n`),
};

/** The grants of a key; the last one has what the checks below ask for. */
function grantsOf(key: number): Grant[] {
  return Array.from({ length: GRANTS }, (_, i) => ({
    namespace: i === GRANTS - 1 ? "team" : `team-${key}-${i}*`,
    kinds: ["locks", "semaphores", "members"],
    names: [`orders-${i}-*`, `search-${i}`, `billing-*-${i}`],
    actions: ["read", "use"],
  }));
}

const secretOf = (key: number): string => `quorate_${String(key).padStart(43, "k")}`;
const content = {
  keys: Array.from({ length: KEYS }, (_, key) => ({
    id: `team-${key}`,
    sha256: [digestOf(secretOf(key))],
    grants: grantsOf(key),
  })),
};
const asJson = JSON.stringify(content);
const asYaml = stringify(content);

/** An issuer, and a token of it. */
async function issuer() {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "1", alg: "ES256" }] });
  const sign = (sub: string) =>
    new SignJWT({ iss: "issuer", aud: "quorate", sub, grants: grantsOf(0) })
      .setProtectedHeader({ alg: "ES256", kid: "1" })
      .setExpirationTime("1h")
      .sign(privateKey);
  return { jwks, sign };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function needOf(names: number): Need {
  const last = GRANTS - 1;
  return {
    namespace: "team",
    kind: "locks",
    names: Array.from({ length: names }, (_, i) => `billing-${i}-${last}`),
    action: "use",
  };
}

/** Us of processor time per call. */
function timed(call: (i: number) => void): number {
  const before = process.cpuUsage();
  for (let i = 0; i < CALLS; i++) call(i);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / CALLS;
}

/** Watches the event loop; the returned function tells how long it did not turn at most, in ms. */
function longestPause(): () => number {
  let lastMs = systemClock.monotonicMs();
  let longestMs = 0;
  const look = () => {
    const nowMs = systemClock.monotonicMs();
    longestMs = Math.max(longestMs, nowMs - lastMs);
    lastMs = nowMs;
  };
  const timer = setInterval(look, 2);
  return () => {
    clearInterval(timer);
    look();
    return longestMs;
  };
}

async function loading(): Promise<void> {
  for (const [format, text] of [
    ["JSON", asJson],
    ["YAML", asYaml],
  ] as const) {
    const startMs = systemClock.monotonicMs();
    const longest = longestPause();
    const file = await readKeysFile(
      `keys.${format}`,
      text,
      () => new Promise((done) => systemClock.soon(done)),
    );
    if (file.kind === "refused") throw new Error(file.mistakes.join("\n"));
    const readMs = systemClock.monotonicMs() - startMs;
    const ring = new KeyRing(file.keys);
    print(
      `${format} of ${(text.length / 1e6).toFixed(1)} MB, ${ring.size} keys: read in ${readMs.toFixed(0)} ms, in which the event loop stood still for ${longest().toFixed(0)} ms at most`,
    );
  }
}

const dir = await mkdtemp(join(tmpdir(), "quorate-access-"));
try {
  print(`Node ${process.versions.node}; ${KEYS} keys with ${GRANTS} grants each`);
  await loading();
  const { jwks, sign } = await issuer();
  await writeFile(join(dir, "keys.json"), asJson);
  await writeFile(join(dir, "jwks.json"), jwks);
  const access = new Access(
    {
      keysFile: join(dir, "keys.json"),
      jwt: { issuer: "issuer", audience: "quorate", claim: "grants", keySet: join(dir, "jwks.json") },
    },
    { clock: systemClock, log },
  );
  await access.start();
  const authorizations = Array.from({ length: KEYS }, (_, key) => `Bearer ${secretOf(key)}`);
  const token = `Bearer ${await sign("alice")}`;
  await access.authenticate({ authorization: token });
  const rates = new Rates(systemClock);
  const file = new AuditFile(join(dir, "audit.jsonl"), systemClock, log, 64 * 1024 * 1024);
  const audit = new Audit(file, systemClock, log);
  const [one, ten] = [needOf(1), needOf(10)];

  /** Throws where the check does not allow what it must. */
  const check = (authorization: string | undefined, need: Need | undefined): void => {
    const authentication = access.authenticate({ authorization });
    if (authentication instanceof Promise) throw new Error("not at once");
    if (authentication.kind !== "authenticated") throw new Error(authentication.reason);
    if (need && authentication.principal.grants.missing(need)) throw new Error("not granted");
  };
  const calls: Record<string, (i: number) => void> = {
    "key: who it is": (i) => check(authorizations[i % KEYS], undefined),
    "key and grants, 1 name": (i) => check(authorizations[i % KEYS], one),
    "key and grants, 10 names": (i) => check(authorizations[i % KEYS], ten),
    "JWT that was verified, 1 name": () => check(token, one),
    "rate of a key": (i) => rates.take(`team-${i % KEYS}`, "team", { requestsPerSecond: 1_000_000 }),
    "rate, a flood of new keys": (i) => rates.take(`flood-${i}`, "team", { requestsPerSecond: 1 }),
    "a line of the audit": (i) =>
      audit.record({
        keyId: "team-1",
        namespace: "team",
        what: "locks.acquire",
        names: one.names,
        outcome: "granted",
        token: i,
        requestId: "0123456789abcdef",
        address: "10.0.0.7",
      }),
  };
  const us = new Map(Object.keys(calls).map((name) => [name, [] as number[]]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [name, call] of Object.entries(calls)) us.get(name)?.push(timed(call));
    await file.flush();
  }
  for (const [name, all] of us) print(`${name}: ${median(all).toFixed(2)} us`);
  const tokens = await Promise.all(Array.from({ length: 200 }, (_, i) => sign(`s${i}`)));
  const startMs = systemClock.monotonicMs();
  for (const each of tokens) await access.authenticate({ authorization: `Bearer ${each}` });
  const perTokenUs = ((systemClock.monotonicMs() - startMs) * 1_000) / tokens.length;
  print(`JWT that is new (ES256), one after another: ${perTokenUs.toFixed(0)} us`);
  print(`audit: ${audit.recorded} lines recorded, ${audit.dropped} dropped`);
  access.close();
} finally {
  await rm(dir, { recursive: true });
}
