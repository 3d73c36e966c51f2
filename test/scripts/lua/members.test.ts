import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { scanBy } from "../../../src/quorum/scan.js";
import { expireMembers } from "../../../src/scripts/expiry-calls.js";
import {
  announceIncarnation,
  claimChange,
  claimIncarnation,
  countMembers,
  heartbeat,
  listMembers,
  type MemberRecord,
  putMember,
} from "../../../src/scripts/member-calls.js";
import { memberRecord } from "../../helpers/member-record.js";
import { freshName } from "../../helpers/names.js";
import { OneServer } from "../../helpers/one-server.js";

// The scripts of members, each by itself, on one real server.
const server = new OneServer();
const { keys } = server;
const run: typeof server.run = (call) => server.run(call);

const inSet = (set: string) => scanBy(run, set);

/** Members of a service: all that are found by its set, or those of these ids. */
async function members(service: string, ids?: readonly string[]): Promise<readonly MemberRecord[]> {
  return (await run(listMembers(keys, service, ids ?? (await inSet(keys.members(service)))))).members;
}

/** For how long a record outlives its deadline. */
const LAPSED_MS = 60_000;
const MEMBER = memberRecord({ incarnation: 5, revision: 3, nonce: "n5", ttlMs: 20_000, expiresInMs: 20_000 });

describe("put-member", () => {
  test.each([
    { what: "the first", stored: null, put: {}, result: null },
    { what: "the very same again", stored: {}, put: {}, result: null },
    {
      what: "a later incarnation",
      stored: {},
      put: { incarnation: 6, revision: 1, nonce: "n6" },
      result: null,
    },
    { what: "an earlier incarnation", stored: {}, put: { incarnation: 4, nonce: "n4" }, result: 5 },
    { what: "another registration of the same incarnation", stored: {}, put: { nonce: "other" }, result: 5 },
    { what: "a later revision", stored: {}, put: { revision: 4 }, result: null },
    { what: "a leave", stored: {}, put: { left: true }, result: null },
    {
      what: "a leave that had not seen the last change",
      stored: {},
      put: { left: true, revision: 1 },
      result: null,
    },
    { what: "a live record after its leave", stored: { left: true }, put: { revision: 9 }, result: 5 },
    {
      what: "a later incarnation after a leave",
      stored: { left: true },
      put: { incarnation: 6, nonce: "n6" },
      result: null,
    },
  ])("of $what: stored, or the incarnation that is in the way: $result", async ({ stored, put, result }) => {
    const service = freshName();
    if (stored) await run(putMember(keys, service, { ...MEMBER, ...stored }));
    const record = { ...MEMBER, ...put };
    expect(await run(putMember(keys, service, record))).toEqual({ superseded: result });
    const [now] = await members(service);
    const { incarnation, revision, left, nonce } = result === null ? record : { ...MEMBER, ...stored };
    expect(now).toMatchObject({ incarnation, revision, left, nonce });
  });

  test("of an earlier revision changes nothing", async () => {
    const service = freshName();
    await run(putMember(keys, service, MEMBER));
    expect(await run(putMember(keys, service, { ...MEMBER, revision: 2, registered: "{}" }))).toEqual({
      superseded: null,
    });
    expect(await members(service)).toMatchObject([{ revision: 3, registered: MEMBER.registered }]);
  });

  test("never shortens the life of the incarnation that is stored", async () => {
    const service = freshName();
    await run(putMember(keys, service, MEMBER));
    await run(putMember(keys, service, { ...MEMBER, revision: 4, expiresInMs: 1_000 }));
    expect((await members(service))[0]?.expiresInMs).toBeGreaterThan(15_000);
  });

  // A heartbeat puts its member back everywhere and counts the votes: found by the simulation, seed 14.
  test("of the very same again lets it live as long as was asked, and be listed as long", async () => {
    const service = freshName();
    await run(putMember(keys, service, { ...MEMBER, expiresInMs: 100, heartbeatAgeMs: 19_900 }));
    await run(putMember(keys, service, MEMBER));
    await sleep(150);
    const [now] = await members(service);
    expect(now?.expiresInMs).toBeGreaterThan(15_000);
    expect(now?.heartbeatAgeMs).toBeLessThan(5_000);
  });

  test("with the time that is left lets it live no longer than that", async () => {
    const service = freshName();
    await run(putMember(keys, service, { ...MEMBER, expiresInMs: 500, heartbeatAgeMs: 19_500 }));
    const [now] = await members(service);
    expect(now?.expiresInMs).toBeLessThanOrEqual(500);
    expect(now?.heartbeatAgeMs).toBeGreaterThanOrEqual(19_500);
    await sleep(510);
    expect(await members(service)).toEqual([]);
    expect((await members(service, ["m"]))[0]?.expiresInMs).toBeLessThanOrEqual(0);
  });
});

