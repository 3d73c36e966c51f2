import { beforeEach, describe, expect, test, vi } from "vitest";
import { RedisReplyError } from "../../src/redis/connection.js";
import type { PrimaryFailure } from "../../src/redis/failures.js";
import type { Admission } from "../../src/redis/lifecycle.js";
import { Primary, type PrimaryObserver } from "../../src/redis/primary.js";
import { Keys } from "../../src/scripts/keys.js";
import { BATCHES, type Call, SCRIPTS } from "../../src/scripts/scripts.js";
import { FakeClock, settled } from "../helpers/fake-clock.js";
import { FakeConnection, silence } from "../helpers/fake-connection.js";

const TIMEOUT_MS = 100;
const EPOCH = "1.nonce.id.member";
const ADMISSION: Admission = { configurationEpoch: EPOCH, incarnation: "id:1", runId: "", quarantineMs: 0 };
const keys = new Keys("q:");

let clock: FakeClock;
let connection: FakeConnection;
let observer: { [K in keyof PrimaryObserver]: ReturnType<typeof vi.fn<PrimaryObserver[K]>> };
let primary: Primary;
let onDoubt: () => void;

beforeEach(() => {
  clock = new FakeClock();
  connection = new FakeConnection();
  connection.answers.EVALSHA = () => ["search"];
  observer = { called: vi.fn(), changed: vi.fn(), dropped: vi.fn() };
  primary = new Primary(
    "10.0.0.1:6379",
    "redis://:s3cret@10.0.0.1",
    { commandTimeoutMs: TIMEOUT_MS, connectTimeoutMs: 500 },
    { connect: connection.connect, keys, clock, observer, onDoubt: () => onDoubt() },
  );
  // What the reconciler does where nothing is wrong.
  onDoubt = () => admit();
});

/** Admits the primary, unless it does not answer. */
function admit(admission: Partial<Admission> = {}): void {
  const { connectionEpoch } = primary;
  if (connectionEpoch === null) return;
  primary.admit(connectionEpoch, { ...ADMISSION, ...admission });
}

const call: Call<string[]> = {
  script: SCRIPTS["scan-set"],
  keys: [keys.services],
  args: [],
  parse: (reply) => reply as string[],
};

async function connected(): Promise<void> {
  connection.open();
  await settled();
  expect(primary.up).toBe(true);
}

/** How the call ends: its value, or the kind of its failure. */
const run = (each: Call<unknown> = call): Promise<unknown> =>
  primary.run(each).catch((failure: PrimaryFailure) => failure.kind);

const states = () => observer.changed.mock.calls.map(([, { state }]) => state);

describe("until it is connected", () => {
  test("it is down, and a call is not sent", async () => {
    expect(primary.up).toBe(false);
    expect(primary.status).toMatchObject({ state: "down", reason: "not connected yet" });
    expect(await run()).toBe("not_sent");
    expect(connection.sent).toEqual([]);
  });

  test("and has all scripts, it takes no part", async () => {
    let loaded: (reply: string) => void = () => {};
    connection.answers.SCRIPT = (subcommand) =>
      subcommand === "EXISTS" ? [] : new Promise((resolve) => (loaded = resolve));
    connection.open();
    await settled();
    expect(primary.up).toBe(false);
    expect(await run()).toBe("not_sent");
    loaded("sha");
    const texts = connection.sent.filter(([name, one]) => name === "SCRIPT" && one === "LOAD");
    expect(texts.map(([, , text]) => text)).toEqual(
      [...Object.values(SCRIPTS), ...BATCHES.values()].map(({ text }) => text),
    );
  });

  test("and has all scripts but one, it is sent that one", async () => {
    const lacks = SCRIPTS["scan-set"];
    connection.answers.SCRIPT = (subcommand, ...digests) =>
      subcommand === "EXISTS" ? digests.map((digest) => Number(digest !== lacks.sha1)) : "sha";
    connection.open();
    await settled();
    const loads = connection.sent.filter(([name, one]) => name === "SCRIPT" && one === "LOAD");
    expect(loads).toEqual([["SCRIPT", "LOAD", lacks.text]]);
  });

  test("and admitted, it takes no part", async () => {
    onDoubt = () => {};
    connection.open();
    await settled();
    expect(primary.connectionEpoch).toBe(1);
    expect(primary.up).toBe(false);
    expect(await run()).toBe("not_sent");
    admit();
    expect(await run()).toEqual(["search"]);
  });
});

