import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Acquired, AcquireRequest, Lease } from "../../../src/primitives/lock.js";
import type { Answer } from "../../../src/redis/answer.js";
import { type Connect, connectByIoredis } from "../../../src/redis/connection.js";
import { Keys } from "../../../src/scripts/keys.js";
import { type Call, SCRIPTS } from "../../../src/scripts/scripts.js";
import { allTakePart, command, noticed, shown } from "../../helpers/deployment.js";
import { Gate } from "../../helpers/gate.js";
import { OwnPair } from "../../helpers/pair.js";
import type { TestPrimary } from "../../helpers/primaries.js";
import { chosenId, freshName, type Instance, until } from "../../helpers/service.js";

// Those who wait in line at two instances that do not know of each other.
const pair = new OwnPair();

const ask = (
  at: Instance,
  names: string | string[],
  request: Partial<AcquireRequest> = {},
): Promise<Acquired> => at.service.locks.acquire({ names: [names].flat(), ttlMs: 10_000, ...request });

/** Acquires; throws where it is held. */
async function take(
  at: Instance,
  names: string | string[],
  request: Partial<AcquireRequest> = {},
): Promise<Lease> {
  const outcome = await ask(at, names, request);
  if (outcome.kind !== "acquired") throw new Error(`not acquired: ${JSON.stringify(outcome)}`);
  return outcome.lease;
}

const give = (at: Instance, { names, leaseId }: Lease) => at.service.locks.release(names, leaseId);

/** Stands in line from now on; resolved once it does. */
async function line(
  at: Instance,
  name: string,
  request: Partial<AcquireRequest> = {},
): Promise<{ outcome: Promise<Acquired>; gone: () => void }> {
  const client = new AbortController();
  // By its name, and not by how many there are: whoever was granted before may be just about to leave.
  const { owner = freshName("owner") } = request;
  const outcome = ask(at, name, { waitMs: 15_000, signal: client.signal, ...request, owner });
  outcome.catch(() => {});
  await until(
    async () => (await pair.lock(name)).queue.some((waiter) => waiter.owner === owner),
    `${owner} waits for ${name}`,
  );
  return { outcome, gone: () => client.abort() };
}

const granted = async (outcome: Promise<Acquired>): Promise<Lease> => {
  const settled = await outcome;
  if (settled.kind !== "acquired") throw new Error(`not acquired: ${JSON.stringify(settled)}`);
  return settled.lease;
};

const isSettled = (outcome: Promise<unknown>): Promise<boolean> =>
  Promise.race([outcome.then(() => true), sleep(0).then(() => false)]);

/** The last primary may hear a moment later than a majority; a place that is forgotten would stay for 17 s. */
const untilNobody = (name: string) =>
  until(async () => {
    const { holders, waiting } = await pair.lock(name);
    return holders.length + waiting === 0;
  }, "nobody holds it or waits for it");

/** From now on those who wait at the instance find out nothing by themselves: they have to be told. */
function learnsNothing({ service }: Instance): void {
  for (const primary of service.primaries.all) {
    const original = primary.ask.bind(primary);
    primary.ask = <T>(call: Call<T>, answered: (answer: Answer<T>) => void) =>
      original(call, (answer) => {
        if (!answer.ok || call.script !== SCRIPTS["keep-waiting"]) return answered(answer);
        const look = answer.value as { readonly endsInMs: readonly number[] };
        answered({ ok: true, value: { ...look, endsInMs: look.endsInMs.map(() => 600_000) } as T });
      });
  }
}

/** Resolves when all primaries would tell the instance. */
async function untilListens({ service }: Instance): Promise<void> {
  const channel = new Keys(pair.prefix).notificationChannel(service.waiting.instance);
  const listens = async (primary: TestPrimary) =>
    Number(((await command(primary, "PUBSUB", "NUMSUB", channel)) as [string, number])[1]) === 1;
  await until(async () => (await Promise.all(pair.primaries.all.map(listens))).every(Boolean), "it listens");
}

/** Longer than a test may take: who is not told never gets it. */
const FOR_EVER_MS = 60_000;