describe("heartbeat", () => {
  test("is answered by what is stored, and lets those live that it renews", async () => {
    const service = freshName();
    const put = (record: Partial<MemberRecord>) => run(putMember(keys, service, { ...MEMBER, ...record }));
    await put({ id: "a", expiresInMs: 1_000 });
    await put({ id: "b", left: true });
    await put({ id: "c" });
    const beats = [["a"], ["nobody"], ["b"], ["c", 4], ["c", 5]] as const;
    const heartbeats = beats.map(([id, incarnation]) => ({ service, id, incarnation }));
    const votes = await Promise.all(heartbeats.map(async (one) => (await run(heartbeat(keys, [one])))[0]));
    const renewed = { kind: "renewed", incarnation: 5, revision: 3, ttlMs: 20_000, hasLeases: false };
    expect(votes).toEqual([
      renewed,
      { kind: "missing" },
      { kind: "left", incarnation: 5 },
      { kind: "other", incarnation: 5 },
      renewed,
    ]);
    expect(await server.redis.pttl(keys.member(service, "a"))).toBeGreaterThan(15_000);
    expect(await server.redis.exists(keys.member(service, "nobody"))).toBe(0);
    expect(await run(heartbeat(keys, heartbeats)), "all of them together").toEqual(votes);
  });

  test("with the nonce of another registration renews nothing", async () => {
    const service = freshName();
    await run(putMember(keys, service, { ...MEMBER, expiresInMs: 1_000 }));
    const beat = async (incarnation: number, nonce: string) =>
      (await run(heartbeat(keys, [{ service, id: "m", incarnation, nonce, load: "{}" }])))[0];
    expect(await beat(5, "other")).toEqual({ kind: "wrong-key", incarnation: 5 });
    expect(await beat(4, "other")).toEqual({ kind: "other", incarnation: 5 });
    const [untouched] = await members(service, ["m"]);
    expect(untouched?.expiresInMs).toBeLessThanOrEqual(1_000);
    expect(untouched?.load).toBe("");
    expect(await beat(5, MEMBER.nonce)).toMatchObject({ kind: "renewed" });
  });

  test("stores the load that it reports, which stays with the incarnation", async () => {
    const service = freshName();
    const loads = async () => (await members(service, ["m"])).map(({ load }) => load);
    await run(putMember(keys, service, MEMBER));
    expect(await loads()).toEqual([""]);
    await run(heartbeat(keys, [{ service, id: "m", load: '{"cpu":0.5}' }]));
    expect(await loads()).toEqual(['{"cpu":0.5}']);
    await run(heartbeat(keys, [{ service, id: "m" }]));
    await run(putMember(keys, service, { ...MEMBER, revision: 4 }));
    expect(await loads()).toEqual(['{"cpu":0.5}']);
    expect((await run(listMembers(keys, service, ["m"], "ring"))).members[0]?.load).toBe("");
    await run(heartbeat(keys, [{ service, id: "m", incarnation: 4, load: '{"cpu":1}' }]));
    expect(await loads()).toEqual(['{"cpu":0.5}']);
    await run(putMember(keys, service, { ...MEMBER, incarnation: 6, nonce: "n6" }));
    expect(await loads()).toEqual([""]);
  });

  test("of members of several services together does for each what it does for one", async () => {
    const [one, other, none] = [freshName(), freshName(), freshName()];
    const stored = [
      [one, { id: "a", ttlMs: 20_000 }],
      [other, { id: "b", ttlMs: 30_000 }],
      [one, { id: "c", ttlMs: 40_000 }],
      [one, { id: "left", left: true }],
      [other, { id: "quiet" }],
    ] as const;
    for (const [service, record] of stored)
      await run(putMember(keys, service, { ...MEMBER, expiresInMs: 1_000, ...record }));
    const votes = await run(
      heartbeat(keys, [
        { service: one, id: "a" },
        { service: other, id: "b", incarnation: 5 },
        { service: none, id: "a" },
        { service: one, id: "c" },
        { service: one, id: "left" },
        { service: other, id: "b", incarnation: 4 },
        { service: one, id: "a" },
      ]),
    );
    const renewed = (ttlMs: number) => ({
      kind: "renewed",
      incarnation: 5,
      revision: 3,
      ttlMs,
      hasLeases: false,
    });
    expect(votes).toEqual([
      renewed(20_000),
      renewed(30_000),
      { kind: "missing" },
      renewed(40_000),
      { kind: "left", incarnation: 5 },
      { kind: "other", incarnation: 5 },
      renewed(20_000),
    ]);
    const leftMs = async (set: string, id: string) => Number(await server.redis.zscore(set, id)) - Date.now();
    const within = (ms: number, of: number) => expect(Math.abs(ms - of)).toBeLessThan(900);
    for (const [service, id, ttlMs] of [
      [one, "a", 20_000],
      [other, "b", 30_000],
      [one, "c", 40_000],
      [other, "quiet", 1_000],
    ] as const) {
      within(await server.redis.pttl(keys.member(service, id)), ttlMs + LAPSED_MS);
      within(await leftMs(keys.members(service), id), ttlMs);
    }
    within(await leftMs(keys.services, one), 40_000);
    within(await leftMs(keys.services, other), 30_000);
    for (const [set, ttlMs] of [
      [keys.members(one), 40_000],
      [keys.members(other), 30_000],
    ] as const)
      expect(await server.redis.pttl(set)).toBeGreaterThan(ttlMs + LAPSED_MS - 900);
    expect(await server.redis.exists(keys.members(none), keys.member(none, "a"))).toBe(0);
    expect(await inSet(keys.left(one))).toEqual(["left"]);
  });
});

