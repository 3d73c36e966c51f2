import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { bindLease, listBound, restoreBound, unbindLeases } from "../../src/scripts/bound-calls.js";
import {
  accept,
  admit,
  commitConfiguration,
  dropBorrowed,
  dropHolds,
  prepare,
  restoreCounters,
  restoreTombstones,
  rotateCounters,
  summarizeState,
} from "../../src/scripts/configuration-calls.js";
import { readEvents } from "../../src/scripts/event-calls.js";
import { expireMembers } from "../../src/scripts/expiry-calls.js";
import { beginGuard, readGuard } from "../../src/scripts/guard-calls.js";
import {
  describeHolders,
  inspectName,
  listHolders,
  listLocks,
  sweepHeld,
} from "../../src/scripts/holder-calls.js";
import { Keys } from "../../src/scripts/keys.js";
import {
  abandonAttempt,
  acquireLease,
  proclaim,
  raiseCounters,
  readTombstone,
  releaseLease,
  renewLease,
  repairLease,
} from "../../src/scripts/lease-calls.js";
import { LIVENESS_LUA } from "../../src/scripts/liveness.js";
import {
  announceIncarnation,
  claimChange,
  claimIncarnation,
  countMembers,
  heartbeat,
  listMembers,
  putMember,
} from "../../src/scripts/member-calls.js";
import { keepWaiting, leaveQueue, takeTicket } from "../../src/scripts/queue-calls.js";
import {
  acceptRegister,
  digestRegisters,
  dropRegisters,
  dueRegisters,
  prepareRegister,
  raiseRegisterFloor,
  readRegister,
  registerNames,
  removeRegister,
  restoreRegister,
} from "../../src/scripts/register-calls.js";
import { HOOKS } from "../../src/scripts/register-kinds.js";
import { listRegisters } from "../../src/scripts/register-list-calls.js";
import { listReports, noteProbed, putReport } from "../../src/scripts/report-calls.js";
import { type Call, SCRIPTS } from "../../src/scripts/scripts.js";
import { findSlots, inspectSemaphore, setLimit } from "../../src/scripts/semaphore-calls.js";
import { scanSet } from "../../src/scripts/set-calls.js";
import { skimMembers } from "../../src/scripts/skim-calls.js";
import { takeTurn } from "../../src/scripts/turn-calls.js";
import { luaNames, luaText } from "../helpers/lua-files.js";
import { memberRecord } from "../helpers/member-record.js";

// A Lua file's header is the contract; what scripts.ts sends and understands is held against it here.

const keys = new Keys("q:");
/** How many things a script is called with that takes many at once. */
const MANY = 3;
const many = <T>(each: (i: number) => T): T[] => Array.from({ length: MANY }, (_, i) => each(i));

const attempt = {
  leaseId: "lease",
  nonce: "nonce",
  attemptNumber: 1,
  mode: "exclusive",
  resources: many((i) => `permit/pool/${i}`),
  queues: ["semaphore/pool"],
  fingerprint: "semaphore/pool 3",
  limit: { semaphore: "pool", permits: 7 },
} as const;
const renewal = { owner: "", metadata: "", mode: "exclusive", chosen: true, revision: "" } as const;
const configuration = { version: 2 } as Parameters<typeof commitConfiguration>[1];

const ballot = `000000000007:${"a".repeat(24)}`;
const proposal = { etag: ballot, leftMs: 1_000, isLive: true, text: "1 - -\n{}" };
const member = memberRecord({ id: "search-1" });

const boundTo = { service: "search", id: "search-1", incarnation: 5, nonce: "nonce" };
const boundLease = { ...attempt, token: 7, ttlMs: 1_000 };