describe("a line", () => {
  test("is first come, first served, whichever instance they came to", async () => {
    const name = freshName();
    const holder = await take(pair.one, name);
    const order: number[] = [];
    const tokens: number[] = [holder.fencingToken];
    const served = [];
    for (let i = 0; i < 10; i++) {
      const { outcome } = await line(pair.at(i), name);
      served.push(
        granted(outcome).then(async (lease) => {
          order.push(i);
          tokens.push(lease.fencingToken);
          await give(pair.at(i), lease);
        }),
      );
    }
    await give(pair.other, holder);
    await Promise.all(served);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(tokens).toEqual([...tokens].sort((before, after) => before - after));
    await untilNobody(name);
  });

  test("moves on because it is told of a release", async () => {
    await using told = await pair.instance();
    learnsNothing(told);
    const name = freshName();
    let lease = await take(pair.one, name);
    for (let i = 1; i <= 15; i++) {
      const { outcome } = await line(told, name, { waitMs: FOR_EVER_MS });
      await give(pair.at(i), lease);
      lease = await granted(outcome);
    }
  });

  test("moves on when the holder's time is over, without a release", async () => {
    const name = freshName();
    for (let i = 0; i < 5; i++) {
      const askedMs = performance.now();
      await take(pair.one, name, { ttlMs: 1_000 });
      const lease = await granted(ask(pair.other, name, { waitMs: FOR_EVER_MS }));
      expect(performance.now() - askedMs, "and not before").toBeGreaterThan(399);
      await give(pair.other, lease);
    }
  });

  test("is not overtaken by those who do not wait", async () => {
    const name = freshName();
    const holder = await take(pair.one, name);
    const first = await line(pair.other, name);
    const second = await line(pair.one, name);
    const order: string[] = [];
    const served = [first, second].map(async ({ outcome }, place) => {
      const lease = await granted(outcome);
      order.push(`waiter ${place}`);
      await sleep(20);
      await give(pair.at(place), lease);
    });
    let hasty: Lease | null = null;
    const positions = new Set<number>();
    const hurrying = (async () => {
      for (let i = 0; hasty === null; i++) {
        const outcome = await ask(pair.at(i), name);
        if (outcome.kind === "acquired") {
          order.push("hasty");
          hasty = outcome.lease;
        } else positions.add(outcome.queuePosition);
      }
    })();
    await give(pair.one, holder);
    await Promise.all([...served, hurrying]);
    expect(order).toEqual(["waiter 0", "waiter 1", "hasty"]);
    expect([...positions].sort()).toContain(3);
  });

  test("lets readers in together, writers alone, each in its turn", async () => {
    const name = freshName();
    const holder = await take(pair.one, name);
    const happened: string[] = [];
    let readers = 0;
    let writers = 0;
    const modes = ["shared", "shared", "exclusive", "shared", "shared", "exclusive"] as const;
    const served = [];
    for (const [i, mode] of modes.entries()) {
      const { outcome } = await line(pair.at(i), name, { mode });
      served.push(
        granted(outcome).then(async (lease) => {
          happened.push(mode);
          if (mode === "shared") readers += 1;
          else writers += 1;
          expect(writers === 0 || (writers === 1 && readers === 0)).toBe(true);
          // Both of a group of readers come before the first of them goes.
          if (mode === "shared") await until(() => readers === 2 || happened.length > 5, "the other reader");
          await sleep(20);
          if (mode === "shared") readers -= 1;
          else writers -= 1;
          await give(pair.at(i), lease);
          return lease.fencingToken;
        }),
      );
    }
    await give(pair.one, holder);
    const tokens = await Promise.all(served);
    expect(happened).toEqual([...modes]);
    expect(tokens[0], "readers between two writers share a token").toBe(tokens[1]);
    expect(tokens[3]).toBe(tokens[4]);
    const [, reader, writer, nextReader, , nextWriter] = tokens as number[];
    expect([holder.fencingToken, reader, writer, nextReader, nextWriter]).toEqual(
      [holder.fencingToken, reader, writer, nextReader, nextWriter].sort((a, b) => Number(a) - Number(b)),
    );
  });

  test("starves no writer, though readers come and go all the time", async () => {
    const name = freshName();
    let over = false;
    const reading = Array.from({ length: 6 }, async (_, i) => {
      while (!over) {
        const lease = await take(pair.at(i), name, { mode: "shared", waitMs: 10_000 });
        await sleep(15);
        await give(pair.at(i), lease);
      }
    });
    await sleep(100);
    for (let i = 0; i < 3; i++) {
      const lease = await take(pair.at(i), name, { waitMs: 10_000 });
      await give(pair.at(i), lease);
    }
    over = true;
    await Promise.all(reading);
  });
});

