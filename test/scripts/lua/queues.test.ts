import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import type { Claim } from "../../../src/scripts/lease-calls.js";
import { keepWaiting, leaveQueue, takeTicket } from "../../../src/scripts/queue-calls.js";
import { freshName } from "../../helpers/names.js";
import { lease, lock, OneServer, reader, STAMP } from "../../helpers/one-server.js";

// Those who wait in line, and who is woken when it is their turn, on one real server.
const server = new OneServer();
const { keys } = server;

const ONE = "instance-one";
const OTHER = "instance-other";

const ticketFor = (claim: Claim) => server.run(takeTicket(keys, claim));
/** Ungranted unless `how` says otherwise; of whichever request stands there unless its nonce is named. */
async function leave(
  claim: Claim,
  how: { back?: "all" | "none" | number; keepMs?: number; notify?: boolean; nonce?: string } = {},
): Promise<void> {
  const stands = await server.redis.hget(`${keys.waiting}lease/${claim.leaseId}`, "nonce");
  const { nonce = stands ?? "none", ...rest } = how;
  await server.run(leaveQueue(keys, claim, nonce, { back: "all", keepMs: 0, notify: true, ...rest }));
}

/** Asks with a place in line, a fresh ticket unless one is named. */
async function wait(
  claim: Claim,
  how: {
    instance?: string;
    ticket?: number;
    keptMs?: number;
    owner?: string;
    nonce?: string;
    attemptNumber?: number;
    acceptsHandoff?: boolean;
  } = {},
) {
  const {
    instance = ONE,
    keptMs = 10_000,
    owner = "",
    acceptsHandoff = false,
    nonce = freshName("nonce"),
    attemptNumber = 1,
  } = how;
  const ticket = how.ticket ?? (await ticketFor(claim)).ticket;
  const queueEntry = { ticket, instance, keptMs, acceptsHandoff };
  return { ticket, vote: await server.acquire(claim, { owner, queueEntry, nonce, attemptNumber }) };
}

/** All of them wait, one after the other, for what somebody holds. */
async function waiting(...claims: Claim[]): Promise<void> {
  for (const claim of claims) expect((await wait(claim)).vote.kind).toMatch(/held|queued/);
}

/** The server forgets an instance: as if it had not been heard of for long. */
const dies = (instance: string) => server.redis.del(keys.instance(instance));
const lineOf = (name: string) => server.redis.zrange(keys.queue(name), "0", "-1");
const inLine = async (claim: Claim, name = claim.resources[0] as string) =>
  (await lineOf(name)).some((member) => member.slice(1) === claim.leaseId);

/** Everything that is published to an instance, until it is asked for. */
async function listen(instance: string): Promise<{ heard: () => Promise<string[]> }> {
  const redis: Redis = server.connect();
  const heard: string[] = [];
  redis.on("message", (_, leaseId: string) => heard.push(leaseId));
  await redis.subscribe(keys.notificationChannel(instance));
  return {
    heard: async () => {
      // What was published before this is heard before its answer.
      const token = freshName("mark");
      await server.redis.publish(keys.notificationChannel(instance), token);
      while (!heard.includes(token)) await sleep(1);
      return heard.splice(0).filter((message) => !message.startsWith("mark"));
    },
  };
}

describe("take-ticket", () => {
  test("proposes this server's time in microseconds, and changes nothing", async () => {
    const name = lock();
    const { ticket, taken } = await ticketFor(lease(name));
    expect(taken).toBe(false);
    expect(Math.abs(ticket / 1000 - Date.now())).toBeLessThan(5_000);
    expect(await server.redis.exists(keys.queue(name))).toBe(0);
  });

  test("proposes one more than the last, where that is from a clock ahead of this one", async () => {
    const [a, b] = [lock(), lock()];
    const ahead = (Date.now() + 3_600_000) * 1000;
    await server.granted(lease(a));
    await wait(lease(a), { ticket: ahead });
    expect((await ticketFor(lease(a))).ticket).toBe(ahead + 1);
    expect((await ticketFor(lease([b, a]))).ticket, "in the longest of its lines").toBe(ahead + 1);
    expect((await ticketFor(lease(b))).ticket).toBeLessThan(ahead);
  });

  test("says how long the longest of its queues is", async () => {
    const [a, b] = [lock(), lock()];
    expect((await ticketFor(lease([a, b]))).queueLength).toBe(0);
    await server.granted(lease([a, b]));
    await waiting(lease(a), reader(b), reader(b));
    expect((await ticketFor(lease(a))).queueLength).toBe(1);
    expect((await ticketFor(reader([a, b]))).queueLength).toBe(2);
  });

  test("gives back the ticket with which the lease stands in line already", async () => {
    const name = lock();
    await server.granted(lease(name));
    const own = lease(name);
    const { ticket } = await wait(own);
    await waiting(lease(name));
    expect(await ticketFor(own)).toMatchObject({ ticket, taken: true });
    await dies(ONE);
    expect(await ticketFor(own), "but not where its instance died").toMatchObject({ taken: false });
  });
});

