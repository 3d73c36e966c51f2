import { createHmac } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Grant } from "../../../src/access/grants.js";
import { digestOf } from "../../../src/access/key-ring.js";
import { accessBy, bearer, EVERYTHING, secretOf, type TestAccess } from "../../helpers/access.js";
import { authority, hasOpenssl } from "../../helpers/certificates.js";
import { readEvents } from "../../helpers/events.js";
import type { SharedPrimaries } from "../../helpers/primaries.js";
import { freshName, type Instance, startInstance, startOffline, until } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";
import { send } from "../../helpers/wire.js";

const ISSUER = "https://issuer.example";
const JWT = { issuer: ISSUER, audience: "quorate", claim: "quorate", keySet: `${ISSUER}/jwks` };
const READ: Grant = { namespace: "*", kinds: ["*"], names: ["*"], actions: ["read"] };
const base64 = (value: string) => Buffer.from(value).toString("base64url");

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;
let issuer: Pair;
let stranger: Pair;
let keyed: TestAccess;
let instance: Instance;
let url: string;
let primaries: SharedPrimaries;
beforeAll(async () => {
  [issuer, stranger] = (await Promise.all(
    [1, 2].map(() => generateKeyPair("ES256", { extractable: true })),
  )) as [Pair, Pair];
  const keys = [{ ...(await exportJWK(issuer.publicKey)), kid: "1", alg: "ES256" }];
  const fetch = async () => new Response(JSON.stringify({ keys }));
  keyed = await accessBy({ ops: [EVERYTHING] }, { jwt: JWT }, { fetch });
  instance = await startOffline({ world: { access: keyed.access } });
  url = await instance.url();
  primaries = await sharedPrimaries();
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
  keyed[Symbol.dispose]();
});

const ask = (authorization?: string, base = url) =>
  send(base, {
    method: "GET",
    path: "/v1/primaries",
    headers: authorization === undefined ? {} : { authorization },
  });

const nowS = () => Math.floor(Date.now() / 1_000);
const sign = (claims: Record<string, unknown> = {}, key = issuer, header = {}) =>
  new SignJWT({ iss: ISSUER, aud: "quorate", sub: "alice", exp: nowS() + 600, quorate: [READ], ...claims })
    .setProtectedHeader({ alg: "ES256", kid: "1", ...header })
    .sign(key.privateKey);

const unsigned = (header: object) =>
  `${base64(JSON.stringify(header))}.${base64(JSON.stringify({ iss: ISSUER, aud: "quorate", sub: "x", exp: nowS() + 600, quorate: [READ] }))}`;