describe("one who waits", () => {
  test("in vain is told its place in line when the time is over", async () => {
    const name = freshName();
    const holder = await take(pair.one, name, { owner: "who-has-it" });
    await line(pair.one, name);
    await line(pair.other, name);
    const askedMs = performance.now();
    const outcome = await ask(pair.one, name, { waitMs: 300 });
    const tookMs = performance.now() - askedMs;
    expect(outcome).toMatchObject({ kind: "held", queuePosition: 3, holder: { owner: "who-has-it" } });
    expect(tookMs).toBeGreaterThan(299);
    await pair.untilWaiting(name, 2);
    await give(pair.one, holder);
  });

  test("is seen in line, with mode and owner, by everybody", async () => {
    const name = freshName();
    const holder = await take(pair.one, name);
    await line(pair.one, name, { owner: "writer" });
    await line(pair.other, name, { owner: "reader", mode: "shared" });
    expect((await pair.lock(name)).queue).toEqual([
      { position: 1, mode: "exclusive", owner: "writer" },
      { position: 2, mode: "shared", owner: "reader" },
    ]);
    await give(pair.one, holder);
  });

  test("is told how long it waited, so that it can tell how long to trust the lease", async () => {
    const name = freshName();
    const holder = await take(pair.one, name);
    const askedMs = performance.now();
    const { outcome } = await line(pair.other, name, { ttlMs: 5_000 });
    await sleep(300);
    await give(pair.one, holder);
    const { waitedMs, validForMs } = await granted(outcome);
    const nowMs = performance.now();
    // The handoff is dated by the primary's clock, which may differ by 1 % in speed.
    expect(waitedMs).toBeGreaterThanOrEqual(297);
    expect(waitedMs).toBeLessThanOrEqual(nowMs - askedMs);
    // The hold began at the end of the wait at the earliest.
    expect(waitedMs + validForMs).toBeLessThanOrEqual(nowMs - askedMs + 5_000);
    expect(validForMs).toBeGreaterThan(4_000);
  });

  test("in vain is in no line afterwards, though an attempt reaches a primary behind all the others", async () => {
    const name = freshName();
    const holder = await take(pair.one, name);
    const gate = new Gate((_command, sha1) => sha1 === SCRIPTS["acquire-lease"].sha1);
    const connect: Connect = (url, options) =>
      url === pair.primary(2).url ? gate.connect(url, options) : connectByIoredis(url, options);
    await using slowly = await pair.instance({ world: { connect } });
    gate.shut();
    expect(await ask(slowly, name, { waitMs: 200 })).toMatchObject({ kind: "held" });
    expect(gate.waiting).toBeGreaterThan(0);
    gate.open();
    await until(() => gate.waiting === 0, "the attempts are on their way");
    const lock = `lock/${name}`;
    const line = () => command(pair.primary(2), "ZCARD", new Keys(pair.prefix).queue(lock));
    await until(async () => (await line()) === 0, "it has left the line there");
    await give(pair.one, holder);
  });

  test("and goes, frees its place at once", async () => {
    const name = freshName();
    const holder = await take(pair.one, name);
    const first = await line(pair.one, name);
    const second = await line(pair.other, name);
    first.gone();
    // Long before its time to wait is over.
    await pair.untilWaiting(name, 1);
    expect((await first.outcome).kind).toBe("held");
    await give(pair.one, holder);
    await give(pair.other, await granted(second.outcome));
  });

  test("and goes when it is its turn, holds nothing that it was not told of", async () => {
    for (let i = 0; i < 20; i++) {
      const name = freshName();
      const holder = await take(pair.one, name);
      const first = await line(pair.one, name);
      void give(pair.one, holder);
      await sleep(Math.random() * 8);
      first.gone();
      const outcome = await first.outcome.catch(() => null);
      if (outcome?.kind === "acquired") await give(pair.one, outcome.lease);
      await give(pair.other, await take(pair.other, name, { waitMs: 8_000 }));
    }
  });

  test("who goes, and chose its leaseId, comes back to its place within three seconds", async () => {
    const name = freshName();
    const holder = await take(pair.one, name);
    const leaseId = chosenId();
    const first = await line(pair.one, name, { leaseId });
    const second = await line(pair.other, name);
    first.gone();
    await first.outcome;
    await give(pair.one, holder);
    expect(await isSettled(second.outcome), "its place is kept").toBe(false);
    const back = await take(pair.other, name, { leaseId, waitMs: 5_000 });
    expect(back.leaseId).toBe(leaseId);
    expect(await isSettled(second.outcome)).toBe(false);
    await give(pair.other, back);
    await give(pair.other, await granted(second.outcome));
  });

  test("who does not come back within three seconds keeps nobody waiting for longer", async () => {
    const name = freshName();
    const holder = await take(pair.one, name);
    const first = await line(pair.one, name, { leaseId: chosenId() });
    const second = await line(pair.other, name);
    first.gone();
    await first.outcome;
    const goneMs = performance.now();
    await give(pair.one, holder);
    await give(pair.other, await granted(second.outcome));
    const tookMs = performance.now() - goneMs;
    expect(tookMs).toBeGreaterThan(2_500);
    expect(tookMs, "long before its time to wait would have been over").toBeLessThan(10_000);
  });

  test("by two requests with one leaseId gets one lease for both", async () => {
    const name = freshName();
    const holder = await take(pair.one, name);
    const leaseId = chosenId();
    const first = await line(pair.one, name, { leaseId });
    const again = ask(pair.other, name, { leaseId, waitMs: 10_000 });
    const next = ask(pair.one, name, { waitMs: 15_000 });
    await pair.untilWaiting(name, 2);
    await give(pair.one, holder);
    const [one, same] = await Promise.all([granted(first.outcome), granted(again)]);
    expect(same.fencingToken).toBe(one.fencingToken);
    expect(await isSettled(next)).toBe(false);
    await give(pair.one, one);
    await give(pair.one, await granted(next));
  });

  test("at an instance that stops is sent away, and its place is free", async () => {
    const name = freshName();
    const holder = await take(pair.one, name);
    await using stopping = await pair.instance();
    const first = await line(stopping, name);
    const second = await line(pair.other, name);
    stopping.service.stop();
    await expect(first.outcome).rejects.toMatchObject({ code: "shutting_down" });
    await expect(ask(stopping, name, { waitMs: 1_000 })).rejects.toMatchObject({ code: "shutting_down" });
    await pair.untilWaiting(name, 1);
    await give(pair.one, holder);
    await give(pair.other, await granted(second.outcome));
  });
});