describe("one that waits", () => {
  test("stands in the lines of all its names with one ticket, for as long as it said", async () => {
    const [a, b] = [lock(), lock()];
    await server.granted(lease(a));
    const own = lease([a, b]);
    const { ticket } = await wait(own, { keptMs: 7_000 });
    for (const name of [a, b])
      expect(await server.redis.zscore(keys.queue(name), `w${own.leaseId}`)).toBe(String(ticket));
    const keptMs = await server.redis.pttl(`${keys.waiting}lease/${own.leaseId}`);
    expect(keptMs).toBeGreaterThan(5_000);
    expect(keptMs).toBeLessThanOrEqual(7_000);
  });

  test("is told how many stand before it, in the longest of its lines", async () => {
    const [a, b] = [lock(), lock()];
    await server.granted(lease([a, b]));
    await waiting(lease(a), lease(b), lease(b));
    expect((await wait(lease(a))).vote).toMatchObject({ kind: "held", ahead: 1 });
    expect((await wait(lease([a, b]))).vote).toMatchObject({ kind: "held", ahead: 2 });
  });

  test("is granted in the order of the tickets, whoever asks first", async () => {
    const name = lock();
    const holder = lease(name);
    await server.granted(holder);
    const line = [lease(name), lease(name), lease(name)];
    const tickets = new Map<Claim, number>();
    for (const one of line) tickets.set(one, (await wait(one)).ticket);
    await server.release(holder);
    for (const [place, next] of line.entries()) {
      for (const [behind, late] of line.slice(place + 1).entries()) {
        const { vote } = await wait(late, { ticket: tickets.get(late) as number });
        expect(vote).toEqual({ kind: "queued", ahead: behind + 1 });
      }
      const { vote } = await wait(next, { ticket: tickets.get(next) as number });
      expect(vote.kind).toBe("granted");
      await leave(next, { back: "none", notify: false });
      await server.release(next);
    }
  });

  test("keeps its place until it leaves, though it was granted and given back", async () => {
    const name = lock();
    const [first, second] = [lease(name), lease(name)];
    const holder = lease(name);
    await server.granted(holder);
    await waiting(first, second);
    await server.release(holder);
    const ticket = (await ticketFor(first)).ticket;
    const queueEntry = { ticket, instance: ONE, keptMs: 10_000, acceptsHandoff: false };
    expect(await server.acquire(first, { nonce: "n", queueEntry })).toMatchObject({ kind: "granted" });
    await server.abandon(first, "n");
    expect(await inLine(first)).toBe(true);
    expect((await wait(second)).vote).toEqual({ kind: "queued", ahead: 1 });
  });

  test("by two requests with a ticket each stands where the earlier one does", async () => {
    const name = lock();
    await server.granted(lease(name));
    const [own, between] = [lease(name), lease(name)];
    const { ticket } = await wait(own);
    const { ticket: next } = await wait(between);
    for (const each of [next + 1000, ticket, next + 1000]) {
      await wait(own, { ticket: each });
      expect(await lineOf(name)).toEqual([`w${own.leaseId}`, `w${between.leaseId}`]);
    }
    await wait(own, { ticket: ticket - 1 });
    expect(await server.redis.zscore(keys.queue(name), `w${own.leaseId}`)).toBe(String(ticket - 1));
  });

  test("whose place was lost here gets it back with its ticket, before those who came later", async () => {
    const name = lock();
    const holder = lease(name);
    await server.granted(holder);
    const [first, second] = [lease(name), lease(name)];
    const { ticket } = await wait(first);
    await waiting(second);
    await server.redis.zrem(keys.queue(name), `w${first.leaseId}`);
    await server.release(holder);
    expect((await wait(first, { ticket })).vote.kind).toBe("granted");
    expect(await lineOf(name)).toEqual([`w${first.leaseId}`, `w${second.leaseId}`]);
  });

  test("is let in by one that expired, too", async () => {
    const name = lock();
    await server.granted(lease(name), { ttlMs: 400 });
    const own = lease(name);
    await waiting(own);
    await sleep(410);
    expect((await wait(own)).vote.kind).toBe("granted");
  });

  test("does not join for a lease that is gone", async () => {
    const name = lock();
    const own = lease(name);
    await server.release(own, true);
    expect((await wait(own)).vote).toEqual({ kind: "gone" });
    expect(await server.redis.exists(keys.queue(name))).toBe(0);
  });

  test("leaves nothing that lasts", async () => {
    const name = lock();
    await server.granted(lease(name));
    const own = lease(name);
    await waiting(own);
    const all = [keys.queue(name), keys.instance(ONE), `${keys.waiting}lease/${own.leaseId}`];
    for (const key of all) expect(await server.redis.pttl(key), key).toBeGreaterThan(0);
  });
});

