import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type Connect, connectByIoredis } from "../../src/redis/connection.js";
import { OwnPair } from "../helpers/pair.js";
import type { TestPrimary } from "../helpers/primaries.js";
import { chosenId, freshName, type Instance, startInstance } from "../helpers/service.js";
import { startAsComposed } from "./compose.js";

// Two instances of the service on the same three primaries: neither knows of the other.
const pair = new OwnPair({}, startAsComposed);

const acquire = (at: Instance, name: string, body: object = {}) =>
  at.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 10_000, ...body });
const renew = (at: Instance, name: string, body: object) => at.call("POST", `/v1/locks/${name}/renew`, body);
const release = (at: Instance, name: string, leaseId: string) =>
  at.call("POST", `/v1/locks/${name}/release`, { leaseId });

interface Grant {
  readonly name: string;
  readonly token: number;
  readonly askedMs: number;
  readonly grantedMs: number;
  readonly releasedMs: number;
}

/** Asks again until it has the lock, holds it for a moment and gives it back. */
async function once(at: Instance, name: string): Promise<Grant> {
  for (;;) {
    const askedMs = performance.now();
    const { status, body } = await acquire(at, name);
    const grantedMs = performance.now();
    if (status === 409) {
      await sleep(Math.random() * 60);
      continue;
    }
    expect(status, JSON.stringify(body)).toBe(200);
    await sleep(Math.random() * 3);
    const releasedMs = performance.now();
    expect((await release(at, name, body.leaseId)).body).toEqual({ released: true });
    return { name, token: body.fencingToken, askedMs, grantedMs, releasedMs };
  }
}

test("200 who want 5 names of two instances get them one after the other, with tokens that only grow", {
  timeout: 60_000,
}, async () => {
  const names = Array.from({ length: 5 }, () => freshName("contended"));
  const grants = await Promise.all(
    Array.from({ length: 200 }, (_, i) => once(i % 2 === 0 ? pair.one : pair.other, names[i % 5] as string)),
  );
  expect(grants).toHaveLength(200);
  for (const name of names) {
    const inOrder = grants
      .filter((grant) => grant.name === name)
      .sort((before, after) => before.token - after.token);
    expect(inOrder).toHaveLength(40);
    expect(new Set(inOrder.map(({ token }) => token)).size).toBe(40);
    inOrder.forEach((grant, place) => {
      // Nobody is granted the name before the holder with the token below has let go of it.
      const before = inOrder[place - 1];
      if (before) expect(grant.grantedMs).toBeGreaterThan(before.releasedMs);
      // Whoever asked after another was granted has a higher token.
      for (const later of inOrder.slice(place + 1)) expect(later.grantedMs).toBeGreaterThan(grant.askedMs);
    });
  }
});

describe("a lease that expires", () => {
  test("can be taken by another, with a higher token; its old holder's renewal gets 410", async () => {
    const name = freshName();
    const { body: old } = await acquire(pair.one, name, { ttlMs: 1_000 });
    expect((await acquire(pair.other, name)).status).toBe(409);
    await sleep(1_010);
    const taken = await acquire(pair.other, name);
    expect(taken.status).toBe(200);
    expect(taken.body.fencingToken).toBeGreaterThan(old.fencingToken);
    const { leaseId, fencingToken } = old;
    for (const body of [
      { leaseId, ttlMs: 10_000 },
      { leaseId, ttlMs: 10_000, fencingToken },
      // One that claims the token of the newer lease.
      { leaseId, ttlMs: 10_000, fencingToken: taken.body.fencingToken },
    ]) {
      const answer = await renew(pair.one, name, body);
      expect([answer.status, answer.body.code]).toEqual([410, "lease_lost"]);
    }
    expect((await renew(pair.one, name, { leaseId: taken.body.leaseId, ttlMs: 10_000 })).status).toBe(200);
  });

  test("is not released by its old holder any more", async () => {
    const name = freshName();
    const { body: old } = await acquire(pair.one, name, { ttlMs: 1_000 });
    await sleep(1_010);
    const taken = await acquire(pair.other, name);
    expect((await release(pair.one, name, old.leaseId)).body).toEqual({ released: false });
    expect((await pair.one.call("GET", `/v1/locks/${name}`)).body.fencingToken).toBe(taken.body.fencingToken);
  });

  test("stays for as long as it is renewed, at either instance", async () => {
    const name = freshName();
    const { body: lease } = await acquire(pair.one, name, { ttlMs: 2_000 });
    const endMs = performance.now() + 2_500;
    for (let i = 0; performance.now() < endMs; i++) {
      const answer = await renew(i % 2 ? pair.one : pair.other, name, {
        leaseId: lease.leaseId,
        ttlMs: 2_000,
      });
      expect(answer.body.fencingToken).toBe(lease.fencingToken);
      await sleep(50);
    }
    expect((await acquire(pair.other, name)).status).toBe(409);
  });
});

