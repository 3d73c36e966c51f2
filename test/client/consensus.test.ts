import { beforeAll, describe, expect, test } from "vitest";
import { Consensus } from "../../src/client/consensus.js";
import { Pair } from "../helpers/pair.js";
import { freshName } from "../helpers/service.js";
import { FakeService, problem, type Received, type Reply } from "./fake-service.js";

const pair = new Pair();
let one: Consensus;
let other: Consensus;
beforeAll(async () => {
  const urls = [await pair.one.url(), await pair.other.url()];
  one = new Consensus({ urls });
  other = new Consensus({ urls: urls.reverse() });
});

describe("against real instances", () => {
  test("registers are set, read, compared and deleted", async () => {
    const key = `config/${freshName()} ü`;
    const { registers } = one;
    expect(await registers.get(key)).toBeUndefined();
    const first = await registers.set(key, { leader: "eu-1" }, { ifMatch: null });
    expect(await other.registers.get(key)).toMatchObject({ value: { leader: "eu-1" }, ...first });
    await expect(registers.set(key, 2, { ifMatch: null })).rejects.toMatchObject({
      code: "version_mismatch",
      version: 1,
    });
    const second = await registers.set(key, 2, { ifMatch: first.etag, ttlMs: 60_000 });
    expect(second).toMatchObject({ key, version: 2 });
    expect((await registers.get(key))?.expiresInMs).toBeGreaterThan(50_000);
    await expect(registers.delete(key, { ifMatch: first.etag })).rejects.toMatchObject({
      code: "version_mismatch",
    });
    expect(await registers.delete(key, { ifMatch: second.etag })).toBe(true);
    expect(await registers.delete(key)).toBe(false);
  });

  test("a register has no key that would become another path", async () => {
    for (const key of [".", ".."])
      await expect(one.registers.get(key)).rejects.toMatchObject({ code: "invalid_request" });
    expect(await one.registers.get("...")).toBeUndefined();
  });

  test("many change one register at the same time, and no change is lost", async () => {
    const key = freshName();
    const add = (consensus: Consensus) => consensus.registers.change<number>(key, (value = 0) => value + 1);
    const made = await Promise.all(Array.from({ length: 12 }, (_, i) => add(i % 2 ? one : other)));
    expect(made.sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(await one.registers.change(key, () => undefined)).toBe(12);
    expect(await one.registers.get(key)).toMatchObject({ value: 12, version: 12 });
  });

  test("several registers are changed at once, and not at all where a check does not hold", async () => {
    const [a, b] = [freshName(), freshName()];
    const { etag } = await one.registers.set(a, 100);
    const changes = [
      { key: a, value: 70 },
      { key: b, value: 30 },
    ];
    const made = await one.registers.transact({ checks: [{ key: a, etag }], reads: [a], changes });
    expect(made).toMatchObject({
      changes: [{ key: a, version: 2 }, { key: b }],
      reads: [{ key: a, value: 100 }],
    });
    await expect(other.registers.transact({ checks: [{ key: a, etag }], changes })).rejects.toMatchObject({
      code: "version_mismatch",
      field: "checks.0.etag",
    });
  });

  test("a register that changes more often than it remembers keys is changed all the same", async () => {
    const key = freshName();
    for (let i = 0; i < 70; i++) await one.registers.change<number>(key, (value = 0) => value + 1);
    expect(await one.registers.get(key)).toMatchObject({ value: 70 });
  }, 60_000);

  test("a register is watched from before it is there until it is gone", async () => {
    const key = freshName();
    const seen: unknown[] = [];
    for await (const register of one.registers.watch<number>(key)) {
      seen.push(register?.value ?? null);
      if (seen.length === 1) await other.registers.set(key, 1);
      if (seen.length === 2) await other.registers.set(key, 2);
      if (seen.length === 3) await other.registers.delete(key);
      if (seen.length === 4) break;
    }
    expect(seen).toEqual([null, 1, 2, null]);
  });

  test("counters, barriers and latches", async () => {
    const name = freshName();
    expect(await one.counters.add(name)).toBe(1);
    expect(await other.counters.add(name, 5)).toBe(6);
    expect(await one.counters.get(name)).toBe(6);

    const arriving = ["a", "b", "c"].map((id, i) =>
      (i % 2 ? one : other).barriers.arrive(name, { id, count: 3, ttlMs: 30_000 }),
    );
    const all = await Promise.all(arriving);
    expect(all).toEqual(all.map(() => ({ ...all[0], arrived: 3, released: true })));

    expect(await one.latches.get(name)).toBeUndefined();
    await expect(one.latches.opened(name)).rejects.toMatchObject({ code: "not_found" });
    await one.latches.make(name, 2);
    const opened = other.latches.opened(name);
    expect(await one.latches.countDown(name)).toEqual({ name, count: 2, remaining: 1 });
    await one.latches.countDown(name);
    await opened;
    expect(await other.latches.get(name)).toMatchObject({ remaining: 0 });
    expect(await one.latches.delete(name)).toBe(true);
  });

  test("transactions", async () => {
    const { transactions } = one;
    const begun = await transactions.begin({ participants: ["a", "b"], deadlineMs: 60_000, payload: 1 });
    expect(begun).toMatchObject({ state: "active", payload: 1 });
    const { id } = begun;
    const decision = other.transactions.decision(id);
    await transactions.vote(id, "a", "yes");
    await transactions.vote(id, "b", "yes");
    expect(await decision).toBe("committed");
    await expect(transactions.abort(id, "late")).rejects.toMatchObject({ code: "already_decided" });
    for (const name of ["a", "b"]) await transactions.acknowledge(id, name);
    expect(await other.transactions.get(id)).toMatchObject({ state: "ended" });
    const aborted = await transactions.begin({ participants: ["a"], deadlineMs: 60_000 });
    await transactions.vote(aborted.id, "a", "no", { reason: "out of stock" });
    expect(await transactions.get(aborted.id)).toMatchObject({ state: "aborted", reason: "out of stock" });
  });

  test("transactions that name leases", async () => {
    const { transactions } = one;
    const name = freshName();
    const { body } = await pair.one.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 60_000 });
    const { leaseId, fencingToken } = body;
    const named = { kind: "locks", names: [name], fencingToken } as const;
    const begin = () =>
      transactions.begin({ participants: ["a"], deadlineMs: 60_000, leases: [{ ...named, leaseId }] });
    const [commits, aborts] = [await begin(), await begin()];
    expect(await transactions.vote(commits.id, "a", "yes")).toMatchObject({
      state: "committed",
      leases: [named],
    });
    await pair.one.call("POST", `/v1/locks/${name}/release`, { leaseId });
    expect(await transactions.vote(aborts.id, "a", "yes")).toMatchObject({
      state: "aborted",
      reason: "lease_lost",
    });
    await expect(begin()).rejects.toMatchObject({ code: "lease_lost" });
  });

  test("an election by consensus is led, and observed", async () => {
    const name = freshName();
    const leaders: unknown[] = [];
    const stop = new AbortController();
    const observing = (async () => {
      for await (const { leader } of other.observe(name, { signal: stop.signal }))
        leaders.push(leader?.value);
    })().catch(() => {});
    const term = await one.lead(name, {
      ttlMs: 10_000,
      value: 1,
      onElected: async (lease) => {
        await one.proclaim(lease, 2);
        await lease.renew();
        while (!leaders.includes(2)) await new Promise((resolve) => setTimeout(resolve, 20));
        return lease.fencingToken;
      },
    });
    expect(await other.lead(name, { ttlMs: 10_000, onElected: async (next) => next.fencingToken })).toBe(
      Number(term) + 1,
    );
    stop.abort();
    await observing;
  });
});

