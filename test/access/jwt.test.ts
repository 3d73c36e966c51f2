import { createHmac } from "node:crypto";
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { Access, type Authentication } from "../../src/access/access.js";
import type { Fetch } from "../../src/access/key-set.js";
import { FakeClock } from "../helpers/fake-clock.js";

const ISSUER = "https://issuer.example";
const GRANTS = [{ namespace: "a", kinds: ["locks"], names: ["orders-*"], actions: ["use"] }];

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;
let first: Pair;
let second: Pair;
let stranger: Pair;

beforeAll(async () => {
  [first, second, stranger] = (await Promise.all(
    [1, 2, 3].map(() => generateKeyPair("ES256", { extractable: true })),
  )) as [Pair, Pair, Pair];
});

async function jwksOf(...pairs: readonly (readonly [string, Pair])[]): Promise<string> {
  const keys = pairs.map(async ([kid, { publicKey }]) => ({
    ...(await exportJWK(publicKey)),
    kid,
    alg: "ES256",
  }));
  return JSON.stringify({ keys: await Promise.all(keys) });
}

/** A token that lasts for an hour from the beginning of the fake clock. */
function sign(
  claims: { [claim: string]: unknown },
  { key = first, kid = "1" }: { key?: Pair; kid?: string | null } = {},
): Promise<string> {
  return new SignJWT({ iss: ISSUER, aud: "quorate", sub: "alice", exp: 3_600, grants: GRANTS, ...claims })
    .setProtectedHeader({ alg: "ES256", ...(kid !== null && { kid }) })
    .sign(key.privateKey);
}

