import { expect, test } from "vitest";
import { all } from "../../../src/redis/script-batches.js";
import { Keys } from "../../../src/scripts/keys.js";
import { acquireLease } from "../../../src/scripts/lease-calls.js";
import type { Call } from "../../../src/scripts/scripts.js";
import { Chance } from "../../simulation/random.js";
import { LuaMachine } from "../../simulation/redis/lua.js";
import { SimulatedRedis } from "../../simulation/redis/server.js";

// A batch reads the fence once, and its runs share what they know of it: they must not tell.

const keys = new Keys("q:");
const EPOCH = "1:nonce:id";
const NOW_MS = 1_700_000_000_000;

function server(lua: LuaMachine): SimulatedRedis {
  const one = new SimulatedRedis({ clockMs: () => NOW_MS, newId: () => "id", lua });
  one.keyspace.listeners = () => 1;
  one.execute("HSET", [keys.configuration, "stamp", EPOCH, "quarantine_until", String(NOW_MS - 1)]);
  return one;
}

function run(one: SimulatedRedis, { script, keys: own, args }: Call<unknown>, epoch = EPOCH) {
  const sent = [String(own.length + 1), keys.configuration, ...own, epoch, ...args.map(String)];
  return one.execute("EVAL", [script.text, ...sent]);
}

function stored({ keyspace }: SimulatedRedis) {
  return keyspace
    .keys()
    .sort()
    .map((key) => [key, keyspace.get(key), keyspace.expiresAtMs(key)]);
}

/** Requests with times to live of all lengths, some of which wait. */
function anyAcquire(chance: Chance): Call<unknown> {
  const resources = [chance.pick(["lock/a", "lock/b", "lock/c", "lock/d", "lock/e"])];
  const claim = {
    leaseId: chance.pick(["u", "v", "w", "x", "y", "z"]),
    mode: chance.happens(0.3) ? ("shared" as const) : ("exclusive" as const),
    resources,
    queues: resources,
    fingerprint: null,
    limit: null,
  };
  const queueEntry = { ticket: chance.whole(1, 5), instance: "i", keptMs: 500, acceptsHandoff: true };
  const terms = { ttlMs: chance.pick([900, 600_000, 3_000]), owner: "", metadata: "", chosen: false };
  return acquireLease(
    keys,
    { ...claim, nonce: chance.pick(["m", "n"]), attemptNumber: 1 },
    { ...terms, queueEntry: chance.happens(0.4) ? queueEntry : null },
  );
}

test("a batch gives the replies, and leaves the data, that its calls would one by one", async () => {
  const lua = await LuaMachine.create();
  for (let seed = 1; seed <= 100; seed++) {
    const chance = new Chance(seed, "batch");
    const calls = Array.from({ length: 8 }, () => anyAcquire(chance));
    const [together, single] = [server(lua), server(lua)];
    const replies = calls.map((call) => run(single, call));
    expect(run(together, all(calls)), `seed ${seed}`).toEqual(replies);
    expect(stored(together), `seed ${seed}`).toEqual(stored(single));
  }
});

test("a batch under a stale epoch is refused as a whole, and leaves nothing", async () => {
  const one = server(await LuaMachine.create());
  const before = stored(one);
  const chance = new Chance(1, "batch");
  const refused = run(one, all([anyAcquire(chance), anyAcquire(chance)]), "2:nonce:id");
  expect(refused).toMatchObject({ text: expect.stringMatching(/^FENCED/) });
  expect(stored(one)).toEqual(before);
});