describe("a release", () => {
  test("by a stranger changes nothing", async () => {
    const name = freshName();
    const { body: lease } = await acquire(pair.one, name);
    expect((await release(pair.other, name, chosenId())).body).toEqual({ released: false });
    expect((await acquire(pair.other, name)).status).toBe(409);
    const renewed = await renew(pair.one, name, { leaseId: lease.leaseId, ttlMs: 10_000 });
    expect(renewed.body.fencingToken).toBe(lease.fencingToken);
  });

  test("at one instance frees the name at the other at once", async () => {
    const name = freshName();
    for (let i = 0; i < 10; i++) {
      const { body: lease } = await acquire(pair.one, name);
      await release(pair.one, name, lease.leaseId);
      const next = await acquire(pair.other, name);
      expect(next.status).toBe(200);
      expect(next.body.fencingToken).toBeGreaterThan(lease.fencingToken);
      await release(pair.other, name, next.body.leaseId);
    }
  });

  test("under another name frees nothing", async () => {
    const [name, another] = [freshName(), freshName()];
    const { body: lease } = await acquire(pair.one, name);
    expect((await release(pair.one, another, lease.leaseId)).body).toEqual({ released: false });
    expect((await acquire(pair.other, name)).status).toBe(409);
  });
});

describe("a leaseId that the caller chose", () => {
  test("gets the same lease and token when the request is repeated, at either instance", async () => {
    const name = freshName();
    const leaseId = chosenId();
    const { body: first } = await acquire(pair.one, name, { leaseId });
    expect(first.leaseId).toBe(leaseId);
    for (const at of [pair.one, pair.other]) {
      const { status, body } = await acquire(at, name, { leaseId });
      expect([status, body.leaseId, body.fencingToken]).toEqual([200, leaseId, first.fencingToken]);
    }
    expect((await acquire(pair.other, name)).status).toBe(409);
  });

  test("gets one lease when the requests run beside each other", async () => {
    for (let i = 0; i < 10; i++) {
      const name = freshName();
      const leaseId = chosenId();
      const answers = await Promise.all(
        Array.from({ length: 4 }, (_, n) => acquire(n % 2 ? pair.one : pair.other, name, { leaseId })),
      );
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(new Set(answers.map(({ body }) => body.fencingToken)).size).toBe(1);
    }
  });

  test("is refused after its release, at both instances and for every name", async () => {
    const name = freshName();
    const leaseId = chosenId();
    await acquire(pair.one, name, { leaseId });
    await release(pair.one, name, leaseId);
    for (const [at, of] of [
      [pair.one, name],
      [pair.other, name],
      [pair.other, freshName()],
    ] as const) {
      const { status, body } = await acquire(at, of, { leaseId });
      expect([status, body.code]).toEqual([410, "lease_lost"]);
      expect(body.detail).toContain("used for one lease");
    }
    // The refused attempts hold nothing.
    expect((await acquire(pair.other, name)).status).toBe(200);
  });

  test("is refused after a release that came before its acquire", async () => {
    const name = freshName();
    const leaseId = chosenId();
    expect((await release(pair.other, name, leaseId)).body).toEqual({ released: false });
    expect((await acquire(pair.one, name, { leaseId })).status).toBe(410);
  });

  test("of a lease that expired may take the name again, with a new token", async () => {
    const name = freshName();
    const leaseId = chosenId();
    const { body: first } = await acquire(pair.one, name, { leaseId, ttlMs: 1_000 });
    await sleep(1_010);
    const { status, body } = await acquire(pair.one, name, { leaseId });
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body.fencingToken).toBeGreaterThan(first.fencingToken);
  });
});

