import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SharedPrimaries } from "../../helpers/primaries.js";
import { freshName, type Instance, ownPrefix, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

let primaries: SharedPrimaries;
let instance: Instance;
beforeAll(async () => {
  primaries = await sharedPrimaries();
  instance = await startInstance(primaries.urls, { prefix: ownPrefix() });
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const acquire = async (name: string, body: object = {}) =>
  (await instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 20_000, ...body })).body;

const list = async (query: string) => instance.call("GET", `/v1/locks${query}`);

/** All pages of a prefix, each as its names. */
async function pages(prefix: string, limit: number): Promise<string[][]> {
  const found: string[][] = [];
  let cursor: string | null = null;
  do {
    const { status, body } = await list(
      `?prefix=${prefix}&limit=${limit}${cursor ? `&cursor=${cursor}` : ""}`,
    );
    expect(status).toBe(200);
    found.push(body.locks.map(({ name }: { name: string }) => name));
    cursor = body.cursor;
  } while (cursor !== null);
  return found;
}

describe("the list of locks", () => {
  test("has who holds them, by name, and never a leaseId", async () => {
    const { leaseId } = await acquire("who-b", { owner: "worker-7", metadata: { build: 1 } });
    await acquire("who-a", { mode: "shared" });
    await acquire("who-a", { mode: "shared" });
    const { body } = await list("?prefix=who-");
    expect(body).toEqual({
      locks: [
        { name: "who-a", mode: "shared", holders: [expect.anything(), expect.anything()] },
        {
          name: "who-b",
          mode: "exclusive",
          holders: [
            {
              owner: "worker-7",
              metadata: { build: 1 },
              mode: "exclusive",
              heldForMs: expect.any(Number),
              expiresInMs: expect.any(Number),
            },
          ],
        },
      ],
      cursor: null,
    });
    expect(JSON.stringify(body)).not.toContain(leaseId);
  });

  test("has only those that begin with the prefix, wherever it ends", async () => {
    for (const name of ["px", "px-1", "px.1", "py", "p"]) await acquire(name);
    expect((await pages("px", 100)).flat()).toEqual(["px", "px-1", "px.1"]);
    expect((await pages("px-", 100)).flat()).toEqual(["px-1"]);
    expect((await pages("pz", 100)).flat()).toEqual([]);
    expect((await pages("", 100)).flat()).toEqual(expect.arrayContaining(["p", "px", "py"]));
  });

  test("has what is held now: not what was released, nor what has expired", async () => {
    const { leaseId } = await acquire("now-a");
    await acquire("now-b", { ttlMs: 1_000 });
    await acquire("now-c");
    await instance.call("POST", "/v1/locks/now-a/release", { leaseId });
    await acquire("now-b", { waitMs: 15_000, ttlMs: 1_000 });
    // Behind the end of its time, which runs from its grant.
    await new Promise((resolve) => setTimeout(resolve, 1_020));
    expect((await pages("now-", 100)).flat()).toEqual(["now-c"]);
  });

  test("has each name of a lease of several", async () => {
    await instance.call("POST", "/v1/locks/acquire", { names: ["all-2", "all-1"], ttlMs: 20_000 });
    expect((await pages("all-", 100)).flat()).toEqual(["all-1", "all-2"]);
  });

  test("has no semaphores and no elections", async () => {
    await instance.call("POST", "/v1/semaphores/other-1/acquire", { limit: 2, ttlMs: 20_000 });
    await instance.call("POST", "/v1/elections/other-2/campaign", { ttlMs: 20_000 });
    expect((await pages("other-", 100)).flat()).toEqual([]);
  });

  test.each([1, 2, 3, 7, 500])("comes whole in pages of %i", async (limit) => {
    const names = ["page-a", "page-b", "page-c", "page-d", "page-e"];
    for (const name of names) await acquire(name, { mode: "shared" });
    const found = await pages("page-", limit);
    expect(found.flat()).toEqual(names);
    for (const page of found) expect(page.length).toBeLessThanOrEqual(limit);
  });

  test("begins after the cursor, whether or not that is held any more", async () => {
    for (const name of ["after-a", "after-c"]) await acquire(name);
    const { body } = await list("?prefix=after-&cursor=after-b");
    expect(body.locks.map(({ name }: { name: string }) => name)).toEqual(["after-c"]);
  });
});

describe("what the list does not take", () => {
  test.each([
    ["limit", "?limit=0"],
    ["limit", "?limit=501"],
    ["limit", "?limit=ten"],
    ["limit", "?limit=1.5"],
    ["limit", "?limit=-1"],
    ["limit", "?limit="],
    ["prefix", "?prefix=-a"],
    ["prefix", "?prefix=a%20b"],
    ["prefix", "?prefix=a*"],
    ["cursor", "?cursor="],
    ["cursor", "?cursor=a%2Fb"],
    ["cursor", "?prefix=b&cursor=a"],
    ["name", "?name=a"],
  ])("%s: %s", async (field, query) => {
    const { status, body } = await list(query);
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", field]);
  });
});

describe("check", () => {
  const check = async (name: string, fencingToken: unknown) =>
    instance.call("POST", `/v1/locks/${name}/check`, { fencingToken });

  test("tells the holder's token from an older one and from one that never was", async () => {
    const name = freshName();
    const first = await acquire(name);
    expect((await check(name, first.fencingToken)).body).toEqual({
      current: true,
      newest: first.fencingToken,
    });
    await instance.call("POST", `/v1/locks/${name}/release`, { leaseId: first.leaseId });
    const between = (await check(name, first.fencingToken)).body;
    expect(between.current).toBe(false);
    expect(between.newest).toBeGreaterThanOrEqual(first.fencingToken);
    const second = await acquire(name);
    for (const token of [first.fencingToken, second.fencingToken + 1, 1]) {
      expect((await check(name, token)).body).toEqual({ current: false, newest: second.fencingToken });
    }
    expect((await check(name, second.fencingToken)).body.current).toBe(true);
  });

  test("takes each of those who share a lock for current", async () => {
    const name = freshName();
    const readers = [await acquire(name, { mode: "shared" }), await acquire(name, { mode: "shared" })];
    for (const { fencingToken } of readers) {
      expect((await check(name, fencingToken)).body).toEqual({ current: true, newest: fencingToken });
    }
  });

  test("of a name that was never held is not current", async () => {
    expect((await check(freshName(), 7)).body.current).toBe(false);
  });

  test.each([undefined, null, "7", 0, -1, 1.5, 2 ** 53])("does not take the token %o", async (token) => {
    const { status, body } = await check(freshName(), token);
    expect([status, body.field]).toEqual([400, "fencingToken"]);
  });
});
