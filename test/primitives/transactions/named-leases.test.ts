import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { LEASE_LOST, type NamedLease } from "../../../src/algorithms/two-phase.js";
import { systemClock } from "../../../src/clock.js";
import { systemIds } from "../../../src/ids.js";
import { NamedLeases } from "../../../src/primitives/transactions/named-leases.js";
import { Transactions } from "../../../src/primitives/transactions/transactions.js";
import { type Connect, connectByIoredis, RedisReplyError } from "../../../src/redis/connection.js";
import { registerName } from "../../../src/scripts/register-kinds.js";
import { BATCHES, SCRIPTS } from "../../../src/scripts/scripts.js";
import { Pair } from "../../helpers/pair.js";
import { freshName, type Instance, until } from "../../helpers/service.js";

const pair = new Pair();
const LONG_MS = 60_000;

/** A lease, and how it is ended and looked at. */
interface Taken {
  readonly named: NamedLease;
  readonly release: () => Promise<unknown>;
  readonly expiresInMs: () => Promise<number | undefined>;
}

const KINDS: Record<string, (ttlMs: number) => Promise<Taken>> = {
  "a lock": (ttlMs) => lock([freshName()], ttlMs),
  "several locks": (ttlMs) => lock([freshName("b"), freshName("a")], ttlMs),
  "a shared lock": (ttlMs) => lock([freshName()], ttlMs, "shared"),
  permits: async (ttlMs) => {
    const { semaphores } = pair.one.service;
    const name = freshName();
    const taken = await semaphores.acquire({ name, limit: 5, permits: 3, ttlMs });
    if (taken.kind !== "acquired") throw new Error("held");
    const { leaseId, fencingToken } = taken.lease;
    return {
      named: { kind: "semaphores", names: [name], leaseId, fencingToken },
      release: () => semaphores.release(name, leaseId),
      expiresInMs: async () => (await semaphores.inspect(name)).holders[0]?.expiresInMs,
    };
  },
  "a term": async (ttlMs) => {
    const { elections } = pair.one.service;
    const name = freshName();
    const taken = await elections.campaign({ name, ttlMs });
    if (taken.kind !== "acquired") throw new Error("held");
    const { leaseId, term } = taken.lease;
    return {
      named: { kind: "elections", names: [name], leaseId, fencingToken: term },
      release: () => elections.resign(name, leaseId),
      expiresInMs: async () => (await elections.inspect(name)).leader?.expiresInMs,
    };
  },
};

async function lock(
  names: string[],
  ttlMs: number,
  mode: "exclusive" | "shared" = "exclusive",
): Promise<Taken> {
  const { locks } = pair.one.service;
  const taken = await locks.acquire({ names, ttlMs, mode });
  if (taken.kind !== "acquired") throw new Error("held");
  const { leaseId, fencingToken } = taken.lease;
  return {
    named: { kind: "locks", names, leaseId, fencingToken },
    release: () => locks.release(names, leaseId),
    expiresInMs: async () => (await locks.inspect(names[0] ?? "")).holders[0]?.expiresInMs,
  };
}

const aLock = (ttlMs = LONG_MS) => lock([freshName()], ttlMs);
const nameOf = () => registerName("transaction", "default", pair.one.service.transactions.newId());
const begin = (name: string, leases: readonly NamedLease[], by = pair.one) =>
  by.service.transactions.begin(
    name,
    { participants: ["a", "b"], payload: null, begunBy: "x", leases },
    LONG_MS,
  );
const seen = async (name: string) => (await pair.other.service.transactions.get(name)).told?.transaction;

/** With all votes but the last. */
async function allButOne(leases: readonly NamedLease[]): Promise<string> {
  const name = nameOf();
  expect(await begin(name, leases)).toMatchObject({ kind: "told", isNew: true });
  await pair.one.service.transactions.vote(name, "a", "yes", null);
  return name;
}

const lastVote = (name: string, { service }: Pick<Instance, "service"> = pair.other) =>
  service.transactions.vote(name, "b", "yes", null);

