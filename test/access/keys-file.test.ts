import { describe, expect, test } from "vitest";
import { readKeysFile } from "../../src/access/keys-file.js";

const A = "a".repeat(64);
const B = "b".repeat(64);

const FILE = `
keys:
  - id: team-a
    sha256: [${A}, ${B}]
    certificates: ["CN=team-a", "DNS:a.example", "URI:spiffe://example.org/team-a"]
    grants:
      - {namespace: a, kinds: [locks, members], names: ["orders-*", search], actions: [read, use]}
    limits: {requestsPerSecond: 100, burstSeconds: 2, waiting: 50, streams: 5, leases: 1000, members: 10}
  - id: ops
    sha256: [${"C".repeat(64)}]
    grants: [{namespace: "*", kinds: ["*"], names: ["*"], actions: [read, use, operate]}]
`;

/** The mistakes of a file that has one key, with these lines in place of its own. */
function mistakesOf(lines: Record<string, string | undefined>, more = ""): Promise<readonly string[]> {
  const fields = {
    id: "team-a",
    sha256: `[${A}]`,
    grants: "[{namespace: a, kinds: [locks], names: [x], actions: [use]}]",
    ...lines,
  };
  const text = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}: ${value}`,
  );
  return mistakes(`keys:\n  - ${text.join("\n    ")}\n${more}`);
}

async function mistakes(text: string): Promise<readonly string[]> {
  const file = await readKeysFile("keys.yaml", text);
  return file.kind === "refused" ? file.mistakes : [];
}

test("a file is read as YAML, and the same in JSON", async () => {
  const yaml = await readKeysFile("keys.yaml", FILE);
  if (yaml.kind === "refused") throw new Error(yaml.mistakes.join("\n"));
  expect(yaml.keys.map(({ id }) => id)).toEqual(["team-a", "ops"]);
  expect(yaml.keys[0]).toEqual({
    id: "team-a",
    sha256: [A, B],
    certificates: ["CN=team-a", "DNS:a.example", "URI:spiffe://example.org/team-a"],
    grants: [
      {
        namespace: "a",
        kinds: ["locks", "members"],
        names: ["orders-*", "search"],
        actions: ["read", "use"],
      },
    ],
    limits: { requestsPerSecond: 100, burstSeconds: 2, waiting: 50, streams: 5, leases: 1_000, members: 10 },
  });
  // A digest in capitals is the same.
  expect(yaml.keys[1]?.sha256).toEqual(["c".repeat(64)]);
  const json = JSON.stringify({ keys: yaml.keys }, null, "\t");
  expect(await readKeysFile("keys.json", json)).toEqual(yaml);
});

describe("one clear line tells of", () => {
  const PLACE = "keys.yaml:4: keys[0].grants[0]";
  const grant = (text: string) => mistakesOf({ grants: `[${text}]` });
  const NAME = "1 to 128 of A-Z a-z 0-9 . _ : - that begin with a letter or digit, with * for any characters";
  const DIGEST =
    "the SHA-256 of a key in 64 hex digits (npm run key makes a key and its entry), never the key itself";

  test.each<[string, Promise<readonly string[]>, string]>([
    [
      "an action that there is not",
      grant("{namespace: a, kinds: [locks], names: [x], actions: [read, write]}"),
      `${PLACE}.actions[1] is "write", but must be one of read, use, operate`,
    ],
    [
      "a kind that there is not",
      grant("{namespace: a, kinds: [lock], names: [x], actions: [use]}"),
      `${PLACE}.kinds[0] is "lock", but must be one of locks, semaphores, elections, members, shards, registers, transactions, *`,
    ],
    [
      "no names",
      grant("{namespace: a, kinds: [locks], actions: [use]}"),
      `${PLACE}.names is missing, but must be a list of names`,
    ],
    [
      "an empty list",
      grant("{namespace: a, kinds: [locks], names: [], actions: [use]}"),
      `${PLACE}.names is an empty list, but must be a list of at least one of names`,
    ],
    [
      "a name that no resource may have",
      grant("{namespace: a, kinds: [locks], names: [a/b], actions: [use]}"),
      `${PLACE}.names[0] is another text, but must be a name or a pattern of names: ${NAME}`,
    ],
    [
      "a namespace that is a number",
      grant("{namespace: 7, kinds: [locks], names: [x], actions: [use]}"),
      `${PLACE}.namespace is 7, but must be a namespace or a pattern of namespaces: ${NAME}`,
    ],
    [
      "a field that there is not",
      grant("{namespace: a, kinds: [locks], names: [x], actions: [use], kind: locks}"),
      `${PLACE} has an unknown field "kind", but must be a grant with namespace, kinds, names and actions`,
    ],
    [
      "an id with a colon",
      mistakesOf({ id: "jwt:x" }),
      'keys.yaml:2: keys[0].id is "jwt:x", but must be an id of 1 to 64 of A-Z a-z 0-9 . _ - that begins with a letter or digit',
    ],
    [
      "an id that is a number",
      mistakesOf({ id: "42" }),
      "keys.yaml:2: keys[0].id is 42 (put it in quotes), but must be an id of 1 to 64 of A-Z a-z 0-9 . _ - that begins with a letter or digit",
    ],
    [
      "a digest that is none",
      mistakesOf({ sha256: "[abc]" }),
      `keys.yaml:3: keys[0].sha256[0] is something else, but must be ${DIGEST}`,
    ],
    [
      "a key without a credential",
      mistakesOf({ sha256: undefined }),
      "keys.yaml:2: keys[0] has no credential, but must have sha256 or certificates",
    ],
    [
      "a limit of nothing",
      mistakesOf({ limits: "{waiting: 0}" }),
      "keys.yaml:5: keys[0].limits.waiting is 0, but must be a whole number from 1 to 1000000",
    ],
    [
      "a certificate by another name",
      mistakesOf({ certificates: '["IP:10.0.0.1"]' }),
      'keys.yaml:5: keys[0].certificates[0] is "IP:10.0.0.1", but must be a name of a client certificate: "CN=...", "DNS:..." or "URI:...", such as "URI:spiffe://example.org/team-a"',
    ],
    [
      "an id that is there twice",
      mistakesOf({}, `  - {id: team-a, sha256: [${B}], grants: []}`),
      "keys.yaml:5: keys[1].id repeats the id of keys[0].id, but must differ",
    ],
    [
      "a digest that is there twice, once in capitals",
      mistakesOf({}, `  - {id: b, sha256: [${A.toUpperCase()}], grants: []}`),
      "keys.yaml:5: keys[1].sha256[0] repeats the digest of keys[0].sha256[0], but must differ",
    ],
    [
      "a certificate that is there twice, once in capitals",
      mistakesOf({ certificates: '["DNS:a.example", "DNS:A.example"]' }),
      "keys.yaml:5: keys[0].certificates[1] repeats the name of keys[0].certificates[0], but must differ",
    ],
    [
      "a file with nothing in it",
      mistakes(""),
      "keys.yaml: the file is empty, but must be an object with a list of keys",
    ],
    [
      "a list alone",
      mistakes("- id: x"),
      "keys.yaml:1: the file is a list of 1, but must be an object with a list of keys",
    ],
    ["no keys", mistakes("{}"), "keys.yaml:1: keys is missing, but must be a list of keys"],
    [
      "YAML that is none",
      mistakes("keys:\n\t- id: x"),
      "keys.yaml:2:1 is not valid YAML: tabs cannot indent",
    ],
    ["JSON that is none", mistakes('{"keys": [\n'), "keys.yaml:2:1 is not valid JSON"],
    [
      "a field that is there twice",
      mistakes("keys: []\nkeys: []"),
      "keys.yaml:2:1 is not valid YAML: a field is there twice",
    ],
    [
      "a * without quotes",
      mistakesOf({ grants: "[{namespace: *, kinds: [locks], names: [x], actions: [use]}]" }),
      'keys.yaml:4:26 is not valid YAML: a name that begins with * is an alias; the pattern * must be in quotes: "*"',
    ],
  ])("%s", async (_, found, line) => {
    expect(await found).toEqual([line]);
  });

  test("each of several mistakes, but not of a thousand", async () => {
    expect(await mistakesOf({ id: "a b", sha256: "[x]" })).toHaveLength(2);
    const many = await mistakes(`keys: [${Array(1_000).fill("{}").join(", ")}]`);
    expect(many).toHaveLength(21);
    expect(many.at(-1)).toBe("and more mistakes");
  });
});

test("no mistake repeats a key that stands in a wrong place", async () => {
  const key = "quorate_gtIb3IFDfEwMsvTvuK4RwlALsVVfxtkM4tKu5WCeWOQ";
  const places = [
    mistakesOf({ id: key }),
    mistakesOf({ sha256: `[${key}]` }),
    mistakesOf({ sha256: "[hunter2]" }),
    mistakesOf({ sha256: key }),
    mistakesOf({ [key]: "1" }),
    mistakesOf({ certificates: `[${key}]` }),
    mistakesOf({ grants: `[${key}]` }),
    mistakesOf({ sha256: `[${key}` }),
    mistakesOf({ sha256: `*${key}` }),
    mistakesOf({ sha256: `[\n${key}: ${key}: x]` }),
    mistakes(`{"keys": "${key}`),
    mistakes(`{"keys": ${key}}`),
    mistakes(key),
  ];
  for (const found of await Promise.all(places)) {
    expect(found.length).toBeGreaterThan(0);
    for (const line of found) {
      expect(line).not.toContain("gtIb3IFDfEwMsvTvuK4");
      expect(line).not.toContain("hunter2");
      expect(line).not.toContain("\n");
    }
  }
});

describe("a large file in YAML", () => {
  const many = (more = "") =>
    `keys:\n${Array.from({ length: 600 }, (_, i) => `  - {id: k${i}, sha256: ["${String(i).padStart(64, "0")}"], grants: [{namespace: a, kinds: [locks], names: [x], actions: [use]}]}\n`).join("")}${more}`;

  test("is read as a small one is", async () => {
    const file = await readKeysFile("keys.yaml", many());
    expect(file).toMatchObject({ kind: "read", keys: { length: 600 } });
  });

  test("lets others have their turn meanwhile", async () => {
    let turns = 0;
    await readKeysFile("keys.yaml", many(), async () => void turns++);
    expect(turns).toBe(30);
  });

  test.each([
    [
      "  - {id: k1, sha256: [x], grants: []}",
      /^keys\.yaml: keys\[600\]\.sha256\[0\] is something else, but must be/,
    ],
    ["  - {id: k1, names: *}", /^keys\.yaml:602:21 is not valid YAML: a name that begins with \*/],
    ["\t- x", /^keys\.yaml:602:1 is not valid YAML: tabs cannot indent/],
  ])("with %s at its end is refused", async (more, line) => {
    expect(await mistakes(many(more))).toEqual([expect.stringMatching(line)]);
  });
});
