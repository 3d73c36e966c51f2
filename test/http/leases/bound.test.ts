import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Keys } from "../../../src/scripts/keys.js";
import { accessBy, bearer } from "../../helpers/access.js";
import { startPrimaries } from "../../helpers/primaries.js";
import { chosenId, freshName, type Instance, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

let instance: Instance;
let urls: readonly string[];
beforeAll(async () => {
  ({ urls } = await sharedPrimaries());
  instance = await startInstance(urls);
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

interface Proof {
  readonly service: string;
  readonly id: string;
  readonly incarnation: number;
  readonly memberKey: string;
}

const path = ({ service, id }: Pick<Proof, "service" | "id">) => `/v1/services/${service}/members/${id}`;

async function register(
  service = freshName(),
  id = "m",
  { call }: Pick<Instance, "call"> = instance,
  headers = {},
  ttlMs?: number,
): Promise<Proof> {
  const { body } = await call("PUT", path({ service, id }), { address: "10.0.0.7:9000", ttlMs }, headers);
  return { service, id, incarnation: body.incarnation, memberKey: body.memberKey };
}

const beat = ({ incarnation, memberKey, ...which }: Proof, { call }: Pick<Instance, "call"> = instance) =>
  call("POST", `${path(which)}/heartbeat`, { incarnation, memberKey });

const acquire = (name: string, body: object) =>
  instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 10_000, ...body });

/** How long the lease on a lock lives, ms; null: nobody holds it. */
async function leftOf(name: string): Promise<number | null> {
  return (await instance.call("GET", `/v1/locks/${name}`)).body.holders[0]?.expiresInMs ?? null;
}

/** How many leases each of the primaries has in the list. */
async function listedOf({ service, id, incarnation }: Proof, where = urls): Promise<number[]> {
  const list = new Keys(instance.prefix).bound(service, id, incarnation);
  return Promise.all(
    where.map(async (url) => {
      const redis = new Redis(url, { protocol: 2 });
      try {
        return await redis.hlen(list);
      } finally {
        redis.disconnect();
      }
    }),
  );
}

const FULL = { held: [], lost: [] };

describe("a lease that is bound to a member", () => {
  test("is renewed by its heartbeats, and told without its leaseId", async () => {
    const member = await register();
    const name = freshName();
    const { status, body } = await acquire(name, { ttlMs: 5_000, member });
    expect(status).toBe(200);
    await sleep(1_000);
    const { body: alive } = await beat(member);
    expect(alive.leases).toEqual({
      held: [
        {
          kind: "locks",
          names: [name],
          mode: "exclusive",
          fencingToken: body.fencingToken,
          validForMs: expect.any(Number),
        },
      ],
      lost: [],
    });
    expect(alive.leases.held[0].validForMs).toBeLessThanOrEqual(5_000);
    expect(JSON.stringify(alive)).not.toContain(body.leaseId);
    expect(await leftOf(name)).toBeGreaterThan(4_000);
  });

  test("lives as long as they go on, in any instance, and ends without them", async () => {
    await using other = await startInstance(urls, { prefix: instance.prefix });
    const member = await register();
    const name = freshName();
    const { body } = await acquire(name, { ttlMs: 2_000, member });
    for (const at of [other, instance]) {
      await sleep(1_200);
      expect((await beat(member, at)).body.leases.held).toMatchObject([{ fencingToken: body.fencingToken }]);
    }
    await sleep(2_100);
    expect(await leftOf(name)).toBeNull();
    const ended = (await beat(member)).body.leases;
    expect(ended).toMatchObject({
      held: [],
      lost: [{ kind: "locks", names: [name], fencingToken: body.fencingToken, lost: { why: "expired" } }],
    });
    expect((await beat(member)).body.leases).toEqual(FULL);
  });

  test("is not shortened by them", async () => {
    const member = await register();
    const name = freshName();
    const { body } = await acquire(name, { ttlMs: 1_000, member });
    await instance.call("POST", `/v1/locks/${name}/renew`, { leaseId: body.leaseId, ttlMs: 60_000 });
    await beat(member);
    expect(await leftOf(name)).toBeGreaterThan(50_000);
  });

  test("may hold several locks, shared ones, permits or a term", async () => {
    const member = await register();
    const names = [freshName("b"), freshName("a")];
    const [shared, pool, office] = [freshName(), freshName(), freshName()];
    const ttlMs = 10_000;
    const several = await instance.call("POST", "/v1/locks/acquire", { names, ttlMs, member });
    const reader = await acquire(shared, { mode: "shared", member });
    const permits = { limit: 5, permits: 3, ttlMs, member };
    const three = await instance.call("POST", `/v1/semaphores/${pool}/acquire`, permits);
    const term = await instance.call("POST", `/v1/elections/${office}/campaign`, { ttlMs, member });
    expect([several, reader, three, term].map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const { held, lost } = (await beat(member)).body.leases;
    expect(lost).toEqual([]);
    const exclusive = { mode: "exclusive", validForMs: expect.any(Number) };
    expect(held).toHaveLength(4);
    expect(held).toEqual(
      expect.arrayContaining([
        { ...exclusive, kind: "locks", names: names.toSorted(), fencingToken: several.body.fencingToken },
        {
          ...exclusive,
          kind: "locks",
          names: [shared],
          mode: "shared",
          fencingToken: reader.body.fencingToken,
        },
        { ...exclusive, kind: "semaphores", names: [pool], fencingToken: three.body.fencingToken },
        { ...exclusive, kind: "elections", names: [office], fencingToken: term.body.term },
      ]),
    );
    await instance.call("POST", `/v1/semaphores/${pool}/release`, { leaseId: three.body.leaseId });
    await instance.call("POST", `/v1/elections/${office}/resign`, { leaseId: term.body.leaseId });
    await instance.call("POST", `/v1/locks/${shared}/release`, { leaseId: reader.body.leaseId });
    await instance.call("POST", "/v1/locks/release", { names, leaseId: several.body.leaseId });
    expect(await listedOf(member)).toEqual([0, 0, 0]);
  });

  test("that was released is in no list, and is not told as lost", async () => {
    const member = await register();
    const name = freshName();
    const { body } = await acquire(name, { member });
    await expect.poll(() => listedOf(member)).toEqual([1, 1, 1]);
    await instance.call("POST", `/v1/locks/${name}/release`, { leaseId: body.leaseId });
    await expect.poll(() => listedOf(member)).toEqual([0, 0, 0]);
    expect((await beat(member)).body.leases).toEqual(FULL);
  });

  test("that an operator broke is told with the reason, once", async () => {
    await using own = await startInstance(urls, {
      prefix: instance.prefix,
      env: { QUORATE_OPERATOR_KEY: "an-operator-key-of-tests" },
    });
    const member = await register();
    const name = freshName();
    const { body } = await acquire(name, { member });
    await own.call(
      "POST",
      `/v1/locks/${name}/break`,
      { reason: "stuck" },
      {
        authorization: "Bearer an-operator-key-of-tests",
      },
    );
    const { held, lost } = (await beat(member)).body.leases;
    expect(held).toEqual([]);
    expect(lost).toEqual([
      {
        kind: "locks",
        names: [name],
        fencingToken: body.fencingToken,
        lost: { why: "broken", reason: "stuck" },
      },
    ]);
    await expect.poll(() => listedOf(member)).toEqual([0, 0, 0]);
    expect((await beat(member)).body.leases).toEqual(FULL);
  });

  test("that another lease has taken is told as taken, each lease by itself", async () => {
    const member = await register();
    const [kept, taken] = [freshName(), freshName()];
    await acquire(kept, { member });
    const mine = await acquire(taken, { ttlMs: 200, member });
    await sleep(250);
    const theirs = await acquire(taken, { waitMs: 5_000 });
    const { held, lost } = (await beat(member)).body.leases;
    expect(held).toMatchObject([{ names: [kept] }]);
    expect(lost).toMatchObject([
      { names: [taken], fencingToken: mine.body.fencingToken, lost: { why: "taken" } },
    ]);
    expect((await instance.call("GET", `/v1/locks/${taken}`)).body.fencingToken).toBe(
      theirs.body.fencingToken,
    );
  });

  test("is the same lease where the request is repeated with its leaseId", async () => {
    const member = await register();
    const name = freshName();
    const leaseId = chosenId();
    const first = await acquire(name, { leaseId, member });
    const second = await acquire(name, { leaseId, member });
    expect(second.body.fencingToken).toBe(first.body.fencingToken);
    expect((await beat(member)).body.leases.held).toHaveLength(1);
    await instance.call("POST", `/v1/locks/${name}/release`, { leaseId });
    expect((await beat(member)).body.leases).toEqual(FULL);
  });

  test("is not extended by a new registration of the member, nor by heartbeats of that", async () => {
    const member = await register();
    const name = freshName();
    await acquire(name, { ttlMs: 1_000, member });
    const next = await register(member.service, member.id);
    await sleep(300);
    expect((await beat(next)).body.leases).toEqual(FULL);
    expect((await beat(member)).body.code).toBe("superseded");
    expect(await leftOf(name)).toBeLessThanOrEqual(700);
  });

  test("is not extended by the grace of a restart", async () => {
    const member = await register();
    const name = freshName();
    await acquire(name, { ttlMs: 1_000, member });
    const left = await instance.call("DELETE", `${path(member)}?restart=true&restartGraceMs=20000`);
    expect(left.body).toEqual({ left: true });
    await sleep(300);
    expect(await leftOf(name)).toBeLessThanOrEqual(700);
    await expect.poll(() => leftOf(name), { timeout: 2_000 }).toBeNull();
    expect((await instance.call("GET", path(member))).body.status).toBe("suspect");
  });

  test("is not extended by the guard that keeps its member", async () => {
    const service = freshName();
    const ids = ["a", "b", "c", "d", "e"];
    const members = await Promise.all(ids.map((id) => register(service, id, instance, {}, 1_000)));
    const [member, name] = [members[0] as Proof, freshName()];
    await acquire(name, { ttlMs: 1_000, member });
    const isGuarded = async () =>
      (await instance.call("GET", `/v1/services/${service}/members`)).body.guardEndsInMs > 0;
    await expect.poll(isGuarded, { timeout: 4_000 }).toBe(true);
    expect(await leftOf(name)).toBeNull();
    expect((await instance.call("GET", path(member))).body.status).toBe("suspect");
  });

  test("is not renewed by heartbeats without the memberKey, or with that of another", async () => {
    const member = await register();
    const other = await register(member.service, "n");
    const name = freshName();
    await acquire(name, { ttlMs: 1_000, member });
    await sleep(300);
    const { incarnation, memberKey: _, ...which } = member;
    const without = await instance.call("POST", `${path(which)}/heartbeat`, { incarnation });
    expect([without.status, without.body.leases]).toEqual([200, undefined]);
    const foreign = await beat({ ...member, memberKey: other.memberKey });
    expect([foreign.status, foreign.body.code]).toEqual([403, "forbidden"]);
    expect(await leftOf(name)).toBeLessThanOrEqual(700);
  });

  test("is renewed by heartbeats in a batch, too", async () => {
    const members = await Promise.all([register(), register()]);
    const names = [freshName(), freshName()];
    for (const [index, member] of members.entries()) await acquire(names[index] as string, { member });
    const { outcomes } = (await instance.call("POST", "/v1/heartbeats", { beats: members })).body;
    expect(outcomes).toMatchObject(
      names.map((name) => ({ outcome: "alive", leases: { held: [{ names: [name] }], lost: [] } })),
    );
  });

  test("belongs to the namespace of its member", async () => {
    const team = "/v1/namespaces/team-a";
    const service = freshName();
    const name = freshName();
    const { body } = await instance.call("PUT", `${team}${path({ service, id: "m" }).slice(3)}`, {
      address: "10.0.0.7:9000",
    });
    const { incarnation, memberKey } = body;
    const member = { service, id: "m", incarnation, memberKey };
    expect((await acquire(name, { member })).body.code).toBe("unknown_member");
    const acquired = await instance.call("POST", `${team}/locks/${name}/acquire`, { ttlMs: 10_000, member });
    expect(acquired.status).toBe(200);
    const told = await instance.call("POST", `${team}/heartbeats`, { beats: [member] });
    expect(told.body.outcomes[0].leases.held).toMatchObject([{ names: [name] }]);
  });
});

describe("a request that names a member", () => {
  test.each([
    ["that does not exist", 404, "unknown_member", (member: Proof) => ({ ...member, id: "nobody" })],
    [
      "of an incarnation to come",
      404,
      "unknown_member",
      (member: Proof) => ({ ...member, incarnation: member.incarnation + 9 }),
    ],
    [
      "of an earlier incarnation",
      409,
      "superseded",
      (member: Proof) => ({ ...member, incarnation: member.incarnation - 1 }),
    ],
    ["with a wrong key", 403, "forbidden", (member: Proof) => ({ ...member, memberKey: "x".repeat(22) })],
  ])("%s is %i %s, and acquires nothing", async (_, status, code, wrong) => {
    const member = await register();
    const name = freshName();
    for (const waitMs of [0, 1_000]) {
      const refused = await acquire(name, { waitMs, member: wrong(member) });
      expect([refused.status, refused.body.code]).toEqual([status, code]);
    }
    const { holders, newest } = (await instance.call("GET", `/v1/locks/${name}`)).body;
    expect(holders).toEqual([]);
    // Nor did it raise a token.
    expect(newest).toBeLessThanOrEqual((await acquire(name, {})).body.fencingToken - 2);
  });

  test("with the key of another member is forbidden", async () => {
    const [one, other] = [await register(), await register()];
    const refused = await acquire(freshName(), { member: { ...one, memberKey: other.memberKey } });
    expect([refused.status, refused.body.code]).toEqual([403, "forbidden"]);
    expect(JSON.stringify(refused.body)).not.toContain(other.memberKey);
  });

  test("that has left is unknown_member", async () => {
    const member = await register();
    await instance.call("DELETE", path(member));
    expect((await acquire(freshName(), { member })).body.code).toBe("unknown_member");
  });

  test.each([
    ["without an incarnation", "member.incarnation", { service: "s", id: "m", memberKey: "x".repeat(22) }],
    ["without a memberKey", "member.memberKey", { service: "s", id: "m", incarnation: 1 }],
    ["with a wrong id", "member.id", { service: "s", id: "-", incarnation: 1, memberKey: "x".repeat(22) }],
    [
      "with another field",
      "member.ttlMs",
      { service: "s", id: "m", incarnation: 1, memberKey: "x".repeat(22), ttlMs: 1 },
    ],
  ])("%s is refused", async (_, field, member) => {
    const { status, body } = await acquire(freshName(), { member });
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", field]);
  });

  test("in an election by consensus is refused: no heartbeat renews its term", async () => {
    const member = await register();
    const request = { ttlMs: 1_000, consensus: true, member };
    const { status, body } = await instance.call("POST", `/v1/elections/${freshName()}/campaign`, request);
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", "member"]);
  });

  test("may bind 256 leases to it, and no more before one is released", async () => {
    const member = await register();
    const prefix = freshName();
    const granted = new Map<string, string>();
    const names = Array.from({ length: 256 }, (_, i) => `${prefix}-${i}`);
    for (let at = 0; at < names.length; at += 32)
      await Promise.all(
        names.slice(at, at + 32).map(async (name) => {
          const { body } = await acquire(name, { ttlMs: 60_000, member });
          granted.set(name, body.leaseId);
        }),
      );
    const refused = await acquire(`${prefix}-more`, { member });
    expect([refused.status, refused.body.code]).toEqual([409, "too_many"]);
    expect(await leftOf(`${prefix}-more`)).toBeNull();
    const { held, lost } = (await beat(member)).body.leases;
    expect(held.map(({ names: [name] }: { names: [string] }) => name).sort()).toEqual(names.toSorted());
    expect(lost).toEqual([]);
    // A repeated request takes no further place.
    const [first = ""] = names;
    const leaseId = granted.get(first);
    await instance.call("POST", `/v1/locks/${first}/release`, { leaseId });
    expect((await acquire(`${prefix}-more`, { member })).status).toBe(200);
  });
});

test("a batch of heartbeats renews 4,096 leases, and says whose it left out", async () => {
  const service = freshName();
  const members = await Promise.all(Array.from({ length: 17 }, (_, i) => register(service, `m-${i}`)));
  const keys = new Keys(instance.prefix);
  const redis = urls.map((url) => new Redis(url, { protocol: 2 }));
  const text = (i: number) => {
    const resources = [`lock/${service}-${i}`];
    return `7 ${JSON.stringify({ ttlMs: 1_000, mode: "exclusive", resources, fingerprint: null, limit: null })}`;
  };
  try {
    // None of them is held: each is found to have ended.
    for (const { id, incarnation } of members) {
      const list = keys.bound(service, id, incarnation);
      const fields = Array.from({ length: 256 }, (_, i) => [`q-${String(i).padStart(22, "x")}`, text(i)]);
      await Promise.all(redis.map((one) => one.hset(list, ...fields.flat())));
    }
  } finally {
    for (const one of redis) one.disconnect();
  }
  const { outcomes } = (await instance.call("POST", "/v1/heartbeats", { beats: members })).body;
  const lostOf = outcomes.map(({ leases }: { leases?: { lost: object[] } }) => leases?.lost.length);
  expect(lostOf).toEqual([...Array.from({ length: 16 }, () => 256), undefined]);
  expect(outcomes[16]).toMatchObject({ outcome: "failed", code: "too_many", retryAfterMs: 100 });
  const alone = await beat(members[16] as Proof);
  expect(alone.body.leases.lost).toHaveLength(256);
});

describe("grants", () => {
  const use = (kind: "locks" | "members", ...names: string[]) => ({
    namespace: "default",
    kinds: [kind],
    names,
    actions: ["use" as const],
  });

  test("for the locks and for the service are both needed, to bind and to renew", async () => {
    const [service, foreign] = [freshName("search"), freshName("mail")];
    const [orders, stock] = [freshName("orders"), freshName("stock")];
    using keyed = await accessBy({
      worker: [use("members", "search*"), use("locks", "orders*", "stock*")],
      narrow: [use("members", "search*"), use("locks", "orders*")],
      admin: [use("members", "*"), use("locks", "*")],
    });
    await using own = await startInstance(urls, {
      prefix: instance.prefix,
      world: { access: keyed.access },
    });
    const member = await register(service, "m", own, bearer("admin"));
    const other = await register(foreign, "m", own, bearer("admin"));
    const take = (name: string, proof: Proof, key: string) =>
      own.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 5_000, member: proof }, bearer(key));
    // Whether there is such a member is not told.
    for (const proof of [other, { ...other, id: "nobody" }]) {
      const { status, body } = await take(orders, proof, "worker");
      expect([status, body.code]).toEqual([403, "forbidden"]);
      expect(body.detail).toContain(`"${foreign}"`);
    }
    for (const name of [orders, stock]) expect((await take(name, member, "worker")).status).toBe(200);
    await sleep(1_000);
    const { incarnation, memberKey } = member;
    const told = await own.call(
      "POST",
      `${path(member)}/heartbeat`,
      { incarnation, memberKey },
      bearer("narrow"),
    );
    expect(told.body.leases.held).toMatchObject([{ names: [orders] }]);
    expect(told.body.leases.lost).toEqual([]);
    expect(await leftOf(orders)).toBeGreaterThan(4_000);
    expect(await leftOf(stock)).toBeLessThanOrEqual(4_000);
  });
});