/** The record as this server has it. */
const stored = async (service: string) => (await members(service, ["m"]))[0];

const change = (revision: number, nonce: string, fields: Partial<MemberRecord> = {}): MemberRecord => ({
  ...MEMBER,
  revision,
  change: nonce,
  ...fields,
});

describe("a change of a member", () => {
  const claim = (service: string, to: MemberRecord, from = MEMBER) =>
    run(claimChange(keys, service, from, to));
  const put = async (service: string, record: MemberRecord) =>
    (await run(putMember(keys, service, record, "change"))).superseded === null;

  test("is claimed on top of what it changes, then stored: its status, end and content", async () => {
    const service = freshName();
    await run(putMember(keys, service, MEMBER));
    const drained = change(4, "one", { status: "draining", endsInMs: 9_000, registered: "{}" });
    expect(await claim(service, drained)).toEqual({ claimed: true, revision: 4 });
    expect(await put(service, drained)).toBe(true);
    const now = await stored(service);
    expect(now).toMatchObject({ revision: 4, status: "draining", change: "one", registered: "{}" });
    expect(now?.endsInMs).toBeGreaterThan(8_000);
    expect(now?.endsInMs).toBeLessThanOrEqual(9_000);
    expect(now?.expiresInMs).toBeLessThanOrEqual(9_000);
    // A message that comes twice does no harm.
    expect(await put(service, drained)).toBe(true);
  });

  test("is not stored without its claim", async () => {
    const service = freshName();
    await run(putMember(keys, service, MEMBER));
    expect(await put(service, change(4, "one"))).toBe(false);
    expect(await put(freshName(), change(4, "one"))).toBe(false);
    expect(await stored(service)).toMatchObject({ revision: 3 });
  });

  test("is claimed once: two that begin from one revision are not both stored", async () => {
    const service = freshName();
    await run(putMember(keys, service, MEMBER));
    const [one, other] = [change(4, "one"), change(4, "other")];
    expect(await claim(service, one)).toEqual({ claimed: true, revision: 4 });
    expect(await claim(service, one)).toEqual({ claimed: true, revision: 4 });
    expect(await claim(service, other)).toEqual({ claimed: false, revision: 4 });
    expect(await put(service, other)).toBe(false);
    // A later claim has seen that the first is not stored yet: now it never is.
    const later = change(5, "other");
    expect(await claim(service, later)).toEqual({ claimed: true, revision: 5 });
    expect(await put(service, one)).toBe(false);
    expect(await put(service, later)).toBe(true);
    expect(await claim(service, change(6, "one"))).toEqual({ claimed: false, revision: 5 });
  });

  test("is not on top of a record that is behind, has left, or is of another incarnation", async () => {
    const service = freshName();
    const refused = async (revision = 0) =>
      expect(await claim(service, change(6, "one"))).toEqual({ claimed: false, revision });
    await refused();
    await run(putMember(keys, service, { ...MEMBER, revision: 2 }));
    await refused(2);
    await run(putMember(keys, service, { ...MEMBER, revision: 5 }));
    await refused(5);
    await run(putMember(keys, service, { ...MEMBER, left: true }));
    await refused();
    await run(putMember(keys, service, { ...MEMBER, incarnation: 6, nonce: "n6" }));
    await refused();
  });

  test("that was claimed keeps repairs from storing what it has not seen, until the claim is over", async () => {
    const service = freshName();
    await run(putMember(keys, service, MEMBER));
    const repair = async () => (await run(putMember(keys, service, change(4, "unseen")))).superseded === null;
    await claim(service, change(5, "one"));
    expect(await repair()).toBe(false);
    // The record that is stored may be kept alive.
    expect((await run(putMember(keys, service, MEMBER))).superseded).toBe(null);
    const [revision, nonce] = ((await server.redis.hget(keys.member(service, "m"), "claim")) ?? "").split(
      " ",
    );
    await server.redis.hset(keys.member(service, "m"), "claim", `${revision} ${nonce} ${Date.now() - 1}`);
    expect(await repair()).toBe(true);
    expect(await put(service, change(5, "one"))).toBe(false);
    expect(await stored(service)).toMatchObject({ revision: 4, change: "unseen" });
  });

  test("with the same revision is refused where another change made it, also as a repair", async () => {
    const service = freshName();
    await run(putMember(keys, service, change(4, "one")));
    for (const nonce of ["other", ""])
      expect(await run(putMember(keys, service, change(4, nonce)))).toEqual({ superseded: 5 });
    expect(await run(putMember(keys, service, change(4, "one")))).toEqual({ superseded: null });
    // By a leave it ends, whichever it is.
    expect(await run(putMember(keys, service, change(4, "other", { left: true })))).toEqual({
      superseded: null,
    });
  });

  test("of a member that left is never stored", async () => {
    const service = freshName();
    await run(putMember(keys, service, MEMBER));
    await claim(service, change(4, "one"));
    await run(putMember(keys, service, { ...MEMBER, left: true }));
    expect(await put(service, change(4, "one"))).toBe(false);
    expect(await stored(service)).toMatchObject({ left: true, revision: 3 });
  });
});