describe("a call", () => {
  test("is sent by the hash of its script, with the key of the configuration and its epoch in front", async () => {
    await connected();
    expect(await run()).toEqual(["search"]);
    expect(connection.sent.at(-1)).toEqual([
      "EVALSHA",
      SCRIPTS["scan-set"].sha1,
      2,
      "q:configuration",
      "q:services",
      EPOCH,
    ]);
    expect(observer.called.mock.calls).toEqual([[primary, "scan-set", 0, "ok"]]);
  });

  test("is sent whole where the script was flushed", async () => {
    await connected();
    connection.answers.EVALSHA = () => Promise.reject(new RedisReplyError("NOSCRIPT No matching script."));
    connection.answers.EVAL = () => ["whole"];
    expect(await run()).toEqual(["whole"]);
    const [evalsha, whole] = connection.sent.slice(-2);
    expect(whole).toEqual(["EVAL", SCRIPTS["scan-set"].text, ...(evalsha ?? []).slice(2)]);
  });

  test("is not sent whole to a server that restarted behind the connection: it may have forgotten", async () => {
    onDoubt = () => admit({ runId: "run-1" });
    await connected();
    connection.answers.EVALSHA = () => Promise.reject(new RedisReplyError("NOSCRIPT No matching script."));
    connection.answers.INFO = () => "# Server\r\nrun_id:run-2\r\n";
    expect(await run()).toBe("unknown");
    expect(connection.count("EVAL")).toBe(0);
    connection.answers.INFO = () => "# Server\r\nrun_id:run-1\r\n";
    connection.answers.EVAL = () => ["whole"];
    await settled();
    expect(await run()).toEqual(["whole"]);
  });

  test("to a primary that was not admitted yet is not sent whole: its scripts are loaded again first", async () => {
    onDoubt = () => {};
    connection.open();
    await settled();
    connection.answers.EVALSHA = () => Promise.reject(new RedisReplyError("NOSCRIPT No matching script."));
    await expect(primary.runAs(1, EPOCH, call)).rejects.toMatchObject({ kind: "unknown" });
    expect(connection.count("EVAL")).toBe(0);
    await settled();
    expect(primary.connectionEpoch).toBe(2);
    expect(connection.sent.filter(([name, what]) => name === "SCRIPT" && what === "EXISTS")).toHaveLength(2);
  });

  test("whose reply cannot be understood fails by itself: the primary is not to blame", async () => {
    await connected();
    const odd: Call<never> = {
      ...call,
      parse: () => {
        throw new TypeError("reply is not iterable");
      },
    };
    await expect(primary.run(odd)).rejects.toThrow("not iterable");
    expect(primary.up).toBe(true);
  });

  test("that Redis refuses is refused, and the next one is sent", async () => {
    await connected();
    connection.answers.EVALSHA = () =>
      Promise.reject(new RedisReplyError("WRONGTYPE Operation against a key"));
    expect(await run()).toBe("refused");
    expect(primary.up).toBe(true);
    expect(observer.called.mock.calls.at(-1)?.slice(1)).toEqual(["scan-set", 0, "refused"]);
  });

  test("with a stale epoch raises a doubt, and is counted", async () => {
    await connected();
    const doubt = vi.fn();
    onDoubt = doubt;
    connection.answers.EVALSHA = () =>
      Promise.reject(new RedisReplyError("FENCED this primary holds another"));
    expect(await run()).toBe("stale_epoch");
    expect(doubt).toHaveBeenCalledOnce();
    expect(primary.staleEpochs).toBe(1);
  });
});

