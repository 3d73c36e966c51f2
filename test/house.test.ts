import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { Keys } from "../src/scripts/keys.js";

// The rules of the house (docs/architecture.md) that no compiler checks.

const root = fileURLToPath(new URL("../src/", import.meta.url));
const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((file) => /\.(ts|lua)$/.test(file) && !file.endsWith(".d.ts"))
  .map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }));
const sources = files
  .filter(({ file }) => file.endsWith(".ts"))
  .map((each) => ({ ...each, code: codeOf(each.text) }));
const scripts = files.filter(({ file }) => file.endsWith(".lua"));

/** From the top to the ground; what stands on one floor may import from its own and from those below. */
const FLOORS = [
  ["main.ts"],
  ["workers/"],
  ["service.ts", "core-observer.ts", "audit-of-instance.ts", "trust.ts", "tls-of-instance.ts"],
  ["http/"],
  ["probing/", "delivering/"],
  ["primitives/"],
  ["deployment/"],
  ["quorum/"],
  ["redis/", "embedded/"],
  ["scripts/"],
  ["access/"],
  ["algorithms/"],
  ["tls/", "outbound/"],
  ["config.ts", "setting-values.ts", "clock.ts", "ids.ts", "namespace.ts", "errors.ts", "log.ts"],
];
/** What stands apart: it reaches the service only by its public API. */
const APART = ["client/", "cli/", "ui/"];
/** What may be shared with it: `ring-v1` and what else needs nothing but JavaScript. */
const SHARED = [
  "lost-numbers.ts",
  "murmur3.ts",
  "ring-lookup.ts",
  "ring-points.ts",
  "ring-walk.ts",
  "steps.ts",
].map((file) => `algorithms/${file}`);

const floorOf = (file: string): number =>
  FLOORS.findIndex((floor) => floor.some((place) => file === place || file.startsWith(place)));
const isApart = (file: string): boolean => APART.some((place) => file.startsWith(place));

