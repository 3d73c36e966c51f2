import { beforeEach, describe, expect, test } from "vitest";
import { clockDifference, readReport } from "../../src/deployment/server-report.js";
import { ServerReports } from "../../src/deployment/server-reports.js";
import { RedisReplyError } from "../../src/redis/connection.js";
import { Primary } from "../../src/redis/primary.js";
import { Keys } from "../../src/scripts/keys.js";
import { FakeClock, settled } from "../helpers/fake-clock.js";
import { FakeConnection, silence } from "../helpers/fake-connection.js";

const CLOCK = { differenceMs: 0, uncertaintyMs: 1 };
const INFO = [
  "# Server",
  "redis_version:7.4.2",
  "role:master",
  "aof_enabled:1",
  "aof_last_write_status:ok",
  "rdb_last_bgsave_status:ok",
  "used_memory:1000",
  "maxmemory:0",
  "maxmemory_policy:noeviction",
].join("\r\n");
const replies = { info: INFO, appendFsync: ["appendfsync", "always"], save: ["save", ""] };

describe("the report of a server", () => {
  test("says what it stores, and where", () => {
    expect(readReport(replies, CLOCK)).toEqual({
      product: "redis",
      version: "7.4.2",
      role: "primary",
      persistence: { appendOnly: true, appendFsync: "always", save: "", writesSucceed: true },
      memory: { usedBytes: 1000, maxBytes: null, maxmemoryPolicy: "noeviction" },
      clock: CLOCK,
    });
  });

  test("has Valkey's own version", () => {
    const info = `${INFO}\r\nserver_name:valkey\r\nvalkey_version:8.0.1`;
    expect(readReport({ ...replies, info }, CLOCK)).toMatchObject({ product: "valkey", version: "8.0.1" });
  });

  test("tells a setting that is empty from one that it does not tell", () => {
    const { persistence } = readReport({ ...replies, appendFsync: null }, CLOCK);
    expect(persistence).toMatchObject({ appendFsync: null, save: "" });
  });

  test("tells of writes to disk that failed, and not of those of an append-only file that is off", () => {
    const failing = INFO.replace("aof_last_write_status:ok", "aof_last_write_status:err");
    const of = (info: string) => readReport({ ...replies, info }, CLOCK).persistence.writesSucceed;
    expect(of(failing)).toBe(false);
    expect(of(failing.replace("aof_enabled:1", "aof_enabled:0"))).toBe(true);
    expect(of("redis_version:7.4.2")).toBeNull();
  });
});

describe("the difference of two clocks", () => {
  test("is taken in the middle of the round trip, whose half may be wrong", () => {
    expect(clockDifference(5_000_000, 1_000_000, 1_010_000)).toEqual({
      differenceMs: 3_995,
      uncertaintyMs: 5,
    });
  });

  test("is below 0 where the server is behind", () => {
    expect(clockDifference(1_000_000, 3_000_000, 3_000_000).differenceMs).toBe(-2_000);
  });

  test("does not suffer from a clock that was set back during the round trip", () => {
    expect(clockDifference(1_000_000, 1_000_000, 500_000).uncertaintyMs).toBe(0);
  });
});

describe("the reports of all servers", () => {
  const FRESH_MS = 2_000;
  let clock: FakeClock;
  let connections: FakeConnection[];
  let reports: ServerReports;

  beforeEach(async () => {
    clock = new FakeClock();
    connections = [new FakeConnection(), new FakeConnection()];
    const primaries = connections.map((connection, place) => {
      connection.answers.INFO = () => INFO;
      connection.answers.TIME = () => ["7", "0"];
      connection.answers.CONFIG = (_, name) => [name, name === "save" ? "" : "everysec"];
      const settings = { commandTimeoutMs: 100, connectTimeoutMs: 500 };
      const observer = { called: () => {}, changed: () => {}, dropped: () => {} };
      return new Primary(`10.0.0.${place}:6379`, "redis://10.0.0.1", settings, {
        connect: connection.connect,
        keys: new Keys("q:"),
        clock,
        observer,
        onDoubt: () => {},
      });
    });
    for (const connection of connections) connection.open();
    await settled();
    reports = new ServerReports(primaries, clock);
  });

  const first = () => connections[0] as FakeConnection;

  test("are asked for once, however many look, until they are old", async () => {
    const [one, other] = await Promise.all([reports.all(), reports.all()]);
    expect(one).toEqual(other);
    expect(one[0]).toMatchObject({ version: "7.4.2", clock: { differenceMs: 7_000 } });
    await clock.advance(FRESH_MS - 1);
    await reports.all();
    expect(first().count("INFO")).toBe(1);
    await clock.advance(1);
    await reports.all();
    expect(first().count("INFO")).toBe(2);
  });

  test("send nothing while nobody looks", async () => {
    await clock.advance(60_000);
    expect(first().count("INFO")).toBe(0);
  });

  test("lack what an access list forbids, and the server still takes part", async () => {
    first().answers.CONFIG = () => {
      throw new RedisReplyError("NOPERM this user has no permissions to run the 'config|get' command");
    };
    const [report] = await reports.all();
    expect(report?.persistence).toMatchObject({ appendOnly: true, appendFsync: null, save: null });
    first().answers.CONFIG = (_, name) => [name, "no"];
    await clock.advance(FRESH_MS);
    expect((await reports.all())[0]?.persistence.appendFsync, "its breaker is closed").toBe("no");
  });

  test("do not wait for a server that is silent", async () => {
    first().answers.INFO = silence;
    const asked = reports.all();
    await clock.advance(500);
    const [missing, there] = await asked;
    expect(missing).toBeNull();
    expect(there).not.toBeNull();
    first().answers.INFO = () => INFO;
    await clock.advance(FRESH_MS);
    expect((await reports.all())[0]).not.toBeNull();
  });

  test("are asked for no more often where a server refuses to tell", async () => {
    first().answers.INFO = () => {
      throw new RedisReplyError("ERR unknown command 'INFO'");
    };
    for (let i = 0; i < 10; i++) expect((await reports.all())[0]).toBeNull();
    expect(first().count("INFO")).toBe(1);
    first().answers.INFO = () => INFO;
    await clock.advance(FRESH_MS);
    expect((await reports.all())[0]).not.toBeNull();
  });

  test("lack those of a server whose connection is lost", async () => {
    await reports.all();
    first().lose();
    const [missing, there] = await reports.all();
    expect(missing).toBeNull();
    expect(there).not.toBeNull();
  });

  test("are anew when a server is back", async () => {
    await reports.all();
    first().lose();
    first().answers.INFO = () => INFO.replace("7.4.2", "8.0.0");
    first().open();
    await settled();
    expect((await reports.all())[0]?.version).toBe("8.0.0");
  });

  test("lack those of a server that is no Redis", async () => {
    first().answers.TIME = () => "OK";
    const [missing, there] = await reports.all();
    expect(missing).toBeNull();
    expect(there).not.toBeNull();
  });

  test("leave no timer behind", async () => {
    await reports.all();
    // Those of the commands look once more, and find none.
    await clock.advance(200);
    expect(clock.pending).toBe(0);
  });
});