describe("the breaker", () => {
  test("opens when a call gets no answer in time: what became of it is unknown", async () => {
    await connected();
    connection.answers.EVALSHA = silence;
    connection.answers.PING = silence;
    const outcome = run();
    await clock.advance(TIMEOUT_MS);
    expect(await outcome).toBe("unknown");
    expect(primary.up).toBe(false);
    expect(primary.status).toMatchObject({ state: "down", reason: `no answer within ${TIMEOUT_MS} ms` });
    expect(observer.called.mock.calls.at(-1)?.slice(1)).toEqual(["scan-set", TIMEOUT_MS, "unknown"]);
  });

  test("while it is open, calls fail at once and are not sent", async () => {
    await connected();
    connection.answers.EVALSHA = silence;
    connection.answers.PING = silence;
    const first = run();
    await clock.advance(TIMEOUT_MS);
    await first;
    const sent = connection.count("EVALSHA");
    const before = clock.monotonicMs();
    for (let i = 0; i < 10; i++) expect(await run()).toBe("not_sent");
    expect(connection.count("EVALSHA")).toBe(sent);
    expect(clock.monotonicMs()).toBe(before);
  });

  test("asks again and again by PING, without piling up scripts, and closes when it is answered", async () => {
    await connected();
    const loads = connection.count("SCRIPT");
    connection.answers.EVALSHA = silence;
    connection.answers.PING = silence;
    const first = run();
    await clock.advance(TIMEOUT_MS);
    await first;
    await clock.advance(1_500);
    expect(connection.count("PING")).toBeGreaterThan(5);
    expect(connection.count("PING")).toBeLessThan(15);
    expect(connection.count("SCRIPT")).toBe(loads);
    connection.answers.PING = () => "PONG";
    connection.answers.EVALSHA = () => ["back"];
    await clock.advance(200);
    expect(primary.up).toBe(true);
    expect(await run()).toEqual(["back"]);
    expect(states()).toEqual(["up", "down", "up"]);
  });

  test.each(["LOADING", "READONLY", "MASTERDOWN", "BUSY"])(
    "opens on %s: it cannot serve now",
    async (code) => {
      await connected();
      connection.answers.EVALSHA = () => Promise.reject(new RedisReplyError(`${code} not now`));
      connection.answers.PING = silence;
      expect(await run()).toBe("refused");
      expect(primary.up).toBe(false);
      expect(primary.status.reason).toBe(`${code} not now`);
    },
  );

  test("opens when the connection is lost, with the reason, and calls under way are unknown", async () => {
    await connected();
    let fail: (error: Error) => void = () => {};
    connection.answers.EVALSHA = () => new Promise((_, reject) => (fail = reject));
    const outcome = run();
    await settled();
    connection.lose(new Error("read ECONNRESET"));
    fail(new Error("Connection is closed."));
    expect(await outcome).toBe("unknown");
    expect(primary.status).toMatchObject({ state: "down", reason: expect.stringContaining("ECONNRESET") });
    expect(await run()).toBe("not_sent");
    await clock.advance(1_000);
    expect(connection.count("PING"), "none without a connection").toBe(1);
    connection.answers.EVALSHA = () => ["back"];
    connection.open();
    await settled();
    expect(await run()).toEqual(["back"]);
  });

  test("tells of each change once, and since when", async () => {
    await connected();
    await clock.advance(1_000);
    expect(primary.status).toEqual({ state: "up", forMs: 1_000, reason: null, quarantineMs: 0 });
    connection.lose(new Error("read ECONNRESET"));
    connection.lose(new Error("connect ECONNREFUSED"));
    expect(states()).toEqual(["up", "down"]);
    await clock.advance(250);
    expect(primary.status).toMatchObject({ forMs: 250, reason: "connect ECONNREFUSED" });
  });
});