describe("one that does not wait", () => {
  test("does not overtake those who do, though the name is free", async () => {
    const name = lock();
    const holder = lease(name);
    await server.granted(holder);
    await waiting(lease(name), lease(name));
    await server.release(holder);
    const hasty = lease(name);
    expect(await server.acquire(hasty)).toEqual({ kind: "queued", ahead: 2 });
    expect(await inLine(hasty)).toBe(false);
    expect(await server.counterOf(name), "and takes nothing").toBe((await server.inspect(name)).counter);
    expect((await server.inspect(name)).holds).toEqual([]);
  });

  test("is let in when those in line are gone", async () => {
    const name = lock();
    const own = lease(name);
    const holder = lease(name);
    await server.granted(holder);
    await waiting(own);
    await server.release(holder);
    await leave(own);
    expect((await server.acquire(lease(name))).kind).toBe("granted");
  });

  test("for several names waits for the line of each", async () => {
    const [a, b] = [lock(), lock()];
    const holder = lease(b);
    await server.granted(holder);
    await waiting(lease(b));
    await server.release(holder);
    expect(await server.acquire(lease([a, b]))).toEqual({ kind: "queued", ahead: 1 });
    expect((await server.acquire(lease(a))).kind).toBe("granted");
  });
});

describe("readers and writers in line", () => {
  test("a reader waits behind an earlier writer, though it could stand beside the readers that hold", async () => {
    const name = lock();
    await server.granted(reader(name));
    const writer = lease(name);
    await waiting(writer);
    const late = reader(name);
    expect((await wait(late)).vote).toEqual({ kind: "queued", ahead: 1 });
    expect(await server.acquire(reader(name))).toEqual({ kind: "queued", ahead: 2 });
    await leave(writer);
    expect((await wait(late)).vote.kind).toBe("granted");
  });

  test("a reader does not wait for readers before it, nor for a writer behind it", async () => {
    const name = lock();
    const holder = lease(name);
    await server.granted(holder);
    const [first, second, writer] = [reader(name), reader(name), lease(name)];
    const tickets = [];
    for (const one of [first, second, writer]) tickets.push((await wait(one)).ticket);
    await server.release(holder);
    expect((await wait(second, { ticket: tickets[1] as number })).vote.kind).toBe("granted");
    expect((await wait(first, { ticket: tickets[0] as number })).vote.kind).toBe("granted");
  });

  test("a reader waits behind an earlier writer of the version before, which is not among the writers", async () => {
    const name = lock();
    await server.granted(reader(name));
    await waiting(lease(name));
    await server.redis.del(`${keys.queue(name)}/writers`);
    expect((await wait(reader(name))).vote.kind).toBe("queued");
  });

  test("a writer waits behind earlier readers as well", async () => {
    const name = lock();
    const holder = lease(name);
    await server.granted(holder);
    await waiting(reader(name));
    const writer = lease(name);
    await waiting(writer);
    await server.release(holder);
    expect((await wait(writer)).vote).toEqual({ kind: "queued", ahead: 1 });
  });
});