describe("a member with an end of its own", () => {
  const endsInMs = 400;
  const put = (service: string, fields: Partial<MemberRecord>) =>
    run(putMember(keys, service, { ...MEMBER, ...fields }));
  const beat = async (service: string) => (await run(heartbeat(keys, [{ service, id: "m" }])))[0]?.kind;

  test("that drains lives until then, whatever its heartbeats and repairs say", async () => {
    const service = freshName();
    await put(service, { status: "draining", endsInMs });
    expect(await beat(service)).toBe("renewed");
    await put(service, { status: "draining", endsInMs });
    const now = await stored(service);
    expect(now?.expiresInMs).toBeLessThanOrEqual(endsInMs);
    expect(now?.endsInMs).toBeLessThanOrEqual(endsInMs);
    await sleep(endsInMs + 20);
    expect(await beat(service)).toBe("missing");
    expect(await inSet(keys.members(service))).toEqual([]);
  });

  test("that drains without heartbeats lives no longer than its time to live", async () => {
    const service = freshName();
    await put(service, { ttlMs: 1_000, expiresInMs: 300, status: "draining", endsInMs: 60_000 });
    expect((await stored(service))?.expiresInMs).toBeLessThanOrEqual(300);
    expect(await beat(service)).toBe("renewed");
    expect((await stored(service))?.expiresInMs).toBeLessThanOrEqual(1_000);
  });

  test("that restarts keeps its place for longer than its time to live, and no heartbeat shortens that", async () => {
    const service = freshName();
    await put(service, { ttlMs: 1_000, expiresInMs: 30_000, status: "restarting", endsInMs: 30_000 });
    expect(await beat(service)).toBe("renewed");
    expect((await stored(service))?.expiresInMs).toBeGreaterThan(29_000);
  });
});

test("a record of an earlier version is up, without a change and an end", async () => {
  const service = freshName();
  await run(putMember(keys, service, MEMBER));
  await server.redis.hdel(keys.member(service, "m"), "status", "change", "ends", "claim", "announced");
  expect(await stored(service)).toMatchObject({ status: "up", change: "", endsInMs: null, revision: 3 });
  expect(await run(putMember(keys, service, MEMBER))).toEqual({ superseded: null });
  expect((await run(heartbeat(keys, [{ service, id: "m" }])))[0]).toMatchObject({ kind: "renewed" });
  const to = change(4, "one", { status: "draining" });
  expect(await run(claimChange(keys, service, MEMBER, to))).toMatchObject({ claimed: true });
  expect(await run(putMember(keys, service, to, "change"))).toEqual({ superseded: null });
  expect(await stored(service)).toMatchObject({ status: "draining", revision: 4 });
});