/** What a primary has under the prefix, without it; `lasting` for what has no time to live only. */
async function keysOf(primary: TestPrimary, prefix: string, lasting = false): Promise<string[]> {
  const found = await primary.cli(
    "EVAL",
    `local found = {}
    for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
      if ARGV[2] == '' or redis.call('PTTL', key) == -1 then found[#found + 1] = string.sub(key, #ARGV[1] + 1) end
    end
    return found`,
    "0",
    prefix,
    lasting ? "1" : "",
  );
  return found.split("\n").sort();
}

test("a grant that nothing is left of is given back, and not returned", async () => {
  // Every answer comes 300 ms late.
  const connect: Connect = (url, options) => {
    const connection = connectByIoredis(url, options);
    const call = async (command: string, ...args: (string | number)[]) => {
      const reply = await connection.call(command, ...args);
      if (command === "EVALSHA") await sleep(300);
      return reply;
    };
    return Object.create(connection, { call: { value: call } });
  };
  await using slow = await startInstance(pair.primaries.urls, {
    prefix: pair.one.prefix,
    world: { connect },
  });
  for (const leaseId of [undefined, chosenId()]) {
    const name = freshName();
    const { status, body } = await acquire(slow, name, { ttlMs: 200, leaseId });
    expect([status, body.code]).toEqual([503, "no_quorum"]);
    expect(body.detail).toContain("nothing was left");
    expect((await acquire(pair.other, name)).status).toBe(200);
  }
});

test("a refused acquire leaves nothing behind on any primary", async () => {
  await using fresh = await startInstance(pair.primaries.urls);
  await acquire(fresh, "name");
  const stored = () => Promise.all(pair.primaries.all.map((primary) => keysOf(primary, fresh.prefix)));
  await expect
    .poll(stored)
    .toSatisfy((all: string[][]) => all.every((keys) => keys.includes("hold/lock/name")));
  const before = await stored();
  for (let i = 0; i < 5; i++) {
    const leaseId = i % 2 ? chosenId() : undefined;
    expect((await acquire(fresh, "name", { leaseId })).status).toBe(409);
  }
  await expect.poll(stored).toEqual(before);
  for (const primary of pair.primaries.all) {
    const fields = await primary.cli("HKEYS", `${fresh.prefix}hold/lock/name`);
    expect(fields.match(/nonce:/g)).toHaveLength(1);
  }
});

test("whatever belongs to a lease expires, but for counters; the list of what is held empties by itself", async () => {
  await using fresh = await startInstance(pair.primaries.urls);
  const { locks, semaphores, elections } = fresh.service;
  const before = await keysOf(pair.primaries.all[0] as TestPrimary, fresh.prefix, true);
  const lasting = () =>
    Promise.all(
      pair.primaries.all.map(async (primary) =>
        (await keysOf(primary, fresh.prefix, true)).filter((key) => !before.includes(key)),
      ),
    );
  const leaseId = chosenId();
  await acquire(fresh, "held", { ttlMs: 2_500 });
  await acquire(fresh, "released", { leaseId });
  await release(fresh, "released", leaseId);
  expect((await acquire(fresh, "held", { leaseId: chosenId() })).status).toBe(409);
  await locks.acquire({ names: ["a", "b"], mode: "shared", ttlMs: 2_500, leaseId: chosenId() });
  await locks.acquire({ names: ["held", "a"], ttlMs: 2_500, waitMs: 50 });
  await semaphores.acquire({ name: "pool", limit: 3, permits: 2, ttlMs: 2_500, leaseId: chosenId() });
  await elections.campaign({ name: "leader", ttlMs: 2_500, value: 1 });
  for (const keys of await lasting()) expect(keys).toEqual(["counters", "held"]);
  await expect.poll(lasting, { timeout: 15_000 }).toEqual([["counters"], ["counters"], ["counters"]]);
});