const CALLS: Record<keyof typeof SCRIPTS, Call<unknown>> = {
  "acquire-lease": acquireLease(keys, attempt, {
    ttlMs: 1_000,
    owner: "",
    metadata: "",
    chosen: true,
    queueEntry: { ticket: 7, instance: "instance", keptMs: 1_000, acceptsHandoff: true },
  }),
  "raise-counters": raiseCounters(keys, attempt, 7),
  "renew-lease": renewLease(keys, { ...attempt, token: 7, ttlMs: 1_000 }),
  "repair-lease": repairLease(keys, { ...attempt, token: 7, ttlMs: 1_000 }, renewal),
  "read-tombstone": readTombstone(keys, "lease"),
  "release-lease": releaseLease(keys, attempt, { forMs: 1_000, always: true, brokenFor: null }),
  "abandon-attempt": abandonAttempt(keys, attempt, 1_000),
  "inspect-name": inspectName(keys, "lock/a"),
  "list-locks": listLocks(keys, "lock/", "lock/a", 100),
  "list-holders": listHolders(keys, "lock/a", "0"),
  "describe-holders": describeHolders(keys, "lock/a", ["lease", "other"]),
  proclaim: proclaim(keys, { ...attempt, token: 7 }, "000000000001-nonce", "{}"),
  "find-slots": findSlots(keys, "pool", {
    leaseId: "lease",
    fingerprint: "semaphore/pool 3",
    limit: 7,
    permits: 3,
    start: 2,
  }),
  "inspect-semaphore": inspectSemaphore(keys, "pool", { described: 2, after: 1 }),
  "take-ticket": takeTicket(keys, attempt),
  "leave-queue": leaveQueue(keys, attempt, "nonce", { back: "all", keepMs: 1_000, notify: true }),
  "keep-waiting": keepWaiting(
    keys,
    "instance",
    1_000,
    many((i) => ({ leaseId: "lease", resource: `lock/${i}` })),
  ),
  "prepare-register": prepareRegister(keys, "value/default/a", ballot),
  "accept-register": acceptRegister(keys, "value/default/a", ballot, proposal),
  "read-register": readRegister(keys, "value/default/a"),
  "list-registers": listRegisters(keys, {
    from: "[value/default/a",
    beginning: "value/default/a",
    most: 10,
  }),
  "due-registers": dueRegisters(keys, 60_000, 100),
  "register-names": registerNames(keys, HOOKS, 100),
  "raise-register-floor": raiseRegisterFloor(ballot),
  "remove-register": removeRegister(keys, "value/default/a", ballot, 0),
  "digest-registers": digestRegisters(
    keys,
    many((i) => `value/default/${i}`),
  ),
  "restore-register": restoreRegister(keys, "value/default/a", {
    ...proposal,
    promised: ballot,
    accepted: ballot,
  }),
  "drop-registers": dropRegisters(many((i) => keys.register(`value/default/${i}`))),
  "set-limit": setLimit(keys, "pool", 7, 1_000),
  "sweep-held": sweepHeld(keys),
  "announce-incarnation": announceIncarnation(keys, 7),
  "bind-lease": bindLease(keys, boundTo, boundLease, 1_000),
  "list-bound": listBound(keys, boundTo, "0", 1_000),
  "unbind-leases": unbindLeases(
    keys,
    boundTo,
    many((i) => ({ leaseId: `${i}`, token: 7 })),
  ),
  "restore-bound": restoreBound(
    keys.bound("search", "search-1", 5),
    1_000,
    many((i) => [`${i}`, "7 {}"]).flat(),
  ),
  "take-turn": takeTurn(keys, "work", "nonce", 1_000),
  "claim-incarnation": claimIncarnation(keys, "search", member),
  "claim-change": claimChange(keys, "search", member, { ...member, revision: 2, change: "change" }),
  "put-member": putMember(keys, "search", member),
  "expire-members": expireMembers(keys, 50),
  heartbeat: heartbeat(
    keys,
    many((i) => ({ service: `search-${i}`, id: "search-1" })),
  ),
  "list-members": listMembers(
    keys,
    "search",
    many((i) => `search-${i}`),
  ),
  "skim-members": skimMembers(
    keys,
    "search",
    many((i) => `search-${i}`),
    "all",
  ),
  "count-members": countMembers(
    keys,
    many((i) => `search-${i}`),
  ),
  "put-report": putReport(keys, "search", "search-1", {
    reporter: "search-2",
    incarnation: 1,
    weight: 0.5,
    times: 2,
    leftMs: 20_000,
    countedAgeMs: 0,
    reason: "no answer",
  }),
  "list-reports": listReports(
    keys,
    "search",
    many((i) => `search-${i}`),
  ),
  "read-guard": readGuard(keys, "search"),
  "begin-guard": beginGuard(keys, "search", { endsInMs: 30_000, restsForMs: 60_000 }),
  "note-probed": noteProbed(keys, "search"),
  "scan-set": scanSet(keys.services, "0"),
  "read-events": readEvents(
    keys,
    many((i) => ({ service: `search-${i}`, after: null })),
    true,
  ),
  prepare: prepare(keys.agreement(2), "ballot" as Parameters<typeof prepare>[1]),
  accept: accept(keys.agreement(2), "ballot" as Parameters<typeof accept>[1], "value"),
  "commit-configuration": commitConfiguration(keys, configuration, "id", "member"),
  admit: admit(configuration, "id", 7, 1_000),
  "summarize-state": summarizeState(keys),
  "restore-counters": restoreCounters(
    keys,
    many((i) => [`lock/${i}`, 7]),
  ),
  "restore-tombstones": restoreTombstones(
    many((i) => ({ key: keys.leaseTombstone(`${i}`), says: "released", leftMs: 1_000 })),
  ),
  "drop-holds": dropHolds(many((i) => keys.hold(`lock/${i}`))),
  "drop-borrowed": dropBorrowed(many((i) => keys.member("search", `search-${i}`))),
  "rotate-counters": rotateCounters(keys, 1_000),
};

