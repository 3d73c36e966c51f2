import { describe, expect, test } from "vitest";
import { all } from "../../../src/redis/script-batches.js";
import { Keys } from "../../../src/scripts/keys.js";
import { acquireLease, releaseLease, renewLease } from "../../../src/scripts/lease-calls.js";
import type { Call } from "../../../src/scripts/scripts.js";
import { luaText } from "../../helpers/lua-files.js";
import { Chance } from "../../simulation/random.js";
import { LuaMachine } from "../../simulation/redis/lua.js";
import { Failure } from "../../simulation/redis/reply.js";
import { SimulatedRedis } from "../../simulation/redis/server.js";

// A batch reads the fence once, and its runs share what they know of it: they must not tell. Nor must a run that fails.

const keys = new Keys("q:");
const EPOCH = "1:nonce:id";
const NOW_MS = 1_700_000_000_000;

function server(lua: LuaMachine): SimulatedRedis {
  const one = new SimulatedRedis({ clockMs: () => NOW_MS, newId: () => "id", lua });
  one.keyspace.listeners = () => 1;
  one.execute("HSET", [keys.configuration, "stamp", EPOCH, "quarantine_until", String(NOW_MS - 1)]);
  // What no script writes there: whoever meets it fails.
  one.execute("SET", [keys.hold(BROKEN), "text"]);
  return one;
}

const BROKEN = "lock/broken";

/** The first write of the lease high-water mark is refused. */
const FULL_AT_FIRST = `
local server, isFull = redis, true
local redis = setmetatable({
  call = function(command, key, field, ...)
    if isFull and field == 'leases_until' then
      isFull = false
      error({ err = 'OOM not now' }, 0)
    end
    return server.call(command, key, field, ...)
  end,
}, { __index = server })`;

function run(
  one: SimulatedRedis,
  { script, keys: own, args }: Call<unknown>,
  { epoch = EPOCH, change = (text: string) => text } = {},
) {
  const sent = [String(own.length + 1), keys.configuration, ...own, epoch, ...args.map(String)];
  return one.execute("EVAL", [change(script.text), ...sent]);
}

function stored({ keyspace }: SimulatedRedis) {
  return keyspace
    .keys()
    .sort()
    .map((key) => [key, keyspace.get(key), keyspace.expiresAtMs(key)]);
}

/** Several calls of one script: leases of all lengths, a few names, and one at which every call fails. */
function anyCalls(chance: Chance): Call<unknown>[] {
  const kind = chance.pick(["acquire", "acquire", "wait", "release", "renew"] as const);
  return Array.from({ length: 8 }, () => {
    const resources = [chance.pick(["lock/a", "lock/b", "lock/c", "lock/d", "lock/e", BROKEN])];
    const claim = {
      leaseId: chance.pick(["u", "v", "w", "x", "y", "z"]),
      mode: chance.happens(0.3) ? ("shared" as const) : ("exclusive" as const),
      resources,
      queues: resources,
      fingerprint: null,
      limit: null,
    };
    const ttlMs = chance.pick([900, 600_000, 3_000]);
    if (kind === "release") return releaseLease(keys, claim, { forMs: 30, always: false, brokenFor: null });
    if (kind === "renew") return renewLease(keys, { ...claim, ttlMs, token: chance.pick([0, 2, 1_000]) });
    const queueEntry = { ticket: chance.whole(1, 5), instance: "i", keptMs: 500, acceptsHandoff: true };
    return acquireLease(
      keys,
      { ...claim, nonce: chance.pick(["m", "n"]), attemptNumber: 1 },
      { ttlMs, owner: "", metadata: "", chosen: false, queueEntry: kind === "wait" ? queueEntry : null },
    );
  });
}