describe("against instances that fail", () => {
  function client(reply: (request: Received) => Reply | Promise<Reply>) {
    const service = new FakeService(reply);
    return { service, ...service, consensus: new Consensus({ urls: ["http://a"] }, service.world) };
  }
  const put: Reply = { status: 200, body: { key: "k", version: 2 }, headers: { etag: '"2"' } };
  const keyOf = ({ headers }: Received) => headers.get("idempotency-key");

  test.each(["contended", "outcome_unknown", "no_quorum"] as const)(
    "a change that was answered with %s is sent again under the same key",
    async (code) => {
      let calls = 0;
      const { service, consensus } = client(() => (++calls < 3 ? problem(503, code) : put));
      const set = consensus.registers.set("k", 1);
      await service.clock.advance(5_000);
      expect(await set).toMatchObject({ version: 2, etag: '"2"' });
      const keys = service.received.map(keyOf);
      expect(keys[0]).not.toBeNull();
      expect(new Set(keys).size).toBe(1);
    },
  );

  test("where no more keys fit, it is sent without one, and not again where it may have been made", async () => {
    const { service, consensus } = client((request) =>
      keyOf(request) === null ? problem(504, "outcome_unknown") : problem(429, "too_many_keyed"),
    );
    const adding = consensus.counters.add("c", 1).catch((error) => error);
    await service.clock.advance(20_000);
    expect(await adding).toMatchObject({ code: "outcome_unknown" });
    expect(service.received.map((request) => keyOf(request) !== null)).toEqual([true, false]);
  });

  test("where no more keys fit, it is not sent without one while an earlier attempt may still be under way", async () => {
    let calls = 0;
    const { service, consensus } = client(() =>
      ++calls === 1 ? problem(504, "outcome_unknown") : problem(429, "too_many_keyed"),
    );
    const adding = consensus.counters.add("c", 1).catch((error) => error);
    await service.clock.advance(20_000);
    expect(await adding).toMatchObject({ code: "too_many_keyed" });
    expect(service.received.every((request) => keyOf(request) !== null)).toBe(true);
  });

  test("a change that always comes too late ends with version_mismatch, and asks anew before each try", async () => {
    const { service, consensus } = client(({ method, atMs }) =>
      method === "GET"
        ? {
            status: 200,
            body: { key: "k", value: atMs, version: 1, expiresInMs: null },
            headers: { etag: `"${atMs}"` },
          }
        : problem(412, "version_mismatch"),
    );
    const seen: number[] = [];
    const changing = consensus.registers
      .change<number>("k", (value) => seen.push(value as number), { timeoutMs: 2_000 })
      .catch((error) => error);
    await service.clock.advance(10_000);
    expect(await changing).toMatchObject({ code: "version_mismatch" });
    expect(seen.length).toBeGreaterThan(5);
    expect(new Set(seen).size).toBeGreaterThan(5);
  });

  test("an arrival without a generation is not sent twice where it may count; one with a generation is", async () => {
    let calls = 0;
    const { service, consensus } = client(() =>
      ++calls === 1
        ? { status: 200, body: { generation: 7, arrived: 1, released: false } }
        : calls === 2
          ? problem(504, "outcome_unknown")
          : { status: 200, body: { generation: 7, arrived: 2, released: true } },
    );
    const arriving = consensus.barriers.arrive("b", { id: "a", count: 2, ttlMs: 1_000 });
    await service.clock.advance(30_000);
    expect(await arriving).toMatchObject({ released: true });
    expect(service.received.map(({ body }) => body.generation)).toEqual([undefined, 7, 7]);

    const lost = client(() => problem(504, "outcome_unknown"));
    const failing = lost.consensus.barriers.arrive("b", { id: "a", count: 2, ttlMs: 1_000 }).catch((e) => e);
    await lost.service.clock.advance(30_000);
    expect(await failing).toMatchObject({ code: "outcome_unknown" });
    expect(lost.service.received).toHaveLength(1);
  });

  test("a watch asks again at once after a wait without changes, and later where the wait was cut short", async () => {
    let waitsMs = 20_000;
    let calls = 0;
    const { service, consensus } = client(async () => {
      if (++calls === 1) {
        const body = { key: "k", value: 1, version: 1, expiresInMs: null };
        return { status: 200, body, headers: { etag: '"1"' } };
      }
      await new Promise<void>((resolve) => service.clock.after(waitsMs, resolve));
      return { status: 304 };
    });
    const watch = consensus.registers.watch("k");
    await watch.next();
    void watch.next();
    await service.clock.advance(50_000);
    expect(service.received.map(({ atMs }) => atMs)).toEqual([0, 0, 20_000, 40_000]);
    // As by a proxy that passes no waitMs on.
    waitsMs = 0;
    await service.clock.advance(20_000);
    expect(service.received.slice(-3).map(({ atMs }) => atMs)).toEqual([68_000, 69_000, 70_000]);
  });

  test("a watch goes on after failures, and ends where it may not look", async () => {
    let calls = 0;
    const { service, consensus } = client(() => {
      calls++;
      if (calls === 1) return problem(503, "no_quorum");
      if (calls === 2)
        return {
          status: 200,
          body: { key: "k", value: 1, version: 1, expiresInMs: null },
          headers: { etag: '"1"' },
        };
      return calls < 4 ? new Error("cut") : problem(403, "forbidden");
    });
    const seen: unknown[] = [];
    const watching = (async () => {
      for await (const register of consensus.registers.watch("k")) seen.push(register?.value);
    })().catch((error) => error);
    await service.clock.advance(60_000);
    expect(await watching).toMatchObject({ code: "forbidden" });
    expect(seen).toEqual([1]);
  });
});