describe("places of those who are not there any more", () => {
  test("of an instance that was not heard of for long are given up, and the next is let in", async () => {
    const name = lock();
    const holder = lease(name);
    await server.granted(holder);
    const [dead, alsoDead, living] = [lease(name), lease(name), lease(name)];
    await wait(dead);
    await wait(alsoDead);
    await wait(living, { instance: OTHER });
    await server.release(holder);
    expect((await wait(living, { instance: OTHER })).vote).toEqual({ kind: "queued", ahead: 2 });
    await dies(ONE);
    expect((await wait(living, { instance: OTHER })).vote.kind).toBe("granted");
    expect(await lineOf(name)).toEqual([`w${living.leaseId}`]);
  });

  test("are given up five hundred at a time, and who asks is told to ask again at once", async () => {
    const name = lock();
    const line = keys.queue(name);
    const dead = Array.from({ length: 1_200 }, (_, i) => [String(i), `wdead-${i}`]).flat();
    await server.redis.zadd(line, ...dead);
    await server.redis.zadd(`${line}/writers`, ...dead);
    const one = await listen(ONE);
    const own = lease(name);
    const { ticket } = await ticketFor(own);
    const left: number[] = [];
    for (let turn = 1; turn <= 3; turn++) {
      const { vote } = await wait(own, { ticket, nonce: "n", attemptNumber: turn });
      left.push(await server.redis.zcard(line), await server.redis.zcard(`${line}/writers`));
      expect(vote.kind).toBe(turn === 3 ? "granted" : "queued");
      expect(await one.heard()).toEqual(turn === 3 ? [] : [own.leaseId]);
    }
    expect(left).toEqual([701, 701, 201, 201, 1, 1]);
  });

  test("an instance is believed to live for 1.2 s after it asked, and as long as it says so", async () => {
    const name = lock();
    await server.granted(lease(name));
    await waiting(lease(name));
    const alive = () => server.redis.pttl(keys.instance(ONE));
    const leftMs = await alive();
    // A busy machine may take a while to look.
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(1_200);
    await server.run(keepWaiting(keys, ONE, 5_000));
    expect(await alive()).toBeGreaterThan(1_200);
  });

  test("of one whose time to wait is over are given up", async () => {
    const name = lock();
    const holder = lease(name);
    await server.granted(holder);
    await wait(lease(name), { keptMs: 30 });
    await server.release(holder);
    await sleep(40);
    expect((await server.acquire(lease(name))).kind).toBe("granted");
    expect(await server.redis.exists(keys.queue(name))).toBe(0);
  });

  test("of one that may come back are kept for a while, whether its instance lives or not", async () => {
    const name = lock();
    const holder = lease(name);
    await server.granted(holder);
    const [away, next] = [lease(name), lease(name)];
    const { ticket } = await wait(away, { owner: "away" });
    await wait(next, { instance: OTHER });
    await leave(away, { keepMs: 600 });
    await dies(ONE);
    await server.release(holder);
    expect((await wait(next, { instance: OTHER })).vote).toEqual({ kind: "queued", ahead: 1 });
    expect((await server.inspect(name)).queue[0]).toMatchObject({ owner: "away" });
    expect(await ticketFor(away), "it can come back to it").toMatchObject({ ticket, taken: true });
    await sleep(610);
    expect((await wait(next, { instance: OTHER })).vote.kind).toBe("granted");
  });

  test("of one that was granted meanwhile are not kept", async () => {
    const name = lock();
    const own = lease(name);
    expect((await wait(own)).vote.kind).toBe("granted");
    await leave(own, { back: "none", notify: false });
    await leave(own, { keepMs: 3_000 });
    expect(await server.redis.exists(`${keys.waiting}lease/${own.leaseId}`)).toBe(0);
    expect(await inLine(own)).toBe(false);
  });
});