async function setUp(source = "https://issuer.example/jwks") {
  const clock = new FakeClock();
  const issuer = { jwks: await jwksOf(["1", first]), failing: false, fetched: 0 };
  const lines: string[] = [];
  const tell = (fields: unknown, message?: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const answer: Fetch = async () => {
    issuer.fetched++;
    if (issuer.failing) throw new Error("connect ECONNREFUSED");
    return new Response(issuer.jwks);
  };
  const access = new Access(
    { jwt: { issuer: ISSUER, audience: "quorate", claim: "grants", keySet: source } },
    {
      clock,
      log: { info: tell, error: tell },
      fetch: answer,
      files: { signature: async () => issuer.jwks, read: async () => issuer.jwks },
    },
  );
  const judge = (token: string): Authentication | Promise<Authentication> =>
    access.authenticate({ authorization: `Bearer ${token}` });
  return { access, clock, issuer, lines, judge };
}

async function started(source?: string) {
  const all = await setUp(source);
  await all.access.start();
  return all;
}

const base64 = (text: string) => Buffer.from(text).toString("base64url");

describe("a JWT", () => {
  test("of the issuer is its subject, with the grants of its claim", async () => {
    const { judge } = await started();
    const authentication = await judge(await sign({}));
    if (authentication.kind !== "authenticated") throw new Error(JSON.stringify(authentication));
    const { id, grants } = authentication.principal;
    expect(id).toBe("jwt:alice");
    const need = { namespace: "a", kind: "locks", action: "use" } as const;
    expect(grants.missing({ ...need, names: ["orders-1"] })).toBeUndefined();
    expect(grants.missing({ ...need, names: ["billing"] })).toBeDefined();
  });

  const wrong: [string, () => Promise<string> | string, RegExp][] = [
    ["has expired", () => sign({ exp: -31 }), /expired/],
    ["is not valid yet", () => sign({ nbf: 31 }), /its nbf/],
    ["never expires", () => sign({ exp: undefined }), /its exp/],
    ["is for another audience", () => sign({ aud: "other" }), /its aud/],
    ["is for nobody", () => sign({ aud: undefined }), /its aud/],
    ["is of another issuer", () => sign({ iss: `${ISSUER}/` }), /its iss/],
    ["has no subject", () => sign({ sub: undefined }), /its sub/],
    ["has a subject of several lines", () => sign({ sub: "alice\nbob" }), /sub is not a plain text/],
    ["has a subject that is an object", () => sign({ sub: { a: 1 } }), /sub/],
    ["has no grants", () => sign({ grants: undefined }), /grants must be a list of grants/],
    [
      "has grants in another shape",
      () => sign({ grants: [{ ...GRANTS[0], kinds: ["all"] }] }),
      /grants\.0\.kinds\.0 must be one of/,
    ],
    ["is signed by a stranger", () => sign({}, { key: stranger }), /ERR_JWS_SIGNATURE_VERIFICATION_FAILED/],
    ["names a key that there is not", () => sign({}, { kid: "9" }), /no key of the JWKS/],
    [
      "was changed",
      async () => (await sign({})).replace(/\.[^.]+\./, `.${base64('{"sub":"root"}')}.`),
      /SIGNATURE/,
    ],
    [
      "is not signed (alg: none)",
      () =>
        `${base64('{"alg":"none"}')}.${base64(JSON.stringify({ iss: ISSUER, aud: "quorate", sub: "x", exp: 9e9, grants: GRANTS }))}.`,
      /ERR_JOSE_ALG_NOT_ALLOWED/,
    ],
    [
      "is signed by HMAC with the public key (key confusion)",
      async () => {
        const body = `${base64('{"alg":"HS256","kid":"1"}')}.${base64(JSON.stringify({ iss: ISSUER, aud: "quorate", sub: "x", exp: 9e9, grants: GRANTS }))}`;
        const secret = await exportSPKI(first.publicKey);
        return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
      },
      /ERR_JOSE_ALG_NOT_ALLOWED/,
    ],
    [
      "brings its own key",
      async () => {
        const jwk = await exportJWK(stranger.publicKey);
        return new SignJWT({ iss: ISSUER, aud: "quorate", sub: "x", exp: 3_600, grants: GRANTS })
          .setProtectedHeader({ alg: "ES256", kid: "1", jwk })
          .sign(stranger.privateKey);
      },
      /SIGNATURE/,
    ],
    [
      "says something critical that we do not know",
      async () => `${base64('{"alg":"ES256","kid":"1","crit":["x"],"x":1}')}.e30.AA`,
      /ERR_JOSE_NOT_SUPPORTED/,
    ],
    ["is no JWT but looks like one", () => "a.b.c", /ERR_JW/],
  ];

  test.each(wrong)("that %s is refused, and the reason is for the log", async (_, make, reason) => {
    const { judge } = await started();
    const token = await make();
    const authentication = await judge(token);
    expect(authentication).toEqual({
      kind: "unauthenticated",
      given: true,
      reason: expect.stringMatching(reason),
    });
    expect(JSON.stringify(authentication)).not.toContain(token.slice(-20));
  });

  test("within the skew of the clocks is accepted", async () => {
    const { judge } = await started();
    for (const claims of [{ exp: -29 }, { nbf: 29 }]) {
      expect((await judge(await sign(claims))).kind).toBe("authenticated");
    }
  });

  test("without a kid is verified where one key fits, and refused where several do", async () => {
    const { judge, issuer, access } = await started();
    expect((await judge(await sign({}, { kid: null }))).kind).toBe("authenticated");
    issuer.jwks = await jwksOf(["1", first], ["2", second]);
    await access.reload();
    expect(await judge(await sign({ sub: "bob" }, { kid: null }))).toMatchObject({
      reason: "JWT: ERR_JWKS_MULTIPLE_MATCHING_KEYS",
    });
  });
});

describe("a JWT that was verified", () => {
  test("is known at once from then on, until it expires", async () => {
    const { judge, clock } = await started();
    const token = await sign({});
    expect(judge(token)).toBeInstanceOf(Promise);
    await judge(token);
    expect(judge(token)).toMatchObject({ kind: "authenticated", principal: { id: "jwt:alice" } });
    await clock.advance(3_629_000);
    expect((await judge(token)).kind).toBe("authenticated");
    await clock.advance(1_001);
    expect(await judge(token)).toMatchObject({
      kind: "unauthenticated",
      reason: "JWT: it has expired",
    });
  });

  test("ends what is still under way when it expires", async () => {
    const { access, judge, clock } = await started();
    const authentication = await judge(await sign({}));
    if (authentication.kind !== "authenticated") throw new Error(authentication.kind);
    await clock.advance(3_629_000);
    expect(access.current(authentication.principal)).toBe(authentication.principal);
    await clock.advance(1_001);
    expect(access.current(authentication.principal)).toBeUndefined();
  });

  test("is refused once its issuer has withdrawn the key, within five minutes", async () => {
    const { judge, clock, issuer } = await started();
    const token = await sign({});
    await judge(token);
    issuer.jwks = await jwksOf(["2", second]);
    await clock.advance(299_000);
    expect((await judge(token)).kind).toBe("authenticated");
    await clock.advance(2_000);
    expect((await judge(token)).kind).toBe("unauthenticated");
  });

  test("is verified once when many requests bring it at once", async () => {
    const { judge } = await started();
    const token = await sign({});
    const all = Array.from({ length: 1_000 }, () => judge(token));
    expect((await Promise.all(all)).every(({ kind }) => kind === "authenticated")).toBe(true);
  });

  test("is one of a bounded number: strangers' tokens are judged, and some told to come again", async () => {
    const { judge } = await started();
    const tokens = await Promise.all(Array.from({ length: 300 }, (_, i) => sign({ sub: `s${i}` })));
    const kinds = (await Promise.all(tokens.map(judge))).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "authenticated")).toHaveLength(256);
    expect(kinds.filter((kind) => kind === "unavailable")).toHaveLength(44);
  });
});

