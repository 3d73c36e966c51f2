import { describe, expect, test, vi } from "vitest";
import { RedisReplyError } from "../../src/redis/connection.js";
import { PrimaryFailure } from "../../src/redis/failures.js";
import { all, ScriptBatches } from "../../src/redis/script-batches.js";
import type { Settle } from "../../src/redis/wire.js";
import { acquireLease, releaseLease } from "../../src/scripts/lease-calls.js";
import { takeTicket } from "../../src/scripts/queue-calls.js";
import { BATCHES, type Call, SCRIPTS } from "../../src/scripts/scripts.js";
import { FakeClock } from "../helpers/fake-clock.js";
import { freshName } from "../helpers/names.js";
import { lease, lock, OneServer, reader, STAMP } from "../helpers/one-server.js";

const server = new OneServer();
const { keys } = server;

const asking = (claim: ReturnType<typeof reader>, ticket = 1) =>
  acquireLease(
    keys,
    { ...claim, nonce: freshName("nonce"), attemptNumber: 1 },
    {
      ttlMs: 10_000,
      owner: "",
      metadata: "",
      chosen: false,
      queueEntry: { ticket, instance: "one", keptMs: 10_000, acceptsHandoff: false },
    },
  );

describe("several calls in one script", () => {
  test("each have the reply that they would have alone", async () => {
    const name = lock();
    const [first, second, writer] = [reader(name), reader(name), lease(name)];
    const replies = await server.run(
      all([asking(first), asking(second), asking(writer), asking(lease(lock()))]),
    );
    expect(replies.map((reply) => (reply as { kind: string }).kind)).toEqual([
      "granted",
      "granted",
      "held",
      "granted",
    ]);
    const [one, other] = replies as { counter: number }[];
    expect(one?.counter, "readers share a counter").toBe(other?.counter);
    expect((await server.inspect(name)).holds).toHaveLength(2);
  });

  test("are refused together by the fence, and none of them did anything", async () => {
    const [one, other] = [reader(lock()), reader(lock())];
    await expect(server.run(all([asking(one), asking(other)]), "2:nonce:id")).rejects.toThrow(/^FENCED/);
    expect((await server.inspect(one.resources[0] as string)).holds).toEqual([]);
  });

  test("of which one fails are answered each for itself by a real server", async () => {
    const names = [lock(), lock(), lock()];
    // What no script writes there.
    await server.redis.set(keys.hold(names[1] as string), "text");
    const { settled, batches, tick } = overServer();
    const outcomes = names.map((name) => settled(batches, asking(lease(name))));
    await tick();
    const [first, second, third] = await Promise.all(outcomes);
    expect(second?.[0]).toBeInstanceOf(RedisReplyError);
    expect(String(second?.[0])).toContain("WRONGTYPE");
    expect([first?.[0], third?.[0]]).toEqual([null, null]);
    for (const name of [names[0], names[2]])
      expect((await server.inspect(name as string)).holds, name).toHaveLength(1);
  });
});

type Outcome = readonly [error: unknown, reply: unknown];

/** Batches that go to the real server. */
function overServer() {
  const clock = new FakeClock();
  const batches = new ScriptBatches(({ script, keys: own, args }, epoch, settle) => {
    const sent = [keys.configuration, ...own];
    server.redis.eval(script.text, sent.length, ...sent, epoch, ...args).then(
      (reply) => settle(null, reply),
      (error) => settle(error),
    );
  }, clock);
  return { batches, settled, tick: () => clock.advance(0) };
}

function settled(batches: ScriptBatches, call: Call<unknown>, epoch = STAMP): Promise<Outcome> {
  return new Promise((resolve) => batches.add(call, epoch, (error, reply) => resolve([error, reply])));
}