/** The comment that a file begins with, and the rest. */
function split(name: string): { header: string; body: string } {
  const text = luaText(name);
  const lines = text.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("--"));
  const header = lines
    .slice(0, end)
    .map((line) => line.replace(/^--\s*/, ""))
    .join("\n");
  return { header, body: lines.slice(end).join("\n") };
}

const LEASES = luaText("leases");
/** Whether a script builds on leases.lua, which then has the keys, and the arguments but for the script's own. */
const isOfLeases = (name: string) => SCRIPTS[name as keyof typeof SCRIPTS].text.includes(LEASES);
const QUEUES = luaText("queues");
const LIMITS = luaText("limits");
const COUNTERS = luaText("counters");
const REGISTERS = luaText("registers");
const HOLDS = luaText("holds");
const LIFETIMES = luaText("lifetimes");
const GUARDS = luaText("guards");
const EVENTS = luaText("events");
const isOfQueues = (name: string) => SCRIPTS[name as keyof typeof SCRIPTS].text.includes(QUEUES);

/** The indices of `arg(..)` in a text: a script's own arguments, behind those of leases.lua. */
const ownIndices = (text: string) =>
  [...new Set([...text.matchAll(/\barg\((\d+)\)/g)].map(([, index]) => Number(index)))].sort(
    (one, other) => one - other,
  );

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
  return found
    .map((item) => item.trim())
    .reduce<string[]>((merged, item) => {
      // What goes on behind a comma: `'1' when this lease has it, else ''`.
      if (merged.length > 0 && /^(or|else) /.test(item)) merged.push(`${merged.pop()}, ${item}`);
      else if (item !== "...") merged.push(item);
      return merged;
    }, []);
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
  return items(group).flatMap((item) => {
    if (/^-?\d+$/.test(item)) return Number(item);
    if (/^'[^']*'$/.test(item)) return item.slice(1, -1);
    const [nested] = groups(item);
    if (nested !== undefined && /\bthe lines \{/.test(item)) return [sample(nested).join("\n")];
    if (nested !== undefined) return [sample(nested)];
    if (/\bholds as `describe` has them/.test(item)) return [[sample(DESCRIBED)]];
    return /\bhold as `describe` has it/.test(item) ? sample(DESCRIBED) : ["7"];
  });
}

/** What holds.lua says of its function. */
const DESCRIBED = /^-- \{(.*)\}\nlocal function describe/m.exec(HOLDS)?.[1] ?? "";

/** Every reply that the header says the script may give. */
function replies(header: string): unknown[] {
  const returns = /\bReturns (.*)/s.exec(header)?.[1]?.replaceAll("\n", " ") ?? "";
  if (returns.startsWith("one line per "))
    return [...returns.matchAll(/'(-?\d[^']*)'/g)].map(([, line = ""]) => line.replaceAll(/[a-z]\w*/gi, "7"));
  const described = groups(returns).map(sample);
  if (described.length === 0) return [["7"]];
  return returns.startsWith("per ") ? described.map((one) => [one]) : described;
}

function leaves(value: unknown): unknown[] {
  return value && typeof value === "object" ? Object.values(value).flatMap(leaves) : [value];
}

