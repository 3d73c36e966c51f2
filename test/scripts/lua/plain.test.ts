import { beforeAll, describe, expect, test } from "vitest";
import { Keys } from "../../../src/scripts/keys.js";
import {
  type Attempt,
  abandonAttempt,
  acquireLease,
  type Claim,
  proclaim,
  raiseCounters,
  releaseLease,
  renewLease,
  repairLease,
} from "../../../src/scripts/lease-calls.js";
import { leaveQueue, takeTicket } from "../../../src/scripts/queue-calls.js";
import { type Call, SCRIPTS } from "../../../src/scripts/scripts.js";
import { luaNames, luaText } from "../../helpers/lua-files.js";
import { Chance } from "../../simulation/random.js";
import { LuaMachine } from "../../simulation/redis/lua.js";
import { SimulatedRedis } from "../../simulation/redis/server.js";

// A plain path repeats a part of its script, only sooner. Both get the same calls here, on simulated servers with one clock,
// and must give the same replies and leave the same data.

const keys = new Keys("q:");
const EPOCH = "1:nonce:id";
const PLAIN: Readonly<Record<string, string>> = {
  "acquire-lease": "acquire-plain",
  "release-lease": "release-plain",
  "renew-lease": "renew-plain",
};

let lua: LuaMachine;
beforeAll(async () => {
  lua = await LuaMachine.create();
});

/** What random calls are made of: few names and leases, so that they get in each other's way. */
class Calls {
  constructor(private readonly chance: Chance) {}

  next(): Call<unknown> {
    const { chance } = this;
    const lease = this.claim();
    const attempt: Attempt = {
      ...lease,
      nonce: chance.pick(["n1", "n2"]),
      attemptNumber: chance.whole(1, 2),
    };
    const ttlMs = chance.pick([40, 400, 1_000]);
    const token = chance.pick([0, 4, 1_000_000, 1_000_000]);
    const later = { ...lease, token, mode: chance.happens(0.5) ? null : lease.mode };
    const kind = chance.weighted({ acquire: 10, wait: 0.5, release: 6, renew: 5, seldom: 2 });
    switch (kind) {
      case "acquire":
        return acquireLease(keys, attempt, this.terms(ttlMs, false));
      case "wait":
        return acquireLease(keys, attempt, this.terms(ttlMs, true));
      case "release": {
        const brokenFor = chance.happens(0.1) ? "because" : null;
        return releaseLease(keys, later, { forMs: 30, always: chance.happens(0.2), brokenFor });
      }
      case "renew":
        return renewLease(keys, { ...later, ttlMs });
      default:
        return this.seldom(attempt, later, ttlMs);
    }
  }

  private claim(): Claim {
    const { chance } = this;
    const name = chance.pick(["lock/a", "lock/b", "election/c", "permit/p/1"]);
    const resources = chance.happens(0.15) ? ["lock/a", "lock/b"] : [name];
    const permit = name.startsWith("permit/") && resources.length === 1;
    return {
      leaseId: chance.pick(["x", "y", "z"]),
      mode: chance.happens(0.2) && !permit ? "shared" : "exclusive",
      resources,
      queues: permit ? ["semaphore/p"] : resources,
      fingerprint: chance.happens(0.15) ? chance.pick(["f", "g"]) : null,
      limit: permit && chance.happens(0.7) ? { semaphore: "p", permits: 2 } : null,
    };
  }

  private terms(ttlMs: number, waits: boolean) {
    const { chance } = this;
    const queueEntry = {
      ticket: chance.whole(1, 5),
      instance: "i",
      keptMs: 500,
      acceptsHandoff: chance.happens(0.5),
    };
    return {
      ttlMs,
      owner: chance.pick(["", "worker-7"]),
      metadata: "{}",
      chosen: chance.happens(0.2),
      queueEntry: waits ? queueEntry : null,
    };
  }