describe("calls of one tick", () => {
  function gathering() {
    const clock = new FakeClock();
    const sent: { call: Call<unknown>; epoch: string }[] = [];
    const answer = vi.fn((call: Call<unknown>, settle: Settle) => {
      const isBatch = call.script.name.endsWith("batch");
      settle(null, isBatch ? Array.from({ length: Number(call.args[0]) }, (_, i) => `reply ${i}`) : "alone");
    });
    const batches = new ScriptBatches((call, epoch, settle) => {
      sent.push({ call, epoch });
      answer(call, settle);
    }, clock);
    const names = () => sent.map(({ call }) => [call.script.name, call.args[0]]);
    return { batches, clock, sent, answer, names };
  }

  test("go as one command, for up to 96 keys, and each gets its own reply", async () => {
    const { batches, names, clock } = gathering();
    const name = lock();
    const call = () => asking(reader(name));
    expect(call().keys).toHaveLength(7);
    const replies = Array.from({ length: 27 }, () => settled(batches, call()));
    await clock.advance(0);
    const thirteen = Array.from({ length: 13 }, (_, i) => [null, `reply ${i}`]);
    expect(await Promise.all(replies)).toEqual([...thirteen, ...thirteen, [null, "alone"]]);
    expect(names().slice(0, 2)).toEqual([
      ["acquire-lease batch", 13],
      ["acquire-lease batch", 13],
    ]);
    expect(names()[2]?.[0]).toBe("acquire-lease");
  });

  test("are sent when it is over, and not before", async () => {
    const { batches, sent, clock } = gathering();
    const reply = settled(batches, asking(reader(lock())));
    await Promise.resolve();
    expect(sent).toEqual([]);
    await clock.advance(0);
    expect(await reply).toEqual([null, "alone"]);
  });

  test("of different scripts go apart, and one alone as it is", async () => {
    const { batches, names, clock } = gathering();
    const claim = reader(lock());
    const replies = [
      settled(batches, asking(claim)),
      settled(batches, takeTicket(keys, claim)),
      settled(batches, releaseLease(keys, claim, { forMs: 1, always: false, brokenFor: null })),
      settled(batches, asking(claim)),
    ];
    await clock.advance(0);
    expect(await Promise.all(replies)).toEqual([
      [null, "reply 0"],
      [null, "alone"],
      [null, "alone"],
      [null, "reply 1"],
    ]);
    expect(names().map(([name]) => name)).toEqual(["acquire-lease batch", "take-ticket", "release-lease"]);
  });

  test("under different epochs, or with other numbers of names, go apart", async () => {
    const { batches, sent, clock } = gathering();
    for (const [epoch, names] of [
      ["1:a:id", lock()],
      ["1:a:id", lock()],
      ["2:b:id", lock()],
      ["2:b:id", [lock(), lock()]],
      ["2:b:id", [lock(), lock()]],
    ] as const)
      void settled(batches, asking(reader(names)), epoch);
    await clock.advance(0);
    expect(sent.map(({ call, epoch }) => [call.script.name, epoch])).toEqual([
      ["acquire-lease batch", "1:a:id"],
      ["acquire-lease", "2:b:id"],
      ["acquire-lease batch", "2:b:id"],
    ]);
  });

  test("of changes of registers go accepts first: behind the next promise they would be refused", async () => {
    const { batches, sent, clock } = gathering();
    const of = (script: "prepare-register" | "accept-register"): Call<unknown> => ({
      script: SCRIPTS[script],
      keys: [],
      args: ["x"],
      parse: () => null,
    });
    for (const script of [
      "prepare-register",
      "accept-register",
      "prepare-register",
      "accept-register",
    ] as const)
      void settled(batches, of(script));
    await clock.advance(0);
    expect(sent.map(({ call }) => call.script.name)).toEqual([
      "accept-register batch",
      "prepare-register batch",
    ]);
  });

  test("that no batch is for go one by one, in their order", async () => {
    const { batches, names, clock } = gathering();
    const call: Call<unknown> = { script: SCRIPTS["scan-set"], keys: [], args: ["x"], parse: () => null };
    const replies = [settled(batches, call), settled(batches, call)];
    await clock.advance(0);
    expect(await Promise.all(replies)).toEqual([
      [null, "alone"],
      [null, "alone"],
    ]);
    expect(names()).toEqual([
      ["scan-set", "x"],
      ["scan-set", "x"],
    ]);
  });

  test("have their own errors, and no neighbour's", async () => {
    const { batches, clock, answer } = gathering();
    answer.mockImplementation((_, settle) => settle(null, ["first", new Error("OOM not now"), "third"]));
    const outcomes = [1, 2, 3].map(() => settled(batches, asking(reader(lock()))));
    await clock.advance(0);
    expect(await Promise.all(outcomes)).toEqual([
      [null, "first"],
      [new RedisReplyError("OOM not now"), undefined],
      [null, "third"],
    ]);
  });

  test("fail together where the whole command does", async () => {
    const { batches, clock, answer } = gathering();
    const lost = new Error("no answer");
    answer.mockImplementation((_, settle) => settle(lost));
    const outcomes = [1, 2].map(() => settled(batches, asking(reader(lock()))));
    await clock.advance(0);
    for (const [error] of await Promise.all(outcomes)) expect(error).toBe(lost);
  });
});

describe("a batch", () => {
  test("sends what its calls have in common once", () => {
    const [one, other] = [asking(lease("lock/a", "one")), asking(lease("lock/b", "other"))];
    const { keys: sent, args } = all([one, other]);
    expect(sent).toHaveLength(7 + 4);
    expect(sent.slice(7)).toEqual([2, 3, 5, 6].map((place) => other.keys[place]));
    expect(args.slice(0, 3)).toEqual([2, "4 5 7 8", "3 7 8"]);
    expect(args.slice(3)).toEqual([...one.args, "other", "lock/b", other.args[6]]);
  });

  test("that is called as one fails where a run does", () => {
    const { parse } = all([reader(lock()), reader(lock())].map(asking));
    expect(() => parse(["first", new Error("OOM not now")])).toThrow(
      new PrimaryFailure("refused", "OOM not now"),
    );
  });

  test("is there for the scripts that many requests call at once", () => {
    expect([...BATCHES.keys()]).toEqual([
      "acquire-lease",
      "release-lease",
      "renew-lease",
      "leave-queue",
      "take-ticket",
      "prepare-register",
      "accept-register",
      "read-register",
      "restore-register",
    ]);
  });
});