describe("an instance that dies", () => {
  test("is out of the line before long, with all who waited there", async () => {
    for (let round = 0; round < 3; round++) {
      const name = freshName();
      const holder = await take(pair.one, name);
      const dying = await pair.instance();
      for (let i = 0; i < 5; i++) await line(dying, name);
      const { outcome } = await line(pair.other, name);
      await sleep(round * 300);
      // Nothing of it is heard any more, and it says nothing.
      await pair.kill(dying);
      const diedMs = performance.now();
      await give(pair.one, holder);
      await give(pair.other, await granted(outcome));
      expect(performance.now() - diedMs, "they would have waited for 15 s").toBeLessThan(10_000);
    }
  });

  test("is not seen in line any more", async () => {
    const name = freshName();
    const holder = await take(pair.one, name);
    const dying = await pair.instance();
    for (let i = 0; i < 3; i++) await line(dying, name);
    dying.service.close();
    // They would have waited for 15 s.
    await pair.untilWaiting(name, 0);
    await give(pair.one, holder);
  });

  test("leaves those alone who wait at others for long", async () => {
    const name = freshName();
    const holder = await take(pair.one, name, { ttlMs: 20_000 });
    const first = await line(pair.one, name);
    const second = await line(pair.other, name);
    await sleep(4_000);
    expect((await pair.lock(name)).waiting).toBe(2);
    await give(pair.one, holder);
    await give(pair.one, await granted(first.outcome));
    await give(pair.other, await granted(second.outcome));
  });
});

describe("while primaries come and go", () => {
  test("a waiter is let in though the primary that would wake it is away", async () => {
    const name = freshName();
    const holder = await take(pair.one, name);
    const { outcome } = await line(pair.other, name);
    await pair.primary(1).pause();
    await give(pair.one, holder);
    await granted(outcome);
  });

  test("a waiter is told that there is no quorum, and does not hang", async () => {
    await using own = await pair.instance();
    const name = freshName();
    await take(own, name);
    const { outcome } = await line(own, name, { waitMs: FOR_EVER_MS });
    await Promise.all([pair.primary(0), pair.primary(1)].map((primary) => primary.pause()));
    await expect(outcome).rejects.toMatchObject({ code: "no_quorum" });
  });

  test("a waiter that missed its wake-up finds out by itself, and is told of the next", async () => {
    await using own = await pair.instance();
    const name = freshName();
    const holder = await take(pair.one, name);
    const { outcome } = await line(own, name, { waitMs: FOR_EVER_MS });
    for (const primary of pair.primaries.all) await command(primary, "CLIENT", "KILL", "TYPE", "pubsub");
    await give(pair.one, holder);
    let lease = await granted(outcome);
    await untilListens(own);
    learnsNothing(own);
    for (let i = 0; i < 5; i++) {
      const next = await line(own, name, { waitMs: FOR_EVER_MS });
      await give(pair.one, lease);
      lease = await granted(next.outcome);
    }
  });
});

