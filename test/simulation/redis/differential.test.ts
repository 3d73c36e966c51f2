import { setTimeout as sleep } from "node:timers/promises";
import { Redis, ReplyError } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BATCHES, SCRIPTS } from "../../../src/scripts/scripts.js";
import { startPrimaries, type TestPrimaries } from "../../helpers/primaries.js";
import { withFirstStart, withRemoval } from "../plan.js";
import { Chance } from "../random.js";
import { simulate } from "../run.js";
import { LuaMachine, sha1hex } from "./lua.js";
import { SimulatedRedis, toClient } from "./server.js";

// What the simulation proves is worth as much as its Redis is like the real one: both get the same commands here, and
// must give the same answers.

let primaries: TestPrimaries;
let real: Redis;
let lua: LuaMachine;
let simulated: SimulatedRedis;

beforeAll(async () => {
  primaries = await startPrimaries(1, { args: ["--appendonly", "no"] });
  real = new Redis(primaries.urls[0] as string, { protocol: 2, disableClientInfo: true });
  lua = await LuaMachine.create();
});

afterAll(async () => {
  real.disconnect();
  await primaries.close();
});

beforeEach(async () => {
  await real.flushall();
  await real.script("FLUSH");
  simulated = new SimulatedRedis({
    clockMs: () => performance.timeOrigin + performance.now(),
    newId: () => "id",
    lua,
  });
});

/** What both say; errors by their code, since their words differ from version to version. */
async function both(
  command: string,
  ...args: (string | number)[]
): Promise<[simulated: unknown, real: unknown]> {
  const texts = args.map(String);
  const [one, other] = await Promise.all([
    new Promise((resolve) =>
      resolve(toClient(simulated.execute(command, texts), (text) => new Error(text))),
    ).catch(codeOf),
    real.call(command, ...texts).catch(codeOf),
  ]);
  return [one, other];
}

function codeOf(error: unknown): string {
  const { message } = error as Error;
  if (!(error instanceof ReplyError) && (error as Error).constructor !== Error) throw error;
  return `error ${message.split(" ")[0]}`;
}

async function same(command: string, ...args: (string | number)[]): Promise<void> {
  const [one, other] = await both(command, ...args);
  expect(one, [command, ...args].join(" ")).toEqual(other);
}