describe("a wake-up", () => {
  test("of a release goes to the instance of the first in line, and to no other", async () => {
    const name = lock();
    const [one, other] = [await listen(ONE), await listen(OTHER)];
    const holder = lease(name);
    await server.granted(holder);
    const [first, second] = [lease(name), lease(name)];
    await wait(first, { instance: OTHER });
    await wait(second, { instance: ONE });
    await server.release(holder);
    expect(await other.heard()).toEqual([first.leaseId]);
    expect(await one.heard()).toEqual([]);
  });

  test("goes to all readers before the first writer, in one message to each of their instances", async () => {
    const name = lock();
    const [one, other] = [await listen(ONE), await listen(OTHER)];
    const holder = lease(name);
    await server.granted(holder);
    for (let i = 0; i < 5; i++) await wait(reader(name), { instance: i < 3 ? ONE : OTHER });
    const { ticket } = await wait(lease(name));
    await wait(reader(name), { instance: "instance-third" });
    await server.release(holder);
    const message = `readers ${ticket} ${keys.queue(name)}`;
    expect([await one.heard(), await other.heard()]).toEqual([[message], [message]]);
  });

  test("goes to all readers, where no writer waits, and forgets instances that died", async () => {
    const name = lock();
    const [one, other] = [await listen(ONE), await listen(OTHER)];
    const holder = lease(name);
    await server.granted(holder);
    await wait(reader(name));
    await wait(reader(name), { instance: OTHER });
    await dies(OTHER);
    await server.release(holder);
    expect([await one.heard(), await other.heard()]).toEqual([[`readers - ${keys.queue(name)}`], []]);
    expect(await server.redis.zrange(`${keys.queue(name)}/instances`, "0", "-1")).toEqual([ONE]);
  });

  test("goes to a reader that waits at an instance of the version before by its leaseId", async () => {
    const name = lock();
    const one = await listen(ONE);
    const holder = lease(name);
    await server.granted(holder);
    const first = reader(name);
    await waiting(first);
    await server.redis.del(`${keys.queue(name)}/instances`);
    await server.release(holder);
    expect(await one.heard()).toEqual([first.leaseId]);
  });

  test("does not come where nothing became free", async () => {
    const name = lock();
    const one = await listen(ONE);
    const [holder, beside] = [reader(name), reader(name)];
    for (const each of [holder, beside]) await server.granted(each);
    const [first, second, late] = [lease(name), lease(name), reader(name)];
    await waiting(first, second, late);
    await server.release(holder);
    await leave(second);
    await leave(late);
    expect(await one.heard(), "a reader holds it still").toEqual([]);
    await leave(first);
    expect(await one.heard()).toEqual([]);
  });

  test("comes for readers when the writer before them leaves, and others hold it already", async () => {
    const name = lock();
    const one = await listen(ONE);
    await server.granted(reader(name));
    const writer = lease(name);
    await waiting(writer, reader(name));
    await leave(writer);
    expect(await one.heard()).toEqual([`readers - ${keys.queue(name)}`]);
  });

  test("goes to a writer alone, though readers come next", async () => {
    const name = lock();
    const one = await listen(ONE);
    const holder = lease(name);
    await server.granted(holder);
    const [writer, late] = [lease(name), reader(name)];
    await waiting(writer, late);
    await server.release(holder);
    expect(await one.heard()).toEqual([writer.leaseId]);
  });

  test("goes to the first in each line of several names", async () => {
    const [a, b] = [lock(), lock()];
    const one = await listen(ONE);
    const holder = lease([a, b]);
    await server.granted(holder);
    const [forA, forB] = [lease(a), lease(b)];
    await waiting(forA, forB);
    await server.release(holder);
    expect((await one.heard()).sort()).toEqual([forA.leaseId, forB.leaseId].sort());
  });

  test("passes over those whose instance died, and over one that is away, and forgets the dead", async () => {
    const name = lock();
    const other = await listen(OTHER);
    const holder = lease(name);
    await server.granted(holder);
    const [dead, living] = [lease(name), lease(name)];
    await wait(dead);
    await wait(living, { instance: OTHER });
    await dies(ONE);
    await server.release(holder);
    expect(await other.heard()).toEqual([living.leaseId]);
    expect(await lineOf(name)).toEqual([`w${living.leaseId}`]);
  });

  test("does not go round one that is away: its place is kept", async () => {
    const name = lock();
    const [one, other] = [await listen(ONE), await listen(OTHER)];
    const holder = lease(name);
    await server.granted(holder);
    const [away, next] = [lease(name), lease(name)];
    await wait(away);
    await wait(next, { instance: OTHER });
    await leave(away, { keepMs: 5_000 });
    await one.heard();
    await server.release(holder);
    expect(await one.heard()).toEqual([]);
    expect(await other.heard()).toEqual([]);
  });

  test("comes when one leaves the line before the others, and when one was given back", async () => {
    const name = lock();
    const one = await listen(ONE);
    const holder = lease(name);
    await server.granted(holder, { nonce: "n" });
    const [first, second, third] = [lease(name), lease(name), lease(name)];
    await waiting(first, second, third);
    await leave(first);
    expect(await one.heard(), "it is held").toEqual([]);
    await server.abandon(holder, "n");
    expect(await one.heard()).toEqual([second.leaseId]);
    await leave(second);
    expect(await one.heard()).toEqual([third.leaseId]);
  });

  test("does not come when one leaves that was granted: nobody can follow yet", async () => {
    const name = lock();
    const one = await listen(ONE);
    const own = lease(name);
    await wait(own);
    await waiting(lease(name));
    await leave(own, { back: "none", notify: false });
    expect(await one.heard()).toEqual([]);
  });

  test("never goes to the lease that is released or given back itself", async () => {
    const name = lock();
    const one = await listen(ONE);
    const [own, next] = [lease(name), lease(name)];
    const ticket = (await ticketFor(own)).ticket;
    const queueEntry = { ticket, instance: ONE, keptMs: 10_000, acceptsHandoff: false };
    await server.acquire(own, { nonce: "n", queueEntry });
    await waiting(next);
    await server.abandon(own, "n");
    expect(await one.heard(), "it keeps its place, so nobody can follow").toEqual([]);
    await server.acquire(own, { nonce: "m", queueEntry });
    await server.release(own);
    expect(await one.heard()).toEqual([next.leaseId]);
  });

  test("of a release takes the lease out of the line: it does not stand in the way of the next", async () => {
    const name = lock();
    const [own, next] = [lease(name), lease(name)];
    await wait(own);
    await waiting(next);
    await server.release(own);
    expect(await inLine(own)).toBe(false);
    expect((await wait(next)).vote.kind).toBe("granted");
  });

  test("comes when one is released that only waits, whichever its mode: nobody needs to say it", async () => {
    const name = lock();
    const one = await listen(ONE);
    for (const own of [lease(name), reader(name)]) {
      const next = lease(name);
      const holder = lease(name);
      await server.granted(holder, { nonce: "n" });
      await waiting(own, next);
      await server.abandon(holder, "n");
      await one.heard();
      await server.release({ ...own, mode: null });
      expect(await inLine(own)).toBe(false);
      expect(await one.heard()).toEqual([next.leaseId]);
      await leave(next);
    }
  });

  test("comes when an operator breaks the lock", async () => {
    const name = lock();
    const one = await listen(ONE);
    await server.granted(lease(name));
    const next = lease(name);
    await waiting(next);
    await server.break(name);
    expect(await one.heard()).toEqual([next.leaseId]);
  });

  test("comes for the next one when one that asks finds the dead before it", async () => {
    const name = lock();
    const other = await listen(OTHER);
    const holder = lease(name);
    await server.granted(holder);
    const [dead, next] = [lease(name), lease(name)];
    await wait(dead);
    await wait(next, { instance: OTHER });
    await server.redis.del(keys.hold(name));
    await dies(ONE);
    expect(await server.acquire(lease(name))).toEqual({ kind: "queued", ahead: 1 });
    expect(await other.heard()).toEqual([next.leaseId]);
  });
});