describe("a member whose deadline has passed", () => {
  const put = (service: string, fields: Partial<MemberRecord> = {}, what?: Parameters<typeof putMember>[3]) =>
    run(putMember(keys, service, { ...MEMBER, ...fields }, what));
  const beat = async (service: string) => (await run(heartbeat(keys, [{ service, id: "m" }])))[0];
  const count = async (service: string) => (await run(countMembers(keys, [service])))[0];

  /** Until nothing more is due now; of this service. Other tests' members expire, too. */
  async function expire(service: string): Promise<string[]> {
    const found: string[] = [];
    for (let left = 100; left > 0; left--) {
      const part = await run(expireMembers(keys, 100));
      found.push(...part.expired.filter((one) => one.service === service).map(({ id }) => id));
      if (part.nextInMs === null || part.nextInMs > 0) break;
    }
    return found;
  }

  async function lapsed(fields: Partial<MemberRecord> = {}): Promise<string> {
    const service = freshName();
    await put(service, { ...fields, expiresInMs: 1 });
    await sleep(5);
    return service;
  }

  test("is stored for a while, is not counted, listed among the ids, nor kept alive", async () => {
    const service = await lapsed();
    expect(await count(service)).toBe(0);
    expect(await inSet(keys.members(service))).toEqual([]);
    expect(await beat(service)).toEqual({ kind: "missing" });
    expect(await stored(service)).toMatchObject({ left: false, expired: null, revision: 3 });
  });

  test("becomes a tombstone once, whoever asks", async () => {
    const service = await lapsed();
    const [one, other] = await Promise.all([expire(service), expire(service)]);
    expect([...one, ...other]).toEqual(["m"]);
    expect(await expire(service)).toEqual([]);
    const now = await stored(service);
    expect(now).toMatchObject({ expired: "own", left: false, incarnation: 5, revision: 3 });
    expect(now?.registered).toBe(MEMBER.registered);
    expect(now?.expiresInMs).toBeGreaterThan(70_000);
    expect(await server.redis.pttl(keys.member(service, "m"))).toBeLessThanOrEqual(80_000);
    expect(await count(service)).toBe(0);
    expect(await inSet(keys.members(service))).toEqual(["m"]);
    expect(await inSet(keys.services)).toContain(service);
  });

  test("and one whose time is not over, or which left, become none", async () => {
    const [live, left, later] = [freshName(), freshName(), await lapsed()];
    await put(live);
    await put(left, { left: true, expiresInMs: 1 });
    await put(later);
    await sleep(5);
    for (const service of [live, left, later]) expect(await expire(service)).toEqual([]);
    expect(await stored(live)).toMatchObject({ expired: null });
    expect(await beat(later)).toMatchObject({ kind: "renewed" });
    // What has ended is forgotten.
    expect(await server.redis.zcard(keys.members(left))).toBe(0);
  });

  test("by its deadline, not by when that was noted last: a heartbeat moves it", async () => {
    const service = freshName();
    await put(service, { expiresInMs: 60 });
    await beat(service);
    await sleep(70);
    await server.redis.zadd(keys.members(service), 1, "m");
    expect(await expire(service)).toEqual([]);
    expect(await inSet(keys.members(service))).toEqual(["m"]);
  });

  test("is found in parts, the first deadlines first, and the next part is due when the next is", async () => {
    const service = freshName();
    const ids = Array.from({ length: 120 }, (_, i) => `m-${i}`);
    await Promise.all(ids.map((id) => put(service, { id, expiresInMs: 1 })));
    await put(service, { id: "later", expiresInMs: 5_000 });
    await sleep(5);
    const part = await run(expireMembers(keys, 100));
    expect(part.expired.length).toBeLessThanOrEqual(50);
    expect(part.nextInMs).toBe(0);
    const mine = part.expired.filter((one) => one.service === service).map(({ id }) => id);
    expect([...mine, ...(await expire(service))].sort()).toEqual(ids.sort());
    const score = Number(await server.redis.zscore(keys.expiring, service));
    expect(Math.abs(score - Date.now() - 5_000)).toBeLessThan(1_000);
  });

  test("of an earlier version is judged by its key, and its heartbeat has it looked at", async () => {
    const service = freshName();
    await put(service);
    await server.redis.hdel(keys.member(service, "m"), "deadline");
    await server.redis.pexpire(keys.member(service, "m"), 9_000);
    await server.redis.zrem(keys.expiring, service);
    expect((await stored(service))?.expiresInMs).toBeLessThanOrEqual(9_000);
    expect(await beat(service)).toMatchObject({ kind: "renewed" });
    expect((await stored(service))?.expiresInMs).toBeGreaterThan(19_000);
    expect(await server.redis.zscore(keys.expiring, service)).not.toBeNull();
  });

  describe("and became a tombstone", () => {
    async function expired(): Promise<string> {
      const service = await lapsed();
      await expire(service);
      return service;
    }

    test("says so to its heartbeats, and takes neither repairs nor changes", async () => {
      const service = await expired();
      expect(await beat(service)).toEqual({ kind: "expired", incarnation: 5, revision: 3 });
      for (const revision of [2, 3, 4])
        expect(await put(service, { revision, change: revision === 3 ? "" : "x" })).toEqual({
          superseded: 5,
        });
      expect(await run(claimChange(keys, service, MEMBER, change(4, "x")))).toMatchObject({ claimed: false });
      expect(await stored(service)).toMatchObject({ expired: "own" });
    });

    test("is replaced by a later revision of a majority, a leave, and a later incarnation", async () => {
      const [outlived, left, again] = [await expired(), await expired(), await expired()];
      expect(await put(outlived, { change: "x" }, "majority's")).toEqual({ superseded: 5 });
      expect(await put(outlived, { revision: 4, change: "x" }, "majority's")).toEqual({ superseded: null });
      expect(await stored(outlived)).toMatchObject({ expired: null, revision: 4 });
      expect((await stored(outlived))?.expiresInMs).toBeLessThanOrEqual(20_000);
      expect(await put(left, { left: true })).toEqual({ superseded: null });
      expect(await stored(left)).toMatchObject({ expired: null, left: true });
      expect(await put(again, { incarnation: 6, nonce: "n6" })).toEqual({ superseded: null });
      expect(await count(again)).toBe(1);
    });

    test("is copied to a primary where it lives, and is no vote there", async () => {
      const service = freshName();
      await put(service);
      expect(await put(service, { expired: "own" })).toEqual({ superseded: null });
      expect(await stored(service)).toMatchObject({ expired: "copied", left: false });
      expect(await count(service)).toBe(0);
      expect(await beat(service)).toMatchObject({ kind: "expired" });
      expect(await put(service)).toEqual({ superseded: 5 });
    });
  });
});