/** Compares batches with the same calls one by one. Returns how many calls failed. */
function compare(lua: LuaMachine, seed: number, change?: (text: string) => string): number {
  const chance = new Chance(seed, "batch");
  const [together, single] = [server(lua), server(lua)];
  let failed = 0;
  for (let batch = 1; batch <= 4; batch++) {
    const calls = anyCalls(chance);
    const replies = calls.map((call) => run(single, call));
    failed += replies.filter((reply) => reply instanceof Failure).length;
    const what = `seed ${seed}, batch ${batch}`;
    expect(run(together, all(calls), change && { change }), what).toEqual(replies);
    expect(stored(together), what).toEqual(stored(single));
  }
  return failed;
}

test("a batch gives the replies, errors among them, and leaves the data, that its calls would one by one", async () => {
  const lua = await LuaMachine.create();
  let failed = 0;
  for (let seed = 1; seed <= 100; seed++) failed += compare(lua, seed);
  expect(failed).toBeGreaterThan(100);
});

describe("a batch is found out", () => {
  test.each([
    ["that stops at the first error", "  replies[i] = ok", "  if not ok then break end\n  replies[i] = ok"],
    ["that fails as a whole", "pcall(run, keys, args)", "true, run(keys, args)"],
    [
      "in which an error answers the neighbour, too",
      "local ok, reply = pcall(run, keys, args)",
      "local ok, reply = pcall(run, keys, args)\n  if not ok and i > 1 then replies[i - 1] = { err = reply.err } end",
    ],
    ["whose runs have keys of the first", "= KEYS[key + j]", "= keys[key_places[j]]"],
    ["whose runs have arguments of the first", "= ARGV[arg + j]", "= args[arg_places[j]]"],
    ["whose runs have what is the next one's", "    key, arg = key", "    local key, arg = key"],
  ])("%s", async (_what, from, to) => {
    expect(luaText("batch")).toContain(from);
    const lua = await LuaMachine.create();
    const change = (text: string) => text.replace(from, () => to);
    expect(() => {
      for (let seed = 1; seed <= 20; seed++) compare(lua, seed, change);
    }).toThrow(/seed \d+, batch \d+/);
  });
});

test("a run that could not raise the lease high-water mark leaves that to the next", async () => {
  const lua = await LuaMachine.create();
  const claim = (name: string) => ({
    leaseId: `lease-${name}`,
    mode: "exclusive" as const,
    resources: [`lock/${name}`],
    queues: [`lock/${name}`],
    fingerprint: null,
    limit: null,
  });
  const markMs = (change: (text: string) => string) => {
    const one = server(lua);
    const terms = { ttlMs: 500, owner: "", metadata: "", chosen: false, queueEntry: null };
    for (const name of ["a", "b"])
      run(one, acquireLease(keys, { ...claim(name), nonce: "n", attemptNumber: 1 }, terms));
    const renewal = (name: string, ttlMs: number) => renewLease(keys, { ...claim(name), token: 2, ttlMs });
    const replies = run(one, all([renewal("a", 600_000), renewal("b", 3_000)]), {
      change: (text) => `${FULL_AT_FIRST}\n${change(text)}`,
    });
    expect(replies).toMatchObject([
      { text: expect.stringContaining("OOM") },
      [1, "exclusive", "", "", "", ""],
    ]);
    return Number(one.execute("HGET", [keys.configuration, "leases_until"]));
  };
  expect(markMs((text) => text)).toBeGreaterThanOrEqual(NOW_MS + 3_000);
  const tooEarly = (text: string) =>
    text.replace("local mark = int", () => "fence[4] = int(time + ttl)\n  local mark = int");
  expect(markMs(tooEarly), "where it is believed to be raised").toBeLessThan(NOW_MS + 3_000);
});

test("a batch under a stale epoch is refused as a whole, and leaves nothing", async () => {
  const one = server(await LuaMachine.create());
  const before = stored(one);
  const chance = new Chance(1, "batch");
  const refused = run(one, all([...anyCalls(chance)]), { epoch: "2:nonce:id" });
  expect(refused).toMatchObject({ text: expect.stringMatching(/^FENCED/) });
  expect(stored(one)).toEqual(before);
});