describe.each(Object.entries(KINDS))("a transaction that names %s", (_, take) => {
  test("is committed while it is held, and its lease is extended to 5 s then, but never shortened", async () => {
    const [nearlyOver, long] = [await take(2_500), await take(LONG_MS)];
    const name = await allButOne([nearlyOver.named, long.named]);
    const told = await lastVote(name);
    const { leaseId: _, ...shown } = nearlyOver.named;
    expect(told).toMatchObject({ kind: "told", transaction: { state: "committed", leases: [shown, {}] } });
    expect(JSON.stringify(await seen(name))).not.toContain(nearlyOver.named.leaseId);
    expect(await nearlyOver.expiresInMs()).toBeGreaterThan(3_000);
    expect(await long.expiresInMs()).toBeGreaterThan(40_000);
  });

  test("does not begin where it was released, or has another token", async () => {
    const { named, release } = await take(LONG_MS);
    for (const fencingToken of [named.fencingToken - 1, named.fencingToken + 1]) {
      const wrong = begin(nameOf(), [(await aLock()).named, { ...named, fencingToken }]);
      await expect(wrong).rejects.toMatchObject({ code: "lease_lost", help: { field: "leases.1" } });
    }
    await release();
    const name = nameOf();
    await expect(begin(name, [named])).rejects.toMatchObject({
      code: "lease_lost",
      message: expect.stringMatching(/^leases\.0: /),
    });
    expect(await seen(name)).toBeUndefined();
  });

  test("is aborted by the last yes where it was released since, and stays so", async () => {
    const { named, release } = await take(LONG_MS);
    const name = await allButOne([(await aLock()).named, named]);
    await release();
    expect(await lastVote(name)).toMatchObject({
      kind: "told",
      transaction: { state: "aborted", reason: LEASE_LOST },
    });
    expect(await lastVote(name)).toMatchObject({ kind: "told", transaction: { state: "aborted" } });
    expect(JSON.stringify(await seen(name))).not.toContain(named.leaseId);
  });
});

describe("leases that a transaction names", () => {
  test("are not asked for by a no, an abort, an earlier yes, or a request that was made before", async () => {
    const { named, release } = await aLock();
    const [no, abort, repeated] = [await allButOne([named]), await allButOne([named]), nameOf()];
    await begin(repeated, [named]);
    await release();
    const { transactions } = pair.other.service;
    expect(await begin(repeated, [named])).toMatchObject({ kind: "told", isNew: false });
    expect(await transactions.vote(repeated, "a", "yes", null)).toMatchObject({
      transaction: { state: "active" },
    });
    expect(await transactions.vote(no, "b", "no", "none left")).toMatchObject({
      transaction: { state: "aborted", reason: "none left" },
    });
    expect(await transactions.abort(abort, "late")).toMatchObject({ transaction: { reason: "late" } });
  });

  test("count no more once their time is over", async () => {
    await using brief = await pair.instance({ env: { QUORATE_TTL_MAX_MS: "1500" } });
    const name = nameOf();
    // Which extends it, but not beyond what a lease may have.
    await begin(name, [(await aLock(1_200)).named], brief);
    await brief.service.transactions.vote(name, "a", "yes", null);
    await sleep(1_600);
    expect(await lastVote(name)).toMatchObject({ transaction: { state: "aborted", reason: LEASE_LOST } });
  });

  test("do not count for a later holder of the same names", async () => {
    const { named, release } = await aLock();
    const name = await allButOne([named]);
    await release();
    await pair.one.service.locks.acquire({ names: named.names, ttlMs: LONG_MS });
    expect(await lastVote(name)).toMatchObject({ transaction: { state: "aborted", reason: LEASE_LOST } });
  });

  test("are those of the transaction's namespace", async () => {
    const { named } = await aLock();
    const elsewhere = registerName("transaction", "team-a", pair.one.service.transactions.newId());
    await expect(begin(elsewhere, [named])).rejects.toMatchObject({ code: "lease_lost" });
    const inner = await lock([`~team-a~${named.names[0]}`], LONG_MS);
    const { leaseId = "" } = inner.named;
    await expect(begin(elsewhere, [{ ...named, leaseId }])).rejects.toMatchObject({ code: "lease_lost" });
  });

  test("must be named with all that they hold", async () => {
    const { named } = await lock([freshName("a"), freshName("b")], LONG_MS);
    const part = { ...named, names: named.names.slice(0, 1) };
    await expect(begin(nameOf(), [part])).rejects.toMatchObject({ code: "lease_mismatch" });
  });
});