  private seldom(attempt: Attempt, later: Claim & { token: number }, ttlMs: number): Call<unknown> {
    const { chance } = this;
    const renewal = {
      mode: attempt.mode ?? "exclusive",
      owner: "",
      metadata: "",
      chosen: false,
      revision: "1",
    };
    const back = chance.pick(["all", "none", "1"] as const);
    return chance.pick<() => Call<unknown>>([
      () => abandonAttempt(keys, attempt, chance.pick([0, 500])),
      () => raiseCounters(keys, attempt, later.token),
      () => repairLease(keys, { ...attempt, token: later.token, ttlMs }, renewal),
      () => proclaim(keys, { ...attempt, token: later.token }, chance.pick(["1", "2"]), "new"),
      () => takeTicket(keys, attempt),
      () =>
        leaveQueue(keys, attempt, attempt.nonce, {
          back: back === "1" ? 1 : back,
          keepMs: 0,
          notify: false,
        } as never),
    ])();
  }
}

/** Compares the scripts with and without their plain paths; returns how many calls each plain path answered. */
function compare(seed: number, calls: number, change: (plain: string) => string = (plain) => plain) {
  const chance = new Chance(seed, "plain");
  let nowMs = 1_700_000_000_000;
  const server = () => {
    const one = new SimulatedRedis({ clockMs: () => nowMs, newId: () => "id", lua });
    one.keyspace.listeners = () => 1;
    one.execute("HSET", [keys.configuration, "stamp", EPOCH]);
    return one;
  };
  const [given, full, scratch] = [server(), server(), server()];
  const answered: Record<string, number> = {};
  const source = new Calls(chance);
  const known = new Map<string, Texts>();
  const texts = (name: string) => {
    const found = known.get(name) ?? textsOf(name, change);
    known.set(name, found);
    return found;
  };
  for (let i = 0; i < calls; i++) {
    nowMs += chance.happens(0.01) ? 70_000 : chance.pick([0, 0, 1, 20]);
    const fence = disturbance(chance, nowMs);
    for (const one of [given, full]) for (const [command = "", ...args] of fence) one.execute(command, args);
    const { script, keys: own, args } = source.next();
    const sent = [String(own.length + 1), keys.configuration, ...own, EPOCH, ...args.map(String)];
    const plain = PLAIN[script.name];
    const { given: here, full: whole, onlyPlain } = texts(script.name);
    let isPlain = false;
    if (plain !== undefined) {
      scratch.takeOver(given);
      isPlain = scratch.execute("EVAL", [onlyPlain, ...sent]) !== "else";
      if (isPlain) answered[plain] = (answered[plain] ?? 0) + 1;
    }
    const what = `seed ${seed}, call ${i}: ${script.name} ${sent.join(" ")}`;
    const one = given.execute("EVAL", [here, ...sent]);
    const other = full.execute("EVAL", [whole, ...sent]);
    if (isPlain) expect(one, what).toEqual(other);
    if (isPlain) expect(stored(given), what).toEqual(stored(full));
  }
  return answered;
}

/** A script with its plain path as given, without it, and with nothing but it. */
interface Texts {
  readonly given: string;
  readonly full: string;
  readonly onlyPlain: string;
}

function textsOf(name: string, change: (plain: string) => string): Texts {
  const { text } = SCRIPTS[name as keyof typeof SCRIPTS];
  const plain = PLAIN[name] === undefined ? "" : luaText(PLAIN[name]);
  const [before = ""] = text.split(plain);
  return {
    given: text.replace(plain, () => change(plain)),
    full: text.replace(plain, ""),
    onlyPlain: `${before}${change(plain)}\nend\ndo return 'else' end`,
  };
}

/** What else changes on a primary: floors, quarantines, generations of counters, and keepalives of the instance. */
function disturbance(chance: Chance, nowMs: number): string[][] {
  const alive = ["SET", keys.instance("i"), "1", "PX", "1200"];
  if (chance.happens(0.97)) return [alive];
  return [
    chance.pick([
      ["HSET", keys.configuration, "floor", String(chance.whole(0, 50))],
      ["HSET", keys.configuration, "quarantine_until", String(nowMs + chance.whole(-100, 300))],
      ["RENAME", keys.counters, keys.countersOlder],
      ["FLUSHALL"],
    ]),
    ["HSET", keys.configuration, "stamp", EPOCH],
    alive,
  ];
}