test("every file in lua/ is in the table, and every script of the table is called", () => {
  const others = [...luaNames("lib/"), ...luaNames("plain/")];
  const scripts = luaNames().filter((name) => !others.includes(name));
  expect(Object.keys(SCRIPTS).sort()).toEqual(scripts.sort());
  expect(Object.keys(CALLS).sort()).toEqual(Object.keys(SCRIPTS).sort());
});

test("the prelude stands in front of each, behind it its plain path and the libraries that they need, under the SHA-1 of all", () => {
  for (const [name, { text, sha1 }] of Object.entries(SCRIPTS)) {
    const own = luaText(name);
    const plain = /^-- Plain path: (.+)$/m.exec(own)?.[1];
    const describesEarly = plain !== undefined && /\bdescribe\(/.test(luaText(plain));
    const between = [
      ...(text.includes(COUNTERS) ? [COUNTERS] : []),
      ...(describesEarly ? [HOLDS] : []),
      ...(plain !== undefined ? ["do", luaText(plain), "end"] : []),
      ...(!describesEarly && text.includes(HOLDS) ? [HOLDS] : []),
      ...(text.includes(LIMITS) ? [LIMITS] : []),
      ...(isOfLeases(name) ? [LEASES] : []),
      ...(isOfQueues(name) ? [LIVENESS_LUA, QUEUES] : []),
      ...(text.includes(REGISTERS) ? [REGISTERS] : []),
      ...(text.includes(LIFETIMES) ? [LIFETIMES] : []),
      ...(text.includes(EVENTS) ? [EVENTS] : []),
      ...(text.includes(GUARDS) ? [GUARDS] : []),
    ];
    const body = [...between, own].join("\n");
    expect(text.endsWith(`\n${body}`), name).toBe(true);
    const prelude = luaText("prelude");
    const onlyEpoch = prelude.replace(", 'floor', 'quarantine_until', 'leases_until', 'register_floor'", "");
    expect(onlyEpoch).not.toBe(prelude);
    expect(text.slice(0, -body.length - 1), name).toBe(body.includes("fence[") ? prelude : onlyEpoch);
    expect(sha1).toBe(createHash("sha1").update(text).digest("hex"));
  }
});

test("a script needs leases.lua, queues.lua, limits.lua or counters.lua where it uses it", () => {
  const functions = (text: string) => [...text.matchAll(/^local function (\w+)/gm)].map(([, name]) => name);
  const using = (names: readonly (string | undefined)[]) => new RegExp(`\\b(${names.join("|")})\\(`);
  const [leases, lines] = [using(functions(LEASES)), using(functions(QUEUES))];
  const [limits, counters] = [using(functions(LIMITS)), using(functions(COUNTERS))];
  for (const name of Object.keys(SCRIPTS)) {
    const { body } = split(name);
    expect(isOfQueues(name), name).toBe(lines.test(body));
    expect(isOfLeases(name), name).toBe(lines.test(body) || leases.test(body));
    if (counters.test(body)) expect(SCRIPTS[name as keyof typeof SCRIPTS].text, name).toContain(COUNTERS);
    if (limits.test(body)) expect(SCRIPTS[name as keyof typeof SCRIPTS].text, name).toContain(LIMITS);
  }
});

describe("what leases.lua says of keys and arguments", () => {
  const { header, body } = split("leases");
  const call = CALLS["raise-counters"];

  test("is what is sent: three keys and the optional ones, those of the names and of the queues; five arguments, and one per name", () => {
    expect(indices(header.replace("KEYS[5 ...]", ""), "KEYS")).toEqual([2, 3, 4]);
    expect(indices(header.replace("ARGV[7 ...]", ""), "ARGV")).toEqual([2, 3, 4, 5, 6]);
    const { resources, queues } = attempt;
    expect(call.args[4]).toBe("fla");
    expect(call.keys).toHaveLength(3 + 3 + resources.length + queues.length);
    expect(call.keys.slice(3)).toEqual([
      keys.fingerprint("lease"),
      keys.limit("pool"),
      keys.attemptTombstone("lease", "nonce", 1),
      ...resources.map((one) => keys.hold(one)),
      ...queues.map((one) => keys.queue(one)),
    ]);
    expect(call.args.slice(1, 4)).toEqual(["lease", "exclusive", resources.length]);
    expect(call.args.slice(5, 5 + resources.length)).toEqual(resources);
  });

  test("is what is used, and no other", () => {
    const used = (of: string) =>
      new Set([...body.matchAll(new RegExp(`${of}\\[([2-9])\\]`, "g"))].map(([, i]) => Number(i)));
    expect([...used("KEYS"), ...used("ARGV")], "all are named in one statement each").toEqual([]);
  });

  test("has the fields that `describe` returns", () => {
    expect(sample(DESCRIBED)).toHaveLength(9);
  });
});

describe.each(Object.entries(CALLS))("%s", (name, call) => {
  const { header, body } = split(name);

  test("is sent the script of its name", () => {
    expect(call.script.name).toBe(name);
  });

  test("is sent as many keys as its header says", () => {
    if (isOfLeases(name)) expect(indices(header, "KEYS"), "leases.lua has said it").toEqual([]);
    // The first is the prelude's.
    else expect([1, ...indices(header, "KEYS")]).toEqual(upTo(1 + call.keys.length));
  });

  test("is sent as many arguments as its header says", () => {
    if (isOfLeases(name)) {
      const own = call.args.slice(5 + Number(call.args[3]));
      expect(ownIndices(header)).toEqual(upTo(own.length));
      expect(indices(header, "ARGV")).toEqual([]);
    } else expect([1, ...indices(header, "ARGV")]).toEqual(upTo(1 + call.args.length));
    for (const arg of call.args) expect(["string", "number"]).toContain(typeof arg);
  });

  test("uses the keys and arguments of its header, and no others", () => {
    if (isOfLeases(name)) {
      const named = /^local ([\w,\s]+) = args\(\)/m.exec(body)?.[1]?.split(",") ?? [];
      expect(upTo(named.length), "named in the first statement").toEqual(ownIndices(header));
      expect(body).not.toMatch(/\bARGV\b/);
      expect(body.replaceAll(/KEYS\[(first_queue|i|1)\]/g, "")).not.toMatch(/\bKEYS\[/);
      return;
    }
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
  const text = "9007199254740991";
  const lease = { ...attempt, token, ttlMs: 1 };
  const own = ({ args }: Call<unknown>) => args.slice(5 + attempt.resources.length);
  expect(own(raiseCounters(keys, attempt, token)).at(-1)).toBe(text);
  expect(own(renewLease(keys, lease))[0]).toBe(text);
  expect(own(repairLease(keys, lease, renewal))[0]).toBe(text);
  expect(own(proclaim(keys, lease, "", ""))[0]).toBe(text);
  const queueEntry = { ticket: token, instance: "", keptMs: 1, acceptsHandoff: false };
  const terms = { ttlMs: 1, owner: "", metadata: "", chosen: true, queueEntry };
  expect(own(acquireLease(keys, attempt, terms))[8]).toBe(text);
  expect(admit(configuration, "id", token, 0).args[1]).toBe(text);
  expect(restoreCounters(keys, [["lock/a", token]]).args[1]).toBe(text);
});

test("a request that does not wait is sent without a queue entry, and only with the optional keys that it has", () => {
  const terms = { ttlMs: 1_000, owner: "", metadata: "", chosen: true, queueEntry: null };
  const plain = { ...attempt, fingerprint: null, limit: null };
  const { keys: sent, args } = acquireLease(keys, plain, terms);
  expect(args.slice(5 + plain.resources.length)).toEqual(["nonce", 1, 1_000, "", "", "1", "", ""]);
  expect(args[4]).toBe("a");
  expect(sent.slice(0, 4)).toEqual([
    keys.counters,
    keys.countersOlder,
    keys.leaseTombstone("lease"),
    keys.attemptTombstone("lease", "nonce", 1),
  ]);
});

test("locks are listed by name, permits and terms are not", () => {
  const listed = (resource: string) =>
    takeTicket(keys, { ...attempt, resources: [resource] }).keys.includes(keys.held);
  expect(["lock/a", "permit/pool/1", "election/a"].map(listed)).toEqual([true, false, false]);
});

test("no script is sent a key without the prefix", () => {
  const plain = { ...attempt, fingerprint: null, limit: null };
  const calls = [
    ...Object.values(CALLS),
    takeTicket(keys, plain),
    releaseLease(keys, plain, { forMs: 1, always: true, brokenFor: null }),
  ];
  for (const { script, keys: sent } of calls)
    for (const key of sent) expect(key.startsWith("q:"), `${script.name}: ${key}`).toBe(true);
});