describe("many at once", () => {
  /** Scripts that both instances send while so many waiters are served, one after the other. */
  async function scriptsPerHandover(waiters: number): Promise<number> {
    const name = freshName();
    const holder = await take(pair.one, name, { ttlMs: 60_000 });
    const before = (await pair.lock(name)).waiting;
    const order: number[] = [];
    const served = [];
    for (let i = 0; i < waiters; i++) {
      served.push(
        granted(ask(pair.at(i), name, { waitMs: 20_000, owner: String(i) })).then(async (lease) => {
          order.push(i);
          await give(pair.at(i), lease);
        }),
      );
    }
    await pair.untilWaiting(name, before + waiters);
    const line = (await pair.lock(name)).queue.map(({ owner }) => Number(owner));
    let sent = 0;
    const undo: (() => void)[] = [];
    for (const primary of [pair.one, pair.other].flatMap(({ service }) => service.primaries.all)) {
      const original = primary.ask.bind(primary);
      primary.ask = (call, answered) => {
        sent += 1;
        original(call, answered);
      };
      undo.push(() => {
        primary.ask = original;
      });
    }
    await give(pair.one, holder);
    await Promise.all(served);
    for (const each of undo) each();
    expect(order, "each once, in the order of the line").toEqual(line);
    return sent / waiters;
  }

  test("are served once each, and a handover costs no more with many of them than with few", async () => {
    const few = await scriptsPerHandover(8);
    const many = await scriptsPerHandover(64);
    expect(many, `${few} with few`).toBeLessThan(few * 1.5);
    // Acquire, leave and release at three primaries; some are asked once more.
    expect(many).toBeLessThan(15);
  }, 60_000);

  test("with overlapping sets of names, in any order, are all served: nobody waits for ever", async () => {
    const names = Array.from({ length: 8 }, () => freshName("of-many"));
    const holds = new Map<string, { readers: number; writers: number }>(
      names.map((name) => [name, { readers: 0, writers: 0 }]),
    );
    /** By name: the newest token of a writer, and of anybody. Readers who overlap may be told in any order. */
    const newest = new Map(names.map((name) => [name, { written: 0, any: 0 }]));
    const endMs = performance.now() + 6_000;
    let served = 0;
    const client = async (i: number) => {
      while (performance.now() < endMs) {
        const wanted = [...names].sort(() => Math.random() - 0.5).slice(0, 1 + Math.floor(Math.random() * 5));
        const mode = Math.random() < 0.3 ? "shared" : "exclusive";
        const field = mode === "shared" ? "readers" : "writers";
        const lease = await take(pair.at(i), wanted, { mode, waitMs: 15_000, ttlMs: 30_000 });
        for (const name of wanted) {
          const held = holds.get(name) as { readers: number; writers: number };
          held[field] += 1;
          expect(held.writers === 0 || (held.writers === 1 && held.readers === 0), name).toBe(true);
          const last = newest.get(name) as { written: number; any: number };
          expect(lease.fencingToken).toBeGreaterThan(mode === "exclusive" ? last.any : last.written);
          last.any = Math.max(last.any, lease.fencingToken);
          if (mode === "exclusive") last.written = lease.fencingToken;
        }
        await sleep(Math.random() * 4);
        for (const name of wanted) (holds.get(name) as { readers: number; writers: number })[field] -= 1;
        await give(pair.at(i), lease);
        served += 1;
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, i) => client(i)));
    expect(served).toBeGreaterThan(50);
    for (const name of names) await untilNobody(name);
  }, 60_000);
});

// The last one: a primary that forgot is in quarantine for as long as a lease of those above may live.
describe("when a primary is stopped and comes back empty", () => {
  test("the line keeps its order, before, meanwhile and after", async () => {
    const name = freshName();
    let lease = await take(pair.one, name, { ttlMs: 3_000 });
    const before = (await shown(pair.one)).configurationVersion ?? 0;
    const outcomes = [];
    for (let i = 0; i < 3; i++) outcomes.push((await line(pair.at(i), name, { ttlMs: 3_000 })).outcome);
    await pair.primary(0).kill();
    await give(pair.one, lease);
    lease = await granted(outcomes[0] as Promise<Acquired>);
    for (let i = 3; i < 5; i++) outcomes.push((await line(pair.at(i), name, { ttlMs: 3_000 })).outcome);
    await pair.primary(0).startEmpty();
    await Promise.all([pair.one, pair.other].map(noticed));
    await allTakePart(pair.one, before);
    await allTakePart(pair.other, before);
    for (const [i, outcome] of outcomes.slice(1).entries()) {
      await give(pair.at(i), lease);
      lease = await granted(outcome);
      for (const later of outcomes.slice(i + 2)) expect(await isSettled(later)).toBe(false);
    }
    await give(pair.one, lease);
  }, 40_000);
});