function stored({ keyspace }: SimulatedRedis) {
  return keyspace
    .keys()
    .sort()
    .map((key) => [key, keyspace.get(key), keyspace.expiresAtMs(key)]);
}

test("every file of plain/ is the plain path of one script", () => {
  expect(Object.values(PLAIN).sort()).toEqual(luaNames("plain/").sort());
  for (const [name, plain] of Object.entries(PLAIN)) {
    expect(luaText(name)).toContain(`\n-- Plain path: ${plain}\n`);
    expect(SCRIPTS[name as keyof typeof SCRIPTS].text).toContain(`do\n${luaText(plain)}\nend\n`);
  }
});

test("a plain path does what its script does without it", () => {
  const all: Record<string, number> = {};
  for (let seed = 1; seed <= 15; seed++)
    for (const [plain, count] of Object.entries(compare(seed, 400))) all[plain] = (all[plain] ?? 0) + count;
  for (const plain of luaNames("plain/")) expect(all[plain], plain).toBeGreaterThan(15);
}, 120_000);

describe("a plain path that forgets", () => {
  const wrong = (name: string, from: string, to = "") => {
    const file = luaText(name);
    expect(file).toContain(from);
    const change = (text: string) => (text === file ? text.replace(from, () => to) : text);
    expect(() => {
      for (let seed = 1; seed <= 40; seed++) compare(seed, 400, change);
    }).toThrow(/seed \d+, call \d+/);
  };

  test.each([
    ["that others wait", "acquire-plain", ", queue,", ","],
    ["readers", "acquire-plain", ", hold .. '/readers'"],
    [
      "that the lease was ended",
      "acquire-plain",
      ", lease_tombstone, attempt_tombstone, hold",
      ", attempt_tombstone, hold",
    ],
    ["that the attempt was abandoned", "acquire-plain", ", attempt_tombstone, hold", ", hold"],
    ["what the id is for", "acquire-plain", "fingerprint_key or lease_tombstone", "lease_tombstone"],
    ["to keep what the id is for", "acquire-plain", "if fingerprint_key then", "if false then"],
    ["the quarantine", "acquire-plain", "tonumber(fence[3] or 0) == 0", "true"],
    ["semaphores", "acquire-plain", "string.sub(name, 1, 7) ~= 'permit/'", "true"],
    ["to list the lock", "acquire-plain", "if is_listed then", "if false then"],
    ["a repeat of its own", "acquire-plain", "if holder and holder ~= lease then", "if holder then"],
    ["the lease high-water mark", "acquire-plain", "mark_lease(time, tonumber(ttl))"],
    ["that others wait", "release-plain", "('EXISTS', queue, ", "('EXISTS', KEYS[1] .. '/none', "],
    ["that its caller chose the id", "release-plain", " or mine[2] == '1'"],
    ["the other names of the lease", "release-plain", " and (mine[4] or '') == ''"],
    ["that the hold was repaired", "release-plain", " or mine[5] then", " then"],
    ["that the lease was broken", "release-plain", " and kind == 'released'"],
    [
      "that the lease may be a reader's",
      "release-plain",
      "mode == '' and hold .. '/' .. lease or queue",
      "queue",
    ],
    ["semaphores", "release-plain", "string.sub(name, 1, 7) ~= 'permit/'", "true"],
    [
      "that the lease was ended",
      "renew-plain",
      "('EXISTS', lease_tombstone, ",
      "('EXISTS', KEYS[1] .. '/none', ",
    ],
    ["later grants", "renew-plain", "tonumber(mine[2]) <= tonumber(token)", "true"],
    ["the other names of the lease", "renew-plain", " and mine[3] == ''"],
    ["the lease high-water mark", "renew-plain", "mark_lease(now(), tonumber(ttl))"],
    ["never to shorten a hold", "renew-plain", "redis.call('PTTL', hold) < tonumber(ttl)", "true"],
  ])("%s is found out (%s)", (_what, name, from, to?: string) => wrong(name, from, to), 120_000);
});