describe("commands", () => {
  const KEYS = ["a", "b", "c", "d"];
  const FIELDS = ["f", "g", "h"];

  /** One command with arguments by chance: often of the wrong type, now and then senseless. */
  function anyCommand(chance: Chance): (string | number)[] {
    const key = () => chance.pick(KEYS);
    const field = () => chance.pick(FIELDS);
    const number = () => chance.pick([0, 1, -1, 7, 2 ** 40, "9007199254740900", "x"]);
    const bound = () => chance.pick(["-inf", "+inf", "(1", "1", "(7", "7"]);
    return chance.pick<() => (string | number)[]>([
      () => ["SET", key(), field()],
      () => ["SET", key(), field(), "PX", chance.pick([100_000, 0, "x"])],
      () => ["GET", key()],
      () => ["GETRANGE", key(), chance.whole(0, 2), chance.pick([-1, -2, 0, 1])],
      () => ["DEL", key(), key()],
      () => ["UNLINK", key()],
      () => ["EXISTS", key(), key()],
      () => ["RENAME", key(), key()],
      () => ["PEXPIRE", key(), chance.pick([100_000, -1, "x"])],
      () => ["HSET", key(), field(), number(), field(), number()],
      () => ["HSETNX", key(), field(), number()],
      () => ["HGET", key(), field()],
      () => ["HMGET", key(), field(), field()],
      () => ["HGETALL", key()],
      () => ["HKEYS", key()],
      () => ["HLEN", key()],
      () => ["HEXISTS", key(), field()],
      () => ["HDEL", key(), field(), field()],
      () => ["HINCRBY", key(), field(), number()],
      () => ["ZADD", key(), chance.whole(0, 9), field(), chance.whole(0, 9), field()],
      () => ["ZADD", key(), chance.pick(["GT", "NX", "XX"]), chance.whole(0, 9), field()],
      () => ["ZMSCORE", key(), field(), field()],
      () => ["ZCOUNT", key(), bound(), bound()],
      () => ["ZREM", key(), field()],
      () => ["ZCARD", key()],
      () => ["ZSCORE", key(), field()],
      () => ["ZRANGE", key(), chance.whole(0, 2), chance.pick([-1, -2, 0, 1])],
      () => ["ZRANGEBYSCORE", key(), bound(), bound()],
      () => ["ZRANGEBYSCORE", key(), bound(), bound(), "LIMIT", 0, chance.whole(0, 2)],
      () => ["ZREMRANGEBYSCORE", key(), bound(), bound()],
      () => ["SCAN", "0", "MATCH", "*", "COUNT", 1000],
      () => ["HSCAN", key(), "0", "COUNT", 1000],
      () => ["ZSCAN", key(), "0", "COUNT", 1000],
      () => ["ZCOUNT", key(), bound(), bound()],
    ])();
  }

  it("give the same answers, whatever the keys hold", async () => {
    const chance = new Chance(7, "commands");
    for (let i = 0; i < 4_000; i++) {
      const [command, ...args] = anyCommand(chance);
      const [one, other] = await both(String(command), ...args);
      const isScan = command === "SCAN" || command === "HSCAN" || command === "ZSCAN";
      expect(isScan ? sorted(one) : one, `${i}: ${[command, ...args].join(" ")}`).toEqual(
        isScan ? sorted(other) : other,
      );
    }
  });

  /** A page of a scan: in no order. */
  function sorted(page: unknown): unknown {
    if (!Array.isArray(page)) return page;
    const [cursor, found] = page as [string, string[]];
    return [cursor, [...found].sort()];
  }

  it("write over a part of a text, and let it live as long", async () => {
    await same("SET", "a", "head of größe", "PX", 100_000);
    await same("SETRANGE", "a", 0, "HEAD");
    await same("GETRANGE", "a", 0, 3);
    await same("GETRANGE", "a", 8, -1);
    await same("SETRANGE", "a", 5, "OF");
    await same("GET", "a");
  });

  it("find by patterns what was escaped in them", async () => {
    for (const key of ["q*:hold/a", "q:hold/a", "q*:hold/b", "x"]) await same("SET", key, 1);
    const [one, other] = await both("SCAN", "0", "MATCH", "q\\*:hold/*", "COUNT", 1000);
    expect(sorted(one)).toEqual(["0", ["q*:hold/a", "q*:hold/b"]]);
    expect(sorted(other)).toEqual(sorted(one));
  });

  it("let keys go when their time is over, and tell how much is left", async () => {
    await same("SET", "string", 1, "PX", 60);
    await same("HSET", "hash", "f", 1);
    await same("PEXPIRE", "hash", 60);
    await same("ZADD", "zset", 1, "m");
    await same("PEXPIRE", "zset", 100_000);
    const [one, other] = await both("PTTL", "zset");
    expect(Number(one)).toBeGreaterThan(99_000);
    expect(Math.abs(Number(one) - Number(other))).toBeLessThan(500);
    await same("PTTL", "nothing");
    await sleep(100);
    await same("EXISTS", "string", "hash", "zset");
    await same("HGETALL", "hash");
    await same("HSETNX", "hash", "f", 2);
    await same("PTTL", "hash");
  });

  it("keep streams: what was added, from a place on, in its order", async () => {
    for (let i = 0; i < 12; i++)
      await both("XADD", "stream", "MAXLEN", "~", 1000, "*", "n", i, "text", `t${i}`);
    await both("XADD", "stream", "*", "mark", 1);
    const withoutPlaces = (found: unknown) => (found as [string, string[]][]).map(([, pairs]) => pairs);
    for (const range of [
      ["-", "+"],
      ["0-1", "+", "COUNT", 5],
    ]) {
      const [one, other] = await both("XRANGE", "stream", ...range);
      expect(withoutPlaces(one)).toEqual(withoutPlaces(other));
    }
    await same("XRANGE", "nothing", "-", "+");
    await same("SET", "string", 1);
    await same("XRANGE", "string", "-", "+");
    await same("XADD", "string", "*", "f", 1);
  });

  it("tell the time", async () => {
    const [one, other] = await both("TIME");
    const [seconds, micros] = one as string[];
    expect(Math.abs(Number(seconds) - Number((other as string[])[0]))).toBeLessThan(5);
    expect(Number(micros)).toBeLessThan(1e6);
  });
});