describe("a tombstone", () => {
  const put = (service: string, fields: Partial<MemberRecord>) =>
    run(putMember(keys, service, { ...MEMBER, ...fields }));
  const sweep = async () => {
    for (let part = await run(expireMembers(keys, 100)); part.nextInMs === 0; )
      part = await run(expireMembers(keys, 100));
  };

  test("says since when it is one, also as a copy; one of an earlier version does not", async () => {
    const service = freshName();
    await put(service, { id: "left", left: true });
    await put(service, { id: "copied", expired: "own", goneForMs: 5_000 });
    await put(service, { id: "expired", expiresInMs: 1 });
    await put(service, { id: "old", left: true });
    await server.redis.hdel(keys.member(service, "old"), "gone");
    await sleep(20);
    await sweep();
    const gone = Object.fromEntries((await members(service)).map(({ id, goneForMs }) => [id, goneForMs]));
    expect(gone).toEqual({
      left: expect.closeTo(20, -3),
      copied: expect.closeTo(5_020, -3),
      expired: expect.closeTo(0, -3),
      old: null,
    });
  });

  test("is listed as long as it is stored, and leaves nothing behind", async () => {
    const service = freshName();
    await put(service, { id: "live" });
    await put(service, { id: "left", left: true, expiresInMs: 300 });
    await put(service, { id: "expired", expiresInMs: 1 });
    await sleep(5);
    await sweep();
    expect((await inSet(keys.members(service))).sort()).toEqual(["expired", "left", "live"]);
    const score = Number(await server.redis.zscore(keys.members(service), "expired"));
    const storedMs = await server.redis.pttl(keys.member(service, "expired"));
    expect(Math.abs(score - Date.now() - storedMs)).toBeLessThan(2_000);
    await sleep(310);
    await sweep();
    expect(await server.redis.zcard(keys.members(service))).toBe(2);
    expect(await server.redis.zcard(keys.left(service))).toBe(1);
    expect(await server.redis.exists(keys.member(service, "left"))).toBe(0);
  });
});

