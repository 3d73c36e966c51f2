import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  accept,
  admit,
  commitConfiguration,
  dropHolds,
  dropOverlong,
  handOver,
  prepare,
  restoreCounters,
  restoreTombstones,
  rotateCounters,
} from "../../src/redis/configuration-calls.js";
import { Keys } from "../../src/redis/keys.js";
import {
  abandonLock,
  acquireLock,
  type Call,
  heartbeat,
  inspectLock,
  listMembers,
  listServices,
  putMember,
  raiseLock,
  releaseLock,
  renewLock,
  SCRIPTS,
} from "../../src/redis/scripts.js";

// A Lua file's header is the contract; what scripts.ts sends and understands is held against it here.

const LUA = new URL("../../src/redis/lua/", import.meta.url);
const keys = new Keys("q:");
/** How many things a script is called with that takes many at once. */
const MANY = 3;
const many = <T>(each: (i: number) => T): T[] => Array.from({ length: MANY }, (_, i) => each(i));

const attempt = { resource: "lock/a", leaseId: "lease", nonce: "nonce" };
const configuration = { version: 2 } as Parameters<typeof commitConfiguration>[1];

const CALLS: Record<keyof typeof SCRIPTS, Call<unknown>> = {
  "acquire-lock": acquireLock(keys, attempt, {
    ttlMs: 1_000,
    mode: "exclusive",
    owner: "",
    metadata: "",
    chosen: true,
  }),
  "raise-lock": raiseLock(keys, attempt, 7),
  "renew-lock": renewLock(keys, { ...attempt, token: 7, ttlMs: 1_000 }),
  "release-lock": releaseLock(keys, attempt, { forMs: 1_000, always: true }),
  "abandon-lock": abandonLock(keys, attempt, 1_000),
  "inspect-lock": inspectLock(keys, attempt.resource),
  "put-member": putMember(keys, "search", {
    id: "search-1",
    incarnation: 1,
    revision: 1,
    left: false,
    nonce: "nonce",
    ttlMs: 1_000,
    expiresInMs: 1_000,
    heartbeatAgeMs: 0,
    registered: "{}",
  }),
  heartbeat: heartbeat(
    keys,
    many((i) => ({ service: "search", id: `search-${i}` })),
  ),
  "list-members": listMembers(keys, "search"),
  "list-services": listServices(keys),
  prepare: prepare(keys.agreement(2), "ballot" as Parameters<typeof prepare>[1]),
  accept: accept(keys.agreement(2), "ballot" as Parameters<typeof accept>[1], "value"),
  "commit-configuration": commitConfiguration(keys, configuration, "id", "member"),
  admit: admit(configuration, "id", 7, 1_000),
  "hand-over": handOver(keys),
  "restore-counters": restoreCounters(
    keys,
    many((i) => [`lock/${i}`, 7]),
  ),
  "restore-tombstones": restoreTombstones(many((i) => [keys.goneLease(`${i}`), 1_000])),
  "drop-holds": dropHolds(many((i) => keys.hold(`lock/${i}`))),
  "drop-overlong": dropOverlong(many((i) => keys.member("search", `search-${i}`))),
  "rotate-counters": rotateCounters(keys, 1_000),
};

/** The comment that a file begins with, and the rest. */
function split(name: string): { header: string; body: string } {
  const text = readFileSync(new URL(`${name}.lua`, LUA), "utf8");
  const lines = text.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("--"));
  const header = lines
    .slice(0, end)
    .map((line) => line.replace(/^--\s*/, ""))
    .join("\n");
  return { header, body: lines.slice(end).join("\n") };
}

