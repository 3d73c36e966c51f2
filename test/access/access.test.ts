import { describe, expect, test } from "vitest";
import { Access, type Authentication } from "../../src/access/access.js";
import type { AuditEvent } from "../../src/access/audit.js";
import { digestOf } from "../../src/access/key-ring.js";
import { ConfigError } from "../../src/config.js";
import { FakeClock } from "../helpers/fake-clock.js";

const KEY = "quorate_first";
const NEXT = "quorate_second";
const OPS = "quorate_ops";

interface Key {
  readonly id: string;
  readonly keys?: readonly string[];
  readonly certificates?: readonly string[];
  readonly names?: readonly string[];
}

function fileOf(keys: readonly Key[], more: object = {}): string {
  return JSON.stringify({
    ...more,
    keys: keys.map(({ id, keys: secrets = [], certificates = [], names = ["*"] }) => ({
      id,
      sha256: secrets.map(digestOf),
      certificates,
      grants: [{ namespace: "default", kinds: ["locks"], names, actions: ["use"] }],
    })),
  });
}

const TEAM_A: Key = { id: "team-a", keys: [KEY], certificates: ["CN=team-a", "URI:spiffe://x/a"] };

/** Access by a keys file in memory. */
async function setUp(text = fileOf([TEAM_A]), operatorKey?: string) {
  const clock = new FakeClock();
  const disk = { text, version: 0 };
  const lines: string[] = [];
  const audited: AuditEvent[] = [];
  const tell = (fields: unknown, message?: string) =>
    void lines.push(message === undefined ? String(fields) : `${message} ${JSON.stringify(fields)}`);
  const access = new Access(
    { keysFile: "keys.yaml", operatorKey },
    {
      clock,
      log: { info: tell, error: tell },
      audit: { record: (event) => void audited.push(event) },
      files: { signature: async () => String(disk.version), read: async () => disk.text },
    },
  );
  await access.start();
  const write = (content: string) => Object.assign(disk, { text: content, version: disk.version + 1 });
  return { access, clock, lines, audited, write };
}

function idOf(authentication: Authentication | Promise<Authentication>): string | undefined {
  if (authentication instanceof Promise) throw new Error("keys are looked up at once");
  return authentication.kind === "authenticated" ? authentication.principal.id : undefined;
}