describe("an incarnation that a registration announces", () => {
  const claim = (service: string, incarnation: number, nonce: string) =>
    run(claimIncarnation(keys, service, { id: "m", incarnation, nonce }));

  test("is that of no other registration of this member, with a record or without", async () => {
    const service = freshName();
    expect(await claim(service, 6, "one")).toBe(true);
    expect(await claim(service, 6, "one")).toBe(true);
    expect(await claim(service, 6, "other")).toBe(false);
    expect(await claim(service, 5, "other")).toBe(false);
    expect(await claim(freshName(), 6, "other")).toBe(true);
    await run(putMember(keys, service, { ...MEMBER, incarnation: 5, nonce: "late" }));
    expect(await claim(service, 6, "other")).toBe(false);
    await run(putMember(keys, service, { ...MEMBER, incarnation: 6, nonce: "one" }));
    expect(await claim(service, 6, "other")).toBe(false);
    expect(await claim(service, 7, "other")).toBe(true);
  });

  test("is no member, and is forgotten after a while", async () => {
    const service = freshName();
    await claim(service, 6, "one");
    expect(await members(service, ["m"])).toEqual([]);
    expect((await run(heartbeat(keys, [{ service, id: "m" }])))[0]).toEqual({ kind: "missing" });
    expect(await server.redis.pttl(keys.member(service, "m"))).toBeLessThanOrEqual(10_000);
  });
});

describe("what is told of members", () => {
  test("is of all of them, or of one, by this server's clock", async () => {
    const service = freshName();
    for (const id of ["a", "b"]) await run(putMember(keys, service, { ...MEMBER, id, heartbeatAgeMs: 500 }));
    const all = await run(listMembers(keys, service, ["a", "nobody", "b"]));
    expect(all.lookedAt).toBe(3);
    expect(all.members.map(({ id }) => id).sort()).toEqual(["a", "b"]);
    expect(Math.abs(all.nextIncarnation - Date.now())).toBeLessThan(5_000);
    const [one, ...others] = await members(service, ["b"]);
    expect(others).toEqual([]);
    expect(one).toMatchObject({
      ...MEMBER,
      id: "b",
      expiresInMs: expect.any(Number),
      heartbeatAgeMs: expect.any(Number),
    });
    expect(one?.heartbeatAgeMs).toBeGreaterThanOrEqual(500);
    expect(await members(service, ["nobody"])).toEqual([]);
  });

  test("the incarnation that a registration may have is above all that were announced, whatever the clock shows", async () => {
    const next = async () => (await run(listMembers(keys, freshName(), ["m"]))).nextIncarnation;
    const aheadMs = Date.now() + 3_600_000;
    await run(announceIncarnation(keys, aheadMs));
    await run(announceIncarnation(keys, aheadMs - 1_000));
    expect(await next()).toBe(aheadMs + 1);
    await server.redis.set(keys.incarnation, "5");
    expect(Math.abs((await next()) - Date.now())).toBeLessThan(5_000);
  });

  test("services are those with a member, or the tombstone of one, whose time has not passed", async () => {
    const [live, left, dead] = [freshName("live"), freshName("left"), freshName("dead")];
    await run(putMember(keys, live, MEMBER));
    await run(putMember(keys, left, { ...MEMBER, left: true }));
    await run(putMember(keys, dead, { ...MEMBER, expiresInMs: 50 }));
    await sleep(60);
    const services = await inSet(keys.services);
    expect(services).toContain(live);
    expect(services).toContain(left);
    expect(services).not.toContain(dead);
  });

  test("the lists of a service that nobody beats for any more expire", async () => {
    const service = freshName();
    await run(putMember(keys, service, MEMBER));
    for (const key of [keys.members(service), keys.member(service, "m")]) {
      expect(await server.redis.pttl(key)).toBeGreaterThan(15_000 + LAPSED_MS);
      expect(await server.redis.pttl(key)).toBeLessThanOrEqual(20_000 + LAPSED_MS);
    }
  });
});