/** The indices that `KEYS[..]` or `ARGV[..]` has in a text: numbers, and `2i + 1` for each i. */
function indices(text: string, of: "KEYS" | "ARGV"): number[] {
  const found = [...text.matchAll(new RegExp(`${of}\\[([^\\]]+)\\]`, "g"))].flatMap(([, index = ""]) => {
    if (/^\d+$/.test(index)) return [Number(index)];
    const [, factor, sign, offset] = /^(\d*)i(?: ([+-]) (\d+))?$/.exec(index) ?? [];
    expect(factor, `${of}[${index}] in a header`).toBeDefined();
    return many(
      (i) => (factor === "" ? 1 : Number(factor)) * (i + 1) + Number(`${sign ?? ""}${offset ?? 0}`),
    );
  });
  return [...new Set(found)].sort((one, other) => one - other);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** Splits at commas that are in no braces and no quotes. */
function items(text: string): string[] {
  const found = [""];
  let depth = 0;
  for (const char of text) {
    depth += char === "{" ? 1 : char === "}" ? -1 : 0;
    if (char === "," && depth === 0) found.push("");
    else found[found.length - 1] += char;
  }
  return found.map((item) => item.trim());
}

/** The groups in braces at the top of a text, without their braces. */
function groups(text: string): string[] {
  const found: string[] = [];
  let depth = 0;
  for (const char of text) {
    if (char === "}") depth -= 1;
    if (depth > 0) found[found.length - 1] += char;
    if (char === "{" && depth++ === 0) found.push("");
  }
  return found;
}

/** A reply as the header describes it: what it spells is taken at its word, the rest is the text "7". */
function sample(group: string): unknown[] {
  return items(group).map((item) => {
    if (/^-?\d+$/.test(item)) return Number(item);
    if (/^'.*'$/.test(item)) return item.slice(1, -1);
    const [nested] = groups(item);
    return nested === undefined ? "7" : sample(nested);
  });
}

/** Every reply that the header says the script may give. */
function replies(header: string): unknown[][] {
  const returns = /\bReturns (.*)/s.exec(header)?.[1]?.replaceAll("\n", " ") ?? "";
  const described = groups(returns).map(sample);
  if (described.length === 0) return [["7"]];
  return returns.startsWith("per ") ? described.map((one) => [one]) : described;
}

function leaves(value: unknown): unknown[] {
  return value && typeof value === "object" ? Object.values(value).flatMap(leaves) : [value];
}

test("every file in lua/ is in the table, and every script of the table is called", () => {
  const files = readdirSync(LUA).map((file) => file.replace(/\.lua$/, ""));
  expect(Object.keys(SCRIPTS).sort()).toEqual(files.filter((name) => name !== "prelude").sort());
  expect(Object.keys(CALLS).sort()).toEqual(Object.keys(SCRIPTS).sort());
});

test("the prelude stands in front of each, and is found under the SHA-1 of both", () => {
  const prelude = readFileSync(new URL("prelude.lua", LUA), "utf8");
  for (const [name, { text, sha1 }] of Object.entries(SCRIPTS)) {
    expect(text).toBe(`${prelude}\n${readFileSync(new URL(`${name}.lua`, LUA), "utf8")}`);
    expect(sha1).toBe(createHash("sha1").update(text).digest("hex"));
  }
});

describe.each(Object.entries(CALLS))("%s", (name, call) => {
  const { header, body } = split(name);

  test("is sent the script of its name", () => {
    expect(call.script.name).toBe(name);
  });

  test("is sent as many keys as its header says", () => {
    // The first is the prelude's.
    expect([1, ...indices(header, "KEYS")]).toEqual(upTo(1 + call.keys.length));
  });

  test("is sent as many arguments as its header says", () => {
    expect([1, ...indices(header, "ARGV")]).toEqual(upTo(1 + call.args.length));
    for (const arg of call.args) expect(["string", "number"]).toContain(typeof arg);
  });

  test("uses the keys and arguments of its header, and no others", () => {
    for (const of of ["KEYS", "ARGV"] as const) {
      const fixed = (text: string) =>
        [
          ...new Set(
            [...text.matchAll(new RegExp(`${of}\\[(\\d+)\\]`, "g"))].map(([, index]) => Number(index)),
          ),
        ]
          .filter((index) => index > 1)
          .sort((one, other) => one - other);
      expect(fixed(body)).toEqual(fixed(header));
    }
  });

  test("says what it is for, and what it returns", () => {
    expect(header).toMatch(/^[A-Z][^\n]+/);
    expect(header.match(/^Returns /gm)).toHaveLength(1);
  });

  test("is understood whatever its header says that it returns", () => {
    for (const reply of replies(header)) {
      const value = call.parse(reply);
      if (value === undefined) expect(reply).toEqual([1]);
      const lost = leaves(value ?? 0).filter((leaf) => leaf === undefined || Number.isNaN(leaf));
      expect(lost, JSON.stringify(reply)).toEqual([]);
    }
  });
});

test("the prelude has no keys and arguments but the first", () => {
  const { header, body } = split("prelude");
  for (const of of ["KEYS", "ARGV"] as const) {
    expect(indices(header, of)).toEqual([1]);
    expect(indices(body, of)).toEqual([1]);
  }
});

test("numbers of 16 digits are sent as text: Lua and JSON would round them", () => {
  const token = 9_007_199_254_740_991;
  expect(raiseLock(keys, attempt, token).args.at(-1)).toBe("9007199254740991");
  expect(renewLock(keys, { ...attempt, token, ttlMs: 1 }).args[1]).toBe("9007199254740991");
  expect(admit(configuration, "id", token, 0).args[1]).toBe("9007199254740991");
  expect(restoreCounters(keys, [["lock/a", token]]).args[1]).toBe("9007199254740991");
});