describe("Lua", () => {
  const KEYS_AND_ARGS = ["2", "k1", "k2", "a", "", "9007199254740900", "ünï"];

  it.each([
    "return {KEYS[1], KEYS[2], KEYS[3], ARGV[1], #ARGV, ARGV[4]}",
    "return 3.99",
    "return -3.99",
    "return 2^53",
    "return tostring(2^53)",
    "return tostring(1e14 + 1) .. ' ' .. 1e15 + 1 .. ' ' .. 0.1",
    "return string.format('%.0f', 2^53 - 92)",
    "return string.format('%.0f|%d|%5.2f|%s|%q', 1767225600000149, 7, 1 / 3, 'x', 'y')",
    "return tonumber(ARGV[3]) == 2^53 - 92",
    "return {1, nil, 2}",
    "return {1, false, true, 'x', {2, {'y'}}}",
    "return {1, 2, x = 3}",
    "return nil",
    "return false",
    "return redis.error_reply('FENCED no')",
    "return redis.status_reply('FINE')",
    "return {err = 'WRONG x'}",
    "return {ok = 'FINE'}",
    "return redis.sha1hex('x')",
    "return redis.call('GET', 'nothing')",
    "return type(redis.call('GET', 'nothing'))",
    "return redis.call('SET', KEYS[1], 1)",
    "return redis.call('SET', KEYS[1], 1)['ok']",
    "redis.call('SET', KEYS[1], 0.1) return redis.call('GET', KEYS[1])",
    "redis.call('SET', KEYS[1], 1767225600000149) return redis.call('GET', KEYS[1])",
    "redis.call('SET', KEYS[1], 2^53 - 92) return redis.call('GET', KEYS[1])",
    "redis.call('set', KEYS[1], ARGV[4]) return redis.call('gEt', KEYS[1])",
    "return redis.call('HINCRBY', KEYS[1], 'f', '9007199254740900')",
    "redis.call('SET', KEYS[1], 1) return redis.call('HGET', KEYS[1], 'f')",
    "redis.call('SET', KEYS[1], 1) return redis.pcall('HGET', KEYS[1], 'f')",
    "redis.call('SET', KEYS[1], 1) return type(redis.pcall('HGET', KEYS[1], 'f').err)",
    "return redis.call('HMGET', KEYS[2], 'a', 'b')",
    "return nobody",
    "somebody = 1",
    "local t = {3, 1, 2} table.sort(t) return table.concat(t, ',')",
    "return {string.sub('hello', 2, -2), string.match('1:a:b', '[^:]*$'), ('x'):rep(3)}",
    "return {math.max(1, 5), math.floor(-1.5), math.ceil(1.2), 7 % 3, -7 % 3}",
    "return '0000a' < '0000b' and 'f' > '9'",
    "return #'ünï'",
    "error('x')",
    "return {pcall(function() error({ code = 1 }) end)}",
    "for i, key in ipairs(redis.call('HKEYS', KEYS[2])) do return key end return 'none'",
    "return #redis.call('TIME')",
    "return os == nil and io == nil",
  ])("%s", async (script) => {
    await both("DEL", "k1", "k2").catch(() => {});
    await both("HSET", "k2", "a", 1, "c", 3);
    await same("EVAL", script, ...KEYS_AND_ARGS);
  });

  it("scripts are known by their digest once they were loaded, until they are flushed", async () => {
    const [digest, other] = await both("SCRIPT", "LOAD", "return 7");
    expect(digest).toBe(other);
    await same("EVALSHA", String(digest), 0);
    await same("SCRIPT", "EXISTS", String(digest), "0".repeat(40));
    await same("SCRIPT", "FLUSH");
    await same("EVALSHA", String(digest), 0);
    await same("EVAL", "return 7", 0);
    await same("EVALSHA", String(digest), 0);
  });
});

const OURS = [...Object.values(SCRIPTS), ...BATCHES.values()];

