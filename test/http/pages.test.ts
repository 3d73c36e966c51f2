import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sealedCursor } from "../../src/http/locks/examples.js";
import { digestOf } from "../../src/scripts/hold.js";
import { Keys } from "../../src/scripts/keys.js";
import { type MemberRecord, putMember } from "../../src/scripts/member-calls.js";
import { memberRecord } from "../helpers/member-record.js";
import { startPrimaries, type TestPrimaries } from "../helpers/primaries.js";
import { chosenId, freshName, type Instance, ownPrefix, startInstance } from "../helpers/service.js";

// Lists at sizes that once took the quorum away from everybody, and how they are told in pages.

const PAGE_BYTES_MAX = 1024 * 1024;
let primaries: TestPrimaries;
let one: Instance;
let other: Instance;
let keys: Keys;
let servers: Redis[];

beforeAll(async () => {
  primaries = await startPrimaries(3);
  const prefix = ownPrefix();
  keys = new Keys(prefix);
  // Half of what tests have otherwise: slow enough for a busy machine, and a reply of 7 MB would be noticed.
  const env = { QUORATE_COMMAND_TIMEOUT_MS: "500" };
  one = await startInstance(primaries.urls, { prefix, env });
  other = await startInstance(primaries.urls, { prefix, env });
  servers = primaries.urls.map((url) => new Redis(url, { protocol: 2, disableClientInfo: true }));
});