describe("a name that becomes free", () => {
  /** What an instance is told of a grant that it did not ask for just then. */
  const told = (message: string | undefined) => {
    const [leaseId, nonce, turn, counter, micros, stamp] = (message ?? "").split(" ");
    return {
      leaseId,
      nonce,
      attemptNumber: Number(turn),
      counter: Number(counter),
      micros: Number(micros),
      stamp,
    };
  };
  const offers = { acceptsHandoff: true, nonce: "request" } as const;

  /** Somebody holds the name, and `claims` wait for it in turn, each ready to be handed it. */
  async function lineFor(
    ...claims: Claim[]
  ): Promise<{ holder: Claim; one: Awaited<ReturnType<typeof listen>> }> {
    const one = await listen(ONE);
    const holder = lease(claims[0]?.resources ?? []);
    await server.granted(holder, { nonce: "holder" });
    for (const claim of claims) await wait(claim, offers);
    return { holder, one };
  }

  test("is handed on to who is first, as if it had asked just then", async () => {
    const name = lock();
    const own = lease(name);
    const { holder, one } = await lineFor(own, lease(name));
    const before = await server.counterOf(name);
    await server.release(holder);
    const [message, ...others] = await one.heard();
    expect(others).toEqual([]);
    const { counter, micros, ...rest } = told(message);
    expect(rest).toEqual({ leaseId: own.leaseId, nonce: "request", attemptNumber: 2, stamp: STAMP });
    expect(Math.abs(micros / 1000 - Date.now())).toBeLessThan(5_000);
    // The release counted one up, and a writer's counter is even.
    expect(counter).toBe((before as number) + 2);
    expect(await server.counterOf(name)).toBe(counter);
    const { holds } = await server.inspect(name);
    expect(holds).toMatchObject([{ owner: "", mode: "exclusive", grantedAt: counter, counter }]);
    expect(await server.holds(own, name)).toBe(true);
    expect(await server.redis.pttl(keys.hold(name))).toBeGreaterThan(9_000);
    expect(await inLine(own), "it keeps its place until it says that it was granted").toBe(true);
    expect(await server.renew(own, counter)).toMatchObject({ kind: "extended" });
    expect(await server.endedAttempt(own)).toBe("request/2");
  });

  test("carries what was asked for: owner, metadata, time to live, and what its leaseId is for", async () => {
    const name = lock();
    const own = lease(name, undefined, { fingerprint: name });
    const { holder } = await lineFor(lease(name));
    await leave(holder);
    const place = { ticket: 1, instance: ONE, keptMs: 10_000, acceptsHandoff: true };
    await server.acquire(own, {
      queueEntry: place,
      owner: "me",
      metadata: '{"a":1}',
      ttlMs: 70_000,
      chosen: true,
    });
    await server.release(holder);
    expect((await server.inspect(name)).holds).toMatchObject([{ owner: "me", metadata: '{"a":1}' }]);
    expect(await server.redis.pttl(keys.hold(name))).toBeGreaterThan(60_000);
    expect(await server.redis.pttl(keys.fingerprint(own.leaseId))).toBeGreaterThan(60_000);
    expect(await server.acquire({ ...own, fingerprint: "lock/other" })).toEqual({ kind: "other" });
    await server.release(own);
    expect(
      await server.redis.exists(keys.leaseTombstone(own.leaseId)),
      "an id of its own leaves a tombstone",
    ).toBe(1);
  });

  test("by a clean-up, by one that leaves, and by an operator, too", async () => {
    const name = lock();
    const [first, second, third] = [lease(name), lease(name), lease(name)];
    const { holder, one } = await lineFor(first, second, third);
    await server.abandon(holder, "holder");
    expect(told((await one.heard())[0]).leaseId).toBe(first.leaseId);
    await leave(first);
    expect(told((await one.heard())[0]).leaseId, "what was handed on goes with who leaves").toBe(
      second.leaseId,
    );
    await leave(second, { back: "none", notify: false });
    await server.break(name);
    expect(told((await one.heard())[0]).leaseId).toBe(third.leaseId);
  });

  test("is not handed on to an instance that does not listen", async () => {
    const name = lock();
    const holder = lease(name);
    await server.granted(holder);
    await wait(lease(name), { ...offers, instance: "instance-that-hears-nothing" });
    await server.release(holder);
    expect((await server.inspect(name)).holds).toEqual([]);
  });

  test("is not handed on to an instance that was not heard of lately, though its connection stands", async () => {
    const name = lock();
    const own = lease(name);
    const { holder, one } = await lineFor(own);
    await server.redis.pexpire(keys.instance(ONE), 550);
    await server.release(holder);
    expect(await one.heard()).toEqual([own.leaseId]);
    expect((await server.inspect(name)).holds).toEqual([]);
  });

  test("is not handed on past readers, nor to a reader", async () => {
    const name = lock();
    const { holder, one } = await lineFor(reader(name), lease(name));
    await server.release({ ...holder, mode: null });
    const [message, ...others] = await one.heard();
    expect(message).toMatch(/^readers \d+ /);
    expect(others).toEqual([]);
    expect((await server.inspect(name)).holds).toEqual([]);
  });

  test("is not handed on while another reader has it", async () => {
    const name = lock();
    const [one, other] = [reader(name), reader(name)];
    await server.granted(one);
    await server.granted(other);
    const heard = await listen(ONE);
    const own = lease(name);
    await wait(own, offers);
    await server.release(one);
    expect(await heard.heard()).toEqual([]);
    await server.release(other);
    expect(told((await heard.heard())[0]).counter % 2, "a writer's counter behind a reader's").toBe(0);
  });

  test("is not handed on by a primary that may have forgotten leases", async () => {
    const name = lock();
    const own = lease(name);
    const { holder, one } = await lineFor(own);
    await server.redis.hset(keys.configuration, "quarantine_until", String(Date.now() + 60_000));
    await server.release(holder);
    await server.redis.hdel(keys.configuration, "quarantine_until");
    expect(await one.heard()).toEqual([own.leaseId]);
  });

  test("is not handed on to a leaseId that is for something else by now", async () => {
    const name = lock();
    const own = lease(name, undefined, { fingerprint: "this" });
    const { holder, one } = await lineFor(own);
    await server.redis.set(keys.fingerprint(own.leaseId), "exclusive that");
    await server.release(holder);
    expect(await one.heard()).toEqual([own.leaseId]);
  });

  test("stays with whom it was handed on to, whatever cleans up after its attempt before", async () => {
    const name = lock();
    const own = lease(name);
    const { holder } = await lineFor(own);
    await server.release(holder);
    expect(await server.abandon(own, "request", 0, 1)).toBe(false);
    expect(await server.holds(own, name)).toBe(true);
  });

  test("goes over to the next attempt of the request, and is given back with that", async () => {
    const name = lock();
    const own = lease(name);
    const { holder, one } = await lineFor(own);
    await server.release(holder);
    const { counter } = told((await one.heard())[0]);
    expect((await wait(own, { ...offers, attemptNumber: 3 })).vote).toEqual({ kind: "granted", counter });
    expect(await server.raise(own, "request", counter + 2, 2), "its turn is over").toBeNull();
    expect(await server.abandon(own, "request", 0, 3)).toBe(true);
    expect(await server.holds(own, name)).toBe(false);
  });

  test("is handed on in the latest turn, though an earlier message comes late or twice", async () => {
    const name = lock();
    const own = lease(name);
    const { holder, one } = await lineFor(own);
    await wait(own, { ...offers, attemptNumber: 3 });
    await wait(own, { ...offers, attemptNumber: 1 });
    await server.release(holder);
    expect(told((await one.heard())[0]).attemptNumber).toBe(4);
    expect((await wait(own, { ...offers, attemptNumber: 1 })).vote.kind).toBe("granted");
    expect(await server.abandon(own, "request", 0, 1), "nor does it take a later turn over").toBe(false);
  });

  test("of two requests for one lease is handed on to the last that joined; the other takes nothing of it along", async () => {
    const name = lock();
    const own = lease(name);
    const { holder, one } = await lineFor(own);
    await wait(own, { acceptsHandoff: true, nonce: "again" });
    await server.release(holder);
    expect(told((await one.heard())[0])).toMatchObject({ nonce: "again", attemptNumber: 2 });
    await leave(own, { nonce: "request" });
    expect(await server.holds(own, name)).toBe(true);
    expect(await inLine(own), "the place is that of the other").toBe(true);
    await leave(own, { nonce: "again", back: "none" });
    expect(await server.holds(own, name)).toBe(true);
    expect(await inLine(own)).toBe(false);
  });

  test("behind the attempt that others have granted is given back with the place: nobody knows of it", async () => {
    const name = lock();
    const [own, next] = [lease(name), lease(name)];
    const { holder, one } = await lineFor(own, next);
    await server.release(holder);
    expect(told((await one.heard())[0])).toMatchObject({ leaseId: own.leaseId, attemptNumber: 2 });
    await leave(own, { nonce: "request", back: 4, notify: false });
    expect(await server.holds(own, name), "of another turn").toBe(true);
    await leave(own, { nonce: "request", back: 2, notify: false });
    expect(await server.holds(own, name)).toBe(false);
    expect(told((await one.heard())[0]).leaseId).toBe(next.leaseId);
  });

  test("is not handed on to one whose client may come back: it knows nothing of it", async () => {
    const name = lock();
    const own = lease(name);
    const { holder, one } = await lineFor(own);
    await leave(own, { keepMs: 5_000 });
    await server.release(holder);
    expect(await one.heard()).toEqual([]);
    expect((await server.inspect(name)).holds).toEqual([]);
  });
});