describe("a request is unauthenticated", () => {
  test("without a credential", async () => {
    const { status, body, headers } = await ask();
    expect([status, body.code, headers.get("www-authenticate")]).toEqual([401, "unauthenticated", "Bearer"]);
    expect(headers.get("content-type")).toBe("application/problem+json");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(body.requestId).toMatch(/\w/);
  });

  const key = secretOf("ops");
  const wrong: [string, () => Promise<string> | string][] = [
    ["an unknown key", () => "Bearer quorate_unknown"],
    ["a part of a key", () => `Bearer ${key.slice(0, -1)}`],
    ["a key and more", () => `Bearer ${key}x`],
    ["a key in other letters", () => `Bearer ${key.toUpperCase()}`],
    ["two keys", () => `Bearer ${key} ${key}`],
    ["two schemes", () => `Bearer x, Bearer ${key}`],
    ["the digest of a key", () => `Bearer ${digestOf(key)}`],
    ["the id of a key", () => "Bearer ops"],
    ["a key without a scheme", () => key],
    ["a key with another scheme", () => `Basic ${base64(`ops:${key}`)}`],
    ["a scheme without a key", () => "Bearer"],
    ["nothing in the header", () => ""],
    ["a tab for the space", () => `Bearer\t${key}`],
    ["something that looks like a JWT", () => "Bearer a.b.c"],
    ["a JWT that has expired", async () => `Bearer ${await sign({ exp: nowS() - 31 })}`],
    ["a JWT that never expires", async () => `Bearer ${await sign({ exp: undefined })}`],
    ["a JWT that is not valid yet", async () => `Bearer ${await sign({ nbf: nowS() + 60 })}`],
    ["a JWT for another audience", async () => `Bearer ${await sign({ aud: "other" })}`],
    ["a JWT of another issuer", async () => `Bearer ${await sign({ iss: "https://evil.example" })}`],
    ["a JWT without grants", async () => `Bearer ${await sign({ quorate: undefined })}`],
    ["a JWT that a stranger signed", async () => `Bearer ${await sign({}, stranger)}`],
    [
      "a JWT with a key of its own",
      async () => `Bearer ${await sign({}, stranger, { jwk: await exportJWK(stranger.publicKey) })}`,
    ],
    ["a JWT of an unknown key", async () => `Bearer ${await sign({}, issuer, { kid: "2" })}`],
    ["a JWT without a signature (alg: none)", () => `Bearer ${unsigned({ alg: "none" })}.`],
    [
      "a JWT whose public key is taken for a secret (key confusion)",
      async () => {
        const body = unsigned({ alg: "HS256", kid: "1" });
        const secret = await exportSPKI(issuer.publicKey);
        return `Bearer ${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
      },
    ],
    [
      "a JWT that was changed",
      async () => `Bearer ${(await sign()).replace(/\.[^.]+\./, `.${base64('{"sub":"root"}')}.`)}`,
    ],
  ];
  test.each(wrong)("with %s", async (_, authorization) => {
    const { status, body, headers } = await ask(await authorization());
    expect([status, body.code]).toEqual([401, "unauthenticated"]);
    expect(headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
    // Why would help to guess.
    expect(body.detail).toBe("The key, token or certificate of this request is not valid.");
  });

  test("but not with a key, or a JWT that is all right", async () => {
    for (const authorization of [`Bearer ${key}`, `bearer ${key}`, `Bearer ${await sign()}`])
      expect((await ask(authorization)).status).toBe(200);
  });

  test("and is not where the keys of the issuer cannot be had: then it is 503, and comes back later", async () => {
    const fetch = () => Promise.reject(new Error("not reachable"));
    using unreadable = await accessBy({ ops: [EVERYTHING] }, { jwt: JWT }, { fetch });
    await using blind = await startOffline({ world: { access: unreadable.access } });
    const base = await blind.url();
    const { status, body, headers } = await ask(`Bearer ${await sign()}`, base);
    expect([status, body.code]).toEqual([503, "authentication_unavailable"]);
    expect(headers.get("retry-after")).toBe("5");
    expect((await ask(`Bearer ${key}`, base)).status).toBe(200);
    expect((await ask("Bearer wrong", base)).status).toBe(401);
  });
});

describe("a key that is changed while it is used", () => {
  const started = async (grants: readonly Grant[] = [EVERYTHING]) => {
    const changing = await accessBy({ a: grants });
    const changed = await startInstance(primaries.urls, { world: { access: changing.access } });
    return { changing, changed, base: await changed.url() };
  };

  test("is refused from then on, on a connection that stays open too; its successor is not", async () => {
    const { changing, changed, base } = await started();
    await using _ = changed;
    expect((await ask(`Bearer ${secretOf("a")}`, base)).status).toBe(200);
    await changing.replace({ b: [EVERYTHING] });
    expect((await ask(`Bearer ${secretOf("a")}`, base)).status).toBe(401);
    expect((await ask(`Bearer ${secretOf("b")}`, base)).status).toBe(200);
  });

  test.each([
    ["revoked", {}],
    ["narrowed to other names", { a: [{ ...EVERYTHING, names: ["else"] }] }],
    ["narrowed to other actions", { a: [{ ...EVERYTHING, actions: ["use"] as const }] }],
  ])("ends the streams that it has when it is %s", async (_, next) => {
    const { changing, changed, base } = await started();
    await using _instance = changed;
    using events = await readEvents(`${base}/v1/elections/${freshName()}/events`, bearer("a"));
    await events.at(0);
    await changing.replace(next);
    await until(() => events.ended(), "the stream ends", 3_000);
  });

  test("keeps its streams where it may still read what they show", async () => {
    const { changing, changed, base } = await started();
    await using _instance = changed;
    const name = freshName();
    using events = await readEvents(`${base}/v1/elections/${name}/events`, bearer("a"));
    await events.at(0);
    await changing.replace({ a: [{ ...EVERYTHING, names: [name], actions: ["read"] }] });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(events.ended()).toBe(false);
  });

  test.each([
    ["revoked", {}, 401],
    ["narrowed", { a: [{ ...EVERYTHING, names: ["else"] }] }, 403],
  ])("ends a blocking read when it is %s", async (_, next, status) => {
    const { changing, changed, base } = await started();
    await using _instance = changed;
    const path = `/v1/elections/${freshName()}`;
    const first = await send(base, { method: "GET", path, headers: bearer("a") });
    const etag = first.headers.get("etag") ?? "";
    const waiting = send(base, {
      method: "GET",
      path: `${path}?waitMs=20000`,
      headers: { ...bearer("a"), "if-none-match": etag },
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await changing.replace(next);
    const beganMs = performance.now();
    expect((await waiting).status).toBe(status);
    expect(performance.now() - beganMs).toBeLessThan(3_000);
  });
});

describe("a foreign web page", () => {
  test("is refused with a valid key as well, and no answer invites one (CORS)", async () => {
    const headers = { ...bearer("ops"), origin: "https://evil.example" };
    for (const method of ["GET", "POST", "OPTIONS"]) {
      const answer = await send(url, { method, path: "/v1/locks/a", headers });
      expect([answer.status, answer.body.code]).toEqual([403, "forbidden"]);
      expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
    }
    const own = await send(url, {
      method: "GET",
      path: "/v1/primaries",
      headers: { ...bearer("ops"), origin: url },
    });
    expect(own.status).toBe(200);
    expect([...own.headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
  });
});

describe.skipIf(!hasOpenssl)("a client certificate", () => {
  test("is the key that lists its name; others are not, and a wrong key beside it is refused", async () => {
    const dir = await mkdtemp(join(tmpdir(), "quorate-access-"));
    const [servers, clients] = await Promise.all([authority("servers"), authority("clients")]);
    const [server, known, unknown] = await Promise.all([
      servers.issue("server"),
      clients.issue("orders", { san: "URI:spiffe://example/orders" }),
      clients.issue("other"),
    ]);
    const file = (name: string) => join(dir, name);
    await Promise.all([
      writeFile(file("cert"), server.cert),
      writeFile(file("key"), server.key),
      writeFile(file("ca"), clients.cert),
    ]);
    const text = JSON.stringify({
      keys: [{ id: "orders", certificates: ["URI:spiffe://example/orders"], grants: [READ] }],
    });
    const files = { signature: async () => "", read: async () => text };
    using certified = await accessBy({}, {}, { files });
    await using secure = await startOffline({
      world: { access: certified.access },
      env: {
        QUORATE_TLS_CERT: file("cert"),
        QUORATE_TLS_KEY: file("key"),
        QUORATE_TLS_CLIENT_CA: file("ca"),
        QUORATE_TLS_CLIENT_AUTH: "request",
      },
    });
    const base = await secure.url();
    const status = (issued: { cert: string; key: string } | null, headers = {}) =>
      new Promise<number>((resolve, reject) => {
        const agent = new Agent({
          ...issued,
          ca: servers.cert,
          checkServerIdentity: () => undefined,
          keepAlive: true,
        });
        const get = (left: number) =>
          request(`${base}/v1/primaries`, { agent, headers }, (response) => {
            response.resume().on("end", () => {
              // The second comes on the same connection, whose certificate is known by then.
              if (left > 0) get(left - 1);
              else {
                agent.destroy();
                resolve(response.statusCode ?? 0);
              }
            });
          })
            .on("error", reject)
            .end();
        get(1);
      });
    expect(await status(known)).toBe(200);
    expect(await status(unknown)).toBe(401);
    expect(await status(null)).toBe(401);
    expect(await status(known, { authorization: "Bearer wrong" })).toBe(401);
    await rm(dir, { recursive: true });
  });
});