afterAll(async () => {
  for (const server of servers) server.disconnect();
  await one[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await primaries.close();
});

const idOf = (i: number) => `m-${String(i).padStart(5, "0")}`;

/** Registers so many members on all primaries, past the service: thousands of requests would take long. */
async function fill(
  service: string,
  count: number,
  how: Partial<MemberRecord> = {},
  bytes = 2_000,
): Promise<void> {
  const registered = JSON.stringify({
    address: "10.0.0.7:9000",
    weight: 1,
    zone: null,
    tags: [],
    metadata: "x".repeat(bytes),
  });
  await Promise.all(
    servers.map(async (server) => {
      const stamp = (await server.hget(keys.configuration, "stamp")) as string;
      for (let at = 0; at < count; at += 200) {
        const batch = server.pipeline();
        for (let i = at; i < Math.min(count, at + 200); i++) {
          const record = memberRecord({
            id: idOf(i),
            ttlMs: 300_000,
            expiresInMs: 300_000,
            registered,
            ...how,
          });
          const { script, keys: own, args } = putMember(keys, service, record);
          batch.evalsha(script.sha1, own.length + 1, keys.configuration, ...own, stamp, ...args);
        }
        for (const [error] of (await batch.exec()) ?? []) if (error) throw error;
      }
    }),
  );
}

interface Page {
  readonly members: readonly { readonly id: string }[];
  readonly ringId: string;
  readonly cursor: string | null;
}

async function page(at: Instance, service: string, query: Record<string, string | null> = {}): Promise<Page> {
  const set = Object.entries(query).flatMap(([name, value]) => (value === null ? [] : [[name, value]]));
  const path = `/v1/services/${service}/members?${new URLSearchParams(set as [string, string][])}`;
  const { status, body } = await at.call("GET", path);
  expect(status, JSON.stringify(body).slice(0, 300)).toBe(200);
  expect(Buffer.byteLength(JSON.stringify(body))).toBeLessThan(PAGE_BYTES_MAX);
  return body;
}

async function allPages(at: Instance, service: string, limit?: string): Promise<Page[]> {
  const pages = [await page(at, service, { limit: limit ?? null })];
  for (let last = pages[0] as Page; last.cursor !== null; ) {
    last = await page(at, service, { limit: limit ?? null, cursor: last.cursor });
    pages.push(last);
  }
  return pages;
}

const idsOf = (pages: readonly Page[]) => pages.flatMap(({ members }) => members.map(({ id }) => id));

/** Each primary, and whether it has been up for so long. */
async function upFor(at: Instance, ms: number): Promise<unknown[]> {
  const { body } = await at.call("GET", "/v1/primaries");
  return body.primaries.map(({ state, forMs }: { state: string; forMs: number }) => [state, forMs >= ms]);
}

describe("three thousand members with two KB of metadata each", () => {
  const service = freshName("large");

  beforeAll(() => fill(service, 3_000));

  test("are listed five times at once, while all primaries stay up and others take locks", async () => {
    const startedMs = performance.now();
    const lists = Array.from({ length: 5 }, () => allPages(one, service));
    const locks = Array.from({ length: 20 }, () =>
      one.call("POST", `/v1/locks/${freshName()}/acquire`, { ttlMs: 10_000 }),
    );
    for (const { status } of await Promise.all(locks)) expect(status).toBe(200);
    for (const pages of await Promise.all(lists)) {
      expect(idsOf(pages)).toEqual(Array.from({ length: 3_000 }, (_, i) => idOf(i)));
      expect(new Set(pages.map(({ ringId }) => ringId)).size).toBe(1);
      expect(pages.length).toBeGreaterThan(6);
    }
    expect(await upFor(one, performance.now() - startedMs)).toEqual(Array(3).fill(["up", true]));
  }, 180_000);

  test("have the ringId by which owners are told", async () => {
    const { ringId } = await page(one, service, { limit: "1" });
    const owner = await other.call("GET", `/v1/services/${service}/owner?key=k`);
    expect(owner.body.ringId).toBe(ringId);
  }, 60_000);

  test("are read on by another instance, which gives them the same ringId", async () => {
    const first = await page(one, service, { limit: "100" });
    const second = await page(other, service, { limit: "100", cursor: first.cursor });
    expect(idsOf([first, second])).toEqual(Array.from({ length: 200 }, (_, i) => idOf(i)));
    expect(second.ringId).toBe(first.ringId);
  }, 60_000);
});

describe("pages of members", () => {
  test("have as many as were asked for, and nobody twice or not at all, whoever left before", async () => {
    const service = freshName();
    await fill(service, 120, {}, 10);
    for (let i = 0; i < 120; i += 3) await one.call("DELETE", `/v1/services/${service}/members/${idOf(i)}`);
    const pages = await allPages(other, service, "7");
    expect(idsOf(pages)).toEqual(
      Array.from({ length: 120 }, (_, i) => i)
        .filter((i) => i % 3)
        .map(idOf),
    );
    expect(pages.slice(0, -1).map(({ members }) => members.length)).toEqual(pages.slice(0, -1).map(() => 7));
    const whole = await page(one, service);
    expect(whole.cursor).toBeNull();
    expect(new Set([whole, ...pages].map(({ ringId }) => ringId)).size).toBe(1);
  });

  test("tell by their ringId when one that was still to come left, or has another weight", async () => {
    const service = freshName();
    await fill(service, 30, {}, 10);
    const path = (i: number) => `/v1/services/${service}/members/${idOf(i)}`;
    const first = await page(one, service, { limit: "10" });
    await other.call("DELETE", path(15));
    const second = await page(one, service, { limit: "10", cursor: first.cursor });
    expect(second.ringId).not.toBe(first.ringId);
    await other.call("PUT", path(25), { address: "a:1", weight: 3 });
    const third = await page(one, service, { limit: "10", cursor: second.cursor });
    expect(third.ringId).not.toBe(second.ringId);
    const again = await allPages(one, service, "10");
    expect(new Set(again.map(({ ringId }) => ringId))).toEqual(new Set([third.ringId]));
    expect(idsOf(again)).toEqual(
      Array.from({ length: 30 }, (_, i) => i)
        .filter((i) => i !== 15)
        .map(idOf),
    );
  });

  test("of those who ask later have in them what was acknowledged before", async () => {
    const service = freshName();
    for (let i = 0; i < 20; i++) {
      await (i % 2 ? one : other).call("PUT", `/v1/services/${service}/members/${idOf(i)}`, {
        address: "a:1",
      });
      const pages = await Promise.all([1, 2, 3].map(() => page(i % 2 ? other : one, service)));
      for (const { members } of pages) expect(members).toHaveLength(i + 1);
    }
  });

  test.each([
    ["limit=0", "limit"],
    ["limit=1001", "limit"],
    ["limit=x", "limit"],
    ["cursor=x", "cursor"],
    ["cursor=.x", "cursor"],
    ["cursor=", "cursor"],
  ])("take no %s", async (query, field) => {
    const { status, body } = await one.call("GET", `/v1/services/any/members?${query}`);
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", field]);
  });
});

describe("pages of services", () => {
  test("have those with members, in order, counted without reading them and without tombstones", async () => {
    await using own = await startInstance(primaries.urls);
    const names = Array.from({ length: 25 }, (_, i) => `s-${String(i).padStart(2, "0")}`);
    for (const name of names) {
      for (const id of ["a", "b"])
        await own.call("PUT", `/v1/services/${name}/members/${id}`, { address: "a:1" });
    }
    for (const name of names.slice(0, 10)) await own.call("DELETE", `/v1/services/${name}/members/a`);
    for (const name of names.slice(0, 5)) await own.call("DELETE", `/v1/services/${name}/members/b`);
    const found: unknown[] = [];
    let pages = 0;
    for (let cursor: string | null = ""; cursor !== null; pages++) {
      const { body } = await own.call("GET", `/v1/services?limit=4${cursor && `&cursor=${cursor}`}`);
      expect(body.services.length).toBeLessThanOrEqual(4);
      found.push(...body.services);
      cursor = body.cursor;
    }
    expect(pages).toBe(7);
    expect(found).toEqual(names.slice(5).map((service, i) => ({ service, members: i < 5 ? 1 : 2 })));
    expect((await own.call("GET", "/v1/services?limit=1001")).body.field).toBe("limit");
  });
});

describe("pages of holders", () => {
  test("have all who share a lock, each once, and nothing that gives their leaseIds away", async () => {
    const name = freshName("shared");
    const leaseIds = Array.from({ length: 450 }, chosenId);
    const metadata = "x".repeat(2_000);
    for (let at = 0; at < leaseIds.length; at += 50) {
      const acquired = leaseIds.slice(at, at + 50).map((leaseId, i) =>
        one.call("POST", `/v1/locks/${name}/acquire`, {
          ttlMs: 120_000,
          mode: "shared",
          owner: `reader-${at + i}`,
          leaseId,
          metadata,
        }),
      );
      for (const { status } of await Promise.all(acquired)) expect(status).toBe(200);
    }
    for (const limit of [1_000, 60]) {
      const owners: string[] = [];
      let pages = 0;
      for (let cursor: string | null = ""; cursor !== null; pages++) {
        const { status, body } = await other.call(
          "GET",
          `/v1/locks/${name}/holders?limit=${limit}${cursor && `&cursor=${cursor}`}`,
        );
        expect(status).toBe(200);
        const text = JSON.stringify(body);
        expect(Buffer.byteLength(text)).toBeLessThan(PAGE_BYTES_MAX);
        const secret = leaseIds.flatMap((leaseId) => [leaseId, digestOf(leaseId)]);
        expect(secret.filter((one) => text.includes(one))).toEqual([]);
        expect(body.holders.length).toBeLessThanOrEqual(limit);
        owners.push(...body.holders.map(({ owner }: { owner: string }) => owner));
        cursor = body.cursor;
      }
      expect(owners.sort()).toEqual(leaseIds.map((_, i) => `reader-${i}`).sort());
      expect(pages).toBe(limit === 60 ? 8 : 2);
    }
    const { body } = await one.call("GET", `/v1/locks/${name}`);
    expect(body.holders).toHaveLength(100);
  }, 60_000);

  test("go on from cursors of the same lock only", async () => {
    const [name, another] = [freshName(), freshName()];
    for (const lock of [name, another])
      for (const owner of ["a", "b", "c"])
        await one.call("POST", `/v1/locks/${lock}/acquire`, { ttlMs: 60_000, mode: "shared", owner });
    const { cursor } = (await one.call("GET", `/v1/locks/${name}/holders?limit=1`)).body;
    const next = (lock: string) => other.call("GET", `/v1/locks/${lock}/holders?cursor=${cursor}`);
    expect((await next(name)).body.holders).toHaveLength(2);
    expect((await next(another)).body.field).toBe("cursor");
  });

  test("have the only one of a writer, and none of a lock that is free", async () => {
    const name = freshName();
    const holders = async () => (await other.call("GET", `/v1/locks/${name}/holders`)).body;
    expect(await holders()).toEqual({ holders: [], cursor: null });
    await one.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 60_000, owner: "writer" });
    const { holders: found, cursor } = await holders();
    expect(cursor).toBeNull();
    expect(found).toMatchObject([{ owner: "writer", mode: "exclusive" }]);
    for (const wrong of ["x", digestOf("chosen"), sealedCursor]) {
      const refused = await other.call("GET", `/v1/locks/${name}/holders?cursor=${wrong}`);
      expect([refused.status, refused.body.field]).toEqual([400, "cursor"]);
    }
  });
});