describe("a key", () => {
  test("is who its file says, with its grants", async () => {
    const { access } = await setUp();
    const authentication = await access.authenticate({ authorization: `Bearer ${KEY}` });
    if (authentication.kind !== "authenticated") throw new Error(authentication.kind);
    const { id, grants, limits } = authentication.principal;
    expect([id, limits]).toEqual(["team-a", {}]);
    const need = { namespace: "default", kind: "locks", names: ["x"] } as const;
    expect(grants.missing({ ...need, action: "use" })).toBeUndefined();
    expect(grants.missing({ ...need, action: "read" })).toBeDefined();
  });

  test.each([`bearer ${KEY}`, `BEARER  ${KEY}  `])("may come as %s", async (authorization) => {
    expect(idOf((await setUp()).access.authenticate({ authorization }))).toBe("team-a");
  });

  test.each([
    ["another key", "Bearer quorate_other"],
    ["the key in capitals", `Bearer ${KEY.toUpperCase()}`],
    ["a part of the key", `Bearer ${KEY.slice(0, -1)}`],
    ["the key and more", `Bearer ${KEY}x`],
    ["the key with padding", `Bearer ${KEY}=`],
    ["the key twice", `Bearer ${KEY} ${KEY}`],
    ["the digest of the key", `Bearer ${digestOf(KEY)}`],
    ["the id of the key", "Bearer team-a"],
    ["no token", "Bearer"],
    ["an empty token", "Bearer "],
    ["nothing", ""],
    ["the key alone", KEY],
    ["another scheme", `Basic ${Buffer.from(`team-a:${KEY}`).toString("base64")}`],
    ["two headers in one", `Bearer ${KEY}, Bearer ${KEY}`],
    ["a tab", `Bearer\t${KEY}`],
    ["a no-break space", `Bearer ${KEY}\u00a0`],
    ["a letter that looks like another", `Bearer ${KEY.replace("o", "\u043e")}`],
    ["a JWT where no issuer is known", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."],
    ["a name of an object's own", "Bearer __proto__"],
  ])("is refused where there is %s", async (_, authorization) => {
    const { access } = await setUp();
    const authentication = await access.authenticate({ authorization });
    expect(authentication).toMatchObject({ kind: "unauthenticated", given: true });
    expect(JSON.stringify(authentication)).not.toContain(KEY);
  });

  test("is missing where there is no header, which is told from a wrong one", async () => {
    const { access } = await setUp();
    expect(access.authenticate({})).toMatchObject({ kind: "unauthenticated", given: false });
  });

  test("is rotated while it is used: both count, and then only the new one", async () => {
    const { access, clock, write } = await setUp();
    const who = (key: string) => idOf(access.authenticate({ authorization: `Bearer ${key}` }));
    expect([who(KEY), who(NEXT)]).toEqual(["team-a", undefined]);
    write(fileOf([{ ...TEAM_A, keys: [KEY, NEXT] }]));
    await clock.advance(1_000);
    expect([who(KEY), who(NEXT)]).toEqual(["team-a", "team-a"]);
    write(fileOf([{ ...TEAM_A, keys: [NEXT] }]));
    await clock.advance(1_000);
    expect([who(KEY), who(NEXT)]).toEqual([undefined, "team-a"]);
  });

  test("that is revoked is refused within a second, also to what is still under way", async () => {
    const { access, clock, write } = await setUp();
    const authentication = await access.authenticate({ authorization: `Bearer ${KEY}` });
    if (authentication.kind !== "authenticated") throw new Error(authentication.kind);
    const { principal } = authentication;
    expect(access.current(principal)).toBe(principal);
    // Less than before.
    write(fileOf([{ ...TEAM_A, names: ["y"] }]));
    await clock.advance(1_000);
    const need = { namespace: "default", kind: "locks", names: ["x"], action: "use" } as const;
    expect(access.current(principal)?.grants.missing(need)).toBeDefined();
    write(fileOf([]));
    await clock.advance(1_000);
    expect(access.current(principal)).toBeUndefined();
    expect(idOf(access.authenticate({ authorization: `Bearer ${KEY}` }))).toBeUndefined();
  });

  test("without limits of its own has those of the file", async () => {
    const { access } = await setUp(fileOf([TEAM_A], { limits: { waiting: 7 } }));
    expect(await access.authenticate({ authorization: `Bearer ${KEY}` })).toMatchObject({
      principal: { limits: { waiting: 7 } },
    });
  });
});

describe("a keys file", () => {
  test.each([
    ["broken", "{"],
    ["wrong", '{"keys": [{"id": "team-a"}]}'],
    ["empty", ""],
  ])("that becomes %s is refused with a line in the log, and the old one stays in force", async (_, text) => {
    const { access, clock, lines, write } = await setUp();
    write(text);
    await clock.advance(1_000);
    expect(idOf(access.authenticate({ authorization: `Bearer ${KEY}` }))).toBe("team-a");
    expect(lines.at(-1)).toBe("keys.yaml is refused: the keys that were read before stay in force");
    expect(lines.at(-2)).toMatch(/^keys\.yaml/);
    const told = lines.length;
    await clock.advance(10_000);
    expect(lines).toHaveLength(told);
    write(fileOf([{ ...TEAM_A, keys: [NEXT] }]));
    await clock.advance(1_000);
    expect(idOf(access.authenticate({ authorization: `Bearer ${NEXT}` }))).toBe("team-a");
  });

  test("is read at once on SIGHUP", async () => {
    const { access, write } = await setUp();
    write(fileOf([{ ...TEAM_A, keys: [NEXT] }]));
    await access.reload();
    expect(idOf(access.authenticate({ authorization: `Bearer ${NEXT}` }))).toBe("team-a");
  });

  test("is told to the audit when it changes, and when a change is refused", async () => {
    const { access, audited, write } = await setUp();
    expect(audited).toEqual([]);
    write("keys: 7");
    await access.reload();
    write(fileOf([]));
    await access.reload();
    expect(audited.map(({ what, outcome }) => [what, outcome])).toEqual([
      ["keys.reload", "refused"],
      ["keys.reload", "changed"],
    ]);
  });

  test("that is broken at the start stops it, with every mistake", async () => {
    await expect(setUp('{"keys": [{}]}')).rejects.toThrow(ConfigError);
    await expect(setUp('{"keys": [{}]}')).rejects.toThrow(/keys\[0\]\.id is missing/);
  });

  test("that is not there stops the start", async () => {
    const clock = new FakeClock();
    const log = { info: () => {}, error: () => {} };
    const access = new Access({ keysFile: "/nowhere/keys.yaml" }, { clock, log });
    await expect(access.start()).rejects.toThrow(
      "QUORATE_KEYS_FILE: /nowhere/keys.yaml cannot be read (ENOENT)",
    );
  });

  test("writes no key and no digest into the log", async () => {
    const { lines, write, clock, access } = await setUp();
    write(fileOf([TEAM_A, { ...TEAM_A, id: "b" }]));
    await clock.advance(1_000);
    access.authenticate({ authorization: `Bearer ${KEY}` });
    expect(lines.join("\n")).not.toContain(KEY);
    expect(lines.join("\n")).not.toContain(digestOf(KEY));
  });
});

describe("a client certificate", () => {
  const certificate = { authorized: true, subject: { CN: "team-a" } };

  test("leads to the key that has its name", async () => {
    const { access } = await setUp();
    expect(idOf(access.authenticate({ certificate }))).toBe("team-a");
    expect(
      idOf(access.authenticate({ certificate: { authorized: true, subjectaltname: "URI:spiffe://x/a" } })),
    ).toBe("team-a");
  });

  test.each([
    ["was not verified", { ...certificate, authorized: false }],
    ["has another name", { authorized: true, subject: { CN: "team-b" } }],
    ["has the name in capitals", { authorized: true, subject: { CN: "TEAM-A" } }],
    ["has the name as one of another type", { authorized: true, subjectaltname: "DNS:team-a" }],
    ["has a name with another in it", { authorized: true, subjectaltname: 'URI:"x, URI:spiffe://x/a"' }],
  ])("that %s leads to none", async (_, other) => {
    expect((await setUp()).access.authenticate({ certificate: other })).toMatchObject({
      kind: "unauthenticated",
    });
  });

  test("whose names lead to two keys leads to none", async () => {
    const { access } = await setUp(fileOf([TEAM_A, { id: "b", certificates: ["DNS:b"] }]));
    expect(access.authenticate({ certificate: { ...certificate, subjectaltname: "DNS:b" } })).toMatchObject({
      kind: "unauthenticated",
      reason: "the names of the certificate belong to several keys",
    });
  });

  test("does not make up for a wrong key", async () => {
    const { access } = await setUp();
    expect(access.authenticate({ certificate, authorization: "Bearer wrong" })).toMatchObject({
      kind: "unauthenticated",
    });
  });
});

describe("the operator's key", () => {
  const everything = { namespace: "*", kind: "*", names: [] } as const;

  test("may do everything", async () => {
    const { access } = await setUp(undefined, OPS);
    const authentication = await access.authenticate({ authorization: `Bearer ${OPS}` });
    if (authentication.kind !== "authenticated") throw new Error(authentication.kind);
    for (const action of ["read", "use", "operate"] as const) {
      expect(authentication.principal.grants.missing({ ...everything, action })).toBeUndefined();
    }
  });

  test("is the only one that may operate where there are no keys; everybody else is anonymous", async () => {
    const log = { info: () => {}, error: () => {} };
    const access = new Access({ operatorKey: OPS }, { clock: new FakeClock(), log });
    await access.start();
    const who = [
      {},
      { authorization: "Bearer wrong" },
      { authorization: "Basic x" },
      { certificate: { authorized: true } },
    ];
    for (const credentials of who) {
      const authentication = await access.authenticate(credentials);
      if (authentication.kind !== "authenticated") throw new Error(authentication.kind);
      const { id, grants } = authentication.principal;
      expect(id).toBe("anonymous");
      expect(grants.missing({ ...everything, action: "use" })).toBeUndefined();
      expect(grants.missing({ ...everything, action: "operate" })).toBeDefined();
    }
    expect(idOf(access.authenticate({ authorization: `Bearer ${OPS}` }))).toBe("operator:key");
  });
});