describe("the keys of the issuer", () => {
  test("are read again when a token is signed by a new one", async () => {
    const { judge, clock, issuer } = await started();
    issuer.jwks = await jwksOf(["1", first], ["2", second]);
    await clock.advance(60_000);
    expect((await judge(await sign({}, { key: second, kid: "2" }))).kind).toBe("authenticated");
    expect(issuer.fetched).toBe(2);
  });

  test("are not fetched for each token of strangers", async () => {
    const { judge, clock, issuer } = await started();
    await clock.advance(60_000);
    for (let i = 0; i < 50; i++) await judge(await sign({}, { key: stranger, kid: `x${i}` }));
    expect(issuer.fetched).toBe(2);
  });

  test("stay in force while the issuer cannot be reached", async () => {
    const { judge, clock, issuer, lines } = await started();
    issuer.failing = true;
    await clock.advance(301_000);
    expect((await judge(await sign({}))).kind).toBe("authenticated");
    expect(lines.at(-1)).toContain("the old ones stay in force");
  });

  test("that could never be read are told from a wrong token, and are read when they can be", async () => {
    const { access, judge, clock, issuer } = await setUp();
    issuer.failing = true;
    await access.start();
    const token = await sign({});
    expect((await judge(token)).kind).toBe("unavailable");
    issuer.failing = false;
    await clock.advance(5_001);
    expect((await judge(token)).kind).toBe("authenticated");
  });

  test.each(["", "{}", '{"keys": 1}', "[]", "x".repeat(2 * 1024 * 1024)])(
    "are not replaced by what is no JWKS",
    async (nonsense) => {
      const { judge, clock, issuer } = await started();
      issuer.jwks = nonsense;
      await clock.advance(301_000);
      expect((await judge(await sign({}))).kind).toBe("authenticated");
    },
  );

  test("may be those of a file, which is watched", async () => {
    const { judge, clock, issuer } = await started("/etc/jwks.json");
    const token = await sign({});
    expect((await judge(token)).kind).toBe("authenticated");
    issuer.jwks = await jwksOf(["2", second]);
    await clock.advance(1_000);
    expect((await judge(token)).kind).toBe("unauthenticated");
    expect((await judge(await sign({}, { key: second, kid: "2" }))).kind).toBe("authenticated");
    expect(issuer.fetched).toBe(0);
  });

  test("leave no timer behind", async () => {
    for (const source of ["https://issuer.example/jwks", "/etc/jwks.json"]) {
      const { access, clock } = await started(source);
      access.close();
      await clock.advance(600_000);
      expect(clock.pending).toBe(0);
    }
  });
});