const RENEWALS = [SCRIPTS["renew-lease"].sha1, BATCHES.get("renew-lease")?.sha1];

/** Primaries whose answers to renewals are lost: the first `deaf` of them, of which the first `reached` renew all the same. */
function deaf() {
  const state = { deaf: 0, asked: 0, reached: 0 };
  const places = new Map<string, number>();
  const connect: Connect = (url, options) => {
    const place = places.get(url) ?? places.set(url, places.size).size - 1;
    const real = connectByIoredis(url, options);
    return {
      get ready() {
        return real.ready;
      },
      onChange: (listener) => real.onChange(listener),
      close: () => real.close(),
      call: async (name, ...args) => {
        const isRenewal = name === "EVALSHA" && RENEWALS.includes(String(args[0]));
        if (!isRenewal) return real.call(name, ...args);
        state.asked++;
        if (place < state.reached) await real.call(name, ...args);
        // Not as if the connection were lost: the next request is to find it up.
        if (place < state.deaf) throw new RedisReplyError("ERR its answer is lost");
        return real.call(name, ...args);
      },
    };
  };
  return { connect, state };
}

describe("a last yes while renewals are lost", () => {
  test("counts where a majority renewed, and else not: it can be sent again", async () => {
    const { connect, state } = deaf();
    await using instance = await pair.instance({ world: { connect } });
    const name = await allButOne([(await aLock()).named]);
    for (const count of [3, 2]) {
      state.deaf = count;
      await expect(lastVote(name, instance)).rejects.toMatchObject({ code: "no_quorum" });
      expect(await seen(name)).toMatchObject({ state: "active", participants: [{}, { vote: null }] });
    }
    expect(state.asked).toBeGreaterThan(0);
    state.deaf = 1;
    expect(await lastVote(name, instance)).toMatchObject({ transaction: { state: "committed" } });
  });

  test("commits nothing where one of its leases has ended, though nobody tells of another", async () => {
    const { connect, state } = deaf();
    await using instance = await pair.instance({ world: { connect } });
    const [held, ended] = [await aLock(), await aLock()];
    const name = await allButOne([held.named, ended.named]);
    await ended.release();
    state.deaf = 2;
    await expect(lastVote(name, instance)).rejects.toMatchObject({ code: "no_quorum" });
    state.deaf = 0;
    expect(await lastVote(name, instance)).toMatchObject({ transaction: { reason: LEASE_LOST } });
  });
});

test.each([0, 1, 2, 3])(
  "an instance that dies while it renews, on %i primaries, leaves the decision to others",
  async (reached) => {
    const { connect, state } = deaf();
    await using instance = await pair.instance({ world: { connect } });
    const [kept, lost] = [await aLock(), await aLock()];
    const [commits, aborts] = [await allButOne([kept.named]), await allButOne([lost.named])];
    Object.assign(state, { deaf: 3, reached });
    const dead = Promise.allSettled([lastVote(commits, instance), lastVote(aborts, instance)]);
    await until(() => state.asked > 0, "it renews");
    instance.service.close();
    await dead;
    for (const name of [commits, aborts]) expect(await seen(name)).toMatchObject({ state: "active" });
    await lost.release();
    expect(await lastVote(commits)).toMatchObject({ transaction: { state: "committed" } });
    expect(await lastVote(aborts)).toMatchObject({ transaction: { state: "aborted", reason: LEASE_LOST } });
  },
);

/** What becomes of a transaction whose lease another has got before the last vote. */
async function wronglyCommits(instance: Pick<Instance, "service">): Promise<boolean> {
  const { named, release } = await aLock();
  const name = await allButOne([named]);
  await release();
  await lastVote(name, instance);
  return (await seen(name))?.state === "committed";
}

test("a commit without renewing the leases is found out", async () => {
  expect(await wronglyCommits(pair.other)).toBe(false);
  const { service } = pair.other;
  const real = new NamedLeases(service, systemClock, { ttlMaxMs: LONG_MS });
  const wrong = {
    check: real.check.bind(real),
    renew: async () => ({ kind: "held", untilMs: Number.POSITIVE_INFINITY }) as const,
  };
  const transactions = new Transactions(service.registers, systemClock, systemIds, wrong);
  expect(await wronglyCommits({ service: { ...service, transactions } })).toBe(true);
});
