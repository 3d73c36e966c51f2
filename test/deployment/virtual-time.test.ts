import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { Reconciler } from "../../src/deployment/reconciler.js";
import { SECTIONS } from "../../src/deployment/sections.js";
import { systemIds } from "../../src/ids.js";
import { type Connect, RedisReplyError } from "../../src/redis/connection.js";
import { Primary } from "../../src/redis/primary.js";
import { Keys } from "../../src/scripts/keys.js";
import { SCRIPTS } from "../../src/scripts/scripts.js";
import { FakeClock } from "../helpers/fake-clock.js";
import { LuaMachine } from "../simulation/redis/lua.js";
import { SimulatedRedis, toClient } from "../simulation/redis/server.js";

// The reconciler on three simulated servers whose network takes no time: what it asks them, and when.

const URLS = ["redis://a:1", "redis://b:1", "redis://c:1"];
const WALL_CLOCK_MS = 1_800_000_000_000;
const keys = new Keys("q:");
const log = { info: vi.fn(), warn: vi.fn() };

let lua: LuaMachine;
let clock: FakeClock;
let servers: Map<string, SimulatedRedis>;
let asked: string[][];
/** Commands that the servers refuse. */
let refuses: (command: string, args: readonly string[]) => boolean;
let reconciler: Reconciler;
let primaries: Primary[];

beforeAll(async () => {
  lua = await LuaMachine.create();
});

beforeEach(async () => {
  vi.clearAllMocks();
  clock = new FakeClock();
  let ids = 0;
  const clockMs = () => WALL_CLOCK_MS + clock.monotonicMs();
  servers = new Map(
    URLS.map((url) => [url, new SimulatedRedis({ clockMs, newId: () => `id${++ids}`, lua })]),
  );
  asked = [];
  refuses = () => false;
  const observer = { called: () => {}, changed: () => {}, dropped: () => {} };
  const onDoubt = () => void reconciler.refresh();
  primaries = URLS.map(
    (url) =>
      new Primary(
        new URL(url).host,
        url,
        { commandTimeoutMs: 100, connectTimeoutMs: 500 },
        { connect, keys, clock, observer, onDoubt },
      ),
  );
  const settings = { ttlMaxMs: 10_000, rotateAfterMs: 60_000, embedded: false };
  reconciler = new Reconciler(primaries, { keys, clock, random: () => 0.5, ids: systemIds, settings, log });
  await clock.advance(100);
  expect(states()).toEqual(["up", "up", "up"]);
});

const connect: Connect = (url) => ({
  ready: true,
  onChange: () => {},
  call: async (command, ...rest) => {
    const args = rest.map(String);
    asked.push([url, command, ...args]);
    if (refuses(command, args)) throw new RedisReplyError("ERR broken");
    return toClient(serverAt(url).execute(command, args), (text) => new RedisReplyError(text));
  },
  close: () => {},
});

function serverAt(url: string | undefined): SimulatedRedis {
  const server = servers.get(url ?? "");
  if (!server) throw new Error(`no server at ${url}`);
  return server;
}

const states = () => primaries.map(({ status }) => status.state);

/** How often each server was asked to run a script. */
const runs = (name: keyof typeof SCRIPTS): number[] =>
  URLS.map((url) => asked.filter(([where, , sha1]) => where === url && sha1 === SCRIPTS[name].sha1).length);

test("each primary is asked once a second to rotate and to sweep, however often it is observed", async () => {
  for (let i = 0; i < 50; i++) {
    await reconciler.refresh();
    await clock.advance(60);
  }
  const observations = asked.filter(([url, command]) => url === URLS[0] && command === "INFO").length;
  expect(observations).toBeGreaterThan(50);
  expect(runs("rotate-counters")).toEqual([3, 3, 3]);
  expect(runs("sweep-held")).toEqual([3, 3, 3]);
});

describe("a readmission", () => {
  /** What each section asks at least; a new one is refused here as well. */
  const ASKED_BY: Record<string, (command: string, args: readonly string[]) => boolean> = {
    holds: (command, args) => command === "SCAN" && args.includes(keys.holdPattern),
    counters: (command) => command === "HSCAN",
    members: (command, args) => command === "SCAN" && args.includes(keys.memberPattern),
    "bound leases": (command, args) => command === "SCAN" && args.includes(keys.boundPattern),
    tombstones: (command, args) => command === "SCAN" && args.includes(keys.tombstonePattern),
    registers: (command, args) => command === "ZSCAN" && args.includes(keys.registers),
  };

  test.each(SECTIONS.map(({ name }) => name))(
    "is interrupted where its %s fail, and says so",
    async (name) => {
      for (const url of URLS) serverAt(url).execute("HSET", [keys.counters, "lock/x", TOKEN, "max", TOKEN]);
      refuses = ASKED_BY[name] as (typeof ASKED_BY)[string];
      serverAt(URLS[2]).execute("DEL", [keys.configuration]);
      await clock.advance(5_000);
      const reason = `copying ${name}: ERR broken`;
      const told = log.warn.mock.calls.filter(([, message]) => message === "readmission is interrupted");
      expect(told, "once").toEqual([[{ primary: "c:1", reason }, "readmission is interrupted"]]);
      expect(states()).toEqual(["up", "up", "readmitting"]);
      expect(primaries[2]?.status.reason).toContain(`; but ${reason}`);
      expect(reconciler.version, "changed once").toBe(2);

      refuses = () => false;
      await clock.advance(2_000);
      expect(states()).toEqual(["up", "up", "up"]);
      expect(primaries[2]?.status.reason).toBeNull();
      expect(serverAt(URLS[2]).execute("HGET", [keys.counters, "lock/x"])).toBe(TOKEN);
    },
  );

  /** Above any floor. */
  const TOKEN = "9000000000000000";
});