describe("an instance that says it lives", () => {
  const look = (...waiting: [Claim, string][]) =>
    server.run(
      keepWaiting(
        keys,
        ONE,
        5_000,
        waiting.map(([{ leaseId }, resource]) => ({ leaseId, resource })),
      ),
    );

  test("hears the time, and when each name that is waited for becomes free by itself", async () => {
    const [free, held, read] = [lock(), lock(), lock()];
    await server.granted(lease(held), { ttlMs: 30_000 });
    await server.granted(reader(read), { ttlMs: 50_000 });
    const own = lease(held);
    const { serverMicros, endsInMs } = await look([own, free], [own, held], [own, read]);
    expect(Math.abs(serverMicros / 1000 - Date.now())).toBeLessThan(5_000);
    expect(endsInMs[0]).toBe(0);
    const [, heldMs, readMs] = endsInMs as [number, number, number];
    expect(heldMs).toBeGreaterThan(20_000);
    expect(heldMs).toBeLessThanOrEqual(30_000);
    // It was granted later.
    expect(readMs - heldMs).toBeGreaterThanOrEqual(20_000);
    expect(readMs).toBeLessThanOrEqual(50_000);
  });

  test("hears of one that holds what it waits for that it should ask", async () => {
    const name = lock();
    const own = lease(name);
    await server.granted(own);
    expect((await look([own, name])).endsInMs).toEqual([0]);
    expect((await look([lease(name), name])).endsInMs).not.toEqual([0]);
  });
});