describe("a primary that refuses writes", () => {
  const OOM = "OOM command not allowed when used memory > 'maxmemory'";
  const refuse = (message: string) => {
    connection.answers.EVALSHA = () => Promise.reject(new RedisReplyError(message));
  };

  test.each([
    [`${OOM}.`, OOM],
    [`${OOM}. script: 0a9f75e991483d02789696e4c90d26c10395863e, on @user_script:1.`, OOM],
    [`ERR Error running script (call to f_0a9f): @user_script:9: @user_script: 9: -${OOM}. `, OOM],
    [
      "MISCONF Errors writing to the AOF file: No space left on device",
      "MISCONF Errors writing to the AOF file: No space left on device",
    ],
    ["NOREPLICAS Not enough good replicas to write.", "NOREPLICAS Not enough good replicas to write"],
    [`MISCONF ${"x".repeat(9_000)}`, `MISCONF ${"x".repeat(392)}`],
  ])("says so: %s", async (message, reason) => {
    await connected();
    refuse(message);
    expect(await run()).toBe("refused");
    expect(primary.status).toMatchObject({ state: "refusing", reason });
    expect([primary.up, primary.refusal]).toEqual([true, reason]);
  });

  test.each(["WRONGTYPE Operation against a key", "ERR OOMING", "ERR wrong value 'x OOM y'"])(
    "is not one that says: %s",
    async (message) => {
      await connected();
      refuse(message);
      await run();
      expect(primary.status).toMatchObject({ state: "up", reason: null });
    },
  );

  test("is asked all the same, and tells of the change once; what succeeds there does not end it", async () => {
    await connected();
    for (let i = 0; i < 5; i++) {
      refuse(OOM);
      expect(await run()).toBe("refused");
      connection.answers.EVALSHA = () => ["search"];
      expect(await run()).toEqual(["search"]);
      admit();
    }
    expect(states()).toEqual(["up", "refusing"]);
  });

  test("is what it was before once a write that was tried is accepted", async () => {
    await connected();
    const epoch = primary.connectionEpoch as number;
    admit({ quarantineMs: 5_000 });
    refuse(OOM);
    await run();
    expect(primary.status).toMatchObject({ state: "refusing", quarantineMs: 5_000 });
    primary.acceptsWrites(epoch - 1);
    expect(primary.status.state).toBe("refusing");
    primary.acceptsWrites(epoch);
    expect(primary.status).toMatchObject({ state: "quarantined", reason: null });
    await clock.advance(6_000);
    refuse(OOM);
    await run();
    primary.acceptsWrites(epoch);
    primary.acceptsWrites(epoch);
    expect(states()).toEqual(["up", "quarantined", "refusing", "quarantined", "refusing", "up"]);
  });

  test("is down when it is gone, and up when it is back, until it refuses again", async () => {
    await connected();
    refuse(OOM);
    await run();
    connection.lose(new Error("read ECONNRESET"));
    expect(primary.status).toMatchObject({ state: "down", reason: "read ECONNRESET" });
    expect(primary.refusal).toBeNull();
    connection.open();
    await settled();
    expect(primary.status).toMatchObject({ state: "up", reason: null });
  });

  test("answers, though it refuses PING as well", async () => {
    connection.answers.PING = () => Promise.reject(new RedisReplyError("MISCONF disk"));
    await connected();
    expect(await run()).toEqual(["search"]);
  });

  test("keeps what it refused pending, and is sent it when it accepts writes", async () => {
    await connected();
    refuse(OOM);
    primary.compensateLater("key", call);
    await settled();
    primary.compensateLater("key 2", call);
    await settled();
    expect(connection.count("EVALSHA"), "not once for each that is pending").toBe(1);
    connection.answers.EVALSHA = () => ["heard"];
    primary.acceptsWrites(primary.connectionEpoch as number);
    await settled();
    expect(connection.count("EVALSHA")).toBe(3);
    await clock.advance(1_000);
    expect(connection.count("EVALSHA")).toBe(3);
  });
});

