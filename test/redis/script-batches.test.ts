import { describe, expect, test } from "vitest";
import { type Answer, failed } from "../../src/redis/answer.js";
import { all, ScriptBatches } from "../../src/redis/script-batches.js";
import { acquireLease } from "../../src/scripts/lease-calls.js";
import { takeTicket } from "../../src/scripts/queue-calls.js";
import { BATCHES, type Call } from "../../src/scripts/scripts.js";
import { FakeClock } from "../helpers/fake-clock.js";
import { freshName } from "../helpers/names.js";
import { lease, lock, OneServer, reader } from "../helpers/one-server.js";

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
});

describe("calls of one tick", () => {
  function gathering() {
    const clock = new FakeClock();
    const sent: Call<unknown>[] = [];
    const failing: { error?: Error } = {};
    const batches = new ScriptBatches(<T>(call: Call<T>, answered: (answer: Answer<T>) => void) => {
      sent.push(call);
      if (failing.error) return answered(failed(failing.error));
      const runs = call.script.name.endsWith("batch") ? Number(call.args[0]) : 0;
      const value = runs === 0 ? "alone" : Array.from({ length: runs }, (_, i) => `reply ${i}`);
      answered({ ok: true, value: value as T });
    }, clock);
    const add = <T>(call: Call<T>) =>
      new Promise<T>((resolve, reject) =>
        batches.add(call, (answer) => (answer.ok ? resolve(answer.value) : reject(answer.failure))),
      );
    return { together: { add }, clock, sent, failing };
  }

  test("go as one script, 32 at most, and each gets its own reply", async () => {
    const { together, sent, clock } = gathering();
    const name = lock();
    const replies = Array.from({ length: 66 }, () => together.add(asking(reader(name))));
    await clock.advance(0);
    expect(await Promise.all(replies)).toEqual([
      ...Array.from({ length: 32 }, (_, i) => `reply ${i}`),
      ...Array.from({ length: 32 }, (_, i) => `reply ${i}`),
      "reply 0",
      "reply 1",
    ]);
    expect(sent.map(({ script, args }) => [script.name, args[0]])).toEqual([
      ["acquire-lease batch", 32],
      ["acquire-lease batch", 32],
      ["acquire-lease batch", 2],
    ]);
  });

  test("of different scripts go apart, and one alone as it is", async () => {
    const { together, sent, clock } = gathering();
    const claim = reader(lock());
    const replies = [together.add(asking(claim)), together.add(takeTicket(keys, claim))];
    await clock.advance(0);
    expect(await Promise.all(replies)).toEqual(["alone", "alone"]);
    expect(sent.map(({ script }) => script.name)).toEqual(["acquire-lease", "take-ticket"]);
  });

  test("fail together", async () => {
    const { together, clock, failing } = gathering();
    failing.error = new Error("no answer");
    const settled = Promise.allSettled(
      [reader(lock()), reader(lock())].map((claim) => together.add(asking(claim))),
    );
    await clock.advance(0);
    expect((await settled).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });
});

test("what is called together has a script for it, with its own text inside", () => {
  expect([...BATCHES.keys()]).toEqual(["acquire-lease", "leave-queue", "take-ticket"]);
  expect(asking(reader(lock())).batched).toBe(true);
});