describe("what is told of a line", () => {
  test("is who waits, in order, with mode and owner, and never a leaseId", async () => {
    const name = lock();
    await server.granted(lease(name));
    const claims = [lease(name), reader(name), lease(name)];
    for (const [place, claim] of claims.entries()) await wait(claim, { owner: `owner-${place}` });
    const { waiting: count, queue: line } = await server.inspect(name);
    expect(count).toBe(3);
    expect(line.map(({ mode, owner }) => [mode, owner])).toEqual([
      ["exclusive", "owner-0"],
      ["shared", "owner-1"],
      ["exclusive", "owner-2"],
    ]);
    expect(JSON.stringify(line)).not.toContain((claims[0] as Claim).leaseId);
  });

  test("has nobody whose instance died, and forgets nobody", async () => {
    const name = lock();
    await server.granted(lease(name));
    await wait(lease(name), { owner: "dead" });
    await wait(lease(name), { instance: OTHER, owner: "living" });
    await dies(ONE);
    const before = await lineOf(name);
    expect(await server.inspect(name)).toMatchObject({ waiting: 1, queue: [{ owner: "living" }] });
    expect(await lineOf(name), "looking changes nothing").toEqual(before);
  });

  test("is no more than the first hundred, but how many there are in all", async () => {
    const name = lock();
    await server.granted(lease(name));
    for (let i = 0; i < 130; i++) await wait(lease(name), { owner: `owner-${i}` });
    const { waiting: count, queue: line } = await server.inspect(name);
    expect(count).toBe(130);
    expect(line).toHaveLength(100);
    expect(line[99]).toMatchObject({ owner: "owner-99" });
  });
});