describe("primaries that come and go", () => {
  test("lose no bound lease: what one has is enough to find it, and the others get it again", async () => {
    await using primaries = await startPrimaries(3);
    await using own = await startInstance(primaries.urls, { prefix: instance.prefix });
    const member = await register(freshName(), "m", own);
    const name = freshName();
    const body = { ttlMs: 20_000, member };
    const { fencingToken } = (await own.call("POST", `/v1/locks/${name}/acquire`, body)).body;
    await expect.poll(() => listedOf(member, primaries.urls)).toEqual([1, 1, 1]);
    const list = new Keys(own.prefix).bound(member.service, member.id, member.incarnation);
    for (const primary of primaries.all.slice(0, 2)) await primary.cli("DEL", list);
    // Each primary of a majority is asked, and one of any majority may be the one that has it.
    await expect
      .poll(async () => (await beat(member, own)).body.leases.held)
      .toMatchObject([{ names: [name], fencingToken }]);
    await expect.poll(() => listedOf(member, primaries.urls)).toEqual([1, 1, 1]);
    // One that was wiped gets the list from the others.
    await primaries.all[0]?.cli("FLUSHALL");
    await expect.poll(() => listedOf(member, primaries.urls), { timeout: 10_000 }).toEqual([1, 1, 1]);
    expect((await beat(member, own)).body.leases.held).toMatchObject([{ fencingToken }]);
  });
});