describe("what a service of many members costs", () => {
  const ids = Array.from({ length: 400 }, (_, i) => `m-${String(i).padStart(3, "0")}`);
  const registered = JSON.stringify({
    address: 'a,"weight":9,"tags":[',
    weight: 0.5,
    zone: 'z","tags":[',
    tags: [],
    metadata: "x".repeat(2_000),
  });

  async function fill(service: string, record: Partial<MemberRecord> = {}): Promise<void> {
    await Promise.all(
      ids.map((id) => run(putMember(keys, service, { ...MEMBER, id, registered, ...record }))),
    );
  }

  test("is told in parts of a few hundred KB, each of which says how far it came", async () => {
    const service = freshName();
    await fill(service);
    const found: string[] = [];
    let parts = 0;
    for (let at = 0; at < ids.length; parts++) {
      const part = await run(listMembers(keys, service, ids.slice(at)));
      expect(JSON.stringify(part).length).toBeLessThan(400 * 1024);
      expect(part.lookedAt).toBeGreaterThan(0);
      found.push(...part.members.map(({ id }) => id));
      at += part.lookedAt;
    }
    expect(found).toEqual(ids);
    expect(parts).toBe(4);
  });

  test("is little for what a ring is made of, whatever the texts have in them", async () => {
    const service = freshName();
    await fill(service);
    const part = await run(listMembers(keys, service, ids, "ring"));
    expect(part.lookedAt).toBe(ids.length);
    expect(part.members.map(({ id }) => id)).toEqual(ids);
    for (const one of part.members) {
      expect(JSON.parse(one.registered)).toEqual({ weight: 0.5, zone: 'z","tags":[' });
    }
    const odd = freshName();
    await run(putMember(keys, odd, { ...MEMBER, registered: "null" }));
    expect((await run(listMembers(keys, odd, ["m"], "ring"))).members[0]?.registered).toBe("null");
  });

  test("is found in parts, all of it, though deadlines change and others come and go meanwhile", async () => {
    const service = freshName();
    await fill(service);
    const set = keys.members(service);
    const beat = () => Promise.all(ids.map((id) => run(heartbeat(keys, [{ service, id }]))));
    const found = new Set<string>();
    let parts = 0;
    for (let from: string | null = "0"; from !== null; parts++) {
      const [cursor, page]: [string, string[]] = await server.redis.zscan(set, from, "COUNT", 20);
      for (const [i, one] of page.entries()) if (i % 2 === 0) found.add(one);
      from = cursor === "0" ? null : cursor;
      await beat();
      await server.redis.zadd(set, 0, `other-${parts}`);
      await server.redis.zrem(set, `other-${parts - 1}`);
    }
    expect(parts).toBeGreaterThan(5);
    expect(ids.filter((id) => !found.has(id))).toEqual([]);
    expect((await inSet(set)).sort()).toEqual(ids);
  });

  test("would not be, if it were read by the places that deadlines give it", async () => {
    const service = freshName();
    await fill(service);
    const set = keys.members(service);
    const found = new Set<string>();
    for (let at = 0; at < ids.length; at += 20) {
      const page = await server.redis.zrange(set, String(at), String(at + 19));
      for (const id of page) found.add(id);
      // Each of these beats, and is the last from then on: those behind move up.
      for (const id of page) await server.redis.zadd(set, Date.now() + 30_000 + at, id);
    }
    expect(found.size).toBeLessThan(ids.length);
  });

  test("is counted without tombstones, also after those who left came back", async () => {
    const [service, none] = [freshName(), freshName()];
    const count = async () => (await run(countMembers(keys, [service, none])))[0];
    await fill(service);
    expect(await run(countMembers(keys, [service, none]))).toEqual([400, 0]);
    await run(putMember(keys, service, { ...MEMBER, id: "m-000", left: true }));
    expect(await count()).toBe(399);
    await run(putMember(keys, service, { ...MEMBER, id: "m-000", incarnation: 6, nonce: "n6" }));
    expect(await count()).toBe(400);
    // By an instance of an earlier version, which knows of no set of tombstones: the next heartbeat puts it right.
    await run(putMember(keys, service, { ...MEMBER, id: "m-001", left: true }));
    await server.redis.hset(keys.member(service, "m-001"), "left", "0");
    await run(heartbeat(keys, [{ service, id: "m-001" }]));
    expect(await count()).toBe(400);
  });

  test("is not the next registration's burden when all ended together", async () => {
    const service = freshName();
    const set = keys.members(service);
    await server.redis.zadd(set, ...ids.flatMap((id) => [1, id]));
    for (let writes = 1; writes <= 8; writes++) {
      await run(putMember(keys, service, { ...MEMBER, id: `live-${writes}` }));
      expect(await server.redis.zcard(set)).toBe(400 - 50 * writes + writes);
    }
    expect(await inSet(set)).toHaveLength(8);
  });
});