describe("a connection epoch", () => {
  test("ends when it stops answering: what was seen before is worth nothing", async () => {
    onDoubt = () => {};
    connection.open();
    await settled();
    const epoch = primary.connectionEpoch as number;
    connection.lose();
    expect(primary.connectionEpoch).toBeNull();
    primary.admit(epoch, ADMISSION);
    expect(primary.up).toBe(false);
    await expect(primary.runAs(epoch, EPOCH, call)).rejects.toMatchObject({ kind: "not_sent" });
    await expect(primary.command(epoch, "INFO")).rejects.toMatchObject({ kind: "not_sent" });
    connection.open();
    await settled();
    expect(primary.connectionEpoch).toBe(epoch + 1);
    primary.admit(epoch, ADMISSION);
    expect(primary.up).toBe(false);
  });

  test("lets those work with it that know what they do, before it takes part", async () => {
    onDoubt = () => {};
    connection.open();
    await settled();
    expect(await primary.runAs(primary.connectionEpoch as number, "other", call)).toEqual(["search"]);
    expect(connection.sent.at(-1)?.at(-1)).toBe("other");
  });
});

test("one that is excluded answers, but takes no part", async () => {
  await connected();
  primary.exclude("wrong_role", "it is a replica");
  expect(primary.status).toMatchObject({ state: "wrong_role", reason: "it is a replica" });
  expect(await run()).toBe("not_sent");
});

test("a quarantine ends by itself", async () => {
  onDoubt = () => admit({ quarantineMs: 5_000 });
  await connected();
  expect(primary.status).toMatchObject({ state: "quarantined", quarantineMs: 5_000 });
  await clock.advance(3_000);
  expect(primary.status.quarantineMs).toBe(2_000);
  await clock.advance(3_000);
  expect(primary.status.quarantineMs).toBe(0);
});

describe("a pending compensation", () => {
  test("is run at once where the primary takes part", async () => {
    await connected();
    primary.compensateLater("key", call);
    await settled();
    expect(connection.count("EVALSHA")).toBe(1);
  });

  test("is run when the primary is back, however late, and once", async () => {
    primary.compensateLater("key", call);
    await clock.advance(60_000);
    expect(connection.count("EVALSHA")).toBe(0);
    await connected();
    await clock.advance(1_000);
    expect(connection.count("EVALSHA")).toBe(1);
  });

  test("is run again when its outcome is unknown", async () => {
    await connected();
    connection.answers.EVALSHA = silence;
    connection.answers.PING = silence;
    primary.compensateLater("key", call);
    await clock.advance(TIMEOUT_MS);
    expect(primary.up).toBe(false);
    connection.answers.EVALSHA = () => ["heard"];
    connection.answers.PING = () => "PONG";
    await clock.advance(1_000);
    expect(connection.count("EVALSHA")).toBe(2);
    await clock.advance(1_000);
    expect(connection.count("EVALSHA")).toBe(2);
  });

  test("is run again after it met a stale epoch", async () => {
    await connected();
    onDoubt = () => {};
    connection.answers.EVALSHA = () => Promise.reject(new RedisReplyError("FENCED another configuration"));
    primary.compensateLater("key", call);
    await settled();
    connection.answers.EVALSHA = () => ["heard"];
    admit({ configurationEpoch: "2.nonce.id.member" });
    await settled();
    expect(connection.sent.at(-1)?.at(-1)).toBe("2.nonce.id.member");
    expect(connection.count("EVALSHA")).toBe(2);
  });

  test("is not run again when Redis refuses it: it would again", async () => {
    await connected();
    connection.answers.EVALSHA = () =>
      Promise.reject(new RedisReplyError("WRONGTYPE Operation against a key"));
    primary.compensateLater("key", call);
    await clock.advance(1_000);
    expect(connection.count("EVALSHA")).toBe(1);
  });
});

test("one that is closed asks no more, and tells of no change", async () => {
  await connected();
  connection.answers.PING = silence;
  primary.close();
  connection.lose();
  await clock.advance(5_000);
  expect(connection.closed).toBe(true);
  expect(states()).toEqual(["up"]);
  expect(connection.count("PING")).toBe(1);
  expect(clock.pending).toBe(0);
});