/** The files of src/ that a file imports, types as well. */
function importsOf({ file, text }: { file: string; text: string }): string[] {
  return [...text.matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(([, path = ""]) =>
    relative(root, join(root, dirname(file), path)).replace(/\.js$/, ".ts"),
  );
}

/** Without comments and without what is in quotes: templates keep what they compute. */
function codeOf(text: string): string {
  return text.replace(/\/\*.*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"/gs, (match) =>
    match.startsWith('"') ? '""' : "",
  );
}

/** `file:line` of each place where the pattern is, outside the files that may. */
function placesOf(pattern: RegExp, mayHave: readonly string[] = []): string[] {
  return sources
    .filter(({ file }) => !mayHave.some((place) => file === place || file.startsWith(place)))
    .flatMap(({ file, code }) =>
      code.split("\n").flatMap((line) => (pattern.test(line) ? [`${file}: ${line.trim()}`] : [])),
    );
}

describe("imports", () => {
  test("every file has its floor", () => {
    expect(sources.filter(({ file }) => floorOf(file) < 0 && !isApart(file)).map(({ file }) => file)).toEqual(
      [],
    );
  });

  test("point down only", () => {
    const up = sources
      .filter(({ file }) => !isApart(file))
      .flatMap((source) =>
        importsOf(source)
          .filter((imported) => isApart(imported) || floorOf(imported) < floorOf(source.file))
          .map((imported) => `${source.file} -> ${imported}`),
      );
    expect(up).toEqual([]);
  });

  test("of what stands apart stay apart", () => {
    const reaching = sources
      .filter(({ file }) => isApart(file))
      .flatMap((source) => importsOf(source).filter((imported) => !isApart(imported)));
    // `quorate serve` is the service.
    expect(reaching.filter((imported) => !SHARED.includes(imported))).toEqual(["main.ts"]);
  });

  test("of what is shared with it need no package, no Node.js and nothing else", () => {
    const shared = sources.filter(({ file }) => SHARED.includes(file));
    const beyond = shared.flatMap(({ file, text }) =>
      [...text.matchAll(/\bfrom\s*"\.?\/?([^"]+)\.js"/g)].flatMap(([, name]) =>
        SHARED.includes(`algorithms/${name}.ts`) ? [] : [`${file} -> ${name}`],
      ),
    );
    expect(beyond).toEqual([]);
    expect(shared.filter(({ text }) => /\b(Buffer|process)\b|from "[^.]/.test(text))).toEqual([]);
    expect(shared).toHaveLength(SHARED.length);
  });

  test("are found at all", () => {
    const service = sources.find(({ file }) => file === "service.ts");
    expect(service && importsOf(service)).toContain("redis/primary.ts");
  });

  test("of the algorithms are pure: nothing that reads, waits or connects", () => {
    const outside = sources
      .filter(({ file }) => file.startsWith("algorithms/"))
      .flatMap(({ file, text }) =>
        [...text.matchAll(/\bfrom\s*"([^."][^"]*)"/g)].map(([, name]) => `${file} -> ${name}`),
      )
      .filter((each) => !each.endsWith("-> node:crypto"));
    expect(outside).toEqual([]);
  });
});

describe("time and chance come in from outside", () => {
  test("no Date but in clock.ts", () => {
    expect(placesOf(/\bDate\s*[.(]|new Date/, ["clock.ts", CLIENT])).toEqual([]);
  });

  // The clock and the randomness of the client.
  const CLIENT = "client/world.ts";

  test("no performance.now() but in clock.ts", () => {
    expect(placesOf(/\bperformance\./, ["clock.ts", CLIENT])).toEqual([]);
  });

  test("no bare timers but in clock.ts and main.ts", () => {
    expect(placesOf(/\bset(Timeout|Interval)\b/, ["clock.ts", "main.ts", CLIENT])).toEqual([]);
  });

  test("no chance but in clock.ts and ids.ts; the embedded servers have a password", () => {
    const mayHave = ["clock.ts", "ids.ts", "embedded/servers.ts", CLIENT];
    expect(placesOf(/\bMath\.random|\brandom(Bytes|UUID|Int)\b|getRandomValues/, mayHave)).toEqual([]);
  });

  test("and so does it in the scripts: the server's clock is read in one place, chance nowhere", () => {
    const calls = scripts.flatMap(({ file, text }) =>
      [...text.matchAll(/redis\.call\('TIME'\)|math\.random|os\.(time|clock)/g)].map(
        ([call]) => `${file}: ${call}`,
      ),
    );
    expect(calls).toEqual(["scripts/lua/lib/prelude.lua: redis.call('TIME')"]);
  });
});

describe("keys", () => {
  // With an empty prefix a key begins with its kind.
  const keys = new Keys("");
  const kinds = [
    ...Object.values(keys).filter((value) => typeof value === "string" && value !== ""),
    ...[
      keys.hold("x"),
      keys.leaseTombstone("x"),
      keys.member("x", "y"),
      keys.members("x"),
      keys.agreement(1),
    ].map((key) => `${key.split("/")[0]}/`),
  ];

  test("are spelled in keys.ts only", () => {
    const spelled = sources
      .filter(
        ({ file }) =>
          /^(scripts|redis|quorum|deployment|primitives|http)\//.test(file) && file !== "scripts/keys.ts",
      )
      .flatMap(({ file, text }) =>
        kinds
          .filter((kind) => kind.includes("/"))
          .filter((kind) => text.includes(`"${kind}`) || text.includes(`\`${kind}`))
          .map((kind) => `${file}: ${kind}`),
      );
    expect(kinds.length).toBeGreaterThan(5);
    expect(spelled).toEqual([]);
  });

  test("the prefix goes from the configuration to keys.ts and nowhere else", () => {
    expect(placesOf(/keyPrefix/, ["config.ts", "service.ts"])).toEqual([]);
  });

  test("no script has one of its own: they come as KEYS, or under a prefix that comes as ARGV", () => {
    const own = scripts.flatMap(({ file, text }) =>
      [...text.matchAll(/redis\.p?call\('\w+',\s*'([^']+)'/g)].map(([, key]) => `${file}: ${key}`),
    );
    expect(own).toEqual([]);
  });
});

test("no module has variables of its own, but for the random bytes that ids.ts has drawn", () => {
  expect(placesOf(/^(export )?let /, ["ids.ts"])).toEqual([]);
});

test("statuses of failures are in problem.ts only", () => {
  const inRoutes = sources
    .filter(({ file }) => /^http\/.*routes\.ts$/.test(file))
    .flatMap(({ file, code }) => [...code.matchAll(/\b[45]\d\d\b/g)].map(([status]) => `${file}: ${status}`));
  expect(inRoutes).toEqual([]);
  const mayHave = ["http/problem.ts", "http/observed.ts", "client/"];
  expect(placesOf(/\bstatus\w*\b.*\b[45]\d\d\b/, mayHave)).toEqual([]);
});

test("failures are CoordinationErrors: nothing under http/ throws anything else", () => {
  const thrown = sources
    .filter(({ file }) => file.startsWith("http/"))
    .flatMap(({ file, code }) => [...code.matchAll(/throw new (\w+)/g)].map(([, name]) => `${file}: ${name}`))
    .filter((each) => !each.endsWith(": CoordinationError"));
  expect(thrown).toEqual([]);
});

describe("words", () => {
  // What docs/architecture.md has other words for now. These have no ordinary use in this project.
  const REFUSED =
    /sighting|lookout|debts?(?![a-z])|(?<!zoo)keeper|(?<![a-z])vows?(?![a-z])|waiting.?room|(?<!re)start.?of.?all/i;
  const everywhere = ["src", "test", "bench", "scripts"].flatMap((folder) => {
    const base = fileURLToPath(new URL(`../${folder}/`, import.meta.url));
    return readdirSync(base, { recursive: true, encoding: "utf8" })
      .filter((file) => /\.(ts|mjs|lua)$/.test(file))
      .map((file) => ({ file: `${folder}/${file}`, text: readFileSync(join(base, file), "utf8") }));
  });

  test("of the glossary name files", () => {
    expect(everywhere.map(({ file }) => file).filter((file) => REFUSED.test(file))).toEqual([]);
  });

  test("of the glossary are used in code and comments", () => {
    const found = everywhere
      .filter(({ file }) => file !== "test/house.test.ts")
      .flatMap(({ file, text }) =>
        text.split("\n").flatMap((line) => (REFUSED.test(line) ? [`${file}: ${line.trim()}`] : [])),
      );
    expect(found).toEqual([]);
  });

  test("are found where they are", () => {
    for (const word of ["Lookout", "debt", "#vow", "WaitingRoom", "startOfAll", "a start of all", "keeper"])
      expect(word).toMatch(REFUSED);
    for (const word of ["debtor", "vowel", "a restart of all", "looking", "ZooKeeper"])
      expect(word).not.toMatch(REFUSED);
  });
});

describe("size", () => {
  test("no file has more than 300 lines", () => {
    const long = files.filter(({ text }) => !isMade(text) && text.split("\n").length > 301);
    expect(long.map(({ file }) => file)).toEqual([]);
  });

  /** Nobody writes or reads these: they follow from openapi.yaml. */
  const isMade = (text: string) => text.startsWith('// Made by "npm run client-types"');

  test("no class has more than 200 lines", () => {
    const long = sources.flatMap(({ file, text }) =>
      [...text.matchAll(/^export (?:abstract )?class (\w+)[\s\S]*?^\}/gm)]
        .filter(([whole]) => whole.split("\n").length > 200)
        .map(([, name]) => `${file}: ${name}`),
    );
    expect(long).toEqual([]);
  });
});