describe("everything that primaries were asked in simulated runs", () => {
  it("is answered by a real server as it was by the simulated one", { timeout: 180_000 }, async () => {
    for (const text of STANDING_STILL.values()) await same("SCRIPT", "LOAD", text);
    const asked = new Set<string>();
    const all = [...Object.keys(SCRIPTS), "SCAN", "HSCAN", "PTTL"];
    const missing = () => all.filter((each) => !asked.has(each) && !FOR_OPERATORS.has(each));
    // Some are asked for in few runs only, and in which of them changes with anything that changes.
    for (let seed = 1; seed <= 8 || (missing().length > 0 && seed <= 32); seed++) {
      for (const { command, args } of await replay(await recorded(seed))) {
        asked.add(nameByDigest.get(args[0] ?? "") ?? command);
      }
    }
    expect(missing()).toEqual([]);
  });

  /** What no client of the simulation asks for, or seldom. */
  const FOR_OPERATORS = new Set([
    "read-tombstone",
    "bind-lease",
    "list-bound",
    "unbind-leases",
    "restore-bound",
    "list-holders",
    "describe-holders",
    "list-locks",
    "list-registers",
    "proclaim",
    "set-limit",
    "inspect-semaphore",
    "count-members",
    "begin-guard",
    "claim-change",
    "note-probed",
    "put-report",
    "list-reports",
    // Places are of each server's own time: streams are compared above.
    "read-events",
    "read-guard",
    "register-names",
  ]);

  interface Asked {
    readonly command: string;
    readonly args: readonly string[];
    /** What the primary's clock showed. */
    readonly clockMs: number;
  }

  /**
   * Time is where two servers always differ: of two deadlines one may be the earlier here and the later there, and a mark
   * may be due here and not yet there. So scripts get the time of the recording, as their last argument, and count times
   * to live by it: what they answer must be the same to the last digit. (That keys really expire is tested above.)
   */
  const STANDING_STILL = new Map(
    OURS.map(({ sha1, text }) => [
      sha1,
      `
local clock, server = tonumber(table.remove(ARGV)), redis
local redis = setmetatable({
  call = function(command, ...)
    local key, value, option, ms = ...
    if command == 'TIME' then
      return { string.format('%.0f', math.floor(clock / 1000)), string.format('%.0f', clock % 1000 * 1000) }
    end
    if command == 'PTTL' then
      if server.call('EXISTS', key) == 0 then return -2 end
      return tonumber(server.call('HGET', 'ends', key) or clock - 1) - clock
    end
    local reply = server.call(command, ...)
    if command == 'PEXPIRE' then ms = value end
    if command == 'PEXPIRE' or option == 'PX' then
      server.call('HSET', 'ends', key, string.format('%.0f', clock + ms))
    elseif command == 'DEL' or command == 'UNLINK' or command == 'SET' then
      server.call('HDEL', 'ends', ...)
    end
    return reply
  end,
}, { __index = server })
${text}`,
    ]),
  );

  /** One that is run several times counts as the one that is run. */
  const nameByDigest = new Map(OURS.map(({ sha1, name }) => [sha1, name.split(" ")[0]]));

  /** All that one primary was asked; nothing expires in it, since it is repeated at another pace. */
  async function recorded(seed: number): Promise<Asked[]> {
    const all: Asked[] = [{ command: "FLUSHALL", args: [], clockMs: 0 }];
    await simulate(seed, {
      replan: (plan) => ({
        ...withRemoval(withFirstStart(plan)),
        // So many that counters differ now and then, and are raised.
        clients: 6,
        memberTtlMs: 100_000,
        leaseTtlsMs: [100_000],
        settings: { ...plan.settings, ttlMaxMs: 100_000, rotateAfterMs: 0 },
        weather: { ...plan.weather, twiceShare: 0 },
        faults: [
          { kind: "primary is flushed", atMs: 300, forMs: 1 },
          { kind: "primary restarts", atMs: 700, forMs: 50 },
        ],
      }),
      watch: (primary, command, args) => {
        if (primary.place === 0 && !NOT_COMPARED.has(command)) {
          all.push({ command, args, clockMs: Math.floor(primary.clockMs) });
        }
      },
    });
    return all;
  }

  /** In as few round trips as possible: beside other tests each takes long. */
  async function replay(all: readonly Asked[]): Promise<readonly Asked[]> {
    let underWay: Promise<void>[] = [];
    for (const one of all) {
      const isScan = ["SCAN", "HSCAN", "ZSCAN"].includes(one.command) || isScanOfSet(one);
      if (isScan) {
        await Promise.all(underWay);
        underWay = [];
        await expectSamePages(one);
      } else {
        underWay.push(expectSame(one));
      }
    }
    await Promise.all(underWay);
    return all;
  }

  async function expectSame(asked: Asked): Promise<void> {
    const { command } = asked;
    const [one, other] = await both(command, ...argumentsOf(asked));
    if (command === "PTTL" && Number(one) > 0) {
      // The only one that is told by the servers' own clocks.
      expect(Math.abs(Number(one) - Number(other)), tell(asked)).toBeLessThan(10_000);
    } else {
      expect(ordered(command, one), tell(asked)).toEqual(ordered(command, other));
    }
  }

  function argumentsOf({ command, args, clockMs }: Asked): readonly string[] {
    if (command !== "EVALSHA" && command !== "EVAL") return args;
    const [script = "", ...rest] = args;
    const text = STANDING_STILL.get(command === "EVAL" ? sha1hex(script) : script);
    if (text === undefined) throw new Error(`a script that is none of ours: ${script}`);
    return [command === "EVAL" ? text : sha1hex(text), ...rest, String(clockMs)];
  }

  const isScanOfSet = ({ command, args }: Asked) =>
    command.startsWith("EVAL") && args[0] === SCRIPTS["scan-set"].sha1;

  /** Pages differ; what they tell in all must not. */
  async function expectSamePages(asked: Asked): Promise<void> {
    const { command, args } = asked;
    if (isScanOfSet(asked)) return expectSameParts(asked);
    if (args[command === "SCAN" ? 0 : 1] !== "0") return;
    const one = await allPages(async (...call) => (await both(...call))[0], command, args);
    const other = await allPages(async (...call) => (await both(...call))[1], command, args);
    expect(one, tell(asked)).toEqual(other);
  }

  /** The same of a script that tells pages: where to go on is behind the stamp. */
  async function expectSameParts(asked: Asked): Promise<void> {
    const [script = "", keys = "", ...rest] = asked.args;
    const place = 2 + Number(keys) + 1;
    const all = async (which: 0 | 1): Promise<string[]> => {
      const found: string[] = [];
      for (let from = "0"; ; ) {
        const args = [script, keys, ...rest].with(place, from);
        const reply = (await both("EVALSHA", ...argumentsOf({ ...asked, args })))[which];
        if (!Array.isArray(reply)) return [String(reply)];
        const [next, page = ""] = reply as string[];
        found.push(...page.split("\n"));
        if (next === "0") return found.sort();
        from = next as string;
      }
    };
    expect(await all(0), tell(asked)).toEqual(await all(1));
  }

  async function allPages(
    ask: (command: string, ...args: string[]) => Promise<unknown>,
    command: string,
    args: readonly string[],
  ): Promise<string[]> {
    const place = command === "SCAN" ? 0 : 1;
    const found: string[] = [];
    let cursor = "0";
    do {
      const [next, page] = (await ask(command, ...args.with(place, cursor))) as [string, string[]];
      found.push(...page);
      cursor = next;
    } while (cursor !== "0");
    return found.sort();
  }

  /** Redis tells the fields of a larger hash in no order. */
  function ordered(command: string, reply: unknown): unknown {
    if (!Array.isArray(reply)) return reply;
    if (command !== "HGETALL") return reply;
    const pairs = reply.flatMap((text, i) => (i % 2 === 0 ? [[text, reply[i + 1]]] : []));
    return pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  const tell = ({ command, args, clockMs }: Asked) =>
    [clockMs, nameByDigest.get(args[0] ?? "") ?? command, ...args].join(" ").slice(0, 300);

  /** Scripts are loaded already; and what a server tells of itself and of its time is its own. */
  const NOT_COMPARED = new Set(["SCRIPT", "INFO", "TIME"]);
});