describe("pages of locks", () => {
  test("are short where many readers with much to say hold them, and in all have every lock", async () => {
    const prefix = freshName("crowded");
    const names = Array.from({ length: 12 }, (_, i) => `${prefix}-${String(i).padStart(2, "0")}`);
    for (const name of names) {
      const acquired = Array.from({ length: 60 }, () =>
        one.call("POST", `/v1/locks/${name}/acquire`, {
          ttlMs: 120_000,
          mode: "shared",
          metadata: "x".repeat(2_000),
        }),
      );
      for (const { status } of await Promise.all(acquired)) expect(status).toBe(200);
    }
    const found: string[] = [];
    let pages = 0;
    for (let cursor: string | null = ""; cursor !== null; pages++) {
      const { status, body } = await other.call(
        "GET",
        `/v1/locks?prefix=${prefix}&limit=500${cursor && `&cursor=${cursor}`}`,
      );
      expect(status).toBe(200);
      expect(Buffer.byteLength(JSON.stringify(body))).toBeLessThan(PAGE_BYTES_MAX);
      for (const lock of body.locks) expect(lock.holders).toHaveLength(60);
      found.push(...body.locks.map(({ name }: { name: string }) => name));
      cursor = body.cursor;
    }
    expect(found).toEqual(names);
    expect(pages).toBeGreaterThan(2);
  }, 60_000);
});
